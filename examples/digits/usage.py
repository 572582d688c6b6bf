"""Make sale records of the three products: `python -m examples.digits.usage -o out/usage`.

Sales are invented, seeded and the same everywhere; everything downstream treats them like real ones.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

Record = dict[str, str]  # amount, id, pipeline, time: the fields of a usage record, all text

SEED = 2026
SALES = 10_000  # in each epoch
EPOCHS = {"2026-01": datetime(2026, 1, 1, tzinfo=UTC), "2026-02": datetime(2026, 2, 1, tzinfo=UTC)}
EPOCH_SECONDS = 28 * 86_400
FIELDS = ("amount", "id", "pipeline", "time")

# Product: list price in base units of a token with 6 decimals, and its part of the sales in each epoch.
CATALOGUE = {
    "house-numbers": (1_490_000, (0.50, 0.30)),
    "birthday-cards": (790_000, (0.35, 0.30)),
    "lottery-posters": (2_250_000, (0.15, 0.40)),
}


def sales(epoch: str, count: int = SALES, seed: int = SEED) -> Iterator[Record]:
    """One epoch's records in the order of time; discounts of up to 30 % make the amounts uneven."""
    index = list(EPOCHS).index(epoch)
    random = np.random.RandomState([seed, index])  # its stream is frozen for good (NEP 19)
    names = list(CATALOGUE)
    bounds = np.cumsum([CATALOGUE[name][1][index] for name in names])[:-1]
    products = np.searchsorted(bounds, random.random_sample(count), side="right")
    discounts = random.randint(0, 300_001, count)
    seconds = np.sort(random.randint(0, EPOCH_SECONDS, count))
    for number in range(count):
        name = names[products[number]]
        amount = CATALOGUE[name][0] * (1_000_000 - int(discounts[number])) // 1_000_000
        time = EPOCHS[epoch] + timedelta(seconds=int(seconds[number]))
        yield {
            "amount": str(amount),
            "id": f"sale-{epoch}-{number + 1:06d}",
            "pipeline": name,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def write_sales(folder: Path, kind: str = "jsonl", count: int = SALES, seed: int = SEED) -> list[Path]:
    """Write one file for each epoch, as JSON Lines or CSV; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for epoch in EPOCHS:
        path = folder / f"usage-{epoch}.{kind}"
        with path.open("w", encoding="utf-8", newline="") as file:
            records = sales(epoch, count, seed)
            if kind == "csv":
                table = csv.DictWriter(file, FIELDS, lineterminator="\n")
                table.writeheader()
                table.writerows(records)
            else:
                file.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        paths.append(path)
    return paths


def main() -> None:
    """Parse, write, print."""
    parser = argparse.ArgumentParser(description="Make sale records of the digits products.")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/usage"), help="folder to write to")
    parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    parser.add_argument("--sales", type=int, default=SALES, help="records in each epoch")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    for path in write_sales(options.output, options.format, options.sales, options.seed):
        print(path)


if __name__ == "__main__":
    main()
