"""Fit what a sampler proposes to a budget of frames, and say how well the rest covers the video."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import groupby, pairwise

from .types import Coverage, Pick


def thin(picks: Sequence[Pick], most: int, start_s: float, end_s: float) -> tuple[Pick, ...]:
    """Keep at most `most` of ascending picks, by time and by worth; a video's tail is never cut off.

    The span is cut into `most` equal bins and the worthiest pick of each is kept, among equals the
    one nearest to the middle. Between two kept picks lie at most a stretch without any proposal
    and a bin on either side, so the largest gap grows by no more than 2 · span / `most`. Places
    that empty bins leave go to what is worth most, then to what is furthest from the others.
    """
    if len(picks) <= most:
        return tuple(picks)
    if most < 1:
        return ()
    kept = _filled(picks, _best_of_bins(picks, most, start_s, end_s), most)
    return tuple(picks[index] for index in sorted(kept))


def _best_of_bins(picks: Sequence[Pick], bins: int, start_s: float, end_s: float) -> set[int]:
    best: dict[int, tuple[float, float, int]] = {}
    for index, pick in enumerate(picks):
        place = bins * (pick.time_s - start_s) / (end_s - start_s) if end_s > start_s else 0.0
        bin_ = min(max(int(place), 0), bins - 1)
        rank = (pick.worth, -abs(place - bin_ - 0.5), -index)
        best[bin_] = max(rank, best.get(bin_, rank))
    return {-index for _, _, index in best.values()}


def _filled(picks: Sequence[Pick], kept: set[int], most: int) -> set[int]:
    """Add picks until `most` are kept: the worthiest, among equals those furthest from the others."""
    rest = sorted((index for index in range(len(picks)) if index not in kept), key=lambda i: -picks[i].worth)
    for _, group in groupby(rest, key=lambda i: picks[i].worth):
        equals = list(group)
        room = most - len(kept)
        if len(equals) > room:
            return kept | _spread([pick.time_s for pick in picks], equals, kept, room)
        kept = kept | set(equals)
    return kept


def _spread(times_s: Sequence[float], equals: Sequence[int], kept: set[int], count: int) -> set[int]:
    """Choose `count` of the equals, each the one that is furthest from all that is kept by then."""

    def furthest(after: int, before: int) -> Iterator[tuple[float, int, int, int]]:
        """In a gap between two that are kept: the nearest to its middle; at the edges, to the edge."""
        first, end = bisect_right(equals, after), bisect_left(equals, before)
        if first == end:
            return
        early = times_s[after] if after >= 0 else -float("inf")
        late = times_s[before] if before < len(times_s) else float("inf")
        middle_s = (early + late) / 2
        place = bisect_left(equals, middle_s, first, end, key=times_s.__getitem__)
        for index in equals[max(place - 1, first) : min(place + 1, end)]:
            yield max(early - times_s[index], times_s[index] - late), index, after, before

    gaps = pairwise([-1, *sorted(kept), len(times_s)])
    heap = [min(found) for gap in gaps if (found := list(furthest(*gap)))]
    heapify(heap)
    chosen: set[int] = set()
    while len(chosen) < count:
        _, index, after, before = heappop(heap)
        chosen.add(index)
        for gap in ((after, index), (index, before)):
            if found := list(furthest(*gap)):
                heappush(heap, min(found))
    return chosen


def coverage(times_s: Sequence[float], start_s: float, end_s: float, asked: int) -> Coverage:
    """Describe how times cover a span. `asked` is how many a sampler proposed."""
    inside_s = sorted(min(max(time_s, start_s), end_s) for time_s in times_s)
    gap_s = max(later - earlier for earlier, later in pairwise([start_s, *inside_s, end_s]))
    return Coverage(start_s, end_s, gap_s, asked, len(times_s))
