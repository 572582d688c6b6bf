"""Results as lines of JSON, a table in Markdown, and a plot in SVG."""

from __future__ import annotations

import json

PREFACE = (
    "Written by `make bench`: same games, same run, one thread each, every peer in an environment of its own. "
    "Sampled: the share of the money that goes to the wrong players at 40 evaluations per player (one seed), "
    "and the seconds. Where a peer wins, that is printed too."
)


def emit(**result):
    """The one line of output that a run is read by."""
    print("RESULT " + json.dumps(result), flush=True)


def markdown(rows, machine, runs):
    """The table of docs/benchmarks.md: one line per job, one column per program."""
    lines = [
        "# Benchmarks",
        "",
        PREFACE,
        "",
        f"Machine: {machine}. Runs: {len(rows)} of {runs}.",
        "",
        "| job | size | program | seconds | misplaced | note |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        seconds = f"{row['seconds']:.4g}" if "seconds" in row else "-"
        wrong = f"{row['misplaced']:.2%}" if "misplaced" in row else ""
        note = row.get("method", row.get("failed", ""))
        if "evaluations" in row:
            note = f"{row['evaluations']} evaluations"
        lines.append(f"| {row['job']} | {row['size']} | {row['program']} | {seconds} | {wrong} | {note} |")
    return "\n".join(lines) + "\n"


def svg(rows):
    """Horizontal bars of the misplaced share, for the largest games that were run."""
    sampled = [row for row in rows if "misplaced" in row]
    players = max((row["size"] for row in sampled), key=int, default="0")
    chosen = [row for row in sampled if row["size"] == players]
    top = max((row["misplaced"] for row in chosen), default=1.0)
    height = 40 + 18 * len(chosen)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="12">',
        "<title>Share paid to the wrong players at 40 evaluations per player</title>",
        f'<rect width="760" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="14">Share paid to the wrong of {players} players, at 40 evaluations each</text>',
    ]
    for number, row in enumerate(chosen):
        y = 36 + 18 * number
        width = 400 * row["misplaced"] / top
        colour = "#0b6e4f" if row["program"] == "ame" else "#9aa5b1"
        parts.append(f'<text x="10" y="{y + 11}">{row["job"]}: {row["program"]}</text>')
        parts.append(f'<rect x="290" y="{y}" width="{width:.1f}" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{296 + width:.1f}" y="{y + 11}">{row["misplaced"]:.1%}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
