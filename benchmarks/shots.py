"""Shots, and how one turns into the next: cuts, dissolves, wipes and fades of known extent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from painted_worlds import HEIGHT_PX, SIZE, WIDTH_PX, Pixels


@dataclass(frozen=True, slots=True)
class Change:
    """A change of scene. For a cut the two numbers are the same."""

    kind: str
    first: int
    """Number of the first frame that is no longer only the old scene."""
    last: int
    """Number of the first frame that is only the new one."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Pictures by their number, and how the one after it begins: kind and length in frames."""

    picture: Callable[[int], Pixels]
    frames: int
    then: str = "cut"
    overlap: int = 0


def _dissolved(old: Pixels, new: Pixels, share: float) -> Pixels:
    return (old * (1 - share) + new * share).astype(np.uint8)


def _wiped(old: Pixels, new: Pixels, share: float) -> Pixels:
    at = round(WIDTH_PX * share)
    return np.concatenate([new[:, :at], old[:, at:]], 1)


def _wiped_down(old: Pixels, new: Pixels, share: float) -> Pixels:
    at = round(HEIGHT_PX * share)
    return np.concatenate([new[:at], old[at:]])


def _opened(old: Pixels, new: Pixels, share: float) -> Pixels:
    y, x = np.ogrid[:HEIGHT_PX, :WIDTH_PX]
    inside = np.hypot(x - WIDTH_PX / 2, y - HEIGHT_PX / 2) < share * math.hypot(*SIZE) / 2
    return np.where(inside[..., None], new, old)


def _through(level: int) -> Callable[[Pixels, Pixels, float], Pixels]:
    def faded(old: Pixels, new: Pixels, share: float) -> Pixels:
        shown, weight = (old, 1 - share / 0.45) if share < 0.5 else (new, (share - 0.55) / 0.45)
        weight = min(max(weight, 0.0), 1.0)
        return (shown * weight + level * (1 - weight)).astype(np.uint8)

    return faded


JOINS = {
    "dissolve": _dissolved,
    "wipe": _wiped,
    "wipe_down": _wiped_down,
    "iris": _opened,
    "fade_black": _through(0),
    "fade_white": _through(255),
}


def joined(shots: list[Shot]) -> tuple[list[Callable[[], Pixels]], list[Change]]:
    """Every frame, to be painted when it is its turn, and the changes between them."""
    frames: list[Callable[[], Pixels]] = []
    changes: list[Change] = []
    begun = 0
    for shot, following in zip(shots, [*shots[1:], None], strict=True):
        frames += [_later(shot, number) for number in range(begun, shot.frames)]
        begun = 0
        if following is None:
            break
        changes.append(Change(shot.then, len(frames), len(frames) + shot.overlap))
        for step in range(shot.overlap):
            share = (step + 0.5) / shot.overlap
            frames.append(_mixed(JOINS[shot.then], shot, following, step, share))
        begun = shot.overlap
    return frames, changes


def _later(shot: Shot, number: int) -> Callable[[], Pixels]:
    return lambda: shot.picture(number)


def _mixed(
    join: Callable[[Pixels, Pixels, float], Pixels], shot: Shot, following: Shot, step: int, share: float
) -> Callable[[], Pixels]:
    return lambda: join(shot.picture(shot.frames + step), following.picture(step), share)
