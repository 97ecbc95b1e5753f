"""Takes the frames of picks: in groups that are decoded in one go, whole or with a neighbour's help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice, repeat
from typing import TYPE_CHECKING

from ..errors import DecodeError
from ..types import Pick
from .pyav_damage import Decoded

if TYPE_CHECKING:
    from .pyav_cursor import Cursor
    from .pyav_cursors import Cursors

_NEAR_S = 2.0
"""A frame further away shows something else: then the damaged one tells more."""
_NEIGHBOURS = 3
"""How many keyframes are tried on either side of a damaged frame."""


@dataclass(frozen=True, slots=True)
class Group:
    """Picks that one keyframe answers, or that are decoded from it on."""

    keyframe_s: float
    is_exact: bool
    picks: tuple[Pick, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """The frame for a pick."""

    pick: Pick
    frame: Decoded
    damaged: bool
    """Whether the frame that the pick asked for is."""
    is_neighbour: bool
    """Whether this is a sound one in its place."""


class Taker:
    """Takes frames of a span of a video."""

    def __init__(self, cursors: Cursors, start_s: float, end_s: float) -> None:
        self._cursors = cursors
        self._start_s, self._end_s = start_s, end_s

    def groups(self, cursor: Cursor, picks: Sequence[Pick]) -> Iterator[Group]:
        """Neighbours that need the same group of pictures, together. The cursor is moved about."""
        for (keyframe_s, is_exact), run in groupby(picks, key=partial(self._choose, cursor)):
            yield Group(keyframe_s, is_exact, tuple(run))

    def _choose(self, cursor: Cursor, pick: Pick) -> tuple[float, bool]:
        """(keyframe, False): the one in the tolerance; or where none is, (keyframe before the pick, True)."""
        before_s = cursor.keyframe_before(pick.time_s)
        if abs(pick.time_s - before_s) <= pick.tolerance_s and before_s >= self._start_s:
            return before_s, False
        if pick.tolerance_s:
            latest_s = min(pick.time_s + pick.tolerance_s, self._end_s)
            after_s = cursor.keyframe_before(latest_s)
            if pick.time_s < after_s <= latest_s:
                return after_s, False
        return before_s, True

    def taken(self, cursor: Cursor, group: Group) -> Iterator[Taken]:
        """The frame for each pick of a group."""
        found = self._found(cursor, group)
        keyframes = _Keyframes(self._cursors, group.picks[-1].time_s + _NEAR_S)
        # No names for what passes through here: they would hold pictures while the next is decoded.
        return (self._whole(cursor, keyframes, pick, *next(found, (None, None))) for pick in group.picks)

    def _whole(
        self, cursor: Cursor, keyframes: _Keyframes, pick: Pick, frame: Decoded | None, met: Decoded | None
    ) -> Taken:
        """A frame, or a neighbour where it is damaged; the damaged one where there is no such."""
        if frame is not None and not frame.damaged:
            return Taken(pick, frame, False, False)
        neighbour = self._nearest(cursor, pick.time_s, [met, *keyframes.near(pick.time_s)])
        if neighbour is not None:
            return Taken(pick, neighbour, True, True)
        if frame is None:
            raise DecodeError(f"no picture could be decoded at {pick.time_s:.2f} s; is the file damaged?")
        return Taken(pick, frame, True, False)

    def _found(self, cursor: Cursor, group: Group) -> Iterator[tuple[Decoded, Decoded | None]]:
        """For each pick the frame, and beside it a sound one that was met on the way."""
        if not group.is_exact:
            frame = cursor.keyframe(group.keyframe_s)
            # Not what was asked for: a frame that an edit list cuts away, or half a field pair.
            if frame and cursor.seconds(frame.pts) == group.keyframe_s:
                return repeat((frame, None))
        return cursor.on_screen([pick.time_s for pick in group.picks])

    def _nearest(self, cursor: Cursor, time_s: float, near: Sequence[Decoded | None]) -> Decoded | None:
        """The sound one of some frames that is nearest to a time."""
        sound = [
            (self._away_s(cursor, frame, time_s), frame) for frame in near if frame and not frame.damaged
        ]
        away_s, nearest = min(sound, key=lambda each: each[0], default=(math.inf, None))
        return nearest if away_s <= _NEAR_S else None

    def _away_s(self, cursor: Cursor, frame: Decoded, time_s: float) -> float:
        """How far a frame lies from a time; out of reach where it lies outside of the span."""
        place_s = cursor.seconds(frame.pts)
        return abs(place_s - time_s) if self._start_s <= place_s <= self._end_s else math.inf


class _Keyframes:
    """Keyframes around damaged frames of one group.

    What was found last is kept: a damaged frame is rarely alone, and the next one needs the same.
    """

    def __init__(self, cursors: Cursors, until_s: float) -> None:
        self._cursors = cursors
        self._until_s = until_s
        self._place_s: float | None = None
        self._found: list[Decoded] = []

    def near(self, time_s: float) -> list[Decoded]:
        """Those around a time, some of them too far off perhaps. Times ascend."""
        with self._cursors.one() as cursor:
            place_s = cursor.seek(time_s)
            if place_s != self._place_s:
                after = list(islice(cursor.keyframes(self._until_s), 1 + _NEIGHBOURS))
                self._found = [*self._before(cursor, place_s, time_s - _NEAR_S), *after]
                self._place_s = place_s
        return self._found

    def _before(self, cursor: Cursor, place_s: float, since_s: float) -> Iterator[Decoded]:
        for _ in range(_NEIGHBOURS):
            earlier_s = cursor.seek(place_s - max(cursor.frame_s, 1e-3))
            frame = cursor.keyframe(earlier_s) if place_s > max(since_s, earlier_s) else None
            if frame is None:
                return
            yield frame
            place_s = earlier_s
