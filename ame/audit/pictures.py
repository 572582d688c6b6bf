"""Small SVG pictures of a report's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

COLOURS = ("#4a7fc8", "#3f9c7a", "#c98b2b", "#a85c92", "#8a8a8a")  # on white and on black
WIDTH, ROW, LABEL = 720, 30, 190
FLOWS = ("claimed", "unclaimed", "pending", "unallocated", "refunded")


def bars(rows: Sequence[Mapping[str, Any]], label: str, error: str | None = None) -> Markup:
    """Horizontal bars of `ppm` with their label, and an error bar where `error` names one."""
    height, room = ROW * len(rows) + 6, WIDTH - LABEL - 90
    most = max([row["ppm"] + (row[error] if error else 0) for row in rows] + [1])
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img">']
    for at, row in enumerate(rows):
        y, length = at * ROW + 4, row["ppm"] * room / most
        parts.append(f'<text x="{LABEL - 10}" y="{y + 16}" text-anchor="end">{_short(row[label])}</text>')
        parts.append(
            f'<rect x="{LABEL}" y="{y}" width="{max(length, 1):.1f}" height="20" rx="3" '
            f'fill="{COLOURS[at % len(COLOURS) if error else 0]}"/>'
        )
        if error and row[error]:
            low = LABEL + max(0, row["ppm"] - row[error]) * room / most
            high = LABEL + (row["ppm"] + row[error]) * room / most
            parts.append(f'<path d="M{low:.1f} {y + 10}H{high:.1f}M{low:.1f} {y + 4}v12M{high:.1f} {y + 4}v12" '
                         'stroke="currentColor" stroke-width="1.5" fill="none"/>')  # fmt: skip
        end = LABEL + max(length, (row["ppm"] + row[error]) * room / most if error else 0) + 8
        parts.append(f'<text x="{end:.1f}" y="{y + 16}">{row["ppm"] / 10**4:.2f} %</text>')
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - every text in it was escaped


def flow(pool: Mapping[str, Any]) -> Markup:
    """Where every deposited unit is: one bar, cut into pieces, and below it what the pieces are."""
    amounts = [(name, int(pool[name])) for name in FLOWS]
    whole = max(sum(amount for _, amount in amounts), 1)
    shown = [(name, amount, COLOURS[at]) for at, (name, amount) in enumerate(amounts) if amount]
    parts = [f'<svg viewBox="0 0 {WIDTH} {56 + 24 * ((len(shown) + 2) // 3)}" role="img">']
    reached = 0
    for at, (name, amount, colour) in enumerate(shown):
        x, width = reached * WIDTH / whole, amount * WIDTH / whole
        reached += amount
        parts.append(f'<rect x="{x:.1f}" y="4" width="{max(width, 1):.1f}" height="36" fill="{colour}"/>')
        left, y = at % 3 * WIDTH / 3, 58 + 24 * (at // 3)
        parts.append(f'<rect x="{left:.0f}" y="{y - 4}" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18:.0f}" y="{y + 7}">{name} {amount * 100 / whole:.1f} %</text>')
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers and our own words


def lorenz(points: Sequence[Sequence[int]]) -> Markup:
    """How money spreads over contributors: the straight line is equality (Lorenz 1905)."""
    size, left, top = 240, 52, 12
    path = " ".join(f"{left + x * size / 10**6:.1f},{top + size - y * size / 10**6:.1f}" for x, y in points)
    foot, right = top + size, left + size
    marks = "".join(
        f'<text x="{left - 6}" y="{top + size - size * part // 4 + 4}" text-anchor="end">{25 * part} %</text>'
        f'<text x="{left + size * part // 4}" y="{foot + 16}" text-anchor="middle">{25 * part} %</text>'
        for part in (0, 2, 4)
    )
    return Markup(  # noqa: S704 - only numbers
        f'<svg class="small" viewBox="0 0 {right + 24} {foot + 40}" role="img">'
        f'<rect x="{left}" y="{top}" width="{size}" height="{size}" class="frame"/>'
        f'<path d="M{left} {foot}L{right} {top}" class="frame"/>'
        f'<polyline points="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="2.5"/>{marks}'
        f'<text x="{left + size // 2}" y="{foot + 34}" text-anchor="middle">of the contributors, poorest first</text>'
        f'<text x="{left + 8}" y="{top + 18}">have this part of the money</text></svg>'
    )


def _short(text: str) -> Markup:
    return escape(text if len(text) <= 26 else text[:12] + "…" + text[-12:])
