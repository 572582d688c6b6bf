"""A settlement of very many contributors, made quickly: a hundred assets, each held by thousands."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from ame.attribution.hierarchical import plan_hierarchy, solve_exact
from ame.attribution.measure import stage_tree
from ame.attribution.policies import PLAIN
from ame.execution.ledger import StageLedger
from ame.pipeline import Epoch
from ame.records import Measurement, Terms, UsageRecord
from tests.audit.synthetic import COIN, POOL, REGISTRAR, TERMS, History

STAGES = ("training_data", "base_model")


def measurement(assets: int) -> Measurement:
    """Sampled, as a stage of a hundred assets is."""
    seed = random.Random(1)
    names = (tuple(f"set/{number}" for number in range(assets)), ("model",))
    worth = [seed.randrange(2_000, 20_000) for _ in range(assets)] + [300_000]
    plan = plan_hierarchy(stage_tree(names), assets + 1, seed=7)
    masks = [int(mask) for mask in plan.coalitions]
    values = [sum(part for player, part in enumerate(worth) if mask >> player & 1) for mask in masks]
    solved = solve_exact(plan, values)
    exact: tuple[Fraction, ...] = solved.exact_values
    errors = [int(error) + 1 for error in solved.standard_errors]
    return Measurement(
        "large", STAGES, names, dict(zip(masks, values, strict=True)), (exact[:-1], exact[-1:]),
        (tuple(errors[:-1]), (0,)), solved.method, 7, len(masks), "cd" * 32, PLAIN.log(),
    )  # fmt: skip


def rights(assets: int, holders: int) -> bytes:
    """JSON, which is YAML too, and much faster to read."""
    since = "2026-01-01T00:00:00Z"
    each = 10**6 // holders
    document = {
        "format": "ame-rights/1",
        "stages": list(STAGES),
        "registrars": {"hf": REGISTRAR},
        "contributors": [{"name": f"hf:p{number}"} for number in range(assets * holders)],
        "assets": [
            {
                "id": f"set/{asset}", "stage": STAGES[0], "license": "CC-BY-4.0",
                "holders": [
                    {
                        "contributor": f"hf:p{asset * holders + number}",
                        "ppm": each if number else 10**6 - each * (holders - 1), "from": since,
                    }
                    for number in range(holders)
                ],
            }
            for asset in range(assets)
        ]
        + [{"id": "model", "stage": STAGES[1], "license": "MIT",
            "holders": [{"contributor": "hf:p0", "ppm": 10**6, "from": since}]}],
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def large_history(folder: Path, assets: int, holders: int) -> History:
    """One active settlement that pays assets x holders contributors."""
    history = History(folder, random.Random(0), replace_terms(), ledgers=(StageLedger(),) * 2)
    history.deposit(10**24)
    history.propose(
        Epoch(
            chain_id=31337, pool=POOL, number=1, terms=replace_terms(), token=COIN,
            measurements={"large": measurement(assets)},
            usage=(UsageRecord("sale", "large", 10**24, datetime(2026, 2, 1, tzinfo=UTC)),),
            rights=rights(assets, holders), at=datetime(2026, 2, 1, tzinfo=UTC), ledgers=(StageLedger(),) * 2,
        )
    )  # fmt: skip
    history.activate()
    return history


def replace_terms() -> Terms:
    return TERMS._replace(stage_count=2)
