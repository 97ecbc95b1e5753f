"""A contact sheet: the frames of a video on one picture, each with its time."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..text import clock, one_line
from ..types import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

T = TypeVar("T")

_WIDTH_PX = 1920
_MAX_THUMB_PX, _MIN_THUMB_PX = 380, 48
_MAX_FRAMES = 900
_GAP_PX = 12
_HEAD_PX = 52
_LEGEND_PX = 26
_BACKGROUND, _INK, _FAINT = (24, 24, 27), (244, 244, 245), (161, 161, 170)


def contact_sheet(
    name: str,
    facts: Mapping[str, Any],
    images: Sequence[Image],
    legends: Sequence[str] = (),
    *,
    things: str = "frames",
) -> bytes:
    """Draw the frames of a video in rows, as a JPEG, under each its legend, by default its time.

    `facts` holds the video's `duration_s`, `width_px` and `height_px`; `things` is what the frames
    stand for. Of more than 900 an even share is drawn, and the title says so.
    """
    from PIL import Image as Pictures
    from PIL import ImageDraw, ImageFont

    each = list(zip(images, legends or [clock(image.time_s) for image in images], strict=True))
    shown = _thinned(each)
    columns, width, height = _grid([image for image, _ in shown])
    rows = math.ceil(len(shown) / columns)
    row_px = height + _LEGEND_PX + _GAP_PX
    sheet_px = max(columns * (width + _GAP_PX) + _GAP_PX, 640), _HEAD_PX + rows * row_px + _GAP_PX
    sheet = Pictures.new("RGB", sheet_px, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(22), ImageFont.load_default(min(18, max(width // 5, 9)))
    told = _facts(facts, len(shown), len(images), things)
    title = _fitted(draw, one_line(name), told, font, sheet_px[0])
    draw.text((_GAP_PX, _HEAD_PX // 2), title, _INK, font, anchor="lm")
    for place, (image, legend) in enumerate(shown):
        left = _GAP_PX + place % columns * (width + _GAP_PX)
        top = _HEAD_PX + place // columns * row_px
        sheet.paste(thumb := _thumb(image, width, height), (left + (width - thumb.width) // 2, top))
        draw.text((left + width // 2, top + height + 4), legend, _FAINT, small, anchor="mt")
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=88)
    return data.getvalue()


def _thinned(items: Sequence[T]) -> list[T]:
    if len(items) <= _MAX_FRAMES:
        return list(items)
    return [items[place * len(items) // _MAX_FRAMES] for place in range(_MAX_FRAMES)]


def _grid(images: Sequence[Image]) -> tuple[int, int, int]:
    """Columns, and the size of a thumbnail: the sheet is about as high as it is wide."""
    first = images[0]
    shape = min(max(first.height_px / first.width_px, 0.25), 4.0)
    columns = max(math.ceil(math.sqrt(len(images) * shape)), min(len(images), 4))
    room_px = (_WIDTH_PX - _GAP_PX) // columns - _GAP_PX
    width = max(min(room_px, _MAX_THUMB_PX, int(_MAX_THUMB_PX / shape)), _MIN_THUMB_PX)
    return columns, width, max(round(width * shape), 1)


def thumbnail(image: Image, max_side_px: int) -> bytes:
    """A small picture of a frame, as a JPEG for a page."""
    data = io.BytesIO()
    _thumb(image, max_side_px, max_side_px).save(data, "JPEG", quality=72)
    return data.getvalue()


def _thumb(image: Image, width: int, height: int) -> Picture:
    from PIL import Image as Pictures
    from PIL import ImageOps

    with Pictures.open(io.BytesIO(image.data)) as picture:
        picture.draft("RGB", (width, height))  # libjpeg decodes at half, a quarter, an eighth: much cheaper
        return ImageOps.contain(picture.convert("RGB"), (width, height))


def _facts(facts: Mapping[str, Any], shown: int, count: int, things: str) -> str:
    counted = things if count != 1 else things.removesuffix("s")
    frames = f"{count} {counted}" if shown == count else f"{shown} of {count} {things}"
    size = f"{facts['width_px']} x {facts['height_px']}"
    duration_s = facts.get("duration_s")
    return "   ".join(["", *([clock(duration_s)] if duration_s is not None else []), size, frames])


def _fitted(draw: Any, name: str, facts: str, font: Any, width_px: int) -> str:
    """The title; a long name is cut, so that the facts are seen."""
    shown = name[-200:]
    while shown and draw.textlength(shown + facts, font) > width_px - 2 * _GAP_PX:
        shown = "…" + shown[2:] if len(shown) > 2 else ""
    return shown + facts
