"""What is known of one stage of a pending settlement, and which of its subtrees are hidden. Pure.

Known is what opens the roots on chain: published leaves, leaves of the active ledger that got nothing, and the leaves and
paths that answers to demands showed. A published bundle that is whole opens everything at once; what it does not open is
bounded by the paths: each shows the hashes and sums of the subtrees beside it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, zip_longest
from typing import Any, NamedTuple, Protocol

from _pysha3 import keccak_256

from ame.encoding import EMPTY_LEAF, node_hash
from ame.errors import CannotTell, InputError
from ame.execution.merkle_sum import SIBLING_BYTES, Node, SumTree
from ame.records import LeafProof, StageUpdate, WeightProof

_EMPTY_ID = bytes(32)
Row = tuple[int, bytes, int, int, int]  # index, id, cumulative, weight, sum of the weights before it
_Nodes = dict[tuple[int, int], Node]  # by height above the leaves and position from the left


class Leaves(Protocol):
    """A stage's ledger by leaf index; ids may repeat."""

    @property
    def ids(self) -> Sequence[bytes]: ...
    @property
    def cumulatives(self) -> Sequence[int]: ...


class Weights(Protocol):
    """A stage's weights by leaf index."""

    @property
    def weights(self) -> Sequence[int]: ...


class Published(NamedTuple):
    """What a bundle says of a stage."""

    leaves: Leaves
    weights: Sequence[int]


class Shown(NamedTuple):
    """What an answer to a demand showed; the pool has checked it."""

    index: int  # type: ignore[assignment]  # shadows tuple.index(), which nobody needs here
    before: LeafProof
    afterwards: LeafProof
    weight: WeightProof


class Subtree(NamedTuple):
    """2^height neighbouring leaves from position * 2^height on."""

    height: int
    position: int

    @property
    def first(self) -> int:
        """Its first leaf."""
        return self.position << self.height

    @property
    def end(self) -> int:
        """The leaf after its last."""
        return self.position + 1 << self.height


class _Guess(NamedTuple):
    """Leaves and weights that may be those that were committed."""

    leaves: Leaves
    weights: Sequence[int]
    ledger: SumTree
    weight_tree: SumTree


class _Open(NamedTuple):
    """A subtree whose leaves are known: guesses that open it, or one shown leaf."""

    subtree: Subtree
    ledger: _Guess | None
    weights: _Guess | None


