"""What one small picture shows that another does not, block by block; motion and grain are no news."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 16
_NOISE = np.uint8(6)
"""Grey levels that grain, an unsmoothed edge between blocks or a keyframe's new start may cost."""
_FULL = 5.0
"""Grey levels by which the pixels of a block are new on average where it surely shows something else:
letters are thin and fill a tenth of it."""
_MOVED_SHARE = 0.3
"""Of the blocks; where more are new, the camera may have moved."""
_THIN_SHARE = 0.1
"""Of the news; where less has an inside, it is strokes."""
_BUSY_SHARE = 0.03
"""Of the blocks; where more are new, strokes are looked for among it."""
_LEAST_PX = 32
"""Of a side, to tell motion by."""
_COARSE = 4
"""Pixels that motion is told by, a side."""
_SMOOTH = 0.1
"""Of the frequencies, cycles a coarse pixel: finer structure is left out."""

Luma = NDArray[np.uint8]
Blocks = NDArray[np.float32]
"""float32[2, rows, columns]: for each block of `BLOCK_PX` a side, 0 nothing new to 1 something else.

First of all that is new, then of its strokes alone, letters say; those only where much is new, for there
the first says little: letters on a speaker who moves.
"""


@dataclass(frozen=True, eq=False)
class Look:
    """A small picture, ready to be compared with others of its size."""

    time_s: float
    luma: Luma

    @cached_property
    def envelope(self) -> tuple[Luma, Luma]:
        """The darkest and the brightest value that small motion or noise could bring to each pixel."""
        low, high = _spread(self.luma, np.minimum), _spread(self.luma, np.maximum)
        return np.maximum(low, _NOISE) - _NOISE, np.minimum(high, 255 - _NOISE) + _NOISE

    @cached_property
    def spectrum(self) -> NDArray[np.complex64]:
        """Fourier transform of the picture at a quarter of its size, its edges faded out."""
        rows, columns = (side // _COARSE for side in self.luma.shape)
        cut = self.luma[: rows * _COARSE, : columns * _COARSE].reshape(rows, _COARSE, -1)
        small = cut.sum(1, np.uint16).reshape(rows, columns, _COARSE).sum(2, np.float32)
        return np.fft.rfft2((small - small.mean()) * _taper(rows, columns)).astype(np.complex64)


def _spread(luma: Luma, choose: np.ufunc) -> Luma:
    tall = luma.copy()
    choose(tall[1:], luma[:-1], out=tall[1:])
    choose(tall[:-1], luma[1:], out=tall[:-1])
    wide = tall.copy()
    choose(wide[:, 1:], tall[:, :-1], out=wide[:, 1:])
    choose(wide[:, :-1], tall[:, 1:], out=wide[:, :-1])
    return wide


def fresh(one: Look, other: Look) -> Blocks:
    """What `one` shows that `other` does not.

    A pixel is no news where `other` has its value within a pixel: so letters that appear are news, and
    the even ground that comes back when they vanish is none. Where most is new, the camera's motion
    between the two is estimated and taken out, if that explains most of it.
    """
    news = _news(one.luma, *other.envelope)
    blocks = _pooled(news)
    if min(news.shape) >= _LEAST_PX and np.count_nonzero(blocks > 0.5) > _MOVED_SHARE * blocks.size:
        moved = _moved_news(one, other, news, *_shift(one, other))
        if moved.sum(dtype=np.int64) < 0.5 * news.sum(dtype=np.int64):
            news, blocks = moved, _pooled(moved)
    is_busy = np.count_nonzero(blocks > 0.5) > _BUSY_SHARE * blocks.size
    strokes = _pooled(news - _without_strokes(news)) if is_busy else np.zeros_like(blocks)
    return np.stack([blocks, strokes])


def _without_strokes(news: Luma) -> Luma:
    """Morphological opening: what is narrower than three pixels is gone (Serra, 1982)."""
    return np.minimum(_spread(_spread(news, np.minimum), np.maximum), news)


def fresh_between(one: Look, before: Look, after: Look) -> Blocks:
    """What `one` shows that no mixture of two others does: a picture half dissolved shows nothing new."""
    lows, highs = zip(before.envelope, after.envelope, strict=True)
    blocks = _pooled(_news(one.luma, np.minimum(*lows), np.maximum(*highs)))
    return np.stack([blocks, blocks])


def is_thin(one: Look, other: Look) -> bool:
    """Whether what `one` shows and `other` does not consists of strokes: nothing of it has an inside."""
    news = _news(one.luma, *other.envelope)
    inside = _spread(news, np.minimum)
    return bool(inside.sum(dtype=np.int64) < _THIN_SHARE * news.sum(dtype=np.int64))


def _news(luma: Luma, low: Luma, high: Luma) -> Luma:
    above = np.maximum(luma, high)
    above -= high
    below = np.minimum(luma, low)
    above += np.subtract(low, below, out=below)  # one of the two is 0
    return above


def _moved_news(one: Look, other: Look, news: Luma, down: int, right: int) -> Luma:
    """News where both pictures overlap; what came in at an edge stays what it was."""
    low, high = other.envelope
    moves = list(zip(one.luma.shape, (down, right), strict=True))
    here = tuple(slice(max(move, 0), size + min(move, 0)) for size, move in moves)
    there = tuple(slice(max(-move, 0), size + min(-move, 0)) for size, move in moves)
    news = news.copy()
    news[here] = _news(one.luma[here], low[there], high[there])
    return news


def _shift(one: Look, other: Look) -> tuple[int, int]:
    """How far, in pixels (down, right), the picture moved from `other` to `one`.

    Phase correlation (Kuglin and Hines, 1975) of the coarse structure: the fine one is the codec's
    blocks, which stand still. A parabola through the peak tells the parts of a coarse pixel.
    """
    cross = one.spectrum * other.spectrum.conj()
    rows, columns = (side // _COARSE for side in one.luma.shape)
    cross *= _low_pass(rows, columns) / (np.abs(cross) + 1e-6)
    peaks = np.fft.irfft2(cross, s=(rows, columns))
    row, column = np.unravel_index(int(np.argmax(peaks)), peaks.shape)
    return _signed(peaks[:, column], int(row)), _signed(peaks[row], int(column))


@cache
def _taper(rows: int, columns: int) -> NDArray[np.float32]:
    return np.outer(np.hanning(rows), np.hanning(columns)).astype(np.float32)


@cache
def _low_pass(rows: int, columns: int) -> NDArray[np.float32]:
    radius = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    kept: NDArray[np.float64] = np.exp(-((radius / _SMOOTH) ** 2) / 2)
    return kept.astype(np.float32)


def _signed(line: NDArray[np.float64], place: int) -> int:
    """The place of the peak of a line that goes round, in pixels: its second half lies before 0."""
    before, peak, after = (float(line[(place + step) % line.size]) for step in (-1, 0, 1))
    bend = before - 2 * peak + after
    exact = place + ((before - after) / (2 * bend) if bend else 0.0)
    return round(_COARSE * (exact if place <= line.size // 2 else exact - line.size))


def _pooled(news: Luma) -> NDArray[np.float32]:
    rows, columns = (_shares(side) for side in news.shape)
    sums = rows @ news.astype(np.float32) @ columns.T
    blocks: NDArray[np.float32] = np.minimum(sums * np.float32(1 / _FULL), np.float32(1))
    return blocks


@cache
def _shares(side_px: int) -> NDArray[np.float32]:
    """float32[blocks, pixels]: what makes the mean of each block out of the pixels of a side.

    A last block that would be less than half as long belongs to the one before it.
    """
    blocks = max((side_px + BLOCK_PX // 2) // BLOCK_PX, 1)
    place = np.minimum(np.arange(side_px) // BLOCK_PX, blocks - 1)
    members = np.equal.outer(np.arange(blocks), place)
    shares: NDArray[np.float64] = members / members.sum(1, keepdims=True)
    return shares.astype(np.float32)
