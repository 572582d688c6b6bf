"""The audit: chain + bundle -> Report."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ame.audit import chain_checks, file_checks, ledger_checks, number_checks, rights_check
from ame.audit.case import Case, run
from ame.audit.facts import ChainFacts
from ame.audit.figures import figures_of
from ame.audit.reading import Contents, read_files
from ame.audit.report import Check, Report, Verdict
from ame.errors import AmeError, CannotTell

Test = Callable[[Case], str]
Progress = Callable[[str, int, int], None]  # name, how many are done, of how many

CHECKS: Mapping[str, Test] = {
    "manifest": file_checks.manifest,
    "format": file_checks.formats,
    "chain": file_checks.chain,
    "pool": file_checks.pool,
    "code": file_checks.code,
    "terms": file_checks.terms,
    "evidence": file_checks.evidence,
    "status": file_checks.status,
    "previous": file_checks.previous,
    "proposal": file_checks.proposal,
    "usage": number_checks.usage,
    "measurement": number_checks.measurement,
    "table": number_checks.table,
    "shapley": number_checks.shapley,
    "shares": number_checks.shares,
    "rights": rights_check.rights,
    "allocation": number_checks.allocation,
    "names": file_checks.names,
    "weights": ledger_checks.weights,
    "duplicates": ledger_checks.duplicates,
    "telescoping": ledger_checks.telescoping,
    "roots": ledger_checks.roots,
    "transition": ledger_checks.transition,
    "ledgers": ledger_checks.ledgers,
    "history": chain_checks.history,
    "deposits": chain_checks.deposits,
    "claims": chain_checks.claims,
    "balance": chain_checks.balance,
}


def audit(
    folders: Sequence[Path],
    facts: ChainFacts | None,
    *,
    rerun: Callable[[Case], Mapping[str, Mapping[int, int]]] | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Re-derive every number of the last bundle. Pure but for reading the folders.

    folders: the bundle, and before it the older ones that are at hand, oldest first. facts: what the chain says, or
    None: then the checks that need it are unknown. rerun: runs coalitions again,
    pipeline -> coalition -> value in ppm. Never raises because of the bundle.
    """
    collecting = gc.isenabled()
    gc.disable()  # a bundle's million rows have no cycles, and walking them again and again takes a fifth of the time
    try:
        return _audit(folders, facts, rerun, on_progress)
    finally:
        if collecting:
            gc.enable()


def _audit(
    folders: Sequence[Path],
    facts: ChainFacts | None,
    rerun: Callable[[Case], Mapping[str, Mapping[int, int]]] | None,
    on_progress: Progress | None,
) -> Report:
    *history, folder = folders
    try:
        contents = Contents(read_files(folder))
    except AmeError as error:
        verdict = Verdict.UNKNOWN if isinstance(error, CannotTell) else Verdict.FALSE
        checks = (Check("manifest", verdict, "a manifest", str(error), str(folder)),)
        return Report({"bundle": str(folder)}, checks)
    try:
        older = [Contents(read_files(path)) for path in history]
        trouble: AmeError | None = None
    except AmeError as error:
        older, trouble = [], error
    case, checks_done = Case(contents, facts, older), []
    tests = dict(CHECKS)
    if rerun is not None:
        tests["rerun"] = lambda case: number_checks.rerun(case, rerun(case))
    for done, (name, test) in enumerate(tests.items()):
        if on_progress is not None:
            on_progress(name, done, len(tests))
        if name == "ledgers" and trouble is not None:
            checks_done.append(run(name, lambda: _raise(trouble)))
            continue
        checks_done.append(run(name, lambda test=test: test(case)))  # type: ignore[misc]
    if on_progress is not None:
        on_progress("done", len(tests), len(tests))
    manifest = contents.files.manifest
    subject = {
        "bundle": str(folder),
        "chain_id": manifest["chain_id"],
        "pool": manifest["pool"],
        "number": manifest["number"],
        "manifest_sha256": contents.files.sha256,
        "block": str(facts.block) if facts is not None else "no chain was asked",
    }
    return Report(subject, tuple(checks_done), figures_of(case))


def _raise(error: AmeError | None) -> str:
    raise error or CannotTell("nothing")
