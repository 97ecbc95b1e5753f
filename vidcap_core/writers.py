"""How results are written down: plain data for JSON, text for people."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from .errors import VidcapError
from .text import clock
from .types import Image, Item, Request, Result, Work

_UNWRITABLE = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Lone surrogates, and what would rewrite a terminal that JSON is printed on."""


def to_plain(value: Any) -> Any:
    """Dataclasses, models and errors as plain data, ready for JSON; images without their bytes."""
    if isinstance(value, Image):
        return _image(value)
    if is_dataclass(value) and not isinstance(value, type):
        unwritten = {"images"} if isinstance(value, Result) else set()
        named = [field.name for field in fields(value) if field.name not in unwritten]
        return {name: _plain_field(name, getattr(value, name)) for name in named}
    if isinstance(value, VidcapError):
        return {"type": type(value).__name__, "message": str(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(one) for one in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON knows no infinity
    return to_plain(value.model_dump(mode="json")) if hasattr(value, "model_dump") else value


def _plain_field(name: str, value: Any) -> Any:
    # Times to the microsecond: 1.2, not 1.2000000000000002. What is not ours is not rounded.
    is_time = name.endswith("_s") and isinstance(value, float) and math.isfinite(value)
    return round(value, 6) if is_time else to_plain(value)


def _image(image: Image) -> dict[str, Any]:
    return {
        "asked_s": round(image.asked_s, 6),
        "time_s": round(image.time_s, 6),
        "why": image.why,
        "media_type": image.media_type,
        "width_px": image.width_px,
        "height_px": image.height_px,
        "size_bytes": len(image.data),
        "sha256": image.sha256,
    }


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """Plain data as JSON, on one line where `indent` is None."""
    text = json.dumps(to_plain(value), ensure_ascii=False, indent=indent, allow_nan=False)
    # Names of files that are no UTF-8 hold what cannot be written as such.
    return _UNWRITABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def result_text(result: Result) -> str:
    """What the items say; with several, each after its span."""
    good = [item for item in result.items if item.error is None]
    if len(result.items) == 1:
        return "".join(map(item_text, good))
    return "\n".join(f"{_span(item)}{_below(item_text(item))}" for item in good)


def _span(item: Item) -> str:
    return f"[{clock(item.start_s)}–{clock(item.end_s)}]"


def _below(text: str) -> str:
    return "\n" + _indented(text) if "\n" in text else " " + text


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.split("\n"))


def item_text(item: Item) -> str:
    """What an item says: in its class's own words, as its only text, else as `key: value` lines."""
    from pydantic import BaseModel

    value = item.value
    if isinstance(value, BaseModel) and type(value).__str__ is not BaseModel.__str__:
        return str(value)
    plain = to_plain(value)
    if isinstance(plain, dict) and len(plain) == 1 and isinstance(only := next(iter(plain.values())), str):
        return only
    return _outline(plain)


def _outline(value: Any) -> str:
    """Plain data as people read it: `key: value`, a dash before each of a list, nested by indentation."""
    if isinstance(value, dict) and value:
        return "\n".join(f"{key}:{_beside(one)}" for key, one in value.items())
    if isinstance(value, list) and value:
        return "\n".join("- " + _indented(_outline(one)).removeprefix("  ") for one in value)
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _beside(value: Any) -> str:
    text = _outline(value)
    nested = "\n" in text or (isinstance(value, (dict, list)) and value)
    return "\n" + _indented(text) if nested else " " + text


def work_plain(work: Work) -> dict[str, Any]:
    """What would be asked, with the images as hashes, sizes and times."""
    plain: dict[str, Any] = to_plain(work)
    for request, dumped in zip(work.requests, plain["requests"], strict=True):
        dumped["parts"] = _parts(request)
    return plain


def _parts(request: Request) -> list[dict[str, Any]]:
    return [{"image": _image(p)} if isinstance(p, Image) else {"text": p} for p in request.parts]
