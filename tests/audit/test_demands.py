"""Hidden leaves: whatever a proposer answers, and however late, demands end at the leaf that nobody can show."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ame.audit.demands import affordable, choose, leaves_per_round, rounds_left, spread
from ame.audit.known import KnownStage, Published, Shown, Subtree
from ame.audit.lies import Challenge, find_proof
from ame.encoding import EMPTY_LEAF
from ame.execution.merkle_sum import SumTree
from ame.records import LeafProof, WeightProof
from tests.audit.test_lies import Stage, contributor, stage

ROUNDS = 4
FEW = settings(max_examples=30, deadline=None)  # a game takes a tenth of a second


@dataclass
class Game:
    """One stage: what is committed, what is published, and a proposer who answers at the last moment."""

    committed: Stage
    published: Published | None
    withheld: Callable[[int], bool] = lambda _: False
    most: int = 10**9
    asked: set[int] = field(default_factory=set)
    shown: list[Shown] = field(default_factory=list)

    def __post_init__(self) -> None:
        one = self.committed
        self.ledger, self.update = one.tree, one.update
        self.weights = SumTree.build([(bytes(32), weight) for weight in one.weights], one.depth)
        self.right = KnownStage(self.update, one.before, Published(one, one.weights))
        self.wrong = set(self.right.wrong())

    @property
    def known(self) -> KnownStage:
        return KnownStage(self.update, self.committed.before, self.published, self.shown)

    def answer(self, index: int) -> Shown | None:
        """The pool takes no answer whose transition is wrong."""
        if index in self.wrong or self.withheld(index):
            return None
        one = self.committed
        leaf = (one.ids[index], one.cumulatives[index]) if index < len(one.ids) else EMPTY_LEAF
        weight = one.weights[index] if index < len(one.weights) else 0
        return Shown(
            index, one.before.leaf_proof(index), LeafProof(*leaf, self.ledger.proof(index)),
            WeightProof(weight, self.weights.proof(index)),
        )  # fmt: skip

    def play(self, rounds: int = ROUNDS, secret: bytes = b"") -> str:
        """How it ends: the method of a proof, `cancelUnanswered`, `known` or `hidden`."""
        for left in range(rounds, -1, -1):
            known = self.known
            proof: Challenge | None = find_proof([known])
            if proof is not None:
                return proof.method
            if not known.hidden:
                return "known"
            if left == 0:
                break
            targets = affordable(
                choose([known], left, secret), {(0, index) for index in self.asked}, self.most, 0
            )
            answers = {target.index: self.answer(target.index) for target in targets}
            self.asked |= answers.keys()
            if None in answers.values():
                return "cancelUnanswered"
            self.shown += [one for one in answers.values() if one is not None]
        return "hidden"


def moved(one: Stage, taker: int, giver: int, amount: int = 1) -> Stage:
    one.cumulatives[taker] += amount
    one.cumulatives[giver] -= amount
    return one


BIG = {"old": 700, "new": 300}


@FEW
@given(taker=st.integers(0, 999), distance=st.integers(1, 999), secret=st.binary(max_size=4))
def test_one_unit_moved_behind_a_right_bundle_is_found_in_four_rounds(
    taker: int, distance: int, secret: bytes
) -> None:
    honest = stage(**BIG)
    giver = (taker + distance) % 1000
    committed = moved(stage(**BIG), taker, giver)
    if committed.cumulatives[giver] < 0:
        committed = moved(stage(**BIG), giver, taker)
    game = Game(committed, Published(honest, honest.weights))
    assert game.play(secret=secret) in ("cancelUnanswered", "challengeTransition")
    assert len(game.asked) <= ROUNDS * leaves_per_round(10, ROUNDS) * 2


@FEW
@given(height=st.integers(0, 10), place=st.integers(0, 2**10 - 1), secret=st.binary(max_size=4))
def test_a_hidden_subtree_is_met_at_once_in_proportion_to_its_size(
    height: int, place: int, secret: bytes
) -> None:
    """Nothing is published, all leaves are right: 2^(depth - height) demands meet any subtree of 2^height leaves."""
    hidden = Subtree(height, place >> height)
    committed = stage(**BIG)
    game = Game(committed, None, lambda index: hidden.first <= index < hidden.end)
    whole = Subtree(committed.depth, 0)
    order = spread(whole, int.from_bytes(secret))
    first = [next(order) for _ in range(1 << committed.depth - height)]
    assert sum(game.withheld(index) for index in first) == 1


@FEW
@given(height=st.integers(0, 9), place=st.integers(0, 999), secret=st.binary(max_size=4))
def test_a_subtree_that_nobody_can_open_beside_a_published_rest_is_found(
    height: int, place: int, secret: bytes
) -> None:
    hidden = Subtree(height, place >> height)
    honest, committed = stage(**BIG), stage(**BIG)
    for index in range(hidden.first, min(hidden.end, 1000)):
        committed.ids[index] = b"\x99" * 31 + bytes([index % 256])
    game = Game(
        committed, Published(honest, honest.weights), lambda index: hidden.first <= index < hidden.end
    )
    assert game.play(secret=secret) in ("cancelUnanswered", "challengeTransition", "challengeDuplicate")


def test_sums_lead_to_the_lie_though_nothing_is_published() -> None:
    """Money moved over 600 leaves: the sums on the paths say in which half it is, again and again."""
    game = Game(moved(stage(**BIG), 700, 100, stage(**BIG).cumulatives[100]), None)
    assert game.play() == "cancelUnanswered"
    assert len(game.asked) <= ROUNDS * leaves_per_round(10, ROUNDS) * 2


def test_whoever_answers_everything_has_published_it() -> None:
    game = Game(stage(), None)
    assert game.play(rounds=20) == "known"
    assert find_proof([game.known]) is None


def test_other_newcomers_than_published_are_no_lie() -> None:
    """Their ids are the operator's to give; demands bring them to light, and nothing is wrong with them."""
    honest, committed = stage(**BIG), stage(**BIG)
    for index in (703, 704, 950):
        committed.ids[index] = contributor(10_000 + index)
    game = Game(committed, Published(honest, honest.weights))
    assert game.play() == "known"
    assert find_proof([game.known]) is None


