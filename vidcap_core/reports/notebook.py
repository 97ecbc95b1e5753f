"""How a result looks in a notebook: what it says, beside the frames it was said of."""

from __future__ import annotations

from itertools import islice

from ..text import clock
from ..types import Image, Item, Result
from ..writers import item_text
from .html import Html, element

_SAID = "white-space:pre-wrap;margin:6px 0"
_ROW = "display:flex;gap:6px;flex-wrap:wrap;margin:4px 0 12px"
_FIGURE = "margin:0;font-size:11px;text-align:center;opacity:.8"
_PICTURE = "display:block;height:110px;max-width:260px;object-fit:contain;border-radius:3px"


def result_html(result: Result) -> Html:
    """A result as HTML without scripts; everything foreign in it is escaped."""
    several = len(result.items) > 1
    images = iter(result.images)
    # Each item's evidence is its share of the images, in order: equal pictures have equal hashes.
    items = [_item(item, list(islice(images, len(item.evidence))), several) for item in result.items]
    notices = [element("div", element("small", notice)) for notice in result.notices]
    return element("div", element("b", result.title or result.uri), " · ", result.task, items, notices)


def _item(item: Item, images: list[Image], several: bool) -> list[Html | None]:
    said = f"{type(item.error).__name__}: {item.error}" if item.error else item_text(item)
    span = element("small", f"{clock(item.start_s)}–{clock(item.end_s)}") if several else None
    row = element("div", map(_frame, images), style=_ROW) if images else None
    return [element("p", span, " " if span else None, said, style=_SAID), row]


def _frame(image: Image) -> Html:
    time = clock(image.time_s)
    picture = element("img", alt=f"Frame at {time}", src=image.data_uri(), style=_PICTURE)
    return element("figure", picture, time, style=_FIGURE, title=image.why)