class KnownStage:
    """One stage as a watcher sees it. `before` is the active ledger, None where its bundle is not at hand."""

    def __init__(
        self,
        update: StageUpdate,
        before: Leaves | None,
        published: Published | None,
        shown: Iterable[Shown] = (),
    ) -> None:
        self.update, self.before, self.depth = update, before, update.afterwards.depth
        root = (self.depth, 0)
        self._ledger: _Nodes = {root: (update.afterwards.root, update.afterwards.total)}
        self._weights: _Nodes = {root: (update.weight_root, update.weight_total)}
        self._shown: dict[int, Shown] = {}
        for one in shown:
            self._learn(one)
        self._guesses = [guess for guess in [self._guess(published)] if guess is not None]
        for guess in self._guesses:
            self._accept_roots(guess)
        self.open, self.hidden = self._walk()
        if self.hidden and before is not None:  # what got nothing is as it was
            same = self._guess(Published(before, ()))
            self._guesses += [same] if same is not None else []
            self.open, self.hidden = self._walk()
        self._starts = [one.subtree.first for one in self.open]

    @property
    def amount(self) -> int:
        """What the stage earned."""
        return self.update.afterwards.total - self.update.before.total

    def due(self, reached: int) -> int:
        """What all leaves get whose weights sum to `reached`."""
        return self.amount * reached // self.update.weight_total if self.update.weight_total else 0

    def old(self, index: int) -> tuple[bytes, int]:
        """The active leaf at an index."""
        before = self._needed_before
        return (before.ids[index], before.cumulatives[index]) if index < len(before.ids) else (_EMPTY_ID, 0)

    def rows(self) -> Iterator[Row]:
        """All known leaves that are not empty, were not empty or have a weight, in the order of their indices."""
        old = len(self.before.ids) if self.before is not None else 0
        longest = max([old, *(max(len(guess.leaves.ids), len(guess.weights)) for guess in self._guesses)])
        for one in self.open:
            prefix = self._prefix(one.subtree)
            if one.ledger is None or one.weights is None:
                yield (one.subtree.first, *self._leaf(one, one.subtree.first), prefix)
                continue
            within = slice(one.subtree.first, min(one.subtree.end, longest))
            leaves, rest = one.ledger.leaves, range(within.start, within.stop)
            columns: Any = zip_longest(
                leaves.ids[within], leaves.cumulatives[within], one.weights.weights[within], rest, fillvalue=0
            )
            for index, (contributor_id, cumulative, weight, _) in zip(rest, columns, strict=True):
                yield index, contributor_id or _EMPTY_ID, cumulative, weight, prefix
                prefix += weight

    def wrong(self) -> Iterator[int]:
        """Known leaves whose transition the pool would find wrong, in ascending order."""
        reached = given = 0
        before = self._needed_before
        ids, cumulatives, count = before.ids, before.cumulatives, len(before.ids)
        for index, new_id, new, weight, prefix in self.rows():
            if prefix != reached:
                given = self.due(prefix)
            reached = prefix + weight
            due = self.due(reached)
            old_id, old = (ids[index], cumulatives[index]) if index < count else (_EMPTY_ID, 0)
            expected = old + due - given
            given = due
            if new != expected or (
                new_id != old_id if old_id != _EMPTY_ID else new_id == _EMPTY_ID and expected != 0
            ):
                yield index

    def is_surely_wrong(self, hidden: Subtree) -> bool:
        """Whether nobody can open all of a hidden subtree with right transitions, by its sums and the active ledger alone.

        Then one of the leaves in it cannot be shown: demands that follow such subtrees down end at it.
        """
        if self.before is None:
            return False
        self._check_before()
        (digest, total), (weight_digest, weight) = self._ledger[hidden], self._weights[hidden]
        prefix = self._prefix(hidden)
        if total != self._old_sum(hidden) + self.due(prefix + weight) - self.due(prefix):
            return True
        if hidden.height:
            return False
        # The leaf's id is not the active one, which _known_leaf tries; or its hash is none.
        return any(weight_digest) or self.old(hidden.position)[0] != _EMPTY_ID or not any(digest)

    def top_node(self, of_weights: bool) -> bytes:
        """The root's two children, packed: what is hashed to the root."""
        nodes = self._weights if of_weights else self._ledger
        return b"".join(_pack(self._node(nodes, of_weights, self.depth - 1, at)) for at in (0, 1))

    def sums(self) -> tuple[int, int]:
        """What the ledger and the weights really sum to, as far as their roots are open; else as declared."""
        root = (self.depth, 0)
        return self._ledger[root][1], self._weights[root][1]

    def shown_before(self, index: int) -> LeafProof:
        """The active leaf, opened. CannotTell where what is at hand as the active ledger is another."""
        self._check_before()
        tree = self._older
        if index >> tree.depth:
            return LeafProof(*EMPTY_LEAF, b"")
        return LeafProof(*self.old(index), tree.proof(index))

    def shown_leaf(self, index: int) -> LeafProof:
        """A known leaf of the pending ledger, opened."""
        contributor_id, cumulative, _ = self._leaf(self._of(index), index)
        return LeafProof(contributor_id, cumulative, self._proof(self._ledger, False, index))

    def shown_weight(self, index: int) -> WeightProof:
        """A known weight, opened."""
        return WeightProof(self._leaf(self._of(index), index)[2], self._proof(self._weights, True, index))

    @cached_property
    def _needed_before(self) -> Leaves:
        if self.before is None:
            raise CannotTell("the bundle of the active settlement is not at hand")
        return self.before

    def _check_before(self) -> None:
        """CannotTell where what is at hand as the active ledger does not open the active root."""
        if self._older.ledger_commitment != self.update.before:
            raise CannotTell("what is at hand as the active ledger does not open the active root")

    @cached_property
    def _older(self) -> SumTree:
        try:
            return SumTree.build(_ledger_nodes(self._needed_before), self.update.before.depth)
        except (InputError, OverflowError) as error:
            raise CannotTell(f"what is at hand as the active ledger is no ledger: {error}") from error

    @cached_property
    def _old_sums(self) -> list[int]:
        return list(accumulate(self._needed_before.cumulatives, initial=0))

    def _old_sum(self, subtree: Subtree) -> int:
        sums = self._old_sums
        last = len(sums) - 1
        return sums[min(subtree.end, last)] - sums[min(subtree.first, last)]

    def _guess(self, published: Published | None) -> _Guess | None:
        """None where it cannot be a tree of this depth."""
        if published is None:
            return None
        leaves, weights = published
        try:
            return _Guess(
                leaves,
                weights,
                SumTree.build(_ledger_nodes(leaves), self.depth),
                SumTree.build([(_EMPTY_ID, weight) for weight in weights], self.depth),
            )
        except (InputError, OverflowError):
            return None

    def _accept_roots(self, guess: _Guess) -> None:
        """A root that opens has the sum of its leaves, whatever was declared."""
        for nodes, tree in ((self._ledger, guess.ledger), (self._weights, guess.weight_tree)):
            if tree.root == nodes[self.depth, 0][0]:
                nodes[self.depth, 0] = (tree.root, tree.total)

    def _learn(self, shown: Shown) -> None:
        afterwards, weight = shown.afterwards, shown.weight
        leaf = (_hash(afterwards.contributor_id, afterwards.cumulative), afterwards.cumulative)
        ledger = _path(leaf, shown.index, afterwards.proof)
        weights = _path((_EMPTY_ID, weight.weight), shown.index, weight.proof)
        for nodes, path in ((self._ledger, ledger), (self._weights, weights)):
            root = (self.depth, 0)
            if path.get(root) != nodes[root]:
                raise InputError(f"leaf {shown.index}: expected a path to the root, got another")
        self._ledger |= ledger
        self._weights |= weights
        self._shown[shown.index] = shown

    def _walk(self) -> tuple[list[_Open], list[Subtree]]:
        """The largest subtrees that are open, and those that are hidden, from left to right."""
        opened, hidden, stack = [], [], [Subtree(self.depth, 0)]
        while stack:
            at = stack.pop()
            ledger = next((g for g in self._guesses if _node(g.ledger, *at) == self._ledger[at]), None)
            weights = next((g for g in self._guesses if _node(g.weight_tree, *at) == self._weights[at]), None)
            if (ledger and weights) or (at.height == 0 and self._known_leaf(at.position) is not None):
                opened.append(_Open(at, ledger if at.height else None, weights if at.height else None))
            elif at.height and (at.height - 1, 2 * at.position) in self._ledger:
                stack += [Subtree(at.height - 1, 2 * at.position + right) for right in (1, 0)]
            else:
                hidden.append(at)
        return opened, hidden

    def _known_leaf(self, index: int) -> tuple[bytes, int, int] | None:
        """A leaf whose node is known: its sum is, so that a guess of its id opens it even if the amount is a lie."""
        (digest, cumulative), (weight_digest, weight) = self._ledger[0, index], self._weights[0, index]
        if any(weight_digest):
            return None
        ids = [guess.leaves.ids[index] for guess in self._guesses if index < len(guess.leaves.ids)]
        if index in self._shown:
            ids.append(self._shown[index].afterwards.contributor_id)
        if self.before is not None and index < len(self.before.ids):
            ids.append(self.before.ids[index])
        found = (one for one in [*ids, _EMPTY_ID] if _hash(one, cumulative) == digest)
        contributor_id = next(found, None)
        return None if contributor_id is None else (contributor_id, cumulative, weight)

    def _of(self, index: int) -> _Open:
        place = bisect_right(self._starts, index) - 1
        if place < 0 or index >= self.open[place].subtree.end:
            raise CannotTell(f"leaf {index} is hidden")
        return self.open[place]

    def _leaf(self, one: _Open, index: int) -> tuple[bytes, int, int]:
        if one.ledger is None or one.weights is None:
            known = self._known_leaf(index)
            if known is None:
                raise CannotTell(f"leaf {index} is hidden")
            return known
        leaves, weights = one.ledger.leaves, one.weights.weights
        weight = weights[index] if index < len(weights) else 0
        if index >= len(leaves.ids):
            return _EMPTY_ID, 0, weight
        return leaves.ids[index], leaves.cumulatives[index], weight

    def _prefix(self, subtree: Subtree) -> int:
        """Sum of the weights before a subtree that the walk reached: its left siblings on the way up."""
        height, position = subtree
        return sum(
            self._weights[level, (position >> level - height) - 1][1]
            for level in range(height, self.depth)
            if position >> level - height & 1
        )

    def _proof(self, nodes: _Nodes, of_weights: bool, index: int) -> bytes:
        return b"".join(
            _pack(self._node(nodes, of_weights, height, index >> height ^ 1)) for height in range(self.depth)
        )

    def _node(self, nodes: _Nodes, of_weights: bool, height: int, position: int) -> Node:
        if (height, position) in nodes:
            return nodes[height, position]
        one = self._of(position << height)
        guess = one.weights if of_weights else one.ledger
        if guess is None:
            raise CannotTell(f"the node at height {height}, position {position} is hidden")
        return _node(guess.weight_tree if of_weights else guess.ledger, height, position)


