"""Subtitle files, SRT and WebVTT, as cues. They come from anywhere: every step takes linear time."""

from __future__ import annotations

import html
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

from .errors import SourceError
from .text import one_line
from .types import Cue

SUFFIXES = (".srt", ".vtt")
MAX_CUES = 100_000
"""Automatic captions of a day's recording have fewer."""
MAX_CUE_CHARS = 2_000
MAX_CHARS = 1 << 24
"""Of all cues together; no book is that long."""
MAX_TIME_S = 1_000_000.0
"""Eleven days. What lies beyond is a mistake, or meant to break something."""
_MAX_BYTES = 16 << 20

_LONGEST_TIME = 24
_TIME = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,9}))?")
# None of these can start twice at one place and go on for long: no text makes them slow.
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<[0-9:.]*>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_INLINE_TIME = re.compile(r"<[0-9]{1,4}:[0-9:.]{1,20}>")
_LONG_NUMBER = re.compile(r"&#[0-9xX][0-9a-fA-F]{8,}")
_BLOCKS = ("NOTE", "STYLE", "REGION")
_NEXT_S = 0.5
_ROLLED_LINES = 4
"""Captions that roll show two or three lines."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """A cue as it stands in the file."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def parse(text: str) -> tuple[Cue, ...]:
    """The cues of an SRT or WebVTT text in order of time, as plain text; what is no cue is passed over.

    A cue of several lines keeps them. At most `MAX_CUES` of `MAX_CUE_CHARS` characters are taken, and
    `MAX_CHARS` of the text.
    """
    text = text[:MAX_CHARS].removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    is_vtt = lines[0].startswith("WEBVTT")
    found = sorted(_cues(lines, is_vtt), key=lambda cue: (cue.start_s, cue.end_s))
    if _rolls_up(found, text):
        found = _rolled_out(found)
    return tuple(Cue(cue.start_s, cue.end_s, "\n".join(cue.lines)) for cue in found if cue.lines)


def plain(text: str) -> str:
    """The words of a cue: no tags, no positions, no control characters, no empty lines."""
    return "\n".join(_plain_lines(text.split("\n")))


def read_file(path: Path) -> tuple[Cue, ...]:
    """The cues of a subtitle file, at least one. Raises SourceError."""
    cues = parse(_decoded(_read(path)))
    if not cues:
        raise SourceError(
            f"the subtitle file {one_line(path.name)!r} holds no cue: it must be SRT or WebVTT,"
            " with lines such as 00:00:01.000 --> 00:00:02.500"
        )
    return cues


def _read(path: Path) -> bytes:
    name = one_line(path.name)
    try:
        # To open a pipe that nobody writes to would take forever otherwise.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SourceError(f"the subtitle file {name!r} is no file but a folder, a pipe or a device")
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "that is no path"
        raise SourceError(f"the subtitle file {name!r} cannot be read: {reason}") from error
    if len(data) > _MAX_BYTES:
        raise SourceError(
            f"the subtitle file {name!r} is larger than {_MAX_BYTES >> 20} MB; is it a subtitle file?"
        )
    return data


