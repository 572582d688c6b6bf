"""A progress bar with rate and time left, for work that is asked for in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ame.attribution.game import Progress as OnProgress


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Coalitions per second."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


@contextmanager
def progress_bar(title: str, console: Console) -> Iterator[OnProgress]:
    """Gives a callback (done, total) that moves the bar; silent where the console is no terminal."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
