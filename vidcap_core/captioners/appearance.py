"""What pictures look like: their colours in words, and how much they differ. No model, no guessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..types import Image

    Array = NDArray[np.floating[Any]]

_GRID = 32
"""Pictures are compared cell by cell, _GRID by _GRID, so that size and noise do not matter."""


class _Tone(NamedTuple):
    """A colour name, and up to which lightness it is dark, from which one pale."""

    name: str
    dark: float
    pale: float


_TONES = (
    _Tone("black", 0.0, 2.0),
    _Tone("white", 0.0, 2.0),
    _Tone("grey", 0.45, 0.80),
    _Tone("pink", 0.0, 0.90),
    _Tone("brown", 0.35, 0.72),
    _Tone("red", 0.45, 2.0),
    _Tone("orange", 0.60, 0.84),
    _Tone("yellow", 0.70, 0.88),
    _Tone("green", 0.45, 0.80),
    _Tone("turquoise", 0.60, 0.84),
    _Tone("blue", 0.40, 0.76),
    _Tone("purple", 0.36, 0.74),
)
_PALE_CHROMA = 0.15
_BRIGHT_CHROMA = 0.19
_BRIGHT_LIGHTNESS = 0.44


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture, reduced to what is compared and named."""

    time_s: float
    lab: Array
    """Oklab of each cell: lightness 0 to 1, green to red, blue to yellow."""
    tones: NDArray[np.intp]
    """For each cell the index of its name in `_TONES`."""

    @property
    def lightness(self) -> float:
        """Mean lightness, 0 to 1."""
        return float(self.lab[:, 0].mean())


def look(image: Image) -> Look | None:
    """Look at an image; None where it cannot be read."""
    import numpy as np
    import simplejpeg

    try:
        height_px, width_px, *_ = simplejpeg.decode_jpeg_header(image.data)
        if (width_px, height_px) != (image.width_px, image.height_px):
            return None  # whoever made it lied: it may claim memory for a picture of any size
        # Decoded no larger than needed: JPEG can be decoded at a fraction of its size.
        pixels = simplejpeg.decode_jpeg(image.data, min_width=2 * _GRID, min_height=2 * _GRID)
    except ValueError:
        return None
    lab = oklab(_cells(np.asarray(pixels, np.float64) / 255)).reshape(-1, 3)
    return Look(image.time_s, lab, tone_indices(lab))


def difference(one: Look, other: Look) -> float:
    """How much two pictures differ, cell by cell: 0 not at all, about 0.02 barely, 1 black to white."""
    import numpy as np

    return float(np.linalg.norm(one.lab - other.lab, axis=-1).mean())


def runs(looks: Sequence[Look]) -> list[list[Look]]:
    """Group successive pictures that have the same colours, as far as words can tell."""
    groups: list[list[Look]] = []
    for picture in looks:
        if groups and (_alike(groups[-1][0], picture) or colours([picture]) == colours(groups[-1])):
            groups[-1].append(picture)
        else:
            groups.append([picture])
    return groups


def colours(looks: Sequence[Look]) -> str:
    """Name the colours that fill most of some pictures: "dark blue", "grey with red"."""
    import numpy as np

    tones, lab = (
        np.concatenate(arrays) for arrays in zip(*((at.tones, at.lab) for at in looks), strict=True)
    )
    shares = np.bincount(tones, minlength=len(_TONES)) / len(tones)
    first, second = (int(tone) for tone in np.argsort(-shares, kind="stable")[:2])
    if shares[first] < 0.3:
        return "many-coloured"
    words = _worded(first, lab[tones == first])
    if shares[second] < 0.2:
        return words if shares[first] >= 0.7 else f"mostly {words}"
    return f"{words} with {_worded(second, lab[tones == second])}"


def oklab(rgb: Array) -> Array:
    """Convert sRGB, 0 to 1, to Oklab (Björn Ottosson, 2020), where distances are as people see them."""
    import numpy as np

    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_cones = [
        [0.4122214708, 0.2119034982, 0.0883024619],
        [0.5363325363, 0.6806995451, 0.2817188376],
        [0.0514459929, 0.1073969566, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ]
    return np.asarray(np.cbrt(linear @ np.array(to_cones)) @ np.array(to_lab), np.float64)


def tone_indices(lab: Array) -> NDArray[np.intp]:
    """Name each colour: the index into `_TONES`.

    The bounds stand where the names that people give to swatches change; hue in degrees.
    """
    import numpy as np

    lightness, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    rosy = (hue < 15) | (hue >= 340)
    reddish = rosy | (hue < 40)
    rules = {
        "black": (lightness < 0.19) | ((lightness < 0.26) & (chroma < 0.04)),
        "white": (lightness > 0.92) & (chroma < 0.035),
        "grey": chroma < 0.032,
        "pink": reddish & (lightness >= np.where(rosy, 0.6, np.where(chroma < 0.18, 0.64, 0.72))),
        "brown": (hue >= 20) & (hue < 100) & ((chroma < 0.1) & (lightness < 0.8))
        | (hue >= 40) & (hue < 100) & (lightness < 0.62),
        "red": (hue < 40) | (hue >= 340) & (chroma >= 0.12),  # dull, it is a purple
        "orange": hue < 85,
        "yellow": hue < 118,
        "green": hue < 165,
        "turquoise": hue < 215,
        "blue": hue < 285,
    }
    names = [tone.name for tone in _TONES]
    return np.select(
        list(rules.values()), [names.index(name) for name in rules], default=names.index("purple")
    )


def _cells(pixels: Array) -> Array:
    """Mean colour of each cell of the grid, whatever the picture's size."""
    import numpy as np

    for axis in (0, 1):
        edges = np.arange(_GRID + 1) * pixels.shape[axis] // _GRID
        widths = np.maximum(np.diff(edges), 1)
        sums = np.add.reduceat(pixels, edges[:-1], axis=axis)
        pixels = sums / widths.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return pixels


def _alike(one: Look, other: Look) -> bool:
    """Whether one would give both the same colours, though they may stand elsewhere."""
    import numpy as np

    shares = [np.bincount(at.tones, minlength=len(_TONES)) / len(at.tones) for at in (one, other)]
    moved = float(np.abs(shares[0] - shares[1]).sum()) / 2
    shift = float(np.linalg.norm(one.lab.mean(axis=0) - other.lab.mean(axis=0)))
    return moved < 0.2 and shift < 0.08


def _worded(index: int, lab: Array) -> str:
    """Name a tone as it appears here: "dark blue", "pale pink", "bright red"."""
    import numpy as np

    tone = _TONES[index]
    lightness, *opponents = lab.mean(axis=0)
    chroma = float(np.hypot(*opponents))
    if lightness < tone.dark:
        return f"dark {tone.name}"
    if lightness >= tone.pale and chroma < _PALE_CHROMA:
        return f"pale {tone.name}"
    if chroma >= _BRIGHT_CHROMA and lightness >= _BRIGHT_LIGHTNESS:
        return f"bright {tone.name}"
    return tone.name
