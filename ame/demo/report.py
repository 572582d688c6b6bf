"""out/demo/report.html: the story in pictures, one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ame.arithmetic import telescoping_split
from ame.attribution.shares import normalised_table, stage_shares
from ame.bundle import Bundle, Token
from ame.demo import story
from ame.demo.pictures import STAGE_COLORS, contact_sheet, flow, stacked_bars
from ame.mapping.rights import holdings_at, moment_of

if TYPE_CHECKING:
    from ame.demo.telling import Told


def write_report(path: Path, told: Told) -> None:
    """Render the page."""
    environment = Environment(loader=PackageLoader("ame.demo"), autoescape=True, undefined=StrictUndefined)
    pools = told.world.pools
    first = next(iter(told.measurements.values()))
    page = environment.get_template("report.html").render(
        stages=first.stages,
        colors=STAGE_COLORS,
        products=[_product(told, name) for name in told.measurements],
        shares=stacked_bars(
            {
                name: [float(x) for x in stage_shares(normalised_table(one))]
                for name, one in told.measurements.items()
            },
            first.stages,
        ),
        flow=_flow(told, pools[0].bundles),
        assets=_assets(told, pools[0].bundles),
        payments=[
            {
                "text": payment.text,
                "who": payment.contributor,
                "amount": _token(told, payment.pool).text(payment.amount),
            }
            for payment in told.payments
        ],
        pools=[
            {
                "name": pool.token.symbol,
                "address": pool.contract.address,
                "books": {
                    key: pool.token.text(value) for key, value in story.check_books(told.world, pool).items()
                },
                "settlements": [
                    {
                        "number": bundle.settlement.number,
                        "sales": len(bundle.usage),
                        "amounts": [_number(pool.token, amount) for amount in bundle.settlement.amounts],
                        "sum": _number(pool.token, sum(bundle.settlement.amounts)),
                    }
                    for bundle in pool.bundles
                ],
            }
            for pool in pools
        ],
        verdicts=told.verdicts,
        network=told.world.chain.network,
        chain_id=told.world.chain.id,
    )
    path.write_text(page, encoding="utf-8")


def _number(token: Token, amount: int) -> str:
    return token.text(amount).removesuffix(f" {token.symbol}")


def _token(told: Told, pool: str) -> Token:
    return next(one.token for one in told.world.pools if one.name == pool)


def _product(told: Told, name: str) -> dict[str, Any]:
    """Pictures with everything, and without each stage."""
    measurement, pipeline = told.measurements[name], told.inputs.pipelines[name]
    stages = range(len(measurement.stages))
    everything = sum(1 << stage for stage in stages)
    coalitions = [("everything", everything)]
    coalitions += [(f"without {measurement.stages[stage]}", everything & ~(1 << stage)) for stage in stages]
    coalitions.append(("defaults only", 0))
    rows = []
    for label, coalition in coalitions:
        mask = measurement.stage_mask(coalition)
        rows.append(
            {
                "label": label,
                "image": contact_sheet(pipeline.images(mask)),
                "value": f"{measurement.values_ppm[mask] / 10**6:.3f}",
            }
        )
    return {"name": name, "rows": rows}


def _flow(told: Told, bundles: list[Bundle]) -> Any:
    """Both epochs of the first pool; a contributor's amount is drawn by product as the stage's money is."""
    links, paid = [], dict[str, int]()
    for bundle in bundles:
        money: dict[str, int] = {}
        for record in bundle.usage:
            money[record.pipeline] = money.get(record.pipeline, 0) + record.amount
        share = {name: stage_shares(normalised_table(one)) for name, one in bundle.measurements.items()}
        for stage, contributor, amount in story.ledger_rows(bundle):
            at = bundle.settlement.stages.index(stage)
            names = list(money)
            parts = telescoping_split(amount, [int(money[name] * share[name][at] * 10**6) for name in names])
            links += [(name, stage, contributor, part) for name, part in zip(names, parts, strict=True)]
            paid[contributor] = paid.get(contributor, 0) + amount
    token = told.world.pools[0].token
    return flow(
        links, bundles[0].settlement.stages, {name: token.text(amount) for name, amount in paid.items()}
    )


def _assets(told: Told, bundles: list[Bundle]) -> list[dict[str, Any]]:
    """Each asset: stage, who holds it, its measured values by product."""
    rows = []
    at = moment_of(told.rights, max(record.time for record in bundles[-1].usage))
    first = next(iter(told.measurements.values()))
    for stage in first.stages:
        for name, asset in told.rights.assets.items():
            if asset.stage != stage:
                continue
            values = {}
            for product, one in told.measurements.items():
                position = one.stages.index(stage)
                if name in one.assets[position]:
                    value = one.inner[position][one.assets[position].index(name)]
                    values[product] = f"{float(value) / 10**6:+.3f}"
            holders = [
                f"{holding.contributor} {holding.ppm / 10_000:g} %" for holding in holdings_at(asset, at)
            ]
            rows.append(
                {
                    "stage": stage,
                    "asset": name,
                    "license": asset.license,
                    "holders": ", ".join(holders),
                    "values": values,
                }
            )
    return rows
