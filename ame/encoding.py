"""The one Python file that knows bytes: ids, hashes and EIP-712 messages, as contracts/ encodes them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from _pysha3 import keccak_256
from eth_utils.address import is_checksum_address

from ame.errors import InputError
from ame.records import LedgerCommitment, check_contributor_id

EMPTY_LEAF = (bytes(32), 0)
LARGEST_ACCOUNT_ID = 2**160 - 1
ZERO_ADDRESS = "0x" + "00" * 20


def keccak(data: bytes) -> bytes:
    """Keccak-256, as Ethereum uses it."""
    return keccak_256(data).digest()  # type: ignore[no-any-return]


def check_address(address: object, name: str) -> str:
    """Refuse what is not a checksummed, nonzero address (EIP-55)."""
    if not isinstance(address, str) or not is_checksum_address(address):
        raise InputError(f"{name}: expected a checksummed address (EIP-55), got {address!r}")
    if int(address, 16) == 0:
        raise InputError(f"{name}: expected an address other than zero")
    return address


@lru_cache(maxsize=1024)  # one registrar vouches for a million names
def account_id(address: str) -> bytes:
    """The id of an address itself: the address, left-padded to 32 bytes."""
    return bytes(12) + bytes.fromhex(check_address(address, "account id")[2:])


def named_id(registrar: str, external_id: str) -> bytes:
    """keccak256(abi.encode(registrar, keccak256(name))) for names such as `hf:alice` that the registrar vouches for."""
    return keccak(account_id(registrar) + keccak(external_id.encode()))


def is_account_id(contributor_id: bytes) -> bool:
    """Whether the id is an address; named ids are larger."""
    return int.from_bytes(contributor_id) <= LARGEST_ACCOUNT_ID


def leaf_hash(contributor_id: bytes, cumulative: int) -> bytes:
    """keccak256(id ‖ uint128 cumulative), 48 bytes."""
    check_contributor_id(contributor_id)
    return keccak(contributor_id + cumulative.to_bytes(16))


def node_hash(left_hash: bytes, left_sum: int, right_hash: bytes, right_sum: int) -> bytes:
    """keccak256(left_hash ‖ uint128 left_sum ‖ right_hash ‖ uint128 right_sum), 96 bytes."""
    return keccak(left_hash + left_sum.to_bytes(16) + right_hash + right_sum.to_bytes(16))


def commitment(ledger: LedgerCommitment) -> bytes:
    """keccak256(root ‖ uint128 total ‖ uint8 depth), 49 bytes: the one word that a pool stores of a ledger."""
    return keccak(ledger.root + ledger.total.to_bytes(16) + ledger.depth.to_bytes(1))


def to_hex(data: bytes) -> str:
    """0x-prefixed lower-case hex."""
    return "0x" + data.hex()


def to_bytes(text: object, length: int, name: str) -> bytes:
    """Bytes of a 0x-prefixed hex string of exactly this length."""
    if not isinstance(text, str) or not text.startswith("0x") or len(text) != 2 + 2 * length:
        raise InputError(f"{name}: expected 0x and {2 * length} hex digits, got {text!r}")
    try:
        data = bytes.fromhex(text[2:])
    except ValueError as error:
        raise InputError(f"{name}: expected 0x and {2 * length} hex digits, got {text!r}") from error
    if len(data) != length:  # fromhex skips white space
        raise InputError(f"{name}: expected 0x and {2 * length} hex digits, got {text!r}")
    return data


_DOMAIN_TYPE = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]

MESSAGE_TYPES = {
    "AME ContributorRegistry": {
        "Vouch": "bytes32 externalIdHash,address holder,uint32 recoverySeconds,uint256 deadline",
        "Bind": "bytes32 contributorId,address holder,address payout,uint32 recoverySeconds,"
        "uint256 nonce,uint256 deadline",
        "SetPayout": "bytes32 contributorId,address payout,uint256 nonce,uint256 deadline",
    },
    "AME SettlementPool": {
        "ClaimTo": "bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline",
    },
    "AME RightsRegistry": {
        "Settle": "bytes32 contentHash,bytes32 assetId,uint256 registrations,uint256 deadline",
    },
}


def typed_data(
    domain_name: str, chain_id: int, contract: str, primary: str, **message: Any
) -> dict[str, Any]:
    """A full EIP-712 message for eth_account.sign_typed_data or eth_signTypedData_v4.

    eth-account is lenient where wallets are not, so the fields are checked against their types here.
    """
    fields = [
        {"type": kind, "name": name}
        for kind, name in (part.split(" ") for part in MESSAGE_TYPES[domain_name][primary].split(","))
    ]
    if list(message) != [field["name"] for field in fields]:
        raise InputError(
            f"{primary}: expected the fields {[field['name'] for field in fields]}, got {list(message)}"
        )
    for field in fields:
        value, kind, name = message[field["name"]], field["type"], f"{primary}.{field['name']}"
        if kind == "address":
            check_address(value, name)
        elif kind == "bytes32" and not (isinstance(value, bytes) and len(value) == 32):
            raise InputError(f"{name}: expected 32 bytes, got {value!r}")
        elif kind.startswith("uint") and not (type(value) is int and 0 <= value < 1 << int(kind[4:])):
            raise InputError(f"{name}: expected a {kind}, got {value!r}")
    return {
        "types": {"EIP712Domain": _DOMAIN_TYPE, primary: fields},
        "primaryType": primary,
        "domain": {
            "name": domain_name,
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": check_address(contract, "verifyingContract"),
        },
        "message": message,
    }
