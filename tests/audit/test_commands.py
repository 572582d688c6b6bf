"""The commands print what was found and end with the exit code that says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ame.audit.audit import audit as audit_
from ame.audit.commands import audit, bundle, statement
from ame.audit.render import to_html, to_markdown
from ame.errors import FileError, InputError
from tests.audit.tampering import Copy, copy_of, honest_history


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return copy_of(honest_history(tmp_path / "honest"), tmp_path / "copy")


def run(command: object, *arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(one) for one in arguments])  # type: ignore[arg-type]
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_audit_without_a_chain_cannot_tell(copy: Copy) -> None:
    code, output = run(audit, *copy.folders)
    assert code == 2
    assert output.startswith("Not everything can be told: chain: no chain was asked")


def test_audit_of_a_changed_bundle_is_false(copy: Copy, tmp_path: Path) -> None:
    copy.raw("usage.jsonl", lambda data: data[:-3])
    code, output = run(
        audit, copy.folder, "--json", "--html", tmp_path / "r.html", "--markdown", tmp_path / "r.md"
    )
    report = json.loads(output)
    assert (code, report["verdict"]) == (1, "false")
    assert "Something is false" in (tmp_path / "r.html").read_text()
    assert (tmp_path / "r.md").read_text().startswith("# Something is false")


def test_bundle_show(copy: Copy) -> None:
    code, output = run(bundle, "show", copy.folder, "--json")
    assert (code, json.loads(output)["number"]) == (0, "2")
    assert "settlement 2 of pool" in run(bundle, "show", copy.folder)[1]


def test_bundle_show_refuses_an_altered_bundle(copy: Copy) -> None:
    copy.raw("usage.jsonl", lambda data: data + b"\n")
    with pytest.raises(FileError, match="not what the manifest lists"):
        run(bundle, "show", copy.folder)


def test_statement_adds_up_to_the_ledger(copy: Copy) -> None:
    _, output = run(statement, *copy.folders, "--contributor", "hf:p1", "--json")
    found = json.loads(output)["settlements"]
    for stage in found[-1]["stages"]:
        earlier = sum(
            int(one["amount"]) for settlement in found for one in settlement["stages"]
            if one["stage"] == stage["stage"]
        )  # fmt: skip
        assert earlier == int(stage["cumulative"])
    assert " ETH because split" in run(statement, copy.folder, "--contributor", "hf:p1")[1]


def test_statement_of_nobody_is_refused(copy: Copy) -> None:
    with pytest.raises(InputError, match="hf:nobody"):
        run(statement, copy.folder, "--contributor", "hf:nobody")


def test_figures_of_a_false_bundle_are_shown_as_what_it_says(copy: Copy) -> None:
    honest = audit_(copy.folders, copy.facts)
    copy.lines("allocation.jsonl", lambda rows: rows[0].update(amount="7")).repost()
    false = audit_(copy.folders, copy.facts)
    for render, sections in ((to_html, 3), (to_markdown, 2)):
        assert render(false).count("in which something is false") == sections
        assert "As the bundle says" not in render(honest)


def test_the_page_needs_nothing_else_and_trusts_no_text(copy: Copy) -> None:
    copy.lines("allocation.jsonl", lambda rows: rows[0].update(name="<script>alert(1)</script>|")).repost()
    report = audit_(copy.folders, copy.facts)
    page, text = to_html(report), to_markdown(report)
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in text.replace("\\<script", "")
    assert page == to_html(audit_(copy.folders, copy.facts))
