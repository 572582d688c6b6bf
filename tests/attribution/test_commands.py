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
        (["small_module", "--cluster", "a"], "--cluster: expected two or more assets"),
        (["small_module", "--cluster", "a,nobody"], "--cluster: expected two or more assets"),
        (
            ["small_module", "--cluster", "a,b", "--cluster", "b,c"],
            "--cluster: expected each asset in at most one",
        ),
        (["small_module", "--score", "knn"], "--score: expected STAGE=METHOD"),
        (["small_module", "--score", "training_data=guess"], "expected a method of"),
        (["small_module", "--find-duplicates"], "expected a pipeline with asset_sha256"),
        (["small_module", "--similarity", "2"], "similarity: expected above 0"),
    ],
)
def test_wrong_words_are_refused(tmp_path, module, words, message):
    with pytest.raises(InputError, match=message):
        run(*words, "-o", tmp_path / "out")


def test_clusters_scores_and_searches_act_and_are_told(tmp_path, monkeypatch):
    module = (
        "from tests.attribution.test_duplicates import KnownPipeline\n"
        "from tests.attribution.test_scores import ScoredPipeline\n"
        "class Both(KnownPipeline, ScoredPipeline):\n    pass\n"
        "PIPELINES = {'small': Both()}\n"
    )
    (tmp_path / "both_module.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    words = (
        "--find-duplicates",
        "--cluster",
        "b,c",
        "--score",
        "training_data=knn-shapley",
        "--alpha",
        "1/5",
    )
    shown = run("both_module", "-o", tmp_path / "out", *words).output
    for line in (
        "policy: one player: a, b, c",
        "duplicates: a and b: 100.0 % of each found in the other",
        "stage training_data: split by knn-shapley of 3 examples",
        "policy: egalitarian mixture, alpha 1/5",
        "policy: negative values count as zero",
    ):
        assert line in shown
    written = json.loads((tmp_path / "out" / "coalitions.json").read_bytes())["pipelines"]["small"]
    assert {"duplicate_search", "stage_scores"} <= {entry["policy"] for entry in written["policies"]}


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
