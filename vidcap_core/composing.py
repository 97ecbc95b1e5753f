"""Compose: images, title and transcript become a request. Foreign text goes in as data."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .tasks import Task
from .text import as_data, clock
from .types import Image, Media, Request

if TYPE_CHECKING:
    from .chosen import Chosen
    from .sampling import Sampled

_MOST_TRANSCRIPT_CHARS = 20_000
_MOST_BYTES_A_CHAR = 4
_OTHER_TEXT_BYTES = 8000
"""Room for instructions, schema, title and question."""
LABEL_BYTES = 200
"""What stands around an image in a request."""


def most_text_bytes(media: Media) -> int:
    """What all text of a request takes at most."""
    return _OTHER_TEXT_BYTES + (_MOST_TRANSCRIPT_CHARS * _MOST_BYTES_A_CHAR if media.transcript else 0)


def compose(media: Media, sampled: Sampled, chosen: Chosen, task: Task) -> tuple[Request, list[str]]:
    """The request about what was sampled, and notices of what was left out."""
    schema = task.schema
    rung = chosen.limits.rungs[0]
    spoken, cut = _spoken(media, sampled)
    parts: list[str | Image] = ["\n".join([*_about(media, sampled), *spoken])]
    count = len(sampled.images)
    for number, image in enumerate(sampled.images, 1):
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


def _about(media: Media, sampled: Sampled) -> list[str]:
    covered = sampled.coverage
    lines = [f"The video is {clock(sampled.facts['duration_s'])} long."]
    if covered.end_s - covered.start_s < sampled.facts["duration_s"] - 0.01:
        lines.append(f"You are shown the part from {clock(covered.start_s)} to {clock(covered.end_s)}.")
    if media.title:
        lines.append(f"Its title: {as_data(media.title, 300)}")
    return lines


def _spoken(media: Media, sampled: Sampled) -> tuple[list[str], list[str]]:
    """What is said in the part that is shown, and a notice where it had to be thinned."""
    if media.transcript is None:
        return [], []
    covered = sampled.coverage
    cues = [c for c in media.transcript.cues if c.end_s > covered.start_s and c.start_s < covered.end_s]
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
