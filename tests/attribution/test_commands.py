import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from ame.attribution.commands import attribute, evaluate
from ame.attribution.evaluate import evaluate as judge
from ame.attribution.evaluate import human_games
from ame.errors import InputError

MODULE = "from tests.attribution.games import SmallPipeline\nPIPELINES = {'small': SmallPipeline()}\n"
SALES = '{"id":"1","pipeline":"small","amount":"1000","time":"2026-01-01T00:00:00Z"}\n'


def run(*words):
    return CliRunner().invoke(attribute, list(map(str, words)), catch_exceptions=False)


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "small_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return "small_module"


def test_attribute_writes_coalitions_and_shares(tmp_path, module):
    (tmp_path / "sales.jsonl").write_text(SALES)
    assert run(module, "-o", tmp_path / "out", "--usage", tmp_path / "sales.jsonl").exit_code == 0
    coalitions = json.loads((tmp_path / "out" / "coalitions.json").read_bytes())
    assert coalitions["pipelines"]["small"]["evaluations"] == 20
    assert json.loads((tmp_path / "out" / "shares.json").read_bytes())["table"][-1] == "1000"


def test_nothing_is_written_when_sales_are_wrong(tmp_path, module):
    (tmp_path / "sales.jsonl").write_text(SALES.replace("1000", "-1"))
    with pytest.raises(InputError, match="amount"):
        run(module, "-o", tmp_path / "out", "--usage", tmp_path / "sales.jsonl")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no_such_module"], "expected a module with PIPELINES"),
        (["small_module", "--only", "large"], "expected one of small"),
        (["small_module", "--alpha", "much"], "--alpha: expected a number"),
    ],
)
def test_wrong_words_are_refused(tmp_path, module, words, message):
    with pytest.raises(InputError, match=message):
        run(*words, "-o", tmp_path / "out")


def test_evaluate_prints_every_rule():
    shown = CliRunner().invoke(evaluate, ["--json"])
    rules = [row["rule"] for row in json.loads(shown.output)]
    assert rules == [
        "equal split",
        "Shapley",
        "Banzhaf",
        "leave-one-out",
        "solo-proportional",
        "egalitarian Shapley",
    ]
    assert "Rules against human reward divisions" in CliRunner().invoke(evaluate, []).output


def test_egalitarian_shapley_is_nearest_to_what_people_thought():
    scores = judge()
    assert min(scores, key=lambda score: score.total_variation).rule == "egalitarian Shapley"
    assert len(human_games()) == 27


def test_attribution_imports_neither_ape_nor_web3():
    program = (
        "import sys, ame.attribution as a; [getattr(a, name) for name in a.__all__]; "
        "sys.exit(any(name in sys.modules for name in ('ape', 'web3')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
