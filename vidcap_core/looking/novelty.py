"""How much of a picture is new: what neither motion nor light explains, on small grey pictures.

A picture is first freed of light: its local mean is taken away and its contrast set to a fixed one,
so that exposure, lamps and flashes change little. What is left is predicted from another picture
block by block, each from the best place nearby, as video encoders do (block matching; Jain and
Jain, 1981). A block that is predicted no better than by its own mean is new, a comparison of inter
and intra cost such as x264 makes to place its keyframes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pictures: TypeAlias = NDArray[np.float32]
    Scores: TypeAlias = NDArray[np.float32]

SCAN_PX = 40
"""Width of the pictures to be scanned: scenes survive it, grain and what is small does not."""
_BLOCK_PX = 4
_LOCAL_PX = 4
"""What lies this near belongs to a pixel's surroundings."""
_CONTRAST = 20.0
_FAINTEST = 2.0
"""Levels of 255: what has less contrast is a flat picture with noise."""
_SEEN = 3.0
"""Levels of 255: a block that spreads less is flat."""
_NOISE = 4.0
"""By how much noise and coding change a block."""
_BLACK = 24
"""Levels of 255: bars at the edges are no part of a picture, and what is black is not seen to change."""
_SMALLEST_PX = 8
_BARE, _SPARSE = 0.05, 0.2
"""Shares of a picture in which there is something to be seen."""
_PAIRS = 16
"""Compared at once: few enough for the cache."""


class Sights:
    """Pictures of one stretch of a video, made ready to be compared."""

    def __init__(self, luma: NDArray[np.uint8]) -> None:
        """`luma`: uint8[count, height, width], as scanned `SCAN_PX` wide."""
        grey = _in_blocks(_without_bars(luma))
        detail = grey - _local_mean(grey)
        contrast = np.square(np.sqrt(np.abs(detail)).mean((1, 2)))
        self.grey = grey
        """float32[count, height, width]: with light, for the eye."""
        self.mean = grey.mean((1, 2))
        self._apart = _spread(grey)
        busy = (self._apart > _SEEN).mean((1, 2))
        self.flat = (busy < _BARE) | (busy < _SPARSE) & (np.abs(self.mean - 127.5) > 127.5 - 1.5 * _BLACK)
        """bool[count]: nothing to be seen but one colour, or black or white with some words on it."""
        self._even = detail * (_CONTRAST / np.maximum(contrast, _FAINTEST))[:, None, None]
        self._own = _spread(self._even)
        self._lit = _block_sums(grey) > _BLACK * _BLOCK_PX**2

    def __len__(self) -> int:
        return len(self.grey)

    def novelty(self, before: NDArray[np.intp], after: NDArray[np.intp], reach_px: int = 4) -> Scores:
        """How much of each picture of `after` is new to the one of `before`, 0 to 1, by structure."""
        scores = np.empty(len(after), np.float32)
        for first in range(0, len(after), _PAIRS):
            some = slice(first, first + _PAIRS)
            missed = _missed(self._even[before[some]], self._even[after[some]], reach_px)
            scores[some] = self._share(missed, before[some], after[some])
        return scores

    def unmoved(self) -> Scores:
        """The same from each picture to the next, as if nothing moved: never less than `novelty`."""
        missed = _block_sums(np.abs(np.diff(self._even, axis=0))) / _BLOCK_PX**2
        numbers = np.arange(len(self))
        return self._share(missed, numbers[:-1], numbers[1:])

    def _share(self, missed: NDArray[Any], before: NDArray[np.intp], after: NDArray[np.intp]) -> Scores:
        lit = self._lit[before] | self._lit[after]
        most = np.maximum(self._own[after], _NOISE * lit)
        # A quarter of noise at least, or what is black would be new at every flicker.
        return np.asarray(
            np.minimum(missed, most).sum((1, 2)) / np.maximum(most.sum((1, 2)), _NOISE / 4 * most[0].size)
        )

    def replaced(self, before: int, after: int, least: float, reach_px: int = 6) -> float:
        """How much of one picture is replaced in another, 0 to 1; counting ends below `least`.

        It is the lowest of several counts: by area and by structure, with the light as it is and
        without, forwards and backwards. A title that comes up is much structure on little area, a
        lamp is much light on the same structure.
        """
        pair = np.array([before, after]), np.array([after, before])
        lit = self._lit[pair[0]] | self._lit[pair[1]]
        enough = np.maximum(lit.sum((1, 2)), lit[0].size / 4)
        lowest = 1.0
        # First as if nothing moved, which costs little and is never less.
        for reach in (0, reach_px):
            for pictures, spread in ((self.grey, self._apart), (self._even, self._own)):
                most = np.maximum(spread[pair[1]], _NOISE)
                missed = _missed(pictures[pair[0]], pictures[pair[1]], reach)
                area = (np.minimum(missed / most, 1) * lit).sum((1, 2))
                lowest = min(lowest, float((area / enough).min()))
                if lowest < least:
                    return lowest
        return min(lowest, float(self._share(missed, *pair).min()))


