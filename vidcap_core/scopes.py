"""Scopes: what one request is about, the whole video, a segment, a window of segments, or a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .tasks import Task
from .types import Pick, Segment

_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Part:
    """A span that one request is about, and the moments that stand for it."""

    start_s: float
    end_s: float
    picks: tuple[Pick, ...]


def parts(
    segments: Sequence[Segment], kept: Iterable[Pick], task: Task, start_s: float, end_s: float
) -> list[Part]:
    """Put the picks that were kept into the parts that `task` asks about. The parts tile the span.

    A segment all of whose picks were thinned away belongs to the one before it: no stretch of the
    video is without an answer.
    """
    if task.scope == "video":
        return [Part(start_s, end_s, tuple(kept))]
    wanted = {id(pick) for pick in kept}
    filled = [(s.start_s, s.end_s, picks) for s in segments if (picks := _among(s.picks, wanted))]
    if task.scope == "frame":
        begun = [begin for start, _, picks in filled for begin in _frame_starts(start, picks)]
    else:
        begun = [(start, picks) for start, picks in _windows(filled, task.window_s)]
    starts_s = [start_s, *(max(start, start_s) for start, _ in begun[1:]), end_s]
    return [Part(*span, picks) for span, (_, picks) in zip(pairwise(starts_s), begun, strict=True)]


def _among(picks: Iterable[Pick], wanted: set[int]) -> tuple[Pick, ...]:
    return tuple(pick for pick in picks if id(pick) in wanted)


def _frame_starts(start_s: float, picks: Sequence[Pick]) -> list[tuple[float, tuple[Pick, ...]]]:
    """Where the stretch of each pick begins: between two picks of one segment, halfway."""
    halfway = [(one.time_s + other.time_s) / 2 for one, other in pairwise(picks)]
    return [(begin_s, (pick,)) for begin_s, pick in zip([start_s, *halfway], picks, strict=True)]


def _windows(
    filled: Iterable[tuple[float, float, tuple[Pick, ...]]], window_s: float | None
) -> list[tuple[float, tuple[Pick, ...]]]:
    windows: list[tuple[float, tuple[Pick, ...]]] = []
    for start_s, end_s, picks in filled:
        if windows and window_s is not None and end_s - windows[-1][0] <= window_s + _SLACK_S:
            windows[-1] = windows[-1][0], windows[-1][1] + picks
        else:
            windows.append((start_s, picks))
    return windows
