"""What `sampling.py` measured, as a table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from media import Kind

ONCE = ("ffmpeg-recipe",)
"""Decodes the whole file, whatever the number of frames: run once a video, for the fewest."""
BOUND = "keyframe_s"
"""The row that says what one more keyframe has to cost."""


@dataclass(slots=True)
class Row:
    """What one method did with one video."""

    kind: Kind
    count: int
    method: str
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    """Of the process that the method runs in."""
    child_mb: list[float] = field(default_factory=list)
    """Of the largest of the processes that it starts."""
    right: int = 0
    """Frames whose number is the one on screen at the asked time or, with a tolerance, within it."""
    beside: int = 0
    """Frames that are the one before or the one after."""
    refused: str = ""
    """Why it cannot do this, in its own last words."""

    @property
    def median_s(self) -> float:
        """CPU seconds."""
        return statistics.median(self.cpu_s)

    @property
    def largest_mb(self) -> float:
        """Peak memory of the largest process."""
        return max(*self.peak_mb, *self.child_mb)


def find(rows: Iterable[Row], kind: Kind, count: int, method: str) -> Row | None:
    """The row of a method that gave frames; for what is run once, that of any number of frames."""
    for row in rows:
        if row.kind == kind and row.method == method and row.cpu_s and (row.count == count or method in ONCE):
            return row
    return None


def table(rows: Sequence[Row], kind: Kind, count: int) -> str:
    """The methods side by side, with what each costs in times of vidcap's keyframes and exact frames."""
    return "\n".join([*_lines(rows, kind, count), ""])


def _lines(rows: Sequence[Row], kind: Kind, count: int) -> Iterator[str]:
    yield f"{count} frames of {kind}"
    yield f"{'':24}{'CPU s':>8}{'wall s':>8}{'MB':>6}{'child':>6}{'/ keyframe':>11}{'/ exact':>8}  right"
    bases = [find(rows, kind, count, f"vidcap-{mode}") for mode in ("keyframe", "exact")]
    for row in _shown(rows, kind, count):
        if row.refused:
            yield f"{row.method:24}  refused: {row.refused}"
        elif row.method == BOUND:
            yield f"{'one keyframe at least':24}{row.median_s:8.4f}"
        else:
            ratios = [f"{row.median_s / base.median_s:.2f}×" if base else "" for base in bases]
            yield _line(row) + f"{ratios[0]:>11}{ratios[1]:>8}  {_right(row)}" + _note(row, count)


def _shown(rows: Sequence[Row], kind: Kind, count: int) -> list[Row]:
    found = [row for row in rows if row.kind == kind and (row.count == count or row.method in ONCE)]
    return sorted(found, key=lambda row: row.method in ONCE)


def _line(row: Row) -> str:
    wall_s, own_mb, child_mb = map(statistics.median, (row.wall_s, row.peak_mb, row.child_mb))
    child = f"{child_mb:.0f}" if child_mb else ""
    return f"{row.method:24}{row.median_s:8.2f}{wall_s:8.2f}{own_mb:6.0f}{child:>6}"


def _right(row: Row) -> str:
    beside = f", {row.beside} beside" if row.beside else ""
    return f"{row.right}/{row.count}{beside}"


def _note(row: Row, count: int) -> str:
    return f" (run for {row.count} frames, {len(row.cpu_s)}×)" if row.method in ONCE else ""
