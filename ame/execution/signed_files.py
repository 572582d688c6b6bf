"""Files that people hand to each other: a voucher, a claim with its proof, a signed claim that anybody can send."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ame import bounded_json
from ame.encoding import account_id, check_address, keccak, to_bytes, to_hex
from ame.errors import FileError, InputError
from ame.records import Claim, check_integer

VOUCHER_FORMAT = "ame-voucher/1"
CLAIM_FORMAT = "ame-claim/1"
SIGNED_CLAIM_FORMAT = "ame-signed-claim/1"
MAX_FILE_BYTES = 1_000_000


class Voucher(NamedTuple):
    """A registrar says: this name belongs to this holder.

    `content_hash`: of a RightsRegistry that vouches for an escrow id, whose name is sha256:CONTENT_HASH.
    """

    chain_id: int
    registry: str
    name: str
    registrar: str
    holder: str
    recovery_seconds: int
    deadline: int
    signature: bytes
    content_hash: bytes | None = None

    @property
    def external_id_hash(self) -> bytes:
        """What the registries know the name by."""
        return keccak(self.name.encode()) if self.content_hash is None else self.content_hash

    @property
    def contributor_id(self) -> bytes:
        """The id that is bound."""
        return keccak(account_id(self.registrar) + self.external_id_hash)

    def to_json(self) -> dict[str, str]:
        """The file's content; numbers are decimal strings."""
        raw = {} if self.content_hash is None else {"external_id_hash": to_hex(self.content_hash)}
        return raw | {
            "format": VOUCHER_FORMAT,
            "chain_id": str(self.chain_id),
            "registry": self.registry,
            "name": self.name,
            "registrar": self.registrar,
            "holder": self.holder,
            "recovery_seconds": str(self.recovery_seconds),
            "deadline": str(self.deadline),
            "signature": to_hex(self.signature),
        }


class SignedClaim(NamedTuple):
    """A call of claimTo with the holder's signature in it: good for this recipient only, once, until the deadline.

    The signature does not name the leaves: who sends it may put others of the same id into the call.
    """

    chain_id: int
    to: str
    contributor_id: bytes
    recipient: str
    amount: int
    deadline: int
    data: bytes

    def to_json(self) -> dict[str, str]:
        """The file's content; numbers are decimal strings. `data` is ready to be sent to `to`."""
        return {
            "format": SIGNED_CLAIM_FORMAT,
            "chain_id": str(self.chain_id),
            "to": self.to,
            "contributor_id": to_hex(self.contributor_id),
            "recipient": self.recipient,
            "amount": str(self.amount),
            "deadline": str(self.deadline),
            "data": to_hex(self.data),
        }


class ClaimFile(NamedTuple):
    """An id's leaves with their proofs. `data` is a call that is ready to be sent to `to`."""

    chain_id: int
    to: str
    amount: int
    claims: tuple[Claim, ...]
    data: bytes

    def to_json(self) -> dict[str, Any]:
        """The file's content; amounts are decimal strings."""
        return {
            "format": CLAIM_FORMAT,
            "chain_id": str(self.chain_id),
            "to": self.to,
            "amount": str(self.amount),
            "claims": [
                {
                    "stage": one.stage,
                    "index": one.index,
                    "contributor_id": to_hex(one.contributor_id),
                    "cumulative": str(one.cumulative),
                    "proof": to_hex(one.proof),
                }
                for one in self.claims
            ],
            "data": to_hex(self.data),
        }


def read_voucher(path: Path) -> Voucher:
    """Read a registrar's voucher. Raises FileError for anything else."""
    document = _read(path, VOUCHER_FORMAT)
    try:
        content = None
        if "external_id_hash" in document:
            content = to_bytes(document["external_id_hash"], 32, "external_id_hash")
            if document["name"] != f"sha256:{content.hex()}":  # shown to the holder in its place
                raise InputError(f"name: expected sha256:{content.hex()}, got {document['name']!r}")
        return Voucher(
            _number(document, "chain_id"),
            check_address(document["registry"], "registry"),
            _text(document, "name"),
            check_address(document["registrar"], "registrar"),
            check_address(document["holder"], "holder"),
            _number(document, "recovery_seconds", 2**32 - 1),
            _number(document, "deadline", 2**256 - 1),
            hex_bytes(_text(document, "signature"), "signature"),
            content,
        )
    except (InputError, KeyError) as error:
        raise FileError(f"not a voucher: {error}", file=path) from error


def read_signed_claim(path: Path) -> SignedClaim:
    """Read a signed claim. Raises FileError for anything else."""
    document = _read(path, SIGNED_CLAIM_FORMAT)
    try:
        return SignedClaim(
            _number(document, "chain_id"),
            check_address(document["to"], "to"),
            to_bytes(document["contributor_id"], 32, "contributor_id"),
            check_address(document["recipient"], "recipient"),
            _number(document, "amount"),
            _number(document, "deadline", 2**256 - 1),
            hex_bytes(_text(document, "data"), "data"),
        )
    except (InputError, KeyError) as error:
        raise FileError(f"not a signed claim: {error}", file=path) from error


def read_claim_file(path: Path) -> ClaimFile:
    """Read a claim with its proof, from the claim page or `ame claim --export`. Raises FileError for anything else."""
    document = _read(path, CLAIM_FORMAT)
    try:
        claims = tuple(map(_claim, document["claims"]))
        if len({one.contributor_id for one in claims}) != 1:
            raise InputError("claims: expected at least one, all of one contributor")
        return ClaimFile(
            _number(document, "chain_id"),
            check_address(document["to"], "to"),
            _number(document, "amount"),
            claims,
            hex_bytes(_text(document, "data"), "data"),
        )
    except (InputError, KeyError, TypeError) as error:
        raise FileError(f"not a claim with its proof: {error}", file=path) from error


def _claim(part: dict[str, Any]) -> Claim:
    check_integer(part["stage"], "stage", 0, 4)
    check_integer(part["index"], "index", 0, 2**32 - 1)
    return Claim(
        part["stage"],
        part["index"],
        to_bytes(part["contributor_id"], 32, "contributor_id"),
        _number(part, "cumulative"),
        hex_bytes(_text(part, "proof"), "proof"),
    )


def _read(path: Path, format_tag: str) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        document = bounded_json.loads(data) if len(data) <= MAX_FILE_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(f"cannot be read: {error}", file=path) from error
    if not isinstance(document, dict) or document.get("format") != format_tag:
        raise FileError(f"expected a file of format {format_tag!r}", file=path)
    return document


def _text(document: dict[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise InputError(f"{name}: expected text, got {value!r}")
    return value


def _number(document: dict[str, Any], name: str, high: int = 2**128 - 1) -> int:
    text = _text(document, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 78):
        raise InputError(f"{name}: expected a decimal string, got {text[:80]!r}")
    value = int(text)
    check_integer(value, name, 0, high)
    return value


def hex_bytes(text: str, name: str) -> bytes:
    """Bytes of any length, from 0x and hex digits."""
    if len(text) % 2:
        raise InputError(f"{name}: expected 0x and hex digits, got an odd number of them")
    return to_bytes(text, len(text) // 2 - 1, name)