def _without_bars(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut off the rows and columns that are black all the time."""
    brightest = luma.max(0)
    rows, columns = (np.flatnonzero(np.median(brightest, axis) > _BLACK) for axis in (1, 0))
    if len(rows) < 2 * _SMALLEST_PX or len(columns) < 2 * _SMALLEST_PX:
        return luma
    return luma[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _in_blocks(luma: NDArray[np.uint8]) -> Pictures:
    """As floats, without what is left over of a block; what is smaller than a block is filled up to one."""
    padding = [(0, max(_BLOCK_PX - side, 0)) for side in luma.shape[1:]]
    padded = np.pad(luma, ((0, 0), *padding), mode="edge")
    height_px, width_px = (side // _BLOCK_PX * _BLOCK_PX for side in padded.shape[1:])
    return padded[:, :height_px, :width_px].astype(np.float32)


def _local_mean(grey: Pictures) -> Pictures:
    """Mean of the square round each pixel; beyond the edges they go on as they end."""
    rows, columns = map(_means_of_near, grey.shape[1:])
    return np.asarray(rows @ grey @ columns.T)


def _means_of_near(count: int) -> Pictures:
    """The matrix that makes of numbers in a row the means of those about each."""
    numbers = np.arange(count)[:, None]
    near = np.clip(numbers + np.arange(-_LOCAL_PX, _LOCAL_PX + 1), 0, count - 1)
    matrix = np.zeros((count, count), np.float32)
    np.add.at(matrix, (numbers, near), 1 / near.shape[1])
    return matrix


def _blocks(pictures: Pictures) -> Pictures:
    count, height_px, width_px = pictures.shape
    return pictures.reshape(count, height_px // _BLOCK_PX, _BLOCK_PX, width_px // _BLOCK_PX, _BLOCK_PX)


def _spread(pictures: Pictures) -> Pictures:
    """Of each block, the mean distance to its own mean: what predicting it from nothing would miss."""
    means = _block_sums(pictures) / _BLOCK_PX**2
    apart = np.abs(_blocks(pictures) - means[:, :, None, :, None])
    return np.asarray(_block_sums(apart.reshape(pictures.shape)) / _BLOCK_PX**2)


def _missed(before: Pictures, after: Pictures, reach_px: int) -> Pictures:
    """Of each block of `after`, the mean difference to its best match in `before` within reach."""
    missed = _block_sums(np.abs(after - before))
    if not reach_px:
        return np.asarray(missed / _BLOCK_PX**2)
    shape = after.shape[1:]
    around = np.pad(before, ((0, 0), *[(reach_px, reach_px)] * 2), mode="edge")
    places = np.lib.stride_tricks.sliding_window_view(around, shape, axis=(1, 2))
    for down in range(2 * reach_px + 1):
        difference = places[:, down] - after[:, None]
        missed = np.minimum(missed, _block_sums(np.abs(difference, out=difference)).min(1))
    return np.asarray(missed / _BLOCK_PX**2)


def _block_sums(pictures: Pictures) -> Pictures:
    """The same as summing `_blocks`, several times faster by slices."""
    rows = _sum([pictures[..., row::_BLOCK_PX, :] for row in range(_BLOCK_PX)])
    return _sum([rows[..., column::_BLOCK_PX] for column in range(_BLOCK_PX)])


def _sum(parts: list[Pictures]) -> Pictures:
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total
