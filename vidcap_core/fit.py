"""Fit what a sampler proposes to a budget of frames, and say how well the rest covers the video."""

from __future__ import annotations

from collections.abc import Sequence

from .types import Coverage, Pick


def thin(picks: Sequence[Pick], most: int, start_s: float, end_s: float) -> tuple[Pick, ...]:
    """Keep at most `most` picks, by time and by worth; a video's tail is never cut off.

    The span is cut into `most` equal bins and the worthiest pick of each is kept, among equals the
    one nearest to the middle. Between two kept picks lie at most a stretch without any proposal
    and a bin on either side, so the largest gap grows by no more than 2 · span / `most`. Places
    that empty bins leave go to what is worth most, then to what is furthest from the others.
    """
    if len(picks) <= most:
        return tuple(picks)
    width_s = (end_s - start_s) / most

    def rank(pick: Pick) -> tuple[float, float]:
        middle_s = start_s + (bin_of(pick) + 0.5) * width_s
        return pick.worth, -abs(pick.time_s - middle_s)

    def bin_of(pick: Pick) -> int:
        return min(max(int((pick.time_s - start_s) / width_s), 0), most - 1) if width_s > 0 else 0

    best: dict[int, int] = {}
    for index, pick in enumerate(picks):
        place = bin_of(pick)
        if place not in best or rank(pick) > rank(picks[best[place]]):
            best[place] = index
    kept = _filled(picks, set(best.values()), most)
    return tuple(picks[index] for index in sorted(kept))


def _filled(picks: Sequence[Pick], kept: set[int], most: int) -> set[int]:
    """Add picks until `most` are kept: the worthiest, among equals the one furthest from the kept."""
    times_s = [pick.time_s for pick in picks]
    distance_s = [min((abs(time_s - times_s[index]) for index in kept), default=0.0) for time_s in times_s]
    while len(kept) < most:
        rest = (index for index in range(len(picks)) if index not in kept)
        index = max(rest, key=lambda i: (picks[i].worth, distance_s[i]))
        kept.add(index)
        distance_s = [min(d, abs(t - times_s[index])) for d, t in zip(distance_s, times_s, strict=True)]
    return kept


def coverage(times_s: Sequence[float], start_s: float, end_s: float, asked: int) -> Coverage:
    """Describe how times cover a span. `asked` is how many a sampler proposed."""
    edges_s = [start_s, *sorted(times_s), end_s]
    gap_s = max(later - earlier for earlier, later in zip(edges_s, edges_s[1:], strict=False))
    return Coverage(start_s, end_s, gap_s, asked, len(times_s))
