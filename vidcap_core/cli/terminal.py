"""What a person sees on stderr: progress, notices, errors and the line at the end."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..text import clock, for_terminal, one_line

if TYPE_CHECKING:
    from ..pipeline import Progress

_SECRET_NAME = re.compile(r"(?i)(key|token|secret|password)$")
_SHORTEST_SECRET = 8
_LONGEST_NAME = 40


def redacted(text: str) -> str:
    """Text in which no value of a variable that looks like a secret's stands."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "…")
    return text


def say(text: str) -> None:
    """Print an error or a notice: who says it stands before it, for pipelines mix their commands' words."""
    tell("vidcap: " + text.replace("\n", "\n  "))


def tell(text: str) -> None:
    """Print what a person may like to know."""
    print(for_terminal(redacted(text)), file=sys.stderr, flush=True)  # noqa: T201


class Display:
    """Shows on a terminal what is under way; elsewhere, nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._bar = None if quiet or not sys.stderr.isatty() else _bar()
        self._row = self._bar.add_task("starting", total=None) if self._bar else None
        self._videos_done = 0
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        """Take note of progress; called from any thread."""
        with self._lock:
            self._videos_done += progress.step == "done"
            if self._bar is None or progress.step == "done":
                return
            # A new row: of one that had a total, rich cannot be told that it has none any more.
            self._bar.remove_task(self._row)
            total = progress.total or None
            self._row = self._bar.add_task(self._words(progress), total=total, completed=progress.done)

    def _words(self, progress: Progress) -> str:
        step = {
            "open": "opening",
            "fetch": f"fetched {progress.done / 1e6:.1f} MB",
            "look": f"looking, {clock(round(progress.done))} of {clock(round(progress.total))}",
            "frames": "taking frames",
            "ask": "asking the model",
        }[progress.step]
        done = f"{self._videos_done} done, " if self._videos_done else ""
        name = one_line(Path(progress.uri).name or progress.uri)[-_LONGEST_NAME:]
        return f"{done}{name}: {step}"

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it, and leave the terminal as it was."""
        if self._bar is None:
            yield
            return
        with self._bar:
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Make room for something that is printed."""
        if self._bar:
            self._bar.stop()
        try:
            yield
        finally:
            if self._bar:
                self._bar.start()


def _bar() -> Any:
    # Imported only where there is a terminal to draw on: it takes 0.1 s.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
