"""An operator who controls everything that is posted takes one unit from one contributor; all hashes are right."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ame.bundle import Bundle
from ame.execution.ledger import StageLedger
from tests.audit.synthetic import History, random_epoch
from tests.audit.tampering import Copy
from tests.audit.test_second_opinion import second_opinion


def moved(ledger: StageLedger) -> StageLedger:
    """One unit goes from the first leaf to the second."""
    victim, thief, *others = ledger.cumulatives
    return replace(ledger, cumulatives=(victim - 1, thief + 1, *others))


def steal(bundle: Bundle) -> Bundle:
    """The ledger after the settlement is false in one unit."""
    books, settlement = bundle.books, bundle.settlement
    false = moved(books.ledgers[0])
    update = settlement.updates[0]._replace(afterwards=false.tree.ledger_commitment)
    lying = replace(settlement, updates=(update, *settlement.updates[1:]))
    return replace(bundle, books=replace(books, settlement=lying, ledgers=(false, *books.ledgers[1:])))


def forged_history(folder: Path) -> Copy:
    """The second of three settlements steals, and its bundle tells of a ledger before it from which that follows."""
    seed = random.Random(3)
    history = History(folder, seed)
    for number in (1, 2, 3):
        history.deposit(10**9)
        before = history.ledgers[0]
        epoch = random_epoch(seed, number, 10**9)
        if number != 2:
            history.propose(epoch)
        else:
            history.propose(epoch, steal)
            lie = moved(before).tree.ledger_commitment.root

            def tell(head: dict[str, list[dict[str, dict[str, str]]]], lie: bytes = lie) -> None:
                head["updates"][0]["before"]["root"] = f"0x{lie.hex()}"

            copy = Copy(history.folders, history.facts).document("settlement.json", tell).repost()
            history.events = list(copy.facts.events)
        history.activate()
    return Copy(history.folders, history.facts)


def test_a_false_ledger_before_an_older_settlement_is_found(tmp_path: Path) -> None:
    forged = forged_history(tmp_path)
    assert replace(forged, folders=forged.folders[2:]).report().exit_code == 0  # itself it is true
    for given in (forged.folders[:3], forged.folders[1:]):
        report = replace(forged, folders=given).report()
        assert [check.name for check in report.false] == ["ledgers"]
        assert "settlement 2: settlement.json: training_data: before" in report.sentence


def test_the_second_opinion_finds_it_too(tmp_path: Path) -> None:
    forged = forged_history(tmp_path)
    for given in (forged.folders[:3], forged.folders[1:]):
        code, out = second_opinion(replace(forged, folders=given))
        assert code == 1, out
        assert '{"check":"older","verdict":"false"' in out


def test_holders_of_another_moment_than_the_last_sale_are_refused(tmp_path: Path) -> None:
    """Between the two somebody may have bought the asset: all else follows from the moment that the operator says."""
    history = History(tmp_path, random.Random(4))
    history.deposit(10**9)
    epoch = random_epoch(history.seed, 1, 10**9)
    history.propose(replace(epoch, at=datetime(2026, 1, 15, tzinfo=UTC)))
    report = Copy(history.folders, history.facts).report()
    assert [check.name for check in report.false] == ["allocation"]
    assert "rights_at" in report.sentence
