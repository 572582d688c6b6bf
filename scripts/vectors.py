"""Writes tests/vectors: known inputs and what must come out of them, in Python and in Solidity alike.

Digests of EIP-712 messages come from the encoder below, which is written from the standard and shares nothing with
ame.encoding: a wrong type string there would otherwise agree with itself.

    python scripts/vectors.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eth_abi import encode

from ame.arithmetic import shapley_numerators, stage_amounts, telescoping_split
from ame.encoding import account_id, commitment, keccak, leaf_hash, named_id, node_hash, to_hex
from ame.execution.merkle_sum import SumTree
from ame.records import MAX_AMOUNT, LedgerCommitment, StageUpdate

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "vectors"
FORMAT = "ame-vectors/1"
CHAIN_ID = 31337
REGISTRY = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
POOL = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
RIGHTS = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"
REGISTRAR = (
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"  # development account 0, of the mnemonic test ... junk
)
HOLDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"  # development account 1
PAYOUT = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"  # development account 2
NAME = "hf:alice"
DEADLINE = 4_102_444_800  # 2100-01-01
RECOVERY_SECONDS = 30 * 86_400


def draw(label: str, below: int) -> int:
    """A number that looks random and is the same on every machine."""
    return int.from_bytes(keccak(label.encode())) % below


def encodings() -> dict[str, Any]:
    """Ids, leaves, nodes and commitments at the ends of their ranges and in between."""
    ids = [account_id(HOLDER), named_id(REGISTRAR, NAME), b"\xff" * 32, bytes(31) + b"\x01"]
    sums = [0, 1, MAX_AMOUNT, 2**128 - 1]
    nodes = [
        (bytes(32), 0, bytes(32), 0),
        (keccak(b"left"), 7, keccak(b"right"), 11),
        (keccak(b"left"), 2**127, bytes(32), 2**127 - 1),
    ]
    ledgers = [
        LedgerCommitment(node_hash(bytes(32), 0, bytes(32), 0), 0, 1),
        LedgerCommitment(keccak(b"root"), 10**24, 20),
        LedgerCommitment(b"\xff" * 32, MAX_AMOUNT, 32),
    ]
    names = [(REGISTRAR, "hf:alice"), (HOLDER, "github:zoë/ünïcode"), (PAYOUT, "")]
    return {
        "account_ids": [
            {"address": address, "id": to_hex(account_id(address))} for address in (HOLDER, PAYOUT)
        ],
        "named_ids": [
            {
                "registrar": registrar,
                "name": to_hex(name.encode()),
                "external_id_hash": to_hex(keccak(name.encode())),
                "id": to_hex(named_id(registrar, name)),
            }
            for registrar, name in names
        ],
        "leaves": [
            {"id": to_hex(one), "cumulative": str(amount), "hash": to_hex(leaf_hash(one, amount))}
            for one in ids
            for amount in sums
        ],
        "nodes": [
            {
                "left_hash": to_hex(node[0]),
                "left_sum": str(node[1]),
                "right_hash": to_hex(node[2]),
                "right_sum": str(node[3]),
                "hash": to_hex(node_hash(*node)),
            }
            for node in nodes
        ],
        "commitments": [{**_ledger(ledger), "commitment": to_hex(commitment(ledger))} for ledger in ledgers],
    }


def trees() -> dict[str, Any]:
    """Trees of one leaf to 33, some deeper than needed, with proofs, prefix sums and range proofs."""
    return {
        "trees": [
            _tree(size, depth) for size, depth in ((1, 1), (2, 1), (3, 2), (5, 3), (8, 5), (33, 6), (2, 32))
        ]
    }


def _tree(size: int, depth: int) -> dict[str, Any]:
    ids = [keccak(f"tree {size}, id {index}".encode()) for index in range(size)]
    amounts = [draw(f"tree {size}, amount {index}", 10**18) for index in range(size)]
    tree = SumTree.build([(leaf_hash(*leaf), leaf[1]) for leaf in zip(ids, amounts, strict=True)], depth)
    shown = sorted({0, size // 2, size - 1})
    ranges = sorted({(0, size), (size // 2, size - size // 2), (size // 3, 1)})
    return {
        "depth": depth,
        "ids": [to_hex(one) for one in ids],
        "cumulatives": [str(amount) for amount in amounts],
        "root": to_hex(tree.root),
        "total": str(tree.total),
        "proofs": [
            {"index": index, "proof": to_hex(tree.proof(index)), "prefix_sum": str(tree.prefix_sum(index))}
            for index in shown
        ],
        "ranges": [
            {"first": first, "count": count, "proof": to_hex(tree.range_proof(first, count))}
            for first, count in ranges
        ],
    }


def telescoping() -> dict[str, Any]:
    """Splits: even, uneven, with zero weights, of nothing, and as large as they come."""
    cases: list[tuple[int, list[int]]] = [
        (10, [1, 1, 1]),
        (2, [1, 1, 1]),
        (0, [3, 4]),
        (0, [0, 0]),
        (1_000_003, [0, 17, 0, 4, 900_000, 0]),
        (MAX_AMOUNT, [MAX_AMOUNT // 2, MAX_AMOUNT // 2]),
        (MAX_AMOUNT, [1, MAX_AMOUNT - 1]),
        (10**18 + 1, [draw(f"weight {index}", 10**12) for index in range(20)]),
    ]
    return {
        "cases": [
            {
                "amount": str(amount),
                "weights": [str(weight) for weight in weights],
                "parts": [str(part) for part in telescoping_split(amount, weights)],
            }
            for amount, weights in cases
        ]
    }


def shapley() -> dict[str, Any]:
    """Stage games of 2 to 5 players: additive, unanimity, with negative stages, random and of the largest amounts."""
    tables: list[list[int]] = [
        [0, 30, 70, 100],
        [0, 0, 0, 0, 0, 0, 0, 999_999],
        [0, 100, -60, 40],
        [0, 900, -200, 500, -300, 400, -700, 1_000],
        [0, MAX_AMOUNT, -MAX_AMOUNT, MAX_AMOUNT],
        [0, *[(-1) ** index * MAX_AMOUNT for index in range(30)], MAX_AMOUNT],
    ]
    tables += [
        [
            0,
            *[draw(f"game {players}, {index}", 10**15) - 10**14 for index in range(2**players - 2)],
            10**15 + players,
        ]
        for players in (2, 3, 4, 5)
    ]
    return {
        "games": [
            {
                "players": len(table).bit_length() - 1,
                "table": [str(value) for value in table],
                "numerators": [str(value) for value in shapley_numerators(table)],
                "amounts": [str(amount) for amount in stage_amounts(table)],
            }
            for table in tables
        ]
    }


def updates() -> dict[str, Any]:
    """The hash of a settlement's updates, which challenges repeat: keccak256(abi.encode(StageUpdate[]))."""
    made = [
        StageUpdate(
            LedgerCommitment(keccak(b"before %d" % stage), 10**6 * stage, 1 + stage),
            LedgerCommitment(
                keccak(b"after %d" % stage), 10**6 * stage + draw(f"update {stage}", 10**9), 2 + stage
            ),
            keccak(b"weights %d" % stage),
            draw(f"weight total {stage}", MAX_AMOUNT),
        )
        for stage in range(4)
    ]
    ledger = "(bytes32,uint128,uint8)"
    return {
        "updates": [
            {
                "before": _ledger(update.before),
                "afterwards": _ledger(update.afterwards),
                "weight_root": to_hex(update.weight_root),
                "weight_total": str(update.weight_total),
            }
            for update in made
        ],
        "hash": to_hex(keccak(encode([f"({ledger},{ledger},bytes32,uint128)[]"], [made]))),
    }


