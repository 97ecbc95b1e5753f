"""How fit a small picture is to be shown: neither black nor blank, and as sharp as those near it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DARK, _BRIGHT = 20.0, 240.0
_FLAT = 4.0
"""Standard deviation, in grey levels, below which a picture shows nothing."""


def detail(luma: NDArray[np.uint8]) -> float:
    """Mean difference of neighbours, in grey levels: of pictures of one scene the sharpest has most."""
    wide = np.maximum(luma[:, 1:], luma[:, :-1]) - np.minimum(luma[:, 1:], luma[:, :-1])
    return float(wide.mean())


def exposure(luma: NDArray[np.uint8]) -> float:
    """1 for a picture that shows something, 0 for one that is black, white or of one shade."""
    mean, spread = float(luma.mean()), float(luma.std())
    if spread < _FLAT and not _DARK < mean < _BRIGHT:
        return 0.0
    return min(1.0, 0.25 + spread / (4 * _FLAT))
