"""Compose: images, title and transcript become a request. Foreign text goes in as data."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .tasks import Task
from .text import as_data, clock
from .types import Image, Media, Request, Transcript

if TYPE_CHECKING:
    from .chosen import Chosen
    from .sampling import Sampled, Shown

_MOST_TRANSCRIPT_CHARS = 20_000
_MOST_CHAPTERS_CHARS = 4000
_MOST_BYTES_A_CHAR = 4
_OTHER_TEXT_BYTES = 8000
"""Room for instructions, schema, title and question."""
LABEL_BYTES = 200
"""What stands around an image in a request."""


def most_text_bytes(media: Media, transcript: Transcript | None) -> int:
    """What all text of a request takes at most."""
    chars = (_MOST_TRANSCRIPT_CHARS if transcript else 0) + (_MOST_CHAPTERS_CHARS if media.chapters else 0)
    return _OTHER_TEXT_BYTES + chars * _MOST_BYTES_A_CHAR


def compose(
    media: Media, shown: Shown, sampled: Sampled, chosen: Chosen, task: Task
) -> tuple[Request, list[str]]:
    """The request about a span that was sampled, and notices of what was left out."""
    schema = task.schema
    rung = chosen.limits.rungs[0]
    spoken, cut = _spoken(sampled.transcript, shown)
    about = [*_about(media, shown, sampled.facts["duration_s"]), *_chapters(media, shown), *spoken]
    parts: list[str | Image] = ["\n".join(about)]
    count = len(shown.images)
    for number, image in enumerate(shown.images, 1):
        label = task.label.format(number=number, count=count, time=clock(image.time_s))
        parts += [label, image] if label else [image]
    parts.append(task.question)
    request = Request(
        id="",
        system=task.system(rung),
        parts=tuple(parts),
        facts=sampled.facts,
        answer_schema=schema,
        rung=rung,
        max_output_tokens=chosen.settings.max_output_tokens,
    )
    return identified(request), cut


def identified(request: Request) -> Request:
    """The request with the id that belongs to what it asks."""
    parts = [part.sha256 if isinstance(part, Image) else part for part in request.parts]
    shape = dict(request.answer_schema), request.rung, request.max_output_tokens
    asked = [request.system, parts, dict(request.facts), *shape]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return dataclasses.replace(request, id=digest)


def _about(media: Media, shown: Shown, duration_s: float) -> list[str]:
    lines = [f"The video is {clock(duration_s)} long."]
    if shown.end_s - shown.start_s < duration_s - 0.01:
        lines.append(f"You are shown the part from {clock(shown.start_s)} to {clock(shown.end_s)}.")
    if media.title:
        lines.append(f"Its title: {as_data(media.title, 300)}")
    return lines


def _chapters(media: Media, shown: Shown) -> list[str]:
    """The publisher's chapters in the part that is shown."""
    inside = [c for c in media.chapters if c.end_s > shown.start_s and c.start_s < shown.end_s]
    lines = [f"[{clock(chapter.start_s)}] {as_data(chapter.title, 200)}" for chapter in inside]
    kept = _thinned(lines, _MOST_CHAPTERS_CHARS)
    return ["Its chapters:", *kept] if kept else []


def _spoken(transcript: Transcript | None, shown: Shown) -> tuple[list[str], list[str]]:
    """What is said in the part that is shown, and a notice where it had to be thinned."""
    if transcript is None:
        return [], []
    cues = [c for c in transcript.cues if c.end_s > shown.start_s and c.start_s < shown.end_s]
    lines = [f"[{clock(cue.start_s)}] {as_data(cue.text, 1000)}" for cue in cues]
    kept = _thinned(lines, _MOST_TRANSCRIPT_CHARS)
    cut = [f"{len(kept)} of {len(lines)} lines of the transcript sent"] if len(kept) < len(lines) else []
    return ["What is said in it:", *kept] if kept else [], cut


def _thinned(lines: Sequence[str], most_chars: int) -> list[str]:
    """Lines that fit, taken evenly from all of them: as with frames, the tail is never cut off."""
    all_chars = sum(map(len, lines))
    if all_chars <= most_chars:
        return list(lines)
    kept: list[str] = []
    kept_chars = passed_chars = 0
    for line in lines:
        passed_chars += len(line)
        if kept_chars + len(line) <= passed_chars * most_chars / all_chars:
            kept.append(line)
            kept_chars += len(line)
    return kept
