"""Cuts, dissolves, wipes and fades in a row of pictures.

A cut is one step that brings a new picture while the steps beside it do not: its novelty is
corrected for what motion brings anyway, as Cohen's kappa is for chance. A gradual change is a
straight way from one picture to another: the twin comparison of Zhang, Kankanhalli and Smoliar
(1993), with straightness in place of its second threshold. The pictures on the way of a dissolve,
a wipe or a fade change every pixel in one direction only, so the way is as long as the distance;
motion goes to and fro, and its way is longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .novelty import Pictures, Scores, Sights

    Times: TypeAlias = NDArray[np.float64]
    Span: TypeAlias = tuple[int, int]

_BESIDE_S = 0.24
"""What comes and goes within this time is a flash, a strobe, something fast; not a shot."""
_LEAST_JUMP = 0.5
"""A cut makes most of its change in one step."""
_LAGS_S = (0.24, 0.32, 0.48, 0.64, 0.88, 1.2, 1.6)
_LEAST_DISTANCE = 6.0
"""Levels of 255: nearer pictures are not worth a second look."""
_GRADUAL = 0.8
"""A gradual change has to replace this share of what a cut has to: on its way the cameras move on."""
_RETURN_S = 1.0
"""What is back within this time on either side has not gone."""
_JUMP = 0.75
"""A gradual change makes less of its way than this in one step."""
_SURELY = 1.2
"""And where no fade leads to black, this much at least, however straight the way: a title is less."""
_TRIES = 16
"""Candidates to verify in a scene; the best come first."""
_ALIKE = 4
"""Candidates whose ends differ by fewer pictures in all are the same one."""
_OTHER_LIGHT = 16.0
"""Levels of 255: flat pictures that differ by this much are different ones."""


class Transition(NamedTuple):
    """A change of scene, as numbers of pictures."""

    last: int
    """The last that shows the old scene only."""
    first: int
    """The first that shows the new scene only."""
    at: int
    """Where the new scene is said to begin."""
    kind: Literal["cut", "dissolve", "fade"]


def transitions(sights: Sights, times_s: Times, threshold: float) -> list[Transition]:
    """The changes of scene among pictures with their times, ascending.

    `threshold`: how much of a picture has to be new, 0 to 1.
    """
    if len(sights) < 2:
        return []
    cuts = _cuts(sights, times_s, threshold)
    found = [Transition(number, number + 1, number + 1, "cut") for number in cuts]
    step_s = float(np.median(np.diff(times_s)))
    for begin, end in pairwise([-1, *cuts, len(sights) - 1]):
        found += _gradual(sights, begin + 1, end + 1, step_s, threshold)
    return _through_flat(sights, [one for one in sorted(found) if not _touches_cut(one, cuts)])


def _touches_cut(change: Transition, cuts: list[int]) -> bool:
    """Whether what is gradual only leads up to a cut or away from it: a wipe may end in a jump."""
    return change.kind != "cut" and any(
        abs(change.first - c) <= 1 or abs(change.last - c - 1) <= 1 for c in cuts
    )


# Cuts


def _cuts(sights: Sights, times_s: Times, threshold: float) -> list[int]:
    """Numbers of the pictures after which there is a cut."""
    new = _steps(sights, threshold)
    beside = _most_beside(new, times_s[1:])
    surprise = (new - beside) / np.maximum(1 - beside, 1e-3)
    likely = np.flatnonzero(surprise >= threshold)
    return [int(number) for number in likely if _jump(sights.grey, times_s, int(number)) >= _LEAST_JUMP]


def _steps(sights: Sights, threshold: float) -> Scores:
    """Novelty of each picture to the one before; motion is looked for only where it can matter."""
    new = sights.unmoved()
    doubtful = np.flatnonzero(new > threshold / 2)
    new[doubtful] = sights.novelty(doubtful, doubtful + 1)
    # Without structure only light tells one picture from another.
    flat = sights.flat[:-1] & sights.flat[1:]
    new[flat] = np.minimum(np.abs(np.diff(sights.mean))[flat] / _OTHER_LIGHT, 1)
    return new


def _most_beside(values: Scores, times_s: Times) -> Scores:
    """For each value the largest of those beside it in time."""
    most = np.zeros_like(values)
    for away in range(1, len(values)):
        near = times_s[away:] - times_s[:-away] < _BESIDE_S
        if not near.any():
            break
        most[:-away] = np.maximum(most[:-away], values[away:] * near)
        most[away:] = np.maximum(most[away:], values[:-away] * near)
    return most


def _jump(grey: Pictures, times_s: Times, step: int) -> float:
    """The change of a step as a share of what changes around it: 1 for a cut, little in a fade."""
    begin, end = np.searchsorted(times_s, (times_s[step] - _BESIDE_S, times_s[step + 1] + _BESIDE_S))
    old, new = grey[begin : step + 1], grey[step + 1 : end]
    around = max(_distances(old, new[:1]).max(), _distances(new, old[-1:]).max())
    return float(_distances(new[:1], old[-1:])[0] / max(around, 1e-3))


def _distances(some: Pictures, others: Pictures) -> Scores:
    return np.asarray(np.abs(some - others).mean((1, 2)))


# Gradual changes


def _gradual(sights: Sights, begin: int, end: int, step_s: float, threshold: float) -> Iterator[Transition]:
    """Changes within the pictures from `begin` up to `end`, in which there is no cut."""
    least = _GRADUAL * threshold
    taken: list[tuple[int, int]] = []
    tried: list[tuple[int, int]] = []
    for last, first, weight in _straight_ways(_coarse(sights.grey[begin:end]), step_s, least):
        if len(tried) == _TRIES:
            return
        if any(last < other and first > one for one, other in taken):
            continue
        if any(abs(last - one) + abs(first - other) < _ALIKE for one, other in tried):
            continue
        tried.append((last, first))
        change = Transition(begin + last, begin + first, begin + (last + first) // 2, "dissolve")
        if _is_replaced(sights, change, least / weight, _SURELY * threshold) and not _returns(
            sights, change, (begin, end), round(_RETURN_S / step_s), threshold
        ):
            taken.append((last, first))
            yield change


def _is_replaced(sights: Sights, change: Transition, least: float, surely: float) -> bool:
    enough = least if _is_fade(sights, change) else max(least, surely)
    return sights.replaced(change.last, change.first, enough) >= enough


def _is_fade(sights: Sights, change: Transition) -> bool:
    return bool(sights.flat[change.last] | sights.flat[change.first])


def _returns(sights: Sights, change: Transition, span: Span, reach: int, threshold: float) -> bool:
    """Whether what was there before is there again soon after: something passed in front of it."""
    if _is_fade(sights, change):
        return False
    away = np.array([reach // 2, reach])
    before, after = np.maximum(change.last - away, span[0]), np.minimum(change.first + away, span[1] - 1)
    new = np.maximum(sights.novelty(before, after), sights.novelty(after, before))
    return bool(new.min() < threshold / 2)


def _coarse(grey: Pictures) -> Pictures:
    """Half the size: small motion does not lengthen the way."""
    rows = grey[:, ::2] + grey[:, 1::2]
    return np.asarray((rows[..., ::2] + rows[..., 1::2]) / 4)


def _straight_ways(grey: Pictures, step_s: float, least: float) -> list[tuple[int, int, float]]:
    """(number, later number, weight) of pairs that are far apart, the longest straight way first.

    The weight is how straight the way is, less where as much changes before and after: 0 to 1.
    """
    steps = _distances(grey[1:], grey[:-1])
    way = np.concatenate([[0], np.cumsum(steps)])
    ways = []
    for lag in sorted({round(lag_s / step_s) for lag_s in _LAGS_S} - {0, 1}):
        if lag >= len(grey):
            break
        distance = _distances(grey[lag:], grey[:-lag])
        straightness = distance / (way[lag:] - way[:-lag] + 0.5)
        weight = straightness * (1 - _unrest(distance, lag) / 2)
        # A jump is a cut, or what is none: a flash.
        largest = np.lib.stride_tricks.sliding_window_view(steps, lag).max(1)
        is_gradual = largest < _JUMP * distance
        far = np.flatnonzero((distance > _LEAST_DISTANCE) & (weight >= least) & is_gradual)
        ways += [(distance[n] * straightness[n], int(n), int(n) + lag, float(weight[n])) for n in far]
    return [(last, first, weight) for _, last, first, weight in sorted(ways, reverse=True)]


def _unrest(distance: Scores, lag: int) -> Scores:
    """Of each stretch, how far the ones before and after it lead in comparison; 1 where there is none."""
    ends = np.full(lag, np.inf)
    before = np.concatenate([ends, distance])[: len(distance)]
    after = np.concatenate([distance, ends])[lag:]
    size = np.maximum(distance, 1e-3)
    return np.asarray((np.minimum(before / size, 1) + np.minimum(after / size, 1)) / 2)


# Fades


def _through_flat(sights: Sights, found: list[Transition]) -> list[Transition]:
    """Join what leads into a flat picture and out of it again."""
    flat = np.concatenate([[False], sights.flat, [False]])
    begins, ends = (np.flatnonzero(np.diff(flat.astype(np.int8)) == sign) for sign in (1, -1))
    for begin, end in zip(begins, ends, strict=True):
        found = _joined(found, int(begin), int(end), len(sights))
    return found


def _joined(found: list[Transition], begin: int, end: int, count: int) -> list[Transition]:
    """What is found, with one fade in place of what is gradual about the flat pictures [begin, end).

    No scene begins where a video fades out at its end, nor a second one where black that a cut
    leads to or from fades.
    """
    about = [one for one in found if one.kind != "cut" and one.last < end and one.first >= begin]
    beside = [one for one in found if one not in about]
    has_cut = any(one.kind == "cut" and begin - 1 <= one.last <= end - 1 for one in beside)
    if not about or has_cut or end == count:
        return beside
    first = max(end, *(one.first for one in about))
    if begin == 0:
        return sorted([*beside, Transition(end - 1, first, (end + first) // 2, "fade")])
    last = min(begin - 1, *(one.last for one in about))
    return sorted([*beside, Transition(last, first, (begin + end) // 2, "fade")])
