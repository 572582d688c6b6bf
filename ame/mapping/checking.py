"""`ame rights check`: everything that is wrong with a rights file, or that would hold or stop the money."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ame.errors import FileError, InputError
from ame.mapping.collector import paused_collector
from ame.mapping.conflicts import find_conflicts
from ame.mapping.hashing import hash_path
from ame.mapping.lineage_pay import check_absolute_shares
from ame.mapping.rights import Policy, Rights, copies, read_rights
from ame.mapping.strict_yaml import read_file


class Finding(NamedTuple):
    """`level`: error (stops the money), held (the money waits in a reserve) or warning.

    paths: from each asset that asks for something down to the one that does not give it.
    """

    level: str
    message: str
    asset: str | None = None
    kind: str | None = None
    paths: tuple[tuple[str, ...], ...] = ()


_LEVEL_OF = {"refuse": "error", "reserve": "held", "warn": "warning"}


class CheckReport(NamedTuple):
    """What was checked and what was found."""

    assets: int
    edges: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether money may move."""
        return all(finding.level != "error" for finding in self.findings)


def check_file(path: Path, content: bool = False) -> CheckReport:
    """Check a rights file; with `content`, also the files that its assets' paths name, relative to it.

    Raises FileError only where the file is not in the format.
    """
    rights, problems = read_rights(read_file(path), path)
    findings = [Finding("error", str(problem)) for problem in problems]
    if not problems:
        findings += check_rights(rights)
    if content:
        findings += _check_content(rights, path.parent)
    edges = sum(len(asset.parents) for asset in rights.assets.values())
    return CheckReport(len(rights.assets), edges, tuple(findings))


def check_rights(rights: Rights) -> list[Finding]:
    """Licence conflicts with their policy, equal content of different holders, upstream shares above the
    whole.
    """
    with paused_collector():
        return _check_rights(rights)


def _check_rights(rights: Rights) -> list[Finding]:
    findings = []
    for conflict in find_conflicts(rights):
        policy = rights.policies[conflict.kind]
        message = f"{conflict}{_held_in(policy)}"
        findings.append(
            Finding(_LEVEL_OF[policy.action], message, conflict.asset, conflict.kind, conflict.paths)
        )
    for copy in copies(rights):
        if copy.same_holders:
            message = (
                f"copy: asset {copy.asset}: same content as {copy.other} of the same holders: it plays twice"
            )
            findings.append(Finding("warning", message, copy.asset, "copy", ((copy.other, copy.asset),)))
            continue
        policy = rights.policies["copy"]
        message = (
            f"copy: asset {copy.asset}: same content as {copy.other} of other holders: mark them contested, "
            f"or drop one{_held_in(policy)}"
        )
        level = _LEVEL_OF[policy.action]
        findings.append(Finding(level, message, copy.asset, "copy", ((copy.other, copy.asset),)))
    for asset_ in rights.assets.values():
        if asset_.contested and rights.escrow is None:
            message = f"asset {asset_.id}: is contested: expected an escrow reserve in the rights file"
            findings.append(Finding("error", message, asset_.id, "contested"))
    try:
        check_absolute_shares(rights)
    except InputError as error:
        findings.append(Finding("error", str(error)))
    return findings


def _held_in(policy: Policy) -> str:
    return f" (held in reserve {policy.reserve})" if policy.reserve else ""


def _check_content(rights: Rights, folder: Path) -> list[Finding]:
    findings = []
    for asset in rights.assets.values():
        if asset.path is None:
            continue
        path = folder / asset.path
        try:
            if not path.resolve().is_relative_to(folder.resolve()):
                raise FileError("leads out of the folder of the rights file", file=path)
            found = hash_path(path)
        except FileError as error:
            findings.append(Finding("error", f"asset {asset.id}: {error}", asset.id, "content"))
            continue
        if found != asset.sha256:
            message = f"asset {asset.id}: expected the content {asset.sha256}, {asset.path} has {found}"
            findings.append(Finding("error", message, asset.id, "content"))
    return findings
