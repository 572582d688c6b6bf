"""Pictures of the report, as SVG and PNG made here: no plotting library, no file beside the page."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

STAGE_COLORS = (
    "#2f6f9f",
    "#7b5ea7",
    "#c2703d",
    "#4d8a57",
    "#a8475f",
)  # told apart by colour-blind readers too


def png(image: NDArray[np.uint8]) -> str:
    """A data address of a greyscale image, (height, width); 0 is white, 255 full ink."""
    rows = b"".join(b"\0" + bytes(row) for row in (255 - image).astype(np.uint8))
    height, width = image.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(data).decode()


def contact_sheet(images: NDArray[np.uint8]) -> str:
    """Small images side by side, (n, height, width), as one PNG."""
    padded = np.pad(images, ((0, 0), (0, 0), (0, 1)))
    return png(np.concatenate(list(padded), axis=1))


def stacked_bars(rows: Mapping[str, Sequence[float]], stages: Sequence[str]) -> Markup:
    """One bar for each row, its parts adding up to 1."""
    height, left, width = 34, 150, 560
    parts = []
    for number, (name, shares) in enumerate(rows.items()):
        y, x = number * height, float(left)
        parts.append(f'<text x="{left - 10}" y="{y + 20}" text-anchor="end">{escape(name)}</text>')
        for share, color, stage in zip(shares, STAGE_COLORS, stages, strict=False):
            w = share * width
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 4}" width="{w:.1f}" height="24" fill="{color}">'
                f"<title>{escape(stage)} {share * 100:.1f} %</title></rect>"
            )
            if w > 34:
                parts.append(
                    f'<text x="{x + w / 2:.1f}" y="{y + 20}" text-anchor="middle" fill="#fff">{share * 100:.0f} %</text>'
                )
            x += w
    return _svg(left + width, len(rows) * height, parts, "Share of each stage by product")


def flow(
    links: Sequence[tuple[str, str, str, int]], stages: Sequence[str], amount_text: Mapping[str, str]
) -> Markup:
    """Money from products through stages to contributors: `links` are (product, stage, contributor, amount)."""
    columns: list[dict[str, int]] = [{}, dict.fromkeys(stages, 0), {}]
    pairs: list[dict[tuple[str, str], int]] = [{}, {}]
    for product, stage, contributor, amount in links:
        for column, name in enumerate((product, stage, contributor)):
            columns[column][name] = columns[column].get(name, 0) + amount
        for side, pair in enumerate(((product, stage), (stage, contributor))):
            pairs[side][pair] = pairs[side].get(pair, 0) + amount
    total = sum(columns[1].values()) or 1
    height, gap, bar, xs = 720, 14, 12, (170, 420, 670)
    columns[2] = dict(sorted(columns[2].items(), key=lambda item: (-item[1], item[0])))
    scale = (height - gap * max(len(column) for column in columns)) / total
    place = []
    for names in columns:
        spots: dict[str, float] = {}
        y = (height - sum(names.values()) * scale - gap * (len(names) - 1)) / 2
        for name, amount in names.items():
            spots[name] = y
            y += amount * scale + gap
        place.append(spots)
    color = dict(zip(stages, STAGE_COLORS, strict=False))
    parts = []
    for side in (0, 1):
        out, into = dict(place[side]), dict(place[side + 1])
        for source, target in sorted(
            pairs[side], key=lambda p: (list(place[side]).index(p[0]), list(place[side + 1]).index(p[1]))
        ):
            w = pairs[side][source, target] * scale
            y0, y1 = out[source] + w / 2, into[target] + w / 2
            out[source] += w
            into[target] += w
            x0, x1 = xs[side] + bar, xs[side + 1]
            middle = (x0 + x1) / 2
            parts.append(
                f'<path d="M{x0},{y0:.1f} C{middle},{y0:.1f} {middle},{y1:.1f} {x1},{y1:.1f}" fill="none" '
                f'stroke="{color[target if side == 0 else source]}" stroke-opacity=".35" stroke-width="{max(w, 0.4):.1f}"/>'
            )
    for column, (x, spots) in enumerate(zip(xs, place, strict=True)):
        for name, y in spots.items():
            h = max(columns[column][name] * scale, 1)
            fill = color.get(name, "#555") if column == 1 else "#555"
            parts.append(f'<rect x="{x}" y="{y:.1f}" width="{bar}" height="{h:.1f}" fill="{fill}"/>')
            label = f"{escape(name)} <tspan class='quiet'>{escape(amount_text.get(name, ''))}</tspan>"
            at, anchor = (x - 8, "end") if column == 0 else (x + bar + 6, "start")
            parts.append(f'<text x="{at}" y="{y + h / 2 + 4:.1f}" text-anchor="{anchor}">{label}</text>')
    return _svg(940, height, parts, "Money from products through stages to contributors")


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> Markup:
    return Markup(  # noqa: S704 - every text above went through escape()
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )
