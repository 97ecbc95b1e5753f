"""The text tracks inside a file, read with PyAV. Runs in the decoder's process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import Any

import av.error
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from .. import languages
from ..subtitles import MAX_CHARS, MAX_CUES, plain
from ..types import Cue, Transcript
from .pyav_cursor import Cursor

_WRITTEN = frozenset({"subrip", "webvtt", "text"})
"""Codecs whose packets are the text as subtitle files have it. Decoding would lose who speaks."""
_DECODED = frozenset({"mov_text", "ass", "ssa"})
_LONGEST_CUE_S = 60.0
"""How far before a window a cue that reaches into it is looked for."""
_USUAL_S = 5.0
"""How long a cue is shown that does not say so."""
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}")
_ASS_FIELDS = 8
"""Fields before the text: its number, layer, style, name, three margins and effect."""


def tracks(container: InputContainer) -> list[SubtitleStream]:
    """The text tracks, in the order in which they are preferred. Pictures of text are none."""
    found = [stream for stream in container.streams.subtitles if _codec(stream) in _WRITTEN | _DECODED]
    # A forced track translates only what is foreign in the film.
    return sorted(found, key=lambda s: (_has(s, Disposition.forced), not _has(s, Disposition.default)))


def transcript(cursor: Cursor, start_s: float, end_s: float, wanted: Sequence[str]) -> Transcript | None:
    """The text track that suits best, its cues within the span; None where there is none.

    The cursor is good for nothing else afterwards.
    """
    offered = tracks(cursor.container)
    if not offered:
        return None
    tags = [languages.tag(stream.metadata.get("language")) for stream in offered]
    place = languages.best(tags, wanted) or 0
    cues = tuple(_within(_cues(cursor, offered[place], start_s, end_s), start_s, end_s))
    return Transcript(cues, tags[place], "embedded") if cues else None


def _codec(stream: SubtitleStream) -> str:
    context: Any = stream.codec_context  # None for what FFmpeg does not know; PyAV's types do not say so
    return str(context.codec.canonical_name) if context else ""


def _has(stream: SubtitleStream, disposition: Disposition) -> bool:
    return bool(stream.disposition & disposition)


def _cues(cursor: Cursor, stream: SubtitleStream, start_s: float, end_s: float) -> Iterator[Cue]:
    """The cues of one track in the order of the file, from before the span to its end."""
    if start_s > _LONGEST_CUE_S:
        cursor.seek(start_s - _LONGEST_CUE_S)  # by the video's index: a text track rarely has one
    for other in cursor.container.streams:
        other.discard = Discard.default if other.index == stream.index else Discard.all
    time_base = float(stream.time_base or 0)
    for packet in _packets(cursor.container, stream):
        begin_s = (packet.pts or 0) * time_base
        if begin_s >= end_s:
            return
        text = plain(_text(stream, packet))
        yield Cue(begin_s, begin_s + (packet.duration or 0) * time_base, text)


def _packets(container: InputContainer, stream: SubtitleStream) -> Iterator[Any]:
    try:
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                yield packet
    except (av.error.FFmpegError, IndexError):
        return  # a truncated or damaged file ends here, as it does for its pictures


def _text(stream: SubtitleStream, packet: Any) -> str:
    if _codec(stream) in _WRITTEN:
        return bytes(packet).decode("utf-8", errors="replace")
    try:
        decoded = stream.codec_context.decode2(packet) or ()
    except av.error.FFmpegError:
        return ""  # one cue that is damaged; the others stand
    return "\n".join(_spoken(part.ass) for part in decoded if isinstance(part, AssSubtitle))


def _spoken(event: bytes) -> str:
    """The words of an ASS event."""
    text = event.decode("utf-8", errors="replace").split(",", _ASS_FIELDS)[-1]
    if _DRAWING.search(text):
        return ""  # lines and curves
    return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")


def _within(cues: Iterator[Cue], start_s: float, end_s: float) -> Iterator[Cue]:
    """The cues that reach into a span; one without an end is shown until the next."""
    left = MAX_CHARS
    known = sorted(islice(cues, MAX_CUES), key=lambda cue: cue.start_s)
    for cue, following in pairwise(chain(known, [None])):
        assert cue is not None  # noqa: S101 - only the last is None
        shown_s = cue.end_s if cue.end_s > cue.start_s else cue.start_s + _USUAL_S
        if cue.end_s <= cue.start_s and following is not None:
            shown_s = min(shown_s, following.start_s)
        left -= len(cue.text)
        if left < 0:
            return
        if cue.text and shown_s > start_s and cue.start_s < end_s:
            yield Cue(cue.start_s, shown_s, cue.text)
