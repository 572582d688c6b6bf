"""Results as tables in Markdown and as a plot in SVG."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from math import log10
from statistics import mean

PREFACE = (
    "Written by `make bench`: same games, same machine, one thread each, every program in an environment of its own. "
    "Times are the best of several runs, so that nobody's compilation is counted; `>` is a time limit. "
    "Bold: the best of its line, whoever it is. shapley-numba plays the Owen games compiled, coopgame from a table of all "
    "coalitions that was made before; the others ask the same Python function."
)
SAMPLED = (
    "Share of the money that goes to the wrong players (values clipped at zero, total variation from the true "
    "shares) at 40 evaluations per player, mean over seeds. True values are exact: closed forms, quadrature, or "
    "all coalitions of the two real pipelines (`digits` lottery-posters, `text` jobs-brief). The other games "
    "are drawn from a seed (`--instance`). `>` says that there was no result within that time, which ends a peer's run "
    "after 30 s and ours after 240 s; what was too late at a smaller size or with "
    "the first seed is not tried."
)
GOALS = {
    "diminishing": (0.5, 100),
    "staged": (0.5, 100),
    "unanimity": (0.8, 100),
    "digits": (1.1, 0),
    "text": (1.1, 0),
}
TITLES = {"exact": "players", "owen": "stages x assets", "knn": "points"}


def parse(rows):
    """(timed: job -> size -> program -> row, sampled: (game, players) -> method -> rows)."""
    timed = defaultdict(lambda: defaultdict(dict))
    sampled = defaultdict(lambda: defaultdict(list))
    for row in rows:
        job, size, program, *rest = str(row["key"]).split("|")
        if job != "sampled":
            timed[job][size][program] = row
            continue
        game, _, tail = size.partition("-")
        players = int(tail.split("-")[0]) if tail else int(row.get("budget", 0)) // 40
        name = program if program == "ame" else f"{program} {rest[0]}"
        sampled[game, players if tail else 0][name].append(row)
    return timed, sampled


def scores(methods):
    """method -> mean misplaced share, of methods with at least one result."""
    result = {}
    for name, rows in methods.items():
        values = [row["misplaced"] for row in rows if "misplaced" in row]
        if values:
            result[name] = mean(values)
    return result


def markdown(rows, expected, machine, versions):
    """docs/benchmarks.md."""
    timed, sampled = parse(rows)
    loads = sorted(row["load"] for row in rows)
    load = f"load {loads[0]} to {loads[-1]}, median {loads[len(loads) // 2]}" if loads else "no results"
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = ["# Benchmarks", "", PREFACE, "", f"Machine: {machine}; {load}. {len(rows)} of {expected} runs."]
    lines += [f"Programs: {programs}.", "", "![Share paid to the wrong players](benchmarks.svg)", ""]
    lines += ["## What was to be reached", "", "| what | goal | measured | |", "|---|---|---|---|"]
    lines += [
        f"| {what} | {goal} | {found} | {reached} |" for what, goal, found, reached in goals(timed, sampled)
    ]
    for job, title in (
        ("exact", "Exact Shapley values of a table"),
        ("owen", "Owen values"),
        ("knn", "KNN-Shapley, 100 queries"),
    ):
        if job in timed:
            lines += ["", f"## {title}", "", *_times(timed[job], TITLES[job])]
    if "integers" in timed:
        seconds = timed["integers"]["20"]["ame"].get("seconds", float("nan"))
        lines += ["", f"Exact integers (`shapley_numerators`), 20 players: {_time(seconds)}."]
    lines += ["", "## Sampled", "", SAMPLED, "", *_sampled(sampled)]
    lines += ["", "Seconds of the same runs:", "", *_sampled(sampled, "seconds")]
    return "\n".join(lines) + "\n"


def goals(timed, sampled):
    """(what, goal, measured, reached) from the results alone."""
    result = []

    def add(what, goal, found, reached):
        result.append(
            (
                what,
                goal,
                "-" if found is None else found,
                "" if reached is None else "yes" if reached else "**no**",
            )
        )

    def ratio(job, size, peers):
        own = timed[job][size].get("ame", {}).get("seconds")
        others = [
            timed[job][size][one]["seconds"] for one in peers if "seconds" in timed[job][size].get(one, {})
        ]
        return min(others) / own if own and others else None

    for what, job, size, peers, least in (
        (
            "exact, 20 players, against the fastest peer",
            "exact",
            "20",
            ("shapley_numba", "coopgame", "shapiq"),
            10,
        ),
        ("Owen 4x4 against shap.CoalitionExplainer", "owen", "4x4", ("shap",), 100),
        ("Owen 4x8 against shap.CoalitionExplainer", "owen", "4x8", ("shap",), 500),
        ("KNN-Shapley, 100,000 points, against pyDVL", "knn", "100000", ("pydvl",), 15),
    ):
        found = ratio(job, size, peers)
        add(
            what,
            f"{least} times faster",
            None if found is None else f"{found:,.0f} times",
            None if found is None else found >= least,
        )
    for (game, players), methods in sorted(sampled.items()):
        if game not in GOALS or players < GOALS[game][1]:
            continue
        limit, found = GOALS[game][0], scores(methods)
        peers = {name: value for name, value in found.items() if name != "ame"}
        if "ame" not in found or not peers:
            continue
        best = min(peers, key=peers.get)
        value = found["ame"] / peers[best]
        what = f"misplaced, {game}" + (f", {players} players" if players else "") + f", against {best}"
        add(what, f"at most {limit} times", f"{value:.2f} times", value <= limit)
    return result


def _times(sizes, title):
    programs = list(dict.fromkeys(program for row in sizes.values() for program in row))
    lines = [f"| {title} | " + " | ".join(programs) + " |", "|---" * (len(programs) + 1) + "|"]
    for size, row in sizes.items():
        done = {name: one["seconds"] for name, one in row.items() if "seconds" in one}
        best = min(done, key=done.get, default="")
        cells = []
        for program in programs:
            one = row.get(program, {})
            cell = _time(one["seconds"]) if "seconds" in one else _why(one)
            if one.get("asked"):
                cell += f" ({one['asked']:,} evaluations)"
            reference = row.get("ame", {}).get("check")
            if (
                reference is not None
                and "check" in one
                and abs(one["check"] - reference) > 1e-4 * abs(reference)
            ):
                cell += " (another value!)"
            cells.append(f"**{cell}**" if program == best else cell)
        lines.append(
            f"| {int(size):,} | " + " | ".join(cells) + " |"
            if size.isdigit()
            else f"| {size} | " + " | ".join(cells) + " |"
        )
    return lines


def _sampled(sampled, column="misplaced"):
    methods = list(dict.fromkeys(name for row in sampled.values() for name in row))
    lines = ["| game | players | seeds | " + " | ".join(methods) + " |", "|---" * (len(methods) + 3) + "|"]
    for (game, players), row in sorted(sampled.items()):
        found = scores(row)
        best = min(found, key=found.get, default="")
        cells = []
        for name in methods:
            done = [one for one in row.get(name, []) if column in one]
            if not done:
                cells.append(_why(row[name][0]) if row.get(name) else "")
                continue
            value = mean(one[column] for one in done)
            cell = f"{value:.2%}" if column == "misplaced" else _time(value)
            if any(one.get("asked", 0) > one["budget"] + 2 for one in done):
                cell += "+"  # asked more than it was given
            cells.append(f"**{cell}**" if name == best and column == "misplaced" else cell)
        count = players or next(
            (
                one["budget"] // 40
                for one in (one for done in row.values() for one in done)
                if "budget" in one
            ),
            "",
        )
        seeds = max(len(runs) for runs in row.values())
        lines.append(f"| {game} | {count} | {seeds} | " + " | ".join(cells) + " |")
    if column == "misplaced":
        lines += ["", "`+`: asked more than the budget."]
    return lines


def _why(row):
    reason = str(row.get("failed", "")).replace("|", "/")
    if reason.startswith("more than"):
        return "> " + reason.removeprefix("more than ")
    return "not tried" if reason.startswith("not tried") else f"fails: {reason[:60]}" if reason else ""


def _time(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


OWN, PEER, INK = "#0b6e4f", "#9aa5b1", "#26323f"


def svg(rows):
    """One panel per kind of game: misplaced share (log) by number of players; AME in green, peers in grey."""
    _, sampled = parse(rows)
    kinds = defaultdict(dict)
    for (game, players), methods in sampled.items():
        kinds[game][players] = scores(methods)
    height = 70 + 230 * ((len(kinds) + 2) // 3)
    title = "Share paid to the wrong players at 40 evaluations per player"
    style = f'font-family="sans-serif" font-size="12" fill="{INK}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {height}" {style}>',
        f"<title>{title}</title>",
        f'<rect width="900" height="{height}" fill="#ffffff"/>',
        f'<text x="20" y="26" font-size="16">{title} (lower is better)</text>',
        f'<circle cx="26" cy="44" r="4" fill="{OWN}"/><text x="36" y="48">AME</text>',
        f'<circle cx="86" cy="44" r="4" fill="{PEER}"/><text x="96" y="48">peers; the best one is named</text>',
    ]
    parts += [_panel(number, game, by_size) for number, (game, by_size) in enumerate(sorted(kinds.items()))]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(number, game, by_size):
    left, top, width, height = 50 + 300 * (number % 3), 84 + 230 * (number // 3), 230, 150
    values = [value for found in by_size.values() for value in found.values() if value > 0]
    low, high = (min(values), max(values)) if values else (0.01, 1.0)
    low, high = 10 ** (log10(low) - 0.15), 10 ** (log10(high) + 0.1)
    sizes = sorted(by_size)

    def x(size):
        return left + width * (sizes.index(size) + 0.5) / len(sizes)

    def y(value):
        return top + height * (log10(high) - log10(max(value, low))) / (log10(high) - log10(low))

    title = game if sizes != [0] else f"{game} (real pipeline)"
    parts = [f'<text x="{left}" y="{top - 10}" font-size="13" fill="{INK}">{escape(title)}</text>']
    parts.append(f'<path d="M{left} {top}V{top + height}H{left + width}" fill="none" stroke="{PEER}"/>')
    for tick in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0):
        if low <= tick <= high:
            parts.append(
                f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end" font-size="10">{tick:.2g}</text>'
            )
            parts.append(f'<path d="M{left - 3} {y(tick):.1f}H{left + width}" stroke="#e4e8ec"/>')
    for column, size in enumerate(sizes):
        label = f"{size} players" if size and size == sizes[0] else str(size or "")
        parts.append(
            f'<text x="{x(size):.1f}" y="{top + height + 16}" text-anchor="middle" font-size="10">{label}</text>'
        )
        peers = {name: value for name, value in by_size[size].items() if name != "ame"}
        for value in peers.values():
            parts.append(
                f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="3" fill="{PEER}" fill-opacity="0.7"/>'
            )
        if peers:
            best = min(peers, key=peers.get)
            parts.append(
                f'<text x="{x(size):.1f}" y="{top + height + 29 + 11 * (column % 2)}" text-anchor="middle" font-size="8">'
                f"{escape(best.split()[-1])}</text>"
            )
    line = [(x(size), y(by_size[size]["ame"])) for size in sizes if "ame" in by_size[size]]
    if line:
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="{OWN}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4.5" fill="{OWN}"/>' for a, b in line]
    return "\n".join(parts)