def test_a_duplicate_among_hidden_newcomers_is_proved_from_the_answers() -> None:
    honest, committed = stage(**BIG), stage(**BIG)
    committed.ids[950] = committed.ids[3]
    game = Game(committed, Published(honest, honest.weights))
    assert game.play() == "challengeDuplicate"


def test_a_neighbour_is_opened_by_its_sum_alone() -> None:
    """The demanded leaf's sibling shows hash and sum: with the id that stands there it is open, and its lie is proved."""
    game = Game(moved(stage(**BIG), 500, 501), None)
    right = game.wrong
    game.wrong = set()
    one = game.answer(500)
    assert one is not None
    game.wrong = right
    game.shown.append(one)
    proof = find_proof([game.known])
    assert proof is not None
    assert (proof.method, proof.index) == ("challengeTransition", 500)
    known = game.known
    assert 501 in {row[0] for row in known.rows()}


def test_leaves_that_got_nothing_need_no_bundle() -> None:
    """Weight 0: the active ledger opens them."""
    one = stage(old=64, new=0)
    lines = [0] * 63 + [5]
    one.weights, one.weight_total = lines, 5
    one.cumulatives = [*one.before.cumulatives[:-1], one.before.cumulatives[-1] + one.amount]
    one.depth = one.before.depth
    game = Game(one, None)
    last = game.answer(63)
    assert last is not None
    game.shown.append(last)
    assert game.known.hidden == []
    assert find_proof([game.known]) is None


def test_a_demand_never_exceeds_what_may_be_spent_unless_the_lie_is_sure() -> None:
    honest = stage(**BIG)
    balanced = Game(stage(**BIG), None).known
    assert len(affordable(choose([balanced], 1, b""), (), 5, 1000)) == 5
    taken = honest.cumulatives[100]
    game = Game(moved(stage(**BIG), 700, 100, taken), None)
    one = game.answer(0)
    assert one is not None
    game.shown.append(one)
    targets = choose([game.known], 2, b"")
    assert all(target.sure for target in targets)
    assert len(affordable(targets, {(0, 0)}, 5, 7)) == min(7, len(targets))


@given(height=st.integers(1, 10), part=st.integers(0, 10), mask=st.integers(0, 2**32 - 1))
def test_the_first_leaves_are_one_in_each_part(height: int, part: int, mask: int) -> None:
    part = min(part, height)
    subtree = Subtree(height, 3)
    order = list(spread(subtree, mask))
    assert sorted(order) == list(range(subtree.first, subtree.end))
    assert sorted(index >> part for index in order[: 1 << height - part]) == list(
        range(subtree.first >> part, subtree.end >> part)
    )


def test_rounds_and_leaves_of_a_million() -> None:
    day = 86_400
    assert rounds_left(12, day, day // 4) == 4
    assert leaves_per_round(20, 4) == 32
    assert rounds_left(day - 1, day, day // 4) == 1
    for height in range(33):
        for rounds in range(1, 8):
            part = leaves_per_round(height, rounds).bit_length() - 1
            assert (rounds - 1) * (part + 1) + part >= height


def test_a_path_that_leads_elsewhere_is_refused() -> None:
    from ame.errors import InputError

    game = Game(stage(), None)
    one = game.answer(0)
    assert one is not None
    with pytest.raises(InputError, match="expected a path to the root"):
        KnownStage(game.update, game.committed.before, None, [one._replace(index=1)])


@pytest.mark.deep
def test_one_unit_moved_behind_a_right_bundle_of_a_million_costs_at_most_128_demands() -> None:
    count = 10**6
    one = large_stage(count)
    honest = Stage(one.before, one.ids, list(one.cumulatives), one.weights, 20, one.amount, one.weight_total)
    place = random.Random(8).randrange(count - 1)
    game = Game(moved(one, place, place + 1), Published(honest, honest.weights))
    ended = game.play(secret=b"any")
    print(f"one unit moved between neighbours of a million, found with {len(game.asked)} demands: {ended}")  # noqa: T201
    assert ended in ("cancelUnanswered", "challengeTransition")
    assert len(game.asked) <= 128


def large_stage(count: int) -> Stage:
    """A first settlement of so many contributors."""
    from ame.execution.ledger import StageLedger
    from ame.records import AllocationLine

    chance = random.Random(5)
    lines = [AllocationLine(contributor(number), chance.randrange(10**9)) for number in range(count)]
    after, weights = StageLedger().advance(10**18, lines)
    return Stage(
        StageLedger(), list(after.ids), list(after.cumulatives), list(weights.weights), after.depth, 10**18,
        sum(weights.weights),
    )  # fmt: skip
