"""A captioner without a model: it says what the frames themselves tell, and that it is no model."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ..errors import SettingsError
from ..plugin import Captioner
from ..text import clock as written
from ..types import Answer, Limits, Request, Usage
from .appearance import Look, colours, difference, look, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REMEDY = (
    "For a caption by a model: export INFERENCE_API_KEY=…,"
    " or --base-url http://localhost:8000/v1 --model NAME."
)
"""How to get a real captioner, in one line."""

_NOTABLE_CHANGE = 0.06
_NOTABLE_BRIGHTENING = 0.15
_MOST_RUNS = 4
"""Colour changes are told one by one up to that many."""


class Offline(Captioner):
    """Tell length, size, colours and changes, without a model and without a network."""

    name: ClassVar[str] = "offline"
    limits: Limits = Field(
        default=Limits(fit="patches", side_px=256, source="vidcap: it looks at colours, not at detail"),
        description="What one request can hold.",
    )

    async def answer(self, request: Request) -> Answer:
        """Describe the request's images; fills an answer of one text field only."""
        field = _only_text_field(request.answer_schema)
        text = json.dumps({field: describe(request)}, ensure_ascii=False)
        return Answer(text, model=self.name, usage=Usage(0, 0, Decimal(0)), finish="stop")


def describe(request: Request) -> str:
    """Say in a few sentences what can be said of a video without understanding it."""
    looks = [picture for picture in map(look, request.images) if picture is not None]
    looks.sort(key=lambda picture: picture.time_s)
    sentences = [f"Seen without a model: {_video(request.facts)}."]
    if looks:
        clock = _clock(looks[-1].time_s, looks[-1].time_s - looks[0].time_s)
        sentences += [_colours(looks, clock), *_changes(looks, clock)]
    if len(looks) < len(request.images) or not looks:
        sentences.append(_unseen(len(request.images) - len(looks), len(request.images)))
    return " ".join(sentences)


def _only_text_field(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, dict) and len(properties) == 1:
        ((name, field),) = properties.items()
        # Anything else is a constraint, a pattern or a choice say, that a description cannot meet.
        plain = isinstance(field, dict) and field.keys() <= {"type", "title", "description", "default"}
        if plain and field.get("type") == "string":
            return str(name)
    raise SettingsError(
        "The offline captioner can only fill one text field, and this task asks for something else."
        " Choose a captioner: export INFERENCE_API_KEY=…,"
        " or --captioner NAME, or --base-url URL --model NAME."
    )


def _video(facts: Mapping[str, Any]) -> str:
    parts = [_span(facts), *_shape(facts.get("width_px"), facts.get("height_px"))]
    sound = facts.get("has_audio")
    if sound is not None:
        parts.append("with sound" if sound else "without sound")
    return ", ".join(parts)


def _span(facts: Mapping[str, Any]) -> str:
    """The length, of the part that is shown where that is not all."""
    whole_s, start_s, end_s = (facts.get(name) for name in ("duration_s", "start_s", "end_s"))
    if whole_s is None or start_s is None or end_s is None or end_s - start_s > whole_s - 0.01:
        return _length(whole_s)
    return f"{_length(end_s - start_s)}, from {written(start_s)} to {written(end_s)}"


def _length(duration_s: object) -> str:
    if not isinstance(duration_s, int | float) or not math.isfinite(duration_s) or duration_s < 0:
        return "a video of unknown length"
    if duration_s < 0.05:
        return "an instant of video"
    if duration_s < 9.95:
        tenths = f"{duration_s:.1f}".removesuffix(".0")
        return f"{tenths} {'second' if tenths == '1' else 'seconds'} of video"
    return f"{_spelt(round(duration_s))} of video"


def _spelt(seconds: int) -> str:
    """Spell a length with its two largest units."""
    units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    largest = next(place for place, (_, size) in enumerate(units) if seconds >= size)
    words = []
    for unit, size in units[largest : largest + 2]:
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(words)


def _shape(width_px: object, height_px: object) -> list[str]:
    if not isinstance(width_px, int) or not isinstance(height_px, int):
        return []
    wider = width_px - height_px
    shape = "square" if wider == 0 else "landscape" if wider > 0 else "portrait"
    return [f"{shape} ({width_px} by {height_px} pixels)"]


def _clock(last_s: float, span_s: float) -> Callable[[float], str]:
    """How to tell times of this span: as briefly as they can still be told apart."""

    def hours(time_s: float) -> str:
        minutes, seconds = divmod(abs(int(time_s)), 60)
        clock = f"{minutes // 60}:{minutes % 60:02}" if minutes >= 60 else f"{minutes}"
        return f"{'-' if time_s <= -1 else ''}{clock}:{seconds:02}"

    def seconds(time_s: float) -> str:
        return f"{time_s:.1f}".removesuffix(".0") + " s"

    return hours if last_s >= 60 or span_s >= 10 else seconds


def _colours(looks: Sequence[Look], clock: Callable[[float], str]) -> str:
    told = [(colours(group), clock(group[0].time_s)) for group in runs(looks)]
    first, *others = [now for before, now in pairwise([("", ""), *told]) if now[0] != before[0]]
    if not others:
        return f"The only frame seen is {first[0]}." if len(looks) == 1 else f"It is {first[0]} throughout."
    if len(others) >= _MOST_RUNS:
        words, time = others[-1]
        return f"It begins {first[0]}, changes its colours {len(others)} times and is {words} from {time} on."
    *middle, last = [f"{words} by {time}" for words, time in others]
    if not middle:
        return f"It begins {first[0]} and is {last}."
    return f"It begins {first[0]}, is {', '.join(middle)} and {last}."


def _changes(looks: Sequence[Look], clock: Callable[[float], str]) -> list[str]:
    """Tell how much changes and where; nothing of a single frame."""
    steps = [difference(*pair) for pair in pairwise(looks)]
    if not steps:
        return []
    brightening = looks[-1].lightness - looks[0].lightness
    trend = "brighter" if brightening > 0 else "darker"
    ending = f", and it ends {trend} than it began" if abs(brightening) >= _NOTABLE_BRIGHTENING else ""
    return [f"{_change(steps, looks, clock)}{ending}."]


def _change(steps: Sequence[float], looks: Sequence[Look], clock: Callable[[float], str]) -> str:
    largest = max(steps)
    if largest < _NOTABLE_CHANGE:
        return "Little changes from frame to frame"
    if len(steps) > 1 and largest < 1.5 * median(steps):
        return "The picture keeps changing throughout"
    place = steps.index(largest)
    begin, end = clock(looks[place].time_s), clock(looks[place + 1].time_s)
    where = f"between {begin} and {end}" if begin != end else f"around {begin}"
    return f"The picture changes{' most' if len(steps) > 1 else ''} {where}"


def _unseen(missing: int, total: int) -> str:
    if total == 0:
        return "No frame of it was seen."
    if missing == total:
        return "None of its frames could be read."
    return f"Of {total} frames {missing} could not be read."
