"""What docs/protocol.md says is tested, is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scripts.griefing import GAS, Terms, rows

ROOT = Path(__file__).resolve().parents[1]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:test|testFuzz|invariant)_\w+)`")


def defined() -> set[str]:
    """Names of all tests, in Solidity and Python."""
    found: set[str] = set()
    for pattern, word in (("*.sol", "function"), ("*.py", "def")):
        for path in (ROOT / "tests").rglob(pattern):
            found |= set(
                re.findall(rf"\b{word} ((?:test|testFuzz|invariant)_\w+)", path.read_text(encoding="utf-8"))
            )
    return found


def rows_of(heading: str) -> list[list[str]]:
    """The first table below a heading, without its head."""
    below = PROTOCOL.split(f"\n{heading}\n", 1)[1]
    lines = [line for line in below.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_test_that_the_protocol_names_exists() -> None:
    named = set(NAMED.findall(PROTOCOL))
    assert len(named) > 40
    assert named - defined() == set()


def test_every_row_of_the_trust_table_names_a_test() -> None:
    rows = rows_of("## 7. Who is trusted with what")
    assert len(rows) >= 12
    assert [row[0] for row in rows if not NAMED.search(row[-1])] == []


def test_every_lie_names_a_test() -> None:
    rows = rows_of("## 5. Fraud proofs")
    assert len(rows) >= 7
    assert [row[0] for row in rows if row[0].startswith(("amount", "newcomer", "lie", "weights", "one", "root", "leaf"))
            and not NAMED.search(row[-1])] == []  # fmt: skip


def test_what_griefing_costs_is_what_is_measured() -> None:
    gas = {name: int(value) for name, value in json.loads((GAS / "fraud_proofs.json").read_text()).items()}
    section = PROTOCOL.split("\n## 6. ")[1].split("\n## ")[0]
    printed = dict(rows(gas, Terms(1.0, 0.003, 1.0, 5.0)))
    quoted = {
        "a delay by one period, to who demands": r"[\d.]+",
        "an answer, to who gives it": r"(?<=\+)[\d.]+",
        "price of gas at which an answer pays for itself": r"\d+ gwei",
        "answers that fit into a quarter of the period, all blocks the operator's": r"[\d,]+",
        "so many demands cost in bonds and gas": r".*",
        "filling the counter of open demands": r"[\d,]+ gas",
        "the watcher's 128 demands, all answered": r".*",
    }
    for what, figure in quoted.items():
        found = re.search(figure, printed[what])
        assert found is not None
        assert found[0] in section, what
    for name in ("demand", "answer"):
        assert f"{gas[name]:,} gas" in section
