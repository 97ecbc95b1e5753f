"""What a page stands for, in the process that runs yt-dlp: the addresses of its videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MAX_DEPTH = 4
"""A channel holds lists that hold videos; sites that refer in a circle are left."""
_LISTS = ("YoutubeTab", "YoutubePlaylist")
"""The tabs of a channel. yt-dlp does not say by itself that these are no videos."""


def listed(ydl: Any, uri: str, page: str, depth: int = 0) -> Iterator[str]:
    """The videos that a page stands for, as their addresses, lazily."""
    info = ydl.extract_info(uri, download=False, process=False)
    kind = (info or {}).get("_type", "video")
    if kind in ("url", "url_transparent") and depth < _MAX_DEPTH and info["url"] != uri:
        yield from listed(ydl, info["url"], page, depth + 1)
    elif kind in ("playlist", "multi_video"):
        for number, entry in enumerate(info.get("entries") or (), 1):
            yield from _entry(ydl, entry, page, number, depth)
    elif info:
        yield page if depth == 0 else str(info.get("webpage_url") or uri)


def _entry(ydl: Any, entry: Mapping[str, Any], page: str, number: int, depth: int) -> Iterator[str]:
    url = entry.get("url")
    if entry.get("_type") not in ("url", "url_transparent") or not url:
        # A video without a page of its own: only its number tells it from the others.
        yield f"{page.partition('#')[0]}#vidcap_item={number}"
    elif depth < _MAX_DEPTH and _is_list(ydl, entry):
        yield from listed(ydl, url, url, depth + 1)
    else:
        yield str(entry.get("webpage_url") or url)


def _is_list(ydl: Any, entry: Mapping[str, Any]) -> bool:
    key = entry.get("ie_key")
    if not key or key in _LISTS:
        return bool(key)
    return ydl.get_info_extractor(key).is_single_video(entry["url"]) is False
