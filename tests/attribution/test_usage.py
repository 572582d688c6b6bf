from datetime import UTC, datetime

import pytest

from ame.attribution.usage import read_usage
from ame.errors import FileError
from ame.records import UsageRecord

GOOD = '{"id":"1","pipeline":"p","amount":"15","time":"2026-01-01T00:00:00Z"}'
RECORD = UsageRecord("1", "p", 15, datetime(2026, 1, 1, tzinfo=UTC))


def write(tmp_path, text, suffix):
    path = tmp_path / f"sales{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_json_lines_and_csv_say_the_same(tmp_path):
    table = "id,pipeline,amount,time\n1,p,15,2026-01-01T00:00:00Z\n"
    assert read_usage(write(tmp_path, GOOD + "\n", ".jsonl"), ["p"]) == [RECORD]
    assert read_usage(write(tmp_path, table, ".csv"), ["p"]) == [RECORD]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"15"', '"-15"', ":2: amount: expected a whole number"),
        ('"15"', '"1.5"', ":2: amount: expected a whole number"),
        ('"15"', '"1e3"', ":2: amount: expected a whole number"),
        ('"15"', '"015"', ":2: amount: expected a whole number"),
        ('"15"', '"\u0661"', ":2: amount: expected a whole number"),
        ('"15"', f'"{2**127}"', ":2: amount: expected a whole number"),
        ('"15"', "15", ":2: amount: expected decimal digits"),
        ('"15"', "NaN", ":2: expected one JSON object"),
        ('"15"', "9" * 5000, ":2: expected one JSON object"),
        ('"p"', '"q"', ":2: pipeline: expected one of p, got 'q'"),
        ('"p"', '""', ":2: pipeline: expected a text"),
        ('"1"', "null", ":2: id: expected a text"),
        ('"1"', '" 1"', ":2: id: expected a printable text"),
        ('"id":"1"', '"id":"0"', ":2: id: expected each id once, got '0' again \\(first on line 1\\)"),
        ("T00:00:00Z", "T00:00:00", ":2: time: expected a time with its zone"),
        ("01-01T", "02-30T", ":2: time: expected a time that exists"),
        ('"id":"1",', "", ":2: id: expected this field"),
        ('"id":"1",', '"id":"1","id":"2",', ":2: expected one JSON object: a field stands twice"),
        ('"id":"1",', '"id":"1","tip":"2",', ":2: tip: expected only id, pipeline, amount, time"),
        (GOOD, "[1]", ":2: expected one JSON object"),
        (GOOD, "{", ":2: expected one JSON object"),
        (GOOD, "", ":2: expected one JSON object"),
        (GOOD, "[" * 100_000, ":2: expected one JSON object"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, old, new, message):
    path = write(tmp_path, GOOD.replace('"1"', '"0"') + "\n" + GOOD.replace(old, new) + "\n", ".jsonl")
    with pytest.raises(FileError, match=r"sales\.jsonl" + message):
        read_usage(path, ["p"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,pipeline,amount\n", ":1: expected the header id,pipeline,amount,time"),
        ("id,pipeline,amount,time\n1,p,15\n", ":2: expected 4 cells, got 3"),
        ("id,pipeline,amount,time\n1,p,1.5,2026-01-01T00:00:00Z\n", ":2: amount: expected a whole number"),
        ('id,pipeline,amount,time\n1,"p"x,1,2026-01-01T00:00:00Z\n', ":2: expected CSV"),
        (b"id,pipeline,amount,time\n\xff,p,1,2026-01-01T00:00:00Z\n", ":2: expected UTF-8"),
        ("id,pipeline,amount,time\n", ": expected at least one usage record"),
        ("", ": expected at least one usage record"),
    ],
)
def test_a_wrong_table_is_named(tmp_path, text, message):
    with pytest.raises(FileError, match=r"sales\.csv" + message):
        read_usage(write(tmp_path, text, ".csv"), ["p"])


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileError, match="expected a name that ends in"):
        read_usage(tmp_path / "sales.xlsx")
    with pytest.raises(FileError, match="No such file"):
        read_usage(tmp_path / "sales.csv")
