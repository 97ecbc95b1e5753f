"""Notice what is new in a sequence of small pictures, and the one that shows each news best."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from .news import Blocks, Look, fresh, fresh_between, is_thin
from .quality import detail, exposure

LAG_S = 1.4
"""What is compared: a picture and the one so long before it. What grows or fades shows by then."""
_BATCH = 150
_LEVEL_LOOKS = 45
"""On either side, to tell what is usual in a block."""
_LEVEL_STEP = 5
_USUAL = 0.7
"""The quantile of the news of a block around a moment that counts as usual there."""
_LEAST = 1.0
"""Blocks that have to be new, beyond what is usual there, before anything is noticed."""
_AS_GOOD = 0.85
"""Pictures that show so much of the most there is are as good: the one in their middle is taken."""
_SCENE_SHARE, _PART_SHARE = 0.5, 0.1
_RUN_LOOKS, _MOST_A_RUN = 15, 3
"""Where there is news all the time, so many pictures are taken of so many."""
_KEPT = 2
"""So many pictures noticed last are compared with, so that none is noticed twice."""

News = NDArray[np.float32]
"""float32[looks, 2, rows, columns]."""


@dataclass(frozen=True, eq=False)
class Notice:
    """A picture that shows something new."""

    look: Look
    new: Blocks
    """What of it no picture noticed before shows, beyond what is usual."""
    number: int
    """Its place among the pictures of one run of news, the one that shows most first."""
    is_thin: bool
    """Whether what is new consists of strokes."""

    @property
    def amount(self) -> float:
        """New blocks, counted; those with new strokes twice."""
        return float(self.new.sum())

    @property
    def weight(self) -> float:
        """0 to 1. What is small counts nearly as much as what is large, a further look at it less."""
        most = math.log2(1 + self.new[0].size)
        return min(math.log2(1 + self.amount) / most / (1 + self.number), 1.0)

    @property
    def why(self) -> str:
        """What is seen, for people."""
        share = float(self.new[0].mean())
        if share > _SCENE_SHARE:
            return "new scene"
        if self.is_thin:
            return "text or writing appears"
        if share > _PART_SHARE:
            return "part of the picture changes"
        return "something small moves" if self.number else "something small appears"

    def is_shown_by(self, before: Look, after: Look) -> bool:
        """Whether one of two pictures, or a mixture of them, shows more than half of what is new."""
        unseen = np.minimum(fresh(self.look, after), fresh_between(self.look, before, after))
        return float(np.minimum(self.new, unseen).sum()) < self.amount / 2


@dataclass
class Watch:
    """Looks at pictures in order of time, and remembers the last ones that it noticed.

    What is usual around a moment is no news: grain, a speaker's gestures, walkers in a street.
    """

    known: deque[Look] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def notices(self, looks: Iterator[Look]) -> Iterator[tuple[list[Look], list[Notice]]]:
        """The pictures, a batch at a time, with what was noticed in it."""
        before: list[Look] = []
        while batch := list(islice(looks, _BATCH)):
            yield batch, list(self._noticed(before, batch))
            before = [*before, *batch][-_BATCH:]
            before = [look for look in before if look.time_s >= batch[-1].time_s - 2 * LAG_S] or before[-1:]

    def _noticed(self, before: Sequence[Look], batch: Sequence[Look]) -> Iterator[Notice]:
        looks = [*before, *batch]
        news = np.stack([fresh(look, _earlier(looks, place)) for place, look in enumerate(looks)])
        usual = _levels(news)
        beyond = _beyond(news, usual)[len(before) :].sum((1, 2, 3)) >= _LEAST
        for is_news, run in groupby(range(len(batch)), key=lambda place: bool(beyond[place])):
            if is_news:
                places = [len(before) + place for place in run]
                for first in range(0, len(places), _RUN_LOOKS):
                    yield from self._best(looks, places[first : first + _RUN_LOOKS], usual)

    def _best(self, looks: Sequence[Look], places: Sequence[int], usual: News) -> Iterator[Notice]:
        """The fewest pictures of a run that show what is new in it, greedily the one that shows most.

        Each part of the picture counts by the best of what was taken, so the gain of a further one
        only falls: for such gains the greedy choice is near the best one (Nemhauser et al., 1978).
        """
        run = [looks[place] for place in places]
        before = looks[max(places[0] - 1, 0)]
        gains = _gains(run, [*self.known, before], usual[places])
        fitness = _fitness(run)
        for number in range(_MOST_A_RUN):
            amounts = gains.sum((1, 2, 3))
            scores = amounts * fitness
            best = _middle_of_best(scores)
            if amounts[best] < _LEAST:
                return
            yield Notice(run[best], gains[best].copy(), number, is_thin(run[best], before))
            self.known.append(run[best])
            gains = np.minimum(gains, _gains(run, [run[best]], usual[places]))
            # On the way to it pictures are mixtures, half dissolved.
            for place, look in enumerate(run[:best]):
                gains[place] = np.minimum(gains[place], fresh_between(look, before, run[best]))


def _earlier(looks: Sequence[Look], place: int) -> Look:
    """The last look at least `LAG_S` before; without one, the first."""
    due_s, back = looks[place].time_s - LAG_S, place
    while back > 0 and looks[back].time_s > due_s:
        back -= 1
    return looks[back]


def _levels(news: News) -> News:
    """What is usual for each block around each look."""
    levels = np.empty_like(news)
    for place in range(0, len(news), _LEVEL_STEP):
        near = news[max(place - _LEVEL_LOOKS, 0) : place + _LEVEL_LOOKS : 3]
        levels[place : place + _LEVEL_STEP] = np.quantile(near, _USUAL, axis=0)
    return levels


def _beyond(news: News, usual: News) -> News:
    beyond: News = np.maximum(news - 2 * usual, np.float32(0))
    return beyond


def _gains(run: Sequence[Look], known: Sequence[Look], usual: News) -> News:
    least = np.stack([np.minimum.reduce([fresh(look, other) for other in known]) for look in run])
    return _beyond(least, usual)


def _fitness(run: Sequence[Look]) -> NDArray[np.float64]:
    """0.1 to 1 for each picture: settled rather than on its way to the next, sharp, well exposed."""
    steps = zip(run, [*run[1:], run[-1]], strict=True)
    calm = np.array([1.0 - 0.5 * fresh(one, other).mean() for one, other in steps])
    details = np.array([detail(look.luma) for look in run])
    sharp = 0.7 + 0.3 * details / max(details.max(), 1e-6)
    shown = np.array([0.2 + 0.8 * exposure(look.luma) for look in run])
    fit: NDArray[np.float64] = calm * sharp * shown
    return fit


def best_of(looks: Sequence[Look]) -> Look:
    """The one that is best to show, the first of equals."""
    return looks[int(np.argmax(_fitness(looks)))]


def _middle_of_best(scores: NDArray[np.float64]) -> int:
    best = int(np.argmax(scores))
    good = scores >= _AS_GOOD * scores[best]
    first = last = best
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(scores) - 1 and good[last + 1]:
        last += 1
    return (first + last) // 2
