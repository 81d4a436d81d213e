"""How far a download is: bars on a terminal, a line per five percent elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from jan_server.cli.say import say
from jan_server.cli.told import size_text
from jan_server.library.progress import Progress

__all__ = ["shown"]

_STEP = 0.05


@contextmanager
def shown(*, quiet: bool) -> Generator[Callable[[Progress], None]]:
    """A function to call as often as one likes."""
    if quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield _Lines().show


class _Lines:
    """For logs: each says all."""

    def __init__(self) -> None:
        self._told = -1.0

    def show(self, progress: Progress) -> None:
        if not progress.n_total:
            return
        share = progress.n_bytes / progress.n_total
        if share - self._told < _STEP and not (share == 1 and self._told < 1):
            return
        self._told = share
        left = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
        say(
            f"{progress.id}: {share:.0%} of {size_text(progress.n_total)}, "
            f"{size_text(progress.bytes_per_s)}/s{left}"
        )


@contextmanager
def _bars() -> Generator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: list[TaskID] = []

        def show(progress: Progress) -> None:
            for index, file in enumerate(progress.files):
                if index == len(tasks):
                    # Markup in a name would be obeyed.
                    tasks.append(bars.add_task(file.name.replace("[", "("), total=file.n_total))
                bars.update(tasks[index], completed=file.n_bytes, total=file.n_total)

        yield show