def typed_data() -> dict[str, Any]:
    """Every message that a wallet signs, with the digest that it signs (EIP-712)."""
    contributor_id = named_id(REGISTRAR, NAME)
    content_hash = keccak(b"a photo that two have registered")
    registry, pool = ("AME ContributorRegistry", REGISTRY), ("AME SettlementPool", POOL)
    rights = ("AME RightsRegistry", RIGHTS)
    messages: list[tuple[tuple[str, str], str, list[tuple[str, str, Any]]]] = [
        (
            registry,
            "Vouch",
            [
                ("bytes32", "externalIdHash", keccak(NAME.encode())),
                ("address", "holder", HOLDER),
                ("uint32", "recoverySeconds", RECOVERY_SECONDS),
                ("uint256", "deadline", DEADLINE),
            ],
        ),
        (
            registry,
            "Bind",
            [
                ("bytes32", "contributorId", contributor_id),
                ("address", "holder", HOLDER),
                ("address", "payout", PAYOUT),
                ("uint32", "recoverySeconds", RECOVERY_SECONDS),
                ("uint256", "nonce", 0),
                ("uint256", "deadline", DEADLINE),
            ],
        ),
        (
            registry,
            "SetPayout",
            [
                ("bytes32", "contributorId", contributor_id),
                ("address", "payout", REGISTRAR),
                ("uint256", "nonce", 1),
                ("uint256", "deadline", DEADLINE),
            ],
        ),
        (
            pool,
            "ClaimTo",
            [
                ("bytes32", "contributorId", account_id(HOLDER)),
                ("address", "recipient", PAYOUT),
                ("uint256", "nonce", 0),
                ("uint256", "deadline", DEADLINE),
            ],
        ),
        (
            rights,
            "Settle",
            [
                ("bytes32", "contentHash", content_hash),
                ("bytes32", "assetId", keccak(account_id(HOLDER) + content_hash)),
                ("uint256", "registrations", 2),
                ("uint256", "deadline", DEADLINE),
            ],
        ),
    ]
    return {
        "chain_id": str(CHAIN_ID),
        "registry": REGISTRY,
        "pool": POOL,
        "rights": RIGHTS,
        "registrar": REGISTRAR,
        "name": NAME,
        **{
            primary: {
                "type": _type_string(primary, fields),
                "domain": domain,
                **{name: _plain(value) for _, name, value in fields},
                "digest": to_hex(eip712_digest(domain, contract, primary, fields)),
            }
            for (domain, contract), primary, fields in messages
        },
    }


