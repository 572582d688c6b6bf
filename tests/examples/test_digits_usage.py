import csv
import json
import subprocess
import sys
from datetime import datetime

import pytest

from ame.attribution.usage import read_usage
from examples.digits.pipeline import PIPELINES
from examples.digits.usage import CATALOGUE, EPOCHS, FIELDS, SALES, sales, write_sales


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    first, second = write_sales(tmp_path / "a"), write_sales(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_another_seed_writes_other_sales():
    assert list(sales("2026-01", 50, seed=1)) != list(sales("2026-01", 50, seed=2))


def test_first_sale_is_what_it_always_was():
    assert next(sales("2026-01")) == {
        "amount": "2147393",
        "id": "sale-2026-01-000001",
        "pipeline": "lottery-posters",
        "time": "2026-01-01T00:10:40Z",
    }


def test_ids_are_unique_over_both_epochs():
    ids = [record["id"] for epoch in EPOCHS for record in sales(epoch)]
    assert len(ids) == len(set(ids)) == 2 * SALES >= 10_000


def test_every_product_sells_in_every_epoch():
    assert set(CATALOGUE) == set(PIPELINES)
    for epoch in EPOCHS:
        assert {record["pipeline"] for record in sales(epoch)} == set(PIPELINES)


@pytest.mark.parametrize("epoch", EPOCHS)
def test_times_have_a_zone_and_lie_in_their_epoch(epoch):
    for record in sales(epoch, 200):
        time = datetime.fromisoformat(record["time"])
        assert time.tzinfo is not None
        assert time.strftime("%Y-%m") == epoch


def test_csv_says_the_same_as_json_lines(tmp_path):
    lines, table = write_sales(tmp_path, "jsonl", 20)[0], write_sales(tmp_path, "csv", 20)[0]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [json.loads(line) for line in lines.read_text().splitlines()]
    assert tuple(rows[0]) == FIELDS


def test_command_writes_two_files(tmp_path):
    command = [sys.executable, "-m", "examples.digits.usage", "-o", str(tmp_path), "--sales", "10"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(tmp_path / f"usage-{epoch}.jsonl") for epoch in EPOCHS]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_attribution_reads_both_kinds(tmp_path, kind):
    for path in write_sales(tmp_path, kind, 30):
        assert len(read_usage(path, PIPELINES)) == 30
