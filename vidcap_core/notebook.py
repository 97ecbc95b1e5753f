"""How a result looks in a notebook: what it says, beside the frames it was said of."""

from __future__ import annotations

from html import escape
from itertools import islice

from .text import clock, for_terminal
from .types import Image, Item, Result
from .writers import item_text

_STYLE = (
    "display:flex;gap:6px;flex-wrap:wrap;margin:4px 0 12px",
    "margin:0;font-size:11px;text-align:center;opacity:.8",
    "display:block;height:110px;max-width:260px;object-fit:contain;border-radius:3px",
)


def result_html(result: Result) -> str:
    """A result as HTML without scripts; everything foreign in it is escaped."""
    head = f"<b>{_text(result.title or result.uri)}</b> · {_text(result.task)}"
    notices = "".join(f"<div><small>{_text(notice)}</small></div>" for notice in result.notices)
    several = len(result.items) > 1
    images = iter(result.images)
    # Each item's evidence is its share of the images, in order: equal pictures have equal hashes.
    items = [_item(item, list(islice(images, len(item.evidence))), several) for item in result.items]
    return f"<div>{head}{''.join(items)}{notices}</div>"


def _item(item: Item, images: list[Image], several: bool) -> str:
    said = f"{type(item.error).__name__}: {item.error}" if item.error else item_text(item)
    span = f"<small>{clock(item.start_s)}–{clock(item.end_s)}</small> " if several else ""
    frames = "".join(map(_frame, images))
    row = f'<div style="{_STYLE[0]}">{frames}</div>' if frames else ""
    return f'<p style="white-space:pre-wrap;margin:6px 0">{span}{_text(said)}</p>{row}'


def _frame(image: Image) -> str:
    time = clock(image.time_s)
    picture = f'<img alt="Frame at {time}" src="{image.data_uri()}" style="{_STYLE[2]}">'
    return f'<figure style="{_STYLE[1]}" title="{_text(image.why)}">{picture}{time}</figure>'


def _text(text: str) -> str:
    return escape(for_terminal(text))
