"""Results as subtitle files: SRT and WebVTT, for players and editors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .text import one_line
from .types import Item, Result
from .writers import item_text

_SRT_TAG = re.compile(r"<(?=[/a-zA-Z])|\{(?=\\)")
_VTT_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def srt(result: Result) -> str:
    """The items as SubRip, one cue each; items that failed are left out.

    SRT knows no escapes: what a player would take for a tag or a position gets a space.
    """
    cues = (
        f"{number}\n{_times(item, ',')}\n{_SRT_TAG.sub(_apart, text.replace('-->', '→'))}\n"
        for number, (item, text) in enumerate(_cues(result), 1)
    )
    return "\n".join(cues)


def vtt(result: Result) -> str:
    """The items as WebVTT, one cue each; items that failed are left out."""
    cues = (f"\n{_times(item, '.')}\n{text.translate(_VTT_ENTITIES)}\n" for item, text in _cues(result))
    return "".join(("WEBVTT\n", *cues))


def _cues(result: Result) -> Iterator[tuple[Item, str]]:
    for item in result.items:
        text = "" if item.error else _text(item_text(item))
        if text:
            yield item, text


def _text(text: str) -> str:
    """Text that ends no cue early: it has no empty lines."""
    lines = (" ".join(one_line(line).split()) for line in text.splitlines())
    return "\n".join(filter(None, lines))


def _apart(match: re.Match[str]) -> str:
    return f"{match.group()} "


def _times(item: Item, point: str) -> str:
    # No player shows what is before 0, or what lasts no time.
    start_ms = max(round(item.start_s * 1000), 0)
    end_ms = max(round(item.end_s * 1000), start_ms + 1)
    return f"{_time(start_ms, point)} --> {_time(end_ms, point)}"


def _time(milliseconds: int, point: str) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
