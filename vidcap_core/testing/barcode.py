"""A number painted on a frame, to be read from whatever a decoder makes of it.

7 by 4 cells in the middle of the frame, placed by fractions of its sides, so that resizing leaves
them readable. One corner is white and three are black, which only an upright, unmirrored frame has;
between them stand 16 bits of the number and 8 of a checksum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8]

MAX_NUMBER = 2**16 - 1
"""The largest number that can be painted."""

_COLUMNS, _ROWS = 7, 4
_MARGIN = 1 / 8
_CORNERS = (0, _COLUMNS - 1, (_ROWS - 1) * _COLUMNS, _ROWS * _COLUMNS - 1)
_UPRIGHT = (1, 0, 0, 0)
_DATA_CELLS = tuple(cell for cell in range(_ROWS * _COLUMNS) if cell not in _CORNERS)


def paint_barcode(pixels: Pixels, number: int) -> None:
    """Paint a number over the middle of a frame."""
    cells = _cells(pixels.shape[1], pixels.shape[0])
    for cell, bit in zip(cells, _bits(number), strict=True):
        pixels[cell] = 255 * bit


def read_barcode(pixels: Pixels) -> int:
    """Give the number painted on an upright frame; ValueError where none can be read."""
    levels = [float(pixels[cell].mean()) for cell in _cells(pixels.shape[1], pixels.shape[0], inset=0.25)]
    if any(90 < level < 165 for level in levels):
        raise ValueError("no barcode: some of its cells are neither black nor white")
    bits = [int(level > 128) for level in levels]
    if tuple(bits[cell] for cell in _CORNERS) != _UPRIGHT:
        raise ValueError("no upright barcode: its corners are not where they should be")
    value = sum(bits[cell] << place for place, cell in enumerate(_DATA_CELLS))
    number, checksum = value & MAX_NUMBER, value >> 16
    if checksum != _checksum(number):
        raise ValueError(f"damaged barcode: {number} does not match its checksum")
    return number


def _cells(width_px: int, height_px: int, inset: float = 0.0) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of pixels of each cell, without a part of it at each edge."""

    def span(side_px: int, cell: int, cells: int) -> slice:
        first, length = side_px * _MARGIN, side_px * (1 - 2 * _MARGIN) / cells
        begin, end = (round(first + length * at) for at in (cell + inset, cell + 1 - inset))
        return slice(begin, max(end, begin + 1))

    for row in range(_ROWS):
        for column in range(_COLUMNS):
            yield span(height_px, row, _ROWS), span(width_px, column, _COLUMNS)


def _bits(number: int) -> list[int]:
    value = number | _checksum(number) << 16
    bits = dict(zip(_CORNERS, _UPRIGHT, strict=True))
    bits |= {cell: value >> place & 1 for place, cell in enumerate(_DATA_CELLS)}
    return [bits[cell] for cell in range(_ROWS * _COLUMNS)]


def _checksum(number: int) -> int:
    # Multiplied by an odd constant, every bit of the number moves some of the upper bits.
    return number * 40_503 >> 8 & 0xFF
