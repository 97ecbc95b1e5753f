"""Fit what a sampler proposes to a budget of frames, and say how well the rest covers the video."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import groupby, pairwise

from .types import Coverage, Pick


def thin(picks: Sequence[Pick], most: int, start_s: float, end_s: float) -> tuple[Pick, ...]:
    """Keep at most `most` of ascending picks, by worth and by time; a video's tail is never cut off.

    The largest gap, edges included, grows by no more than 2 · span / `most`. To keep that takes
    less than half of the places, wherever they are needed; all others go to what is worth most,
    among equals to what is spread best. So the worthier half of the budget is always sent.
    """
    if len(picks) <= most:
        return tuple(picks)
    if most < 1:
        return ()
    places = _Places([min(max(pick.time_s, start_s), end_s) for pick in picks], most, start_s, end_s)
    for group in _by_worth(picks):
        if not places.free:
            break
        places.take_spread(group)
    return tuple(picks[index - 1] for index in places.filled([pick.worth for pick in picks]))


def _by_worth(picks: Sequence[Pick]) -> Iterator[list[int]]:
    """Places of picks of equal worth, the worthiest first; 0 is the start of the span."""
    order = sorted(range(1, len(picks) + 1), key=lambda index: -picks[index - 1].worth)
    for _, group in groupby(order, key=lambda index: picks[index - 1].worth):
        yield list(group)


class _Places:
    """The picks kept so far, with places set aside for the least that the gaps between them need."""

    def __init__(self, times_s: Sequence[float], most: int, start_s: float, end_s: float) -> None:
        self._times_s = [start_s, *times_s, end_s]
        self._bins = most
        gap_s = max(later - earlier for earlier, later in pairwise(self._times_s))
        self._widest_s = gap_s + 2 * (end_s - start_s) / most
        self._furthest = self._jumps()
        self._kept = [0, len(self._times_s) - 1]
        self.free = most - self._needed(*self._kept)

    def _jumps(self) -> list[int]:
        """From each pick, the last one that is no further away than a gap may be wide."""
        jumps, reach = [], 0
        for time_s in self._times_s:
            while reach + 1 < len(self._times_s) and self._times_s[reach + 1] - time_s <= self._widest_s:
                reach += 1
            jumps.append(reach)
        return jumps

    def _needed(self, after: int, before: int) -> int:
        """How few picks between two leave no gap wider than it may be."""
        count = 0
        while (after := self._furthest[after]) < before:
            count += 1
        return count

    def take_spread(self, equals: list[int]) -> None:
        """Keep as many as there is room for: one from each bin, then what is furthest from the others."""
        if len(equals) <= self.free:
            for index in equals:
                self._take(index)
            return
        bests = self._best_of_bins(equals)
        rest = sorted(set(equals).difference(bests))
        for candidates in (bests, rest):
            for index in _furthest_first(self._times_s, candidates, list(self._kept)):
                if not self.free:
                    return
                self._take(index)

    def _take(self, index: int) -> None:
        place = bisect_left(self._kept, index)
        after, before = self._kept[place - 1], self._kept[place]
        # It may do what a pick was set aside for.
        self.free += self._needed(after, before)
        self.free -= 1 + self._needed(after, index) + self._needed(index, before)
        self._kept.insert(place, index)

    def _best_of_bins(self, equals: list[int]) -> list[int]:
        """Of each part of the span, as many as there are places, the pick nearest to its middle."""
        start_s, end_s = self._times_s[0], self._times_s[-1]
        best: dict[int, tuple[float, int]] = {}
        for index in equals:
            elapsed_s = self._times_s[index] - start_s
            place = self._bins * elapsed_s / (end_s - start_s) if end_s > start_s else 0.0
            bin_ = min(int(place), self._bins - 1)
            best[bin_] = min((abs(place - bin_ - 0.5), index), best.get(bin_, (1.0, index)))
        return sorted(index for _, index in best.values())

    def filled(self, worths: Sequence[float]) -> list[int]:
        """All that is kept, with the worthiest of the picks that the gaps still need."""
        found = []
        for after, before in pairwise(self._kept):
            found += [after, *self._bridge(after, before, worths)]
        return found[1:]

    def _bridge(self, after: int, before: int, worths: Sequence[float]) -> Iterator[int]:
        """The fewest picks between two that will do, each the worthiest of those that may stand there."""
        for earliest in self._earliest(after, before):
            latest = min(self._furthest[after], before - 1)
            middle_s = (self._times_s[earliest] + self._times_s[latest]) / 2
            after = min(
                range(earliest, latest + 1),
                key=lambda index: (-worths[index - 1], abs(self._times_s[index] - middle_s)),
            )
            yield after

    def _earliest(self, after: int, before: int) -> list[int]:
        """For each pick that a gap needs, the first one from which the rest of them reach its end."""
        earliest = []
        for _ in range(self._needed(after, before)):
            before = bisect_left(self._furthest, before)
            earliest.append(before)
        return earliest[::-1]


def _furthest_first(times_s: Sequence[float], equals: Sequence[int], kept: list[int]) -> Iterator[int]:
    """The ascending `equals`, each the one that is furthest from all that is kept by then."""

    def furthest(after: int, before: int) -> Iterator[tuple[float, int, int, int]]:
        """In a gap between two that are kept: the nearest to its middle; at the edges, to the edge."""
        first, end = bisect_right(equals, after), bisect_left(equals, before)
        if first == end:
            return
        early = times_s[after] if after > 0 else -float("inf")
        late = times_s[before] if before < len(times_s) - 1 else float("inf")
        middle_s = (early + late) / 2 if early > -float("inf") or late < float("inf") else times_s[0]
        place = bisect_left(equals, middle_s, first, end, key=times_s.__getitem__)
        for index in equals[max(place - 1, first) : min(place + 1, end)]:
            yield max(early - times_s[index], times_s[index] - late), index, after, before

    heap = [min(found) for gap in pairwise(kept) if (found := list(furthest(*gap)))]
    heapify(heap)
    while heap:
        _, index, after, before = heappop(heap)
        yield index
        for gap in ((after, index), (index, before)):
            if found := list(furthest(*gap)):
                heappush(heap, min(found))


def coverage(times_s: Sequence[float], start_s: float, end_s: float, asked: int) -> Coverage:
    """Describe how times cover a span. `asked` is how many a sampler proposed."""
    inside_s = sorted(min(max(time_s, start_s), end_s) for time_s in times_s)
    gap_s = max(later - earlier for earlier, later in pairwise([start_s, *inside_s, end_s]))
    return Coverage(start_s, end_s, gap_s, asked, len(times_s))
