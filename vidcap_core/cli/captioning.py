"""The commands that put a task to videos: `caption`, `describe`, `ask` and `run`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from ..captioners.offline import REMEDY, Offline
from ..chosen import Chosen, choose
from ..errors import SettingsError, VidcapError
from ..task_choice import choose_task
from ..tasks import CAPTION, Task
from ..text import clock, one_line
from ..types import Failure, Result
from ..vidcap import Vidcap
from ..writers import to_json, work_plain
from .choosing import load
from .order import Order
from .output import Output
from .terminal import Display, say, tell

_log = logging.getLogger("vidcap")

_FAILED = 3


def run(order: Order) -> int:
    """Put the task to the videos; returns the exit code."""
    started_s = time.perf_counter()
    settings, registry = load(order)
    task = choose_task(order.task, settings, prompt=order.prompt, schema=order.schema)
    chosen = choose(settings, registry, asks=False)
    single = len(order.uris) == 1 and _is_plain(chosen, order.uris[0])
    if chosen.captioner is None and not order.dry_run:
        # Without a model there can be a caption of one video, and nothing else.
        chosen = choose(settings, registry, offline_will_do=single and task is CAPTION)
    if not single and settings.transcript not in ("auto", "none"):
        raise SettingsError("a transcript file belongs to one video: many find their own beside them")
    tally = Tally(quiet=order.quiet)
    tally.note(*chosen.notices)
    display = Display(quiet=order.quiet)
    with Vidcap.of(chosen, display) as vidcap, display.shown():
        if order.dry_run:
            _dry_run(vidcap, order.uris, task, tally, display, single=single)
            return tally.exit_code
        with Output(order.format, order.out, single=single) as output:
            for outcome in vidcap.run(order.uris, task):
                with display.paused():
                    output.write(outcome)
                    tally.add(outcome)
    tally.conclude(chosen, time.perf_counter() - started_s)
    return tally.exit_code


def _is_plain(chosen: Chosen, uri: str) -> bool:
    """Whether a URI stands for itself, not for many; also where that cannot be told for its faults."""
    try:
        return next(iter(chosen.source(uri).expand(uri)), uri) == uri
    except VidcapError:
        return True


def _dry_run(
    vidcap: Vidcap, uris: list[str], task: Task, tally: Tally, display: Display, *, single: bool
) -> None:
    works = list(_works(vidcap, uris, task, tally))
    with display.paused():
        if works or not single:
            print(to_json(works[0] if single else works))  # noqa: T201


def _works(vidcap: Vidcap, uris: list[str], task: Task, tally: Tally) -> Iterator[dict[str, Any]]:
    for uri in uris:
        try:
            found = list(vidcap.chosen.source(uri).expand(uri))
        except VidcapError as error:
            tally.fail(uri, error)
            continue
        for one in found:
            try:
                yield work_plain(vidcap.prepare(one, task))
            except VidcapError as error:
                tally.fail(one, error)


class Tally:
    """What came of the videos, and what a person is told of it."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.videos = self.frames = 0
        self._codes: list[int] = []
        self._parts_failed = 0
        self._models: dict[str, None] = {}

    @property
    def exit_code(self) -> int:
        """That of the failures where there is nothing else, 3 where some videos failed, 0 where none."""
        if self._codes and len(self._codes) == self.videos and len(set(self._codes)) == 1:
            return self._codes[0]
        return _FAILED if self._codes or self._parts_failed else 0

    def note(self, *notices: str) -> None:
        """Say something that is good to know."""
        for notice in () if self._quiet else notices:
            say(notice)

    def add(self, outcome: Result | Failure) -> None:
        """Count an outcome."""
        if isinstance(outcome, Failure):
            self.fail(outcome.uri, outcome.error)
            return
        self.videos += 1
        self.frames += outcome.coverage.sent
        self._models[str(outcome.made_by["model"])] = None
        for item in outcome.items:
            if item.error is not None:
                self._parts_failed += 1
                say(f"{one_line(outcome.uri)}, {clock(item.start_s)} to {clock(item.end_s)}: {item.error}")
        self.note(*(f"{one_line(outcome.uri)}: {notice}" for notice in outcome.notices))

    def fail(self, uri: str, error: VidcapError) -> None:
        """Count a video that failed, and say why."""
        self.videos += 1
        self._codes.append(error.exit_code)
        _log.debug("%s failed", one_line(uri), exc_info=error)
        say(f"{one_line(uri)}: {error}")

    def conclude(self, chosen: Chosen, took_s: float) -> None:
        """Say how much was done, by what, in which time: `5 frames, no model, 0.9 s`."""
        failed_count = len(self._codes)
        if self._quiet or failed_count == self.videos:
            return
        offline = isinstance(chosen.captioner, Offline)
        by = "no model" if offline else f"{', '.join(self._models)} by {chosen.captioner_name}"
        failed = f" ({failed_count} failed)" if failed_count else ""
        parts = f", {self._parts_failed} parts failed" if self._parts_failed else ""
        videos = f"{self.videos} videos{failed}, " if self.videos > 1 else ""
        frames = f"{self.frames} frame{'s' * (self.frames != 1)}"
        if offline:
            tell(REMEDY)
        tell(f"{videos}{frames}, {by}, {took_s:.1f} s{parts}")
