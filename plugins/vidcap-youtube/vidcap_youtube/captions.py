"""Which of a video's subtitles to take: a pure function over what yt-dlp tells of a video."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

_READABLE = ("vtt", "srt")
_NO_SPEECH = ("live_chat", "rechat", "danmaku", "comments")
_ORIGINAL = "-orig"
_TAG = re.compile(
    r"([a-z]{2,3})(-[a-z]{4}(?![a-z0-9]))?(-(?:[a-z]{2}|[0-9]{3})(?![a-z0-9]))?(?![a-z0-9])", re.I
)


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
        for language in wanted:
            if found := _match(group, language):
                return found
    if languages:
        return None
    return next(iter(written + spoken), None)


def bcp47(name: str) -> str | None:
    """A site's name of a language as BCP 47, without what sites add to it; None where it is none."""
    found = _TAG.match(name.removesuffix(_ORIGINAL).replace("_", "-"))
    if not found or found[1].lower() == "und":
        return None
    script, region = (found[2] or "").title(), (found[3] or "").upper()
    return found[1].lower() + script + region


def _own_language(info: Mapping[str, Any]) -> list[str]:
    """The language that is spoken: as the site says, or as its automatic captions give away."""
    automatic = info.get("automatic_captions") or {}
    original = [str(name) for name in automatic if str(name).endswith(_ORIGINAL)]
    names = [str(info["language"])] if info.get("language") else original[:1]
    return [language for name in names if (language := bcp47(name))]


def _tracks(groups: Any, origin: Literal["uploader", "auto"], *, translated: bool) -> Iterator[Track]:
    for name, entries in (groups or {}).items():
        if name in _NO_SPEECH:
            continue
        readable = [one for one in entries or () if one.get("ext") in _READABLE and _is_fetchable(one)]
        kept = [one for one in readable if translated or not _is_translated(one)]
        if kept:
            best = min(kept, key=lambda one: _READABLE.index(one["ext"]))
            yield Track(bcp47(str(name)), origin, best)


def _is_fetchable(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("data")) or str(entry.get("url")).lower().startswith(("http://", "https://"))


def _is_translated(entry: Mapping[str, Any]) -> bool:
    return "tlang" in parse_qs(urlsplit(str(entry.get("url") or "")).query)


def _match(tracks: Sequence[Track], language: str) -> Track | None:
    """The same language and country, else the same language."""
    wanted = (bcp47(language) or language).lower()
    exact = [track for track in tracks if (track.language or "").lower() == wanted]
    main = wanted.partition("-")[0]
    near = [track for track in tracks if (track.language or "").partition("-")[0] == main]
    return next(iter(exact + near), None)