def _node(tree: SumTree, height: int, position: int) -> Node:
    hashes, sums = tree.levels[height]
    return (hashes[position], sums[position]) if position < len(hashes) else tree.empty[height]


def _pack(node: Node) -> bytes:
    return node[0] + node[1].to_bytes(16)


def _hash(contributor_id: bytes, cumulative: int) -> bytes:
    """Of any leaf, also of one that gives money to nobody, which `ame.encoding` refuses to make."""
    if cumulative == 0 and contributor_id == _EMPTY_ID:
        return EMPTY_LEAF[0]
    return bytes(keccak_256(contributor_id + cumulative.to_bytes(16)).digest())


def _ledger_nodes(leaves: Leaves) -> list[Node]:
    """Of a million leaves in the time of hashing them: `_hash`, written out."""
    return [
        (keccak_256(one + amount.to_bytes(16)).digest(), amount) if amount or one != _EMPTY_ID else EMPTY_LEAF
        for one, amount in zip(leaves.ids, leaves.cumulatives, strict=True)
    ]


def _path(leaf: Node, index: int, proof: bytes) -> _Nodes:
    """All nodes that a proof shows: those on the path and those beside it."""
    nodes, node = {}, leaf
    depth = len(proof) // SIBLING_BYTES
    for height in range(depth):
        at = height * SIBLING_BYTES
        sibling = (proof[at : at + 32], int.from_bytes(proof[at + 32 : at + SIBLING_BYTES]))
        nodes[height, index >> height] = node
        nodes[height, index >> height ^ 1] = sibling
        left, right = (sibling, node) if index >> height & 1 else (node, sibling)
        node = (node_hash(*left, *right), left[1] + right[1])
    nodes[depth, index >> depth] = node
    return nodes