def _decoded(data: bytes) -> str:
    # Many old subtitles are in the code page of a western Windows.
    for encoding in (*_encodings(data[:512]), "utf-8-sig"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("cp1252", errors="replace")


def _encodings(head: bytes) -> Iterator[str]:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        yield "utf-16"
    elif b"\0" in head:
        # Digits and arrows take most of the beginning: every other byte is zero.
        yield "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"


def _cues(lines: Sequence[str], is_vtt: bool) -> Iterator[_Raw]:
    """The cues that make sense, in the order of the file."""
    for arrow, first, end in islice(_bounds(lines, is_vtt), MAX_CUES):
        times = _times(lines[arrow])
        if times:
            yield _Raw(*times, tuple(_plain_lines(lines[first:end])))


def _bounds(lines: Sequence[str], is_vtt: bool) -> Iterator[tuple[int, int, int]]:
    """Of each cue the lines (of its times, its first, the one after its last)."""
    arrow: int | None = None
    ignored = False
    for number, line in enumerate(lines):
        # The blocks of WebVTT end at an empty line; in SRT people leave empty lines within a cue.
        if is_vtt and not line:
            if arrow is not None:
                yield arrow, arrow + 1, number
            arrow, ignored = None, False
        elif arrow is None and is_vtt and line.startswith(_BLOCKS):
            ignored = True
        elif not ignored and _is_arrow(line):
            if arrow is not None:
                # A number just before belongs to the next cue.
                is_number = number - 1 > arrow and lines[number - 1].strip().isdecimal()
                yield arrow, arrow + 1, number - is_number
            arrow = number
    if arrow is not None:
        yield arrow, arrow + 1, len(lines)


def _is_arrow(line: str) -> bool:
    return "-->" in line and line.lstrip()[:1] in set("-0123456789")


def _times(line: str) -> tuple[float, float] | None:
    """(start, end) of a line with times; None where it says what cannot be."""
    before, _, after = line.partition("-->")
    # After the end stand positions.
    start_s = _seconds(before.strip())
    end_s = _seconds(next(iter(after[: 2 * _LONGEST_TIME].split()), ""))
    if start_s is None or end_s is None or not start_s <= end_s <= MAX_TIME_S:
        return None
    return start_s, end_s


def _seconds(text: str) -> float | None:
    match = _TIME.fullmatch(text) if len(text) <= _LONGEST_TIME else None
    if match is None:
        return None
    hours, minutes, seconds, fraction = match.groups()
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    # Read as one number: a sum of two would be 4.1000000000000005 where the file says 4.1.
    return float(f"{whole}.{fraction or 0}")


def _plain_lines(lines: Sequence[str]) -> Iterator[str]:
    left = MAX_CUE_CHARS
    for line in lines:
        if left <= 0:
            return
        # A line is cut twice: markup that is dropped should not cost words, but has an end as well.
        words = " ".join(one_line(_unmarked(line[: 4 * MAX_CUE_CHARS])).split())[:left].rstrip()
        if words:
            yield words
        left -= len(words) + 1


def _unmarked(line: str) -> str:
    without_tags = _TAG.sub(_spoken_by, _OVERRIDE.sub("", line))
    # Numbers without end are no characters, and Python refuses to read them.
    return html.unescape(_LONG_NUMBER.sub("", without_tags))


def _spoken_by(tag: re.Match[str]) -> str:
    """`<v Name>` says who speaks; every other tag only how it looks."""
    kind, _, name = tag.group()[1:-1].partition(" ")
    return f"{name.strip()}: " if kind.split(".")[0] == "v" and name.strip() else ""


# Automatic captions roll up: each cue says once more what the one before said, and adds a line.


def _rolls_up(cues: Sequence[_Raw], text: str) -> bool:
    """Whether cues go on where the ones before ended: a few may by chance, a chorus say."""
    if _INLINE_TIME.search(text):
        return True
    going_on = sum(0 < _overlap(one, other) < len(other.lines) for one, other in pairwise(cues))
    return going_on >= 2 and going_on * 4 >= len(cues)


def _rolled_out(cues: Sequence[_Raw]) -> list[_Raw]:
    """Every line once, with the time it appeared first."""
    merged: list[_Raw] = []
    for before, cue in zip((None, *cues), cues, strict=False):
        repeated = _overlap(before, cue) if before else 0
        if repeated and repeated == len(cue.lines):
            merged[-1] = replace(merged[-1], end_s=max(merged[-1].end_s, cue.end_s))
        else:
            merged.append(replace(cue, lines=cue.lines[repeated:]))
    return merged


def _overlap(one: _Raw, other: _Raw) -> int:
    """How many lines of a cue are the last ones of the cue before it, which has just ended."""
    if other.start_s - one.end_s > _NEXT_S:
        return 0
    most = min(len(one.lines), len(other.lines), _ROLLED_LINES)
    return next((n for n in range(most, 0, -1) if one.lines[-n:] == other.lines[:n]), 0)
