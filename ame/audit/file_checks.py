"""Is the bundle whole, in its format, and the one that the chain's evidence names?"""

from __future__ import annotations

from collections.abc import Mapping

from ame.audit.case import Case, differ, same
from ame.audit.code import difference
from ame.audit.facts import ACTIVE, CANCELLED, PENDING
from ame.audit.reading import SINGLE_PARTS, AllocationRows, decoded
from ame.errors import CannotTell


def manifest(case: Case) -> str:
    """Every part is there with the SHA-256 and length that the manifest says."""
    files = case.contents.files
    if files.altered:
        differ("the parts that the manifest lists", files.altered[0], str(files.folder))
    listed = files.manifest["parts"]
    unlisted = [name for name in SINGLE_PARTS if name not in listed]
    if unlisted:
        differ(f"the part {unlisted[0]}", sorted(listed), f"{files.folder / 'manifest.json'}: parts")
    if "settlement.json" not in files.missing:
        stages = decoded(lambda: case.contents.head).stages
        expected = {*SINGLE_PARTS, *(f"ledger/{stage}.bin" for stage in stages)}
        same(sorted(expected), sorted(listed), f"{files.folder / 'manifest.json'}: parts")
    if files.missing:
        raise CannotTell(f"{files.folder / files.missing[0]}: the part is missing")
    return f"{len(listed)} parts have their SHA-256"


def formats(case: Case) -> str:
    """Every part is strictly what its format says."""
    contents = case.contents
    head = contents.head
    for name in (
        "allocation",
        "rights",
        "ledgers",
        "usage",
        "measurements",
        "shares",
    ):  # lets go of the largest first
        getattr(contents, name)
    for stage in sorted(set(contents.allocation.stages) - set(head.stages)):
        differ(f"one of {', '.join(head.stages)}", stage, "allocation.jsonl: stage")
    same(head.stages, contents.shares.stages, "shares.json: stages")
    for name, measurement in contents.measurements.items():
        same(head.stages, measurement.stages, f"coalitions.json: {name}: stages")
    return f"{len(head.stages)} stages, {len(contents.usage)} sales, {len(contents.allocation)} lines"


def chain(case: Case) -> str:
    """The bundle is of this chain."""
    same(str(case.facts.chain_id), case.contents.files.manifest["chain_id"], "manifest.json: chain_id")
    return f"chain {case.facts.chain_id}"


def pool(case: Case) -> str:
    """The bundle is of this pool."""
    same(case.facts.pool, case.contents.files.manifest["pool"], "manifest.json: pool")
    return f"pool {case.facts.pool}"


def terms(case: Case) -> str:
    """The terms that the bundle tells are the pool's."""
    head, facts = decoded(lambda: case.contents.head), case.facts
    for name, expected in facts.terms._asdict().items():
        same(expected, getattr(head.terms, name), f"settlement.json: terms.{name}")
    same(facts.terms.stage_count, len(head.stages), "settlement.json: stages")
    same(facts.terms.token, head.token.address, "settlement.json: token.address")
    return f"terms {'0x' + facts.terms.terms_hash.hex()}"


def evidence(case: Case) -> str:
    """The manifest's SHA-256 is the evidence that was posted with the settlement."""
    same(case.proposal.args["evidence"].hex(), case.contents.files.sha256, "SHA-256 of manifest.json")
    return case.contents.files.sha256


def previous(case: Case) -> str:
    """The manifest names the bundle of the settlement before it."""
    _ = case.proposal
    if not case.facts.complete:
        raise CannotTell(f"events before block {case.facts.first_block} were not read")
    before = case.facts.active_before(case.number)
    expected = before.args["evidence"].hex() if before else None
    same(expected, case.contents.files.manifest["previous"], "manifest.json: previous")
    return f"previous bundle {expected or 'none'}"


def status(case: Case) -> str:
    """The settlement stands: it is pending or active, and was not cancelled."""
    _ = case.proposal
    found = case.facts.status(case.number)
    if found == CANCELLED:
        reasons = ("Arbiter", "WrongTransition", "WrongTotal", "DuplicateId", "UnansweredDemand")
        event = next(e for e in case.facts.named("Cancelled") if e.args["number"] == case.number)
        reason = event.args["reason"]
        differ(f"{PENDING} or {ACTIVE}", f"cancelled: {reasons[reason]}", f"settlement {case.number}")
    if found not in (PENDING, ACTIVE):
        differ(f"{PENDING} or {ACTIVE}", found, f"settlement {case.number}")
    return f"settlement {case.number} is {found}"


def code(case: Case) -> str:
    """Pool and registry run the shipped build; immutables and compiler metadata aside."""
    builds = case.facts.builds
    if not builds:
        raise CannotTell("the shipped build is not at hand")
    for name, deployed in (
        ("SettlementPool", case.facts.code),
        ("ContributorRegistry", case.facts.registry_code),
    ):
        found = difference(deployed, builds[name])
        if found is not None:
            differ("the shipped build", found, f"code of {name}")
    return "SettlementPool and ContributorRegistry are the shipped build"


def proposal(case: Case) -> str:
    """What settlement.json says is what was proposed on chain."""
    head, said = decoded(lambda: case.contents.head), case.proposal.args
    same(tuple(said["table"]), head.table, "settlement.json: table")
    same(tuple(said["amounts"]), head.amounts, "settlement.json: amounts")
    for stage, expected, found in zip(head.stages, said["stages"], head.updates, strict=True):
        for name in ("before", "afterwards", "weight_root", "weight_total"):
            same(getattr(expected, name), getattr(found, name), f"settlement.json: {stage}: {name}")
    return f"table, amounts and {len(head.updates)} updates are those of Proposed({case.number})"


def names(case: Case) -> str:
    """Names of contributors are the ids' own: account ids are wallets, named ids come from their registrar."""
    known: Mapping[bytes, str] = case.names
    rows: AllocationRows = decoded(lambda: case.contents.allocation)
    for number, (contributor_id, name) in enumerate(zip(rows.ids, rows.names, strict=True), 1):
        if contributor_id not in known:
            differ(
                "a contributor of rights.yaml", contributor_id, f"allocation.jsonl:{number}: contributor_id"
            )
        if name != known[contributor_id]:
            differ(known[contributor_id], name, f"allocation.jsonl:{number}: name")
    return f"{len(rows)} lines name contributors of the rights file"
