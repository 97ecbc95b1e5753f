"""How large an image is made for a model, and what that costs. Nothing heavy is imported here."""

from __future__ import annotations

import math

from .types import Limits

_LONGEST_SHAPE = 4
"""A film strip of a picture is not blown up for the sake of its short side."""


def side_px(limits: Limits, width_px: int, height_px: int) -> int:
    """The longer side of the images that a model sees best.

    An encoder that squashes everything to a square sees as many lines as the shorter side has.
    """
    if limits.fit != "squash":
        return limits.side_px
    shape = max(width_px, height_px) / min(width_px, height_px)
    return round(limits.side_px * min(shape, _LONGEST_SHAPE))


def fitted(width_px: int, height_px: int, max_side_px: int) -> tuple[int, int]:
    """(width, height) with a longer side of `max_side_px` at most, never enlarged."""
    scale = min(max_side_px / max(width_px, height_px), 1.0)
    return max(round(width_px * scale), 1), max(round(height_px * scale), 1)


def image_tokens(limits: Limits, width_px: int, height_px: int) -> int | None:
    """Tokens that an image of this size takes, by the limits' rule; None where there is none.

    All known rules are one: a fixed share, and a share for each tile of a grid, of which an image
    has no more than it is allowed, for it is shrunk until it does.
    """
    if limits.tokens_per_image is None and limits.tokens_per_tile is None:
        return None
    tiles = math.ceil(width_px / limits.tile_px) * math.ceil(height_px / limits.tile_px)
    if limits.max_tiles is not None:
        tiles = min(tiles, limits.max_tiles)
    return math.ceil((limits.tokens_per_image or 0) + tiles * (limits.tokens_per_tile or 0))
