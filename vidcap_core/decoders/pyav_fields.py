"""Interlaced pictures made whole: two fields, caught at two moments, become one picture without combs."""

from __future__ import annotations

from typing import Any

import numpy as np
from av import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

_Rows = NDArray[Any]

_STANDS_OUT = 1 / 32
"""How far a line of a comb lies from those around it, of all levels: less is noise."""


def is_interlaced(frame: VideoFrame) -> bool:
    """Whether a frame says that it is made of two fields, in planes that can be looked into."""
    name = frame.format.name
    return frame.interlaced_frame and name.startswith(("yuv", "gray")) and not name.endswith("be")


def deinterlace(frame: VideoFrame) -> None:
    """Interpolate the lines of the lower field from the upper one wherever the two make a comb.

    Where nothing moves both fields stay: what is still keeps all its lines. Nothing else of the
    frame changes, its time neither: the upper field lies half a frame off at most.
    """
    frame.make_writable()
    bits = frame.format.components[0].bits
    for plane in frame.planes:
        _mend(plane, bits)


def _mend(plane: VideoPlane, bits: int) -> None:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    levels = rows if bits == 8 else rows.view("<u2")
    signed = np.int16 if bits < 15 else np.int32
    upper, lower = levels[0::2].astype(signed), levels[1::2].astype(signed)
    above, below = upper[: len(lower)], np.concatenate([upper[1:], upper[-1:]])[: len(lower)]
    comb = _comb(above, lower, below, round(_STANDS_OUT * (1 << bits)))
    levels[1::2][comb] = ((above + below + 1) // 2)[comb]


def _comb(above: _Rows, lower: _Rows, below: _Rows, least: int) -> NDArray[np.bool_]:
    """Where lines stand out from those above and below, and a second one beside does so too.

    A single line that stands out is a thin one of the picture.
    """
    found = np.zeros(lower.shape, np.bool_)
    for sign in (1, -1):
        up, down = sign * (lower - above) > least, sign * (lower - below) > least
        both = up & down
        beside = np.zeros_like(both)
        beside[1:] |= down[:-1]
        beside[:-1] |= up[1:]
        found |= both & beside
    return found
