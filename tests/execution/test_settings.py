from __future__ import annotations

from pathlib import Path

import pytest

from ame.errors import FileError
from ame.execution.settings import read_settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a rights file and a module `own_pipelines` that has PIPELINES."""
    (tmp_path / "rights.yaml").write_text("format: ame-rights/1\n")
    (tmp_path / "own_pipelines.py").write_text("PIPELINES = {'cats': object()}\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def written(project: Path, text: str) -> Path:
    path = project / "settle.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(project: Path) -> None:
    text = "format: ame-settle/1\npipelines: own_pipelines\nrights: rights.yaml\npool: demo\ncache: kept\n"
    settings = read_settings(written(project, text))
    assert list(settings.pipelines) == ["cats"]
    assert settings.rights == project / "rights.yaml"
    assert settings.cache == project / "kept"
    assert settings.pool == "demo"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "settle.yaml:"),
        ("- a\n", "format: expected format: ame-settle/1"),
        ("format: ame-settle/2\n", "format: expected format: ame-settle/1"),
        ("format: ame-settle/1\nrights: rights.yaml\npool: demo\n", "pipelines: expected text, got None"),
        ("format: ame-settle/1\npipelines: own_pipelines\npool: demo\n", "rights: expected text, got None"),
        (
            "format: ame-settle/1\npipelines: own_pipelines\nrights: rights.yaml\npool: 7\n",
            "pool: expected text, got 7",
        ),
        (
            "format: ame-settle/1\npipelines: own_pipelines\nrights: rights.yaml\npool: demo\ncache: 7\n",
            "cache: expected text, got 7",
        ),
        (
            "format: ame-settle/1\npipelines: own_pipelines\nrights: none.yaml\npool: demo\n",
            "rights: no such file",
        ),
        (
            "format: ame-settle/1\npipelines: no_such_module\nrights: rights.yaml\npool: demo\n",
            "pipelines: expected a module with PIPELINES, got 'no_such_module'",
        ),
        (
            "format: ame-settle/1\npipelines: json\nrights: rights.yaml\npool: demo\n",
            "pipelines: expected a module with PIPELINES, got 'json'",
        ),
        (
            "format: ame-settle/1\npipelines: own_pipelines\nrights: rights.yaml\npool: demo\nfee: 1\n",
            "settle.yaml:5: fee: expected only cache, format, pipelines, pool, rights",
        ),
        (
            "format: ame-settle/1\npool: demo\npool: other\npipelines: own_pipelines\nrights: rights.yaml\n",
            "pool",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_field(project: Path, text: str, message: str) -> None:
    path = written(project, text)
    with pytest.raises(FileError, match=message) as caught:
        read_settings(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_of_other_bytes_is_refused(project: Path) -> None:
    path = project / "settle.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="expected UTF-8 text"):
        read_settings(path)
