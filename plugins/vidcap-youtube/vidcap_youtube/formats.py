"""Which of a video's formats to fetch: a pure function over what yt-dlp tells of a video."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Format = Mapping[str, Any]

_PLAIN = ("http", "https")
_SEGMENTED = ("m3u8", "m3u8_native", "http_dash_segments", "http_dash_segments_generator")
_CONTAINERS = ("mp4", "webm", "m4v")
_USUAL_ASPECT = 16 / 9


def formats_of(info: Mapping[str, Any]) -> Sequence[Format]:
    """All formats of a video, the worst first; sites may give split tracks, or a single address."""
    found = info.get("formats") or info.get("requested_formats")
    return found or ([info] if info.get("url") else [])


def choose(info: Mapping[str, Any], long_side_px: int | None) -> Format | None:
    """Choose the smallest format with pictures whose longer side has `long_side_px`.

    Where none is so large the largest is taken, and where no size is known what the site holds to
    be best. Files are preferred to segments, mp4 and webm to other containers, SDR to HDR, and
    among equals those without sound. None: there are no pictures.
    """
    usable = [(order, one) for order, one in enumerate(formats_of(info)) if is_usable(one)]
    sized = [(order, one) for order, one in usable if long_side(one)]
    if not usable:
        return None
    if not sized:
        return min(usable, key=lambda entry: (_drawbacks(entry[1]), -entry[0]))[1]
    largest_px = max(long_side(one) for _, one in sized)
    enough_px = largest_px if long_side_px is None else min(long_side_px, largest_px)
    serving = [(order, one) for order, one in sized if long_side(one) >= enough_px]
    return min(serving, key=lambda entry: (*_drawbacks(entry[1]), *_cost(entry[1]), entry[0]))[1]


def is_usable(one: Format) -> bool:
    """Whether a format has pictures, and is fetched over HTTP without a program of its own."""
    url = str(one.get("url") or "").lower()
    protocol = one.get("protocol") or url.partition(":")[0]
    return (
        one.get("vcodec") != "none"
        and one.get("has_drm") is not True
        and one.get("ext") != "mhtml"  # a sheet of thumbnails
        and protocol in (*_PLAIN, *_SEGMENTED)
        and url.startswith(("http://", "https://"))
    )


def long_side(one: Format) -> int:
    """The longer side in px; 0 where it is not known. A height alone is taken for that of 16:9."""
    width_px, height_px = _number(one.get("width")), _number(one.get("height"))
    aspect = _number(one.get("aspect_ratio")) or _USUAL_ASPECT
    return round(max(width_px or height_px * aspect, height_px))


def _drawbacks(one: Format) -> tuple[bool, bool, bool, bool]:
    # yt-dlp marks what is damaged, throttled or untested by a low preference.
    return (
        (_signed(one.get("preference")) <= -10),
        one.get("dynamic_range") not in (None, "SDR"),
        one.get("ext") not in (None, "unknown_video", *_CONTAINERS),
        (one.get("protocol") or "https") not in _PLAIN,
    )


def _cost(one: Format) -> tuple[float, bool, int]:
    return size_bytes(one), one.get("acodec") != "none", long_side(one)


def size_bytes(one: Format) -> float:
    """How large the file will be, or about; infinite where nothing tells."""
    size = _number(one.get("filesize")) or _number(one.get("filesize_approx"))
    return size or math.inf


def _number(value: Any) -> float:
    number = _signed(value)
    return number if number > 0 else 0.0


def _signed(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    return float(value) if is_number else 0.0
