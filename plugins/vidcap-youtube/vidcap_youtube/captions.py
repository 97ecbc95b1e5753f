"""Which of a video's subtitles to take: a pure function over what yt-dlp tells of a video."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from vidcap_core.languages import best, tag

_READABLE = ("vtt", "srt")
_NO_SPEECH = ("live_chat", "rechat", "danmaku", "comments")
_ORIGINAL = "-orig"
_ADDED = re.compile(
    rf"(?:-[xX]-.*|[^\w-].*|{_ORIGINAL}|-(?![A-Z]{{2}}-[a-z]+$)[\w-]{{11}})$", re.ASCII | re.DOTALL
)
"""What is no part of a language's name: what sites and yt-dlp add, YouTube a key of one track of several.

A key looks like some regions with a variant, `ES-valencia` say.
"""


@dataclass(frozen=True, slots=True)
class Track:
    """Subtitles in one language."""

    language: str | None
    """BCP 47; None where the site does not say."""
    origin: Literal["uploader", "auto"]
    entry: Mapping[str, Any]
    """What yt-dlp tells of the file: `url` or `data`, and `ext`."""


def choose(info: Mapping[str, Any], languages: Sequence[str], *, translated: bool) -> Track | None:
    """Choose the uploader's subtitles before automatic ones, in the best of `languages`.

    Without `languages`, those in the language of the video, and where that is not known the
    first. Automatic captions that were translated by the site are taken only where `translated`.
    """
    written = list(_tracks(info.get("subtitles"), "uploader", translated=True))
    spoken = list(_tracks(info.get("automatic_captions"), "auto", translated=translated))
    wanted = languages or _own_language(info)
    for group in (written, spoken):
        place = best([track.language for track in group], wanted)
        if place is not None:
            return group[place]
    if languages:
        return None
    return next(iter(written + spoken), None)


def bcp47(name: str) -> str | None:
    """A site's name of a language as BCP 47, without what sites add to it; None where it is none."""
    return tag(_ADDED.sub("", name))


def _own_language(info: Mapping[str, Any]) -> list[str]:
    """The language that is spoken, then without its region: as the site or its automatic captions say."""
    automatic = info.get("automatic_captions") or {}
    original = [str(name) for name in automatic if str(name).endswith(_ORIGINAL)]
    names = [str(info["language"])] if info.get("language") else original[:1]
    spoken = next(filter(None, map(bcp47, names)), None)
    return [spoken, spoken.split("-")[0]] if spoken else []


def _tracks(groups: Any, origin: Literal["uploader", "auto"], *, translated: bool) -> Iterator[Track]:
    for name, entries in (groups or {}).items():
        if name in _NO_SPEECH:
            continue
        readable = [one for one in entries or () if one.get("ext") in _READABLE and _is_fetchable(one)]
        kept = [one for one in readable if translated or not _is_translated(one)]
        if kept:
            entry = min(kept, key=lambda one: _READABLE.index(one["ext"]))
            yield Track(bcp47(str(name)), origin, entry)


def _is_fetchable(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("data")) or str(entry.get("url")).lower().startswith(("http://", "https://"))


def _is_translated(entry: Mapping[str, Any]) -> bool:
    return "tlang" in parse_qs(urlsplit(str(entry.get("url") or "")).query)
