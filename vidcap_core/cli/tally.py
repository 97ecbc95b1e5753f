"""What came of the videos of a command: its exit code, and what a person is told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from ..captioners.offline import REMEDY, Offline
from ..chosen import Chosen
from ..errors import VidcapError
from ..text import clock, one_line
from ..types import Failure, Result
from .terminal import say, tell

_log = logging.getLogger("vidcap")

FAILED = 3


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
        return FAILED if self._codes or self._parts_failed else 0

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

    def among(self, videos: Iterable[str | Failure]) -> Iterator[str]:
        """The videos among what was found; what stands for none is counted, and why is said."""
        for one in videos:
            if isinstance(one, Failure):
                self.fail(one.uri, one.error)
            else:
                yield one

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
