"""What the sizes of compressed frames tell of changes of scene before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .novelty import SCAN_PX, Sights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..video import Video

_TICK_S = 1e-6
_LARGE = 0.25
"""Share of a keyframe's bytes. A new picture takes more, whatever it is predicted from."""
_MOST_A_SECOND = 1.5
"""Keyframes' worth of bytes. A gradual change takes more: it renews the picture several times over."""
_LONG_S = 1.0
"""Of groups of pictures: decoding the keyframes of shorter ones costs as much as looking."""
_AFTER_S = 0.25
"""A cut at the end of a span is told by what comes after it."""

Span = tuple[float, float]


class PacketCues:
    """Times and sizes of a video's compressed frames, in order of time."""

    def __init__(self, video: Video) -> None:
        packets = sorted((packet.time_s, packet.size_bytes, packet.is_key) for packet in video.packets())
        columns = zip(*packets, strict=True) if packets else ((), (), ())
        times_s, sizes, keys = map(np.array, columns)
        self._times_s: NDArray[np.float64] = times_s
        self._sizes: NDArray[np.float64] = sizes.astype(np.float64)
        self._keys = np.flatnonzero(keys)

    def cut_s(self, after_s: float, until_s: float) -> float:
        """Where after one picture and up to another a new scene begins: its first frame is large.

        Frames between that no other one is made from are small on either side of a cut: where
        there are only such the middle is the best guess, two frames off at most.
        """
        first, end = np.searchsorted(self._times_s, (after_s + _TICK_S, until_s + _TICK_S))
        if end <= first:
            return until_s
        largest = first + self._sizes[first:end].argmax()
        if largest == end - 1 and largest not in self._keys:
            largest = (first + end) // 2
        return float(self._times_s[largest])

    def doubtful(self, video: Video, threshold: float) -> Iterator[Span]:
        """The spans of a video in which a scene may change, ascending.

        Between two keyframes that show the same, with nothing large in between, none does: to
        come back to the first picture after another one takes the bytes of a whole picture.
        """
        if not self._long_groups() or not (quiet := self._quiet()).any():
            yield video.start_s, video.end_s
            return
        settled = self._settled(video, quiet, threshold)
        settled[0] &= self._keys[0] == 0  # a window may begin in the middle of a group
        starts_s = [video.start_s, *self._times_s[self._keys[1:]], video.end_s]
        begin_s: float | None = None
        for number, is_settled in enumerate([*settled, False, True]):
            if is_settled and begin_s is not None:
                yield begin_s, min(starts_s[number] + _AFTER_S, video.end_s)
                begin_s = None
            elif not is_settled and begin_s is None:
                begin_s = float(starts_s[number])

    def _long_groups(self) -> bool:
        keys_s = self._times_s[self._keys]
        return len(keys_s) > 1 and float(np.median(np.diff(keys_s))) >= _LONG_S

    def _quiet(self) -> NDArray[np.bool_]:
        """Of every group but the last, whether no frame of it can hold a new picture."""
        return np.array([self._is_quiet(*ends) for ends in zip(self._keys[:-1], self._keys[1:], strict=True)])

    def _is_quiet(self, key: int, following: int) -> bool:
        sizes, whole = self._sizes[key + 1 : following], min(self._sizes[key], self._sizes[following])
        if not len(sizes):
            return True
        times_s = self._times_s[key + 1 : following]
        sums = np.concatenate([[0], sizes.cumsum()])
        a_second = sums[np.searchsorted(times_s, times_s + 1)] - sums[:-1]
        return bool(sizes.max() <= _LARGE * whole and a_second.max() <= _MOST_A_SECOND * whole)

    def _settled(self, video: Video, quiet: NDArray[np.bool_], threshold: float) -> NDArray[np.bool_]:
        """Of every group but the last, whether it is quiet and the keyframes at its ends show the same."""
        settled = np.zeros_like(quiet)
        # No other keyframe is decoded: they cost the most, and are decoded again with their groups.
        edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            keys_s = self._times_s[self._keys[[first, end]]]
            settled[first:end] = _same(video.window(*keys_s.tolist()), end - first, threshold)
        return settled


def _same(video: Video, count: int, threshold: float) -> NDArray[np.bool_]:
    """Of every one of some neighbouring groups, whether the keyframes at its ends show the same."""
    frames = list(video.scan(width_px=SCAN_PX, keyframes_only=True))
    if len(frames) != count + 1:  # one that is damaged: what belongs to what cannot be told
        return np.zeros(count, np.bool_)
    sights = Sights(np.stack([frame.luma for frame in frames]))
    numbers = np.arange(count)
    new = np.maximum(sights.novelty(numbers, numbers + 1), sights.novelty(numbers + 1, numbers))
    lighter = np.abs(np.diff(sights.mean)) < 8
    return np.asarray((new < threshold / 2) & lighter)
