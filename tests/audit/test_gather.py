"""What is gathered from a node is what is on the chain, whatever the node's limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ame.audit.facts import ChainFacts
from ame.audit.gather import BLOCKS_PER_REQUEST, gather
from ame.errors import ChainError, FileError
from ame.execution.chain import artifact
from tests.audit.fake_node import FakeNode
from tests.audit.synthetic import BUILDS, History
from tests.audit.tampering import honest_history

ARTIFACTS = {name: artifact(name) for name in ("SettlementPool", "ContributorRegistry")}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return honest_history(tmp_path_factory.mktemp("honest"))


def gathered(node: FakeNode, **options: Any) -> ChainFacts:
    found = gather(node.rpc, node.facts.pool, ARTIFACTS, **options)
    assert set(found.builds) == set(BUILDS)
    return replace(found, builds={})


def plain(facts: ChainFacts) -> ChainFacts:
    events = tuple(event._replace(args=dict(sorted(event.args.items()))) for event in facts.events)
    return replace(facts, builds={}, events=events)


def test_facts_are_those_of_the_chain(history: History) -> None:
    assert plain(gathered(FakeNode(history.facts))) == plain(history.facts)


def test_scan_is_bounded_and_takes_smaller_steps_where_a_node_wants_them(history: History) -> None:
    node = FakeNode(replace(history.facts, block=6_000), most_blocks=700)
    assert plain(gathered(node)).events == plain(history.facts).events
    assert max(last - first + 1 for first, last in node.asked) <= BLOCKS_PER_REQUEST


def test_scan_resumes_where_it_stopped(history: History, tmp_path: Path) -> None:
    store, facts = tmp_path / "events.json", replace(history.facts, block=9_000)
    gathered(FakeNode(facts), store=store)
    node = FakeNode(replace(facts, block=9_500))
    assert plain(gathered(node, store=store)).events == plain(history.facts).events
    assert min(first for first, _ in node.asked) > 8_900


def test_a_broken_store_is_refused(history: History, tmp_path: Path) -> None:
    (tmp_path / "events.json").write_text("[")
    with pytest.raises(FileError, match="not the events"):
        gathered(FakeNode(history.facts), store=tmp_path / "events.json")


def test_a_node_that_is_away_is_a_chain_error(history: History) -> None:
    with pytest.raises(ChainError, match="connection refused"):
        gathered(FakeNode(history.facts, failures=9))
