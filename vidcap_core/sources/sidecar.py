"""Subtitle files that lie beside a video: `clip.srt`, `clip.pt-BR.vtt`, `clip.en.forced.srt`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .. import languages
from ..errors import SourceError
from ..subtitles import SUFFIXES, read_file
from ..types import Transcript

_MARKS = frozenset({"forced", "foreign", "sdh", "cc", "hi", "default"})
"""What may follow the language: only what is foreign; for people who hear badly."""
_FORCED = frozenset({"forced", "foreign"})
_NAMES_LOOKED_AT = 5000
"""Of a folder, for each video in it. The plain names are found in larger folders too."""


@dataclass(frozen=True, slots=True)
class _Sidecar:
    """A file that may be chosen."""

    name: str
    language: str | None
    marks: frozenset[str]


def transcript_beside(video: Path, wanted: Sequence[str]) -> tuple[Transcript | None, list[str]]:
    """The transcript beside a video that suits best, and notices of what went wrong with it."""
    chosen = _chosen(sorted(_beside(video, wanted), key=lambda it: (len(it.marks), it.name)), wanted)
    if chosen is None:
        return None, []
    try:
        cues = read_file(video.with_name(chosen.name))
    except SourceError as error:
        return None, [f"left out: {error}"]
    return Transcript(cues, chosen.language, "sidecar"), []


def language_of(path: Path) -> str | None:
    """The language that a subtitle file's name ends in, BCP 47."""
    words = [word for word in path.stem.split(".")[1:] if word.lower() not in _MARKS - {"hi"}]
    if len(words) > 1 and words[-1].lower() == "hi" and languages.tag_in_name(words[-2]):
        words.pop()  # hearing impaired; by itself it is Hindi
    return languages.tag_in_name(words[-1]) if words else None


def _chosen(found: Sequence[_Sidecar], wanted: Sequence[str]) -> _Sidecar | None:
    """The first by language, else the one without, else the first; forced ones last."""
    found = [it for it in found if not it.marks & _FORCED] or found
    place = languages.best([it.language for it in found], wanted)
    if place is not None:
        return found[place]
    return next((it for it in found if it.language is None), found[0] if found else None)


def _beside(video: Path, wanted: Sequence[str]) -> Iterator[_Sidecar]:
    for name in {*_plain_names(video, wanted), *_names(video)}:
        # A folder or a pipe of that name is no subtitle file.
        if (sidecar := _sidecar(name, video.stem)) and os.path.isfile(video.parent / name):  # noqa: PTH113 - Path.is_file raises for some names
            yield sidecar


def _plain_names(video: Path, wanted: Sequence[str]) -> Iterator[str]:
    for language in ("", *wanted):
        tag = languages.tag(language)
        if tag or not language:
            yield from (f"{video.stem}{'.' if tag else ''}{tag or ''}{suffix}" for suffix in SUFFIXES)


def _names(video: Path) -> list[str]:
    try:
        with os.scandir(video.parent) as entries:
            looked_at = islice(entries, _NAMES_LOOKED_AT)
            return [entry.name for entry in looked_at if entry.name.startswith(f"{video.stem}.")]
    except OSError:
        return []  # a folder may be closed to a look and its files open all the same


def _sidecar(name: str, stem: str) -> _Sidecar | None:
    """What a name says; None where it is no sidecar of a video with that stem."""
    *words, suffix = name[len(stem) :].split(".")[1:]
    if f".{suffix.lower()}" not in SUFFIXES or name == f"{stem}.":
        return None
    # The first word may be a language; hi stands for Hindi there.
    language = languages.tag_in_name(words[0]) if words else None
    marks = frozenset(word.lower() for word in words[bool(language) :])
    return _Sidecar(name, language, marks) if marks <= _MARKS else None
