"""What splitting, copying and padding are worth under each rule: the table of docs/rights.md, made here.

Three data sets in which each fact counts once, and a model without which there is nothing. Alice holds the facts 0-59, Bob
40-99, Carol 90-119; the value of a coalition is the number of different facts that the model has seen.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from ame.arithmetic import shapley_numerators
from ame.attribution.hierarchical import Tree, plan_hierarchy, solve_exact

DOCS = Path(__file__).parents[2] / "docs" / "rights.md"
ALICE, BOB, CAROL = set(range(60)), set(range(40, 100)), set(range(90, 120))


class Case(NamedTuple):
    """Data sets as sets of facts, Bob's and Carol's first, all others Alice's. `copies`: data sets known to be the same."""

    name: str
    alice: tuple[set[int], ...]
    copies: tuple[int, ...] = ()
    indispensable: bool = False  # nothing is worth anything unless all of it is there

    @property
    def data(self) -> tuple[set[int], ...]:
        return (BOB, CAROL, *self.alice)

    @property
    def players(self) -> int:
        return len(self.data) + 1

    def value(self, coalition: int) -> int:
        """The model is the last player."""
        if not coalition >> len(self.data) & 1:
            return 0
        if self.indispensable and coalition != (1 << self.players) - 1:
            return 0
        return len(set().union(*(facts for i, facts in enumerate(self.data) if coalition >> i & 1)))


CASES = (
    Case("honest: one data set", (ALICE,)),
    Case("split into 2 identities", (set(range(30)), set(range(30, 60)))),
    Case("split into 6 identities", tuple(set(range(n, n + 10)) for n in range(0, 60, 10))),
    Case("her own set uploaded twice", (ALICE, ALICE), (2, 3)),
    Case("a copy of Bob's set added", (ALICE, BOB), (0, 3)),
    Case("3 empty assets added", (ALICE, set(), set(), set())),
)
# Splitting pays under plain Shapley where every piece is indispensable.
WHOLES = tuple(case._replace(indispensable=True) for case in CASES[:3])
Rule = tuple[Fraction, Fraction, Fraction, Fraction]  # Alice, Bob, Carol, model


def _people(values: Sequence[Fraction | int]) -> Rule:
    """Per person, of a whole of 1; negative values count as zero."""
    kept = [max(Fraction(value), Fraction(0)) for value in values]
    total = sum(kept)
    return sum(kept[2:-1], Fraction(0)) / total, kept[0] / total, kept[1] / total, kept[-1] / total


def _hierarchy(case: Case, tree: Tree) -> Rule:
    plan = plan_hierarchy(tree, case.players)
    return _people(solve_exact(plan, [case.value(int(mask)) for mask in plan.coalitions]).exact_values)


def per_asset(case: Case) -> Rule:
    """The data stage and the model get half each; the data's half is split equally per asset."""
    return _people([1] * len(case.data) + [len(case.data)])


def by_size(case: Case) -> Rule:
    sizes = [len(facts) for facts in case.data]
    return _people([*sizes, sum(sizes)])


def leave_one_out(case: Case) -> Rule:
    everybody = (1 << case.players) - 1
    return _people([case.value(everybody) - case.value(everybody ^ 1 << i) for i in range(case.players)])


def flat_shapley(case: Case) -> Rule:
    return _people(shapley_numerators([case.value(mask) for mask in range(1 << case.players)]))


def by_stage(case: Case) -> Rule:
    """AME's rule: the stages play, then the assets inside each."""
    return _hierarchy(case, [list(range(len(case.data))), [len(case.data)]])


def with_copies_known(case: Case) -> Rule:
    """AME's rule where near-duplicates are clustered: always present together, their value split equally."""
    rest: list[Tree] = [index for index in range(len(case.data)) if index not in case.copies]
    data: list[Tree] = [*rest, frozenset(case.copies)] if case.copies else rest
    return _hierarchy(case, [data, [len(case.data)]])


def by_holder(case: Case) -> Rule:
    """AME's rule with the holders as unions of their assets, where identities are known to be one person's."""
    return _hierarchy(case, [[0, 1, list(range(2, len(case.data)))], [len(case.data)]])


RULES = {
    "equal per asset": per_asset,
    "by size": by_size,
    "leave-one-out": leave_one_out,
    "plain Shapley": flat_shapley,
    "Owen by stage (AME)": by_stage,
    "Owen, copies as one (quotient)": with_copies_known,
    "Owen by stage and provider": by_holder,
}


def table(cases: Sequence[Case] = CASES) -> str:
    """Rows: what Alice does. Cells: Alice / Bob / Carol / model in per cent."""
    lines = [
        "| Alice / Bob / Carol / model, % | " + " | ".join(RULES) + " |",
        "|" + " --- |" * (len(RULES) + 1),
    ]
    for case in cases:
        cells = [" / ".join(f"{float(part * 100):.1f}" for part in rule(case)) for rule in RULES.values()]
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_table_of_the_docs_is_what_the_rules_pay() -> None:
    for cases in (CASES, WHOLES):
        assert table(cases) in DOCS.read_text(), f"docs/rights.md: expected this table:\n{table(cases)}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_that_alice_does_moves_the_other_stage(case: Case) -> None:
    assert by_stage(case)[3] == by_stage(CASES[0])[3] == Fraction(1, 2)


def test_empty_assets_earn_nothing() -> None:
    assert by_stage(CASES[5]) == by_stage(CASES[0])
    assert per_asset(CASES[5])[0] > per_asset(CASES[0])[0]


def test_known_identities_of_one_holder_gain_nothing_by_splitting() -> None:
    assert by_holder(CASES[1]) == by_holder(CASES[2]) == by_holder(CASES[0])


def test_splitting_what_is_indispensable_pays_under_plain_shapley_and_not_by_provider() -> None:
    assert flat_shapley(WHOLES[2])[0] > flat_shapley(WHOLES[1])[0] > flat_shapley(WHOLES[0])[0]
    assert by_holder(WHOLES[2]) == by_holder(WHOLES[0])


def test_clustered_copies_of_ones_own_gain_nothing() -> None:
    assert with_copies_known(CASES[3]) == by_stage(CASES[0])


if __name__ == "__main__":
    print(table(), table(WHOLES), sep="\n\n")  # noqa: T201