def eip712_digest(
    domain: str, contract: str, primary: str, fields: Sequence[tuple[str, str, Any]], chain_id: int = CHAIN_ID
) -> bytes:
    """keccak256(0x1901 ‖ hashStruct(domain) ‖ hashStruct(message)) for messages of fields of fixed size."""
    domain_type = keccak(
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    )
    separator = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [domain_type, keccak(domain.encode()), keccak(b"1"), chain_id, contract],
        )
    )
    kinds, values = [kind for kind, _, _ in fields], [value for _, _, value in fields]
    message_type = keccak(_type_string(primary, fields).encode())
    return keccak(b"\x19\x01" + separator + keccak(encode(["bytes32", *kinds], [message_type, *values])))


def _type_string(primary: str, fields: Sequence[tuple[str, str, Any]]) -> str:
    return f"{primary}({','.join(f'{kind} {name}' for kind, name, _ in fields)})"


def _plain(value: Any) -> str:
    return to_hex(value) if isinstance(value, bytes) else str(value)


def _ledger(ledger: LedgerCommitment) -> dict[str, Any]:
    return {"root": to_hex(ledger.root), "total": str(ledger.total), "depth": ledger.depth}


VECTORS: dict[str, Callable[[], dict[str, Any]]] = {
    "encodings": encodings,
    "trees": trees,
    "telescoping": telescoping,
    "shapley": shapley,
    "updates": updates,
    "typed_data": typed_data,
}


def render(name: str) -> str:
    """The file's text, of name.json."""
    return json.dumps({"format": FORMAT, **VECTORS[name]()}, indent=1, sort_keys=True) + "\n"


def main(folder: Path = FOLDER) -> None:
    """Write them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in VECTORS:
        (folder / f"{name}.json").write_text(render(name), encoding="utf-8")
        print(folder / f"{name}.json")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
