"""Small SVG pictures of a report's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

COLOURS = ("#3b6fb6", "#3f9c7a", "#c98b2b", "#a4508b", "#6a6a6a")
WIDTH, ROW, LABEL = 720, 30, 190


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
                         'stroke="#111" fill="none"/>')  # fmt: skip
        end = LABEL + max(length, (row["ppm"] + row[error]) * room / most if error else 0) + 8
        parts.append(f'<text x="{end:.1f}" y="{y + 16}">{row["ppm"] / 10**4:.2f} %</text>')
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - every text in it was escaped


def flow(pool: Mapping[str, Any]) -> Markup:
    """Where every deposited unit is: one bar, cut into pieces."""
    names = ("claimed", "unclaimed", "pending", "unallocated", "refunded")
    amounts = [int(pool[name]) for name in names]
    whole = max(sum(amounts), 1)
    parts = [f'<svg viewBox="0 0 {WIDTH} 92" role="img">']
    x = 0.0
    for at, (name, amount) in enumerate(zip(names, amounts, strict=True)):
        width = amount * WIDTH / whole
        parts.append(f'<rect x="{x:.1f}" y="4" width="{width:.1f}" height="40" fill="{COLOURS[at]}"/>')
        x += width
        left = at * WIDTH / len(names)
        parts.append(f'<rect x="{left:.0f}" y="60" width="12" height="12" fill="{COLOURS[at]}"/>')
        parts.append(f'<text x="{left + 18:.0f}" y="71">{name} {amount * 100 / whole:.1f} %</text>')
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers and our own words


def lorenz(points: Sequence[Sequence[int]]) -> Markup:
    """How money spreads over contributors: the straight line is equality (Lorenz 1905)."""
    size, pad = 240, 24
    path = " ".join(f"{pad + x * size / 10**6:.1f},{pad + size - y * size / 10**6:.1f}" for x, y in points)
    corner = f"{pad},{pad + size}"
    return Markup(  # noqa: S704 - only numbers
        f'<svg viewBox="0 0 {size + 2 * pad + 200} {size + 2 * pad}" role="img">'
        f'<rect x="{pad}" y="{pad}" width="{size}" height="{size}" fill="none" stroke="#bbb"/>'
        f'<path d="M{pad} {pad + size}L{pad + size} {pad}" stroke="#bbb"/>'
        f'<polyline points="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="2.5"/>'
        f'<text x="{corner.split(",")[0]}" y="{size + 2 * pad - 6}">contributors, poorest first</text>'
        f'<text x="{pad + size + 10}" y="{pad + 14}">all money</text></svg>'
    )


def _short(text: str) -> Markup:
    return escape(text if len(text) <= 26 else text[:12] + "…" + text[-12:])
