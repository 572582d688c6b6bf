"""A settlement says "rights as of block B", and the auditor asks the registry of that block."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ame.audit.audit import audit
from ame.audit.gather import gather_facts
from ame.audit.report import Check, Verdict
from ame.audit.rights_check import with_rights
from ame.bundle import write_bundle
from ame.encoding import ZERO_ADDRESS, account_id
from ame.execution.chain import Chain, create_pool, deposit, propose
from ame.mapping import registration
from ame.mapping.importing import to_text
from ame.mapping.publishing import publish, read_standings
from ame.mapping.registration import document_as_of
from ame.mapping.rights import AsOf, moment_of, parse_rights
from ame.mapping.strict_yaml import parse
from ame.pipeline import Epoch, settle
from ame.records import Terms
from tests.audit.synthetic import COIN, STAGES, random_epoch

pytestmark = pytest.mark.chain
OPERATOR, RIVAL = "TEST::0", "TEST::3"


class Story:
    """A pool, a registry, an epoch; `settled` publishes the rights and proposes what follows from them."""

    def __init__(self, chain: Chain, contributors: Any, registry: Any, folder: Path) -> None:
        self.chain, self.registry, self.folder = chain, registry, folder
        self.operator = chain.account(OPERATOR)
        factory = chain.deploy("PoolFactory", sender=self.operator)
        terms = Terms(
            ZERO_ADDRESS,
            len(STAGES),
            self.operator.address,
            ZERO_ADDRESS,
            contributors.address,
            3600,
            0,
            0,
            0,
            bytes(32),
        )
        self.pool = create_pool(chain, factory, terms, self.operator)
        self.epoch: Epoch = replace(
            random_epoch(random.Random(6), 1, 10**9),
            chain_id=chain.id,
            pool=self.pool.address,
            terms=terms,
            token=COIN,
        )

    def publish(self) -> str:
        """The rights as of the block of their publication."""
        text = self.epoch.rights.decode()
        now = datetime.fromtimestamp(self.chain.now, UTC)
        list(publish(self.chain, self.registry.address, parse_rights(text), now, self.operator))
        return self.read(text, self.chain.block)

    def read(self, text: str, block: int, accepted: tuple[str, ...] = ()) -> str:
        rights = parse_rights(text)
        standings = read_standings(self.chain, self.registry.address, rights, block)
        as_of = AsOf(self.chain.id, self.registry.address, block)
        return to_text(document_as_of(parse(text, "rights.yaml"), rights, standings, as_of, accepted))

    def audited(self, rights: str) -> Check:
        """Propose a settlement of these rights; what the audit says of them."""
        at = moment_of(parse_rights(rights), self.epoch.at)
        bundle = settle(replace(self.epoch, rights=rights.encode(), at=at))
        evidence = write_bundle(self.folder / "bundle", bundle)
        deposit(self.chain, self.pool, bundle.settlement.table[-1], self.operator)
        propose(self.chain, self.pool, bundle.books, evidence, self.operator)
        facts = with_rights(gather_facts(self.chain, self.pool.address), self.chain, self.folder / "bundle")
        report = audit([self.folder / "bundle"], facts)
        found = {check.name: check for check in report.checks}
        assert found["allocation"].verdict is Verdict.TRUE
        return found["rights"]


@pytest.fixture
def story(chain: Chain, contributors: Any, registry: Any, tmp_path: Path) -> Story:
    return Story(chain, contributors, registry, tmp_path)


def test_rights_as_of_a_block_hold(story: Story) -> None:
    found = story.audited(story.publish())
    count, block = len(parse_rights(story.epoch.rights.decode()).assets), story.chain.block - 2
    assert (found.verdict, found.found) == (
        Verdict.TRUE,
        f"holders of {count} assets are those of block {block}",
    )


def test_a_block_before_the_last_sale_is_refused(story: Story) -> None:
    """Whoever bought a part between the two would not be paid."""
    rights = story.publish()
    late = datetime.fromtimestamp(story.chain.now, UTC) + timedelta(seconds=1)
    first, *others = story.epoch.usage
    story.epoch = replace(story.epoch, usage=(replace(first, time=late), *others), at=late)
    story.chain.wait(10)
    found = story.audited(rights)
    assert (found.verdict, found.where) == (Verdict.FALSE, "rights.yaml: as_of.block")
    assert late.isoformat() in found.expected


def test_an_accepted_registration_of_a_stranger_holds(story: Story) -> None:
    """The operator took it knowingly; the holders that were paid are those of the block."""
    text = story.epoch.rights.decode()
    rights, rival = parse_rights(text), story.chain.account(RIVAL)
    name = rights.order[0]
    asset = rights.assets[name]
    his = registration.to_registered(asset, rights, {}, story.epoch.at)
    his = his._replace(split=(registration.Part(account_id(rival.address), 10**6),))
    story.chain.send(story.registry.register, his, asset.stage, asset.license or "", sender=rival)
    now = datetime.fromtimestamp(story.chain.now, UTC)
    list(publish(story.chain, story.registry.address, rights, now, story.operator, accepted=(name,)))
    found = story.audited(story.read(text, story.chain.block, (name,)))
    assert found.verdict is Verdict.TRUE
    assert "are those of block" in found.found


def test_what_changed_after_the_block_does_not_matter(story: Story) -> None:
    rights = story.publish()
    _pass_on(story, rights)
    assert story.audited(rights).verdict is Verdict.TRUE


def test_rights_without_a_registry_are_the_operators_word(story: Story) -> None:
    found = story.audited(story.epoch.rights.decode())
    assert found.verdict is Verdict.TRUE
    assert "name no registry" in found.found


def _pass_on(story: Story, rights: str) -> None:
    """Whoever of the wallets holds a part of an asset gives one ppm of it away."""
    file = parse_rights(rights)
    asset, holder = next(
        (asset, one.contributor)
        for asset in file.assets.values()
        for one in asset.holdings
        if one.contributor == "hf:p0"
    )
    registered = registration.to_registered(asset, file, {}, datetime.fromtimestamp(story.chain.now, UTC))
    known = registration.asset_id(story.operator.address, registered.content_hash)
    sender, heir = story.chain.account("TEST::3"), story.chain.account("TEST::9")
    assert file.contributors[holder].wallet == sender.address
    arguments = (known, registered, account_id(sender.address), account_id(heir.address), 1)
    story.chain.send(story.registry.transferPart, *arguments, sender=sender)


def _other_holder(rights: str) -> str:
    return rights.replace('contributor: "hf:p0"', 'contributor: "hf:p9"', 1).replace(
        "contributors:\n", 'contributors:\n  - {name: "hf:p9"}\n', 1
    )


def _other_part(rights: str) -> str:
    lines = rights.splitlines()
    for index, (one, other) in enumerate(pairwise(lines)):
        if "ppm: " in one and "ppm: " in other:
            lines[index], lines[index + 1] = _moved(one, -1), _moved(other, 1)
            return "\n".join(lines) + "\n"
    raise AssertionError("no asset with two holders")


def _moved(line: str, change: int) -> str:
    head, _, rest = line.partition("ppm: ")
    ppm, comma, tail = rest.partition(",")
    return f"{head}ppm: {int(ppm) + change}{comma}{tail}"


@pytest.mark.parametrize("lie", [_other_holder, _other_part])
def test_other_holders_than_the_registrys_are_false(story: Story, lie: Callable[[str], str]) -> None:
    rights = story.publish()
    lied = lie(rights)
    assert lied != rights
    found = story.audited(lied)
    assert found.verdict is Verdict.FALSE
    assert found.where.startswith("rights.yaml: holders of ")


def test_a_registry_that_is_not_the_shipped_one_is_false(story: Story) -> None:
    rights = story.publish().replace(story.registry.address, story.pool.address)
    found = story.audited(rights)
    assert (found.verdict, found.expected) == (Verdict.FALSE, "the shipped build")


def test_a_registry_of_other_contributors_is_false(story: Story) -> None:
    """Whoever holds ids in a registry of her own could pass on what others hold."""
    own = story.chain.deploy("ContributorRegistry", sender=story.operator)
    story.registry = story.chain.deploy("RightsRegistry", own.address, sender=story.operator)
    found = story.audited(story.publish())
    assert (found.verdict, found.found) == (Verdict.FALSE, own.address)


def test_a_block_after_the_proposal_is_false(story: Story) -> None:
    rights = story.publish()
    block = story.chain.block
    found = story.audited(rights.replace(f"block: {block}", f"block: {block + 2}"))
    assert found.verdict is Verdict.TRUE  # the block of the proposal itself, and nothing has changed
    assert story.chain.block == block + 2


def test_without_the_registrys_answers_nothing_is_said(story: Story) -> None:
    rights = story.publish()
    at = moment_of(parse_rights(rights), story.epoch.at)
    bundle = settle(replace(story.epoch, rights=rights.encode(), at=at))
    evidence = write_bundle(story.folder / "bundle", bundle)
    deposit(story.chain, story.pool, bundle.settlement.table[-1], story.operator)
    propose(story.chain, story.pool, bundle.books, evidence, story.operator)
    report = audit([story.folder / "bundle"], gather_facts(story.chain, story.pool.address))
    assert next(check for check in report.checks if check.name == "rights").verdict is Verdict.UNKNOWN
