"""A timeline: lanes over one span of time, each with its segments as bands and its frames as marks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..comparing import Compared
from ..text import clock
from ..types import Image, Segment
from .html import Html, element
from .illustrations import Illustrations, shown_why

_MOST_BANDS = 400
"""More segments are no wider than the lines between them: none are drawn."""
_MOST_LABELS = 8
_MINUTE_S, _HOUR_S = 60, 3600
_STEPS_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(_MINUTE_S * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(_HOUR_S * hours for hours in (1, 2, 4, 12, 24)),
)
"""Round times lie that far apart."""


def timeline(rows: Sequence[Compared], start_s: float, end_s: float, frames: Illustrations) -> Html:
    """A lane for each sampler; the marks lead to `f<row>-<frame>`, the names to `s<row>`."""
    span = _Span(start_s, end_s)
    labels = element("div", map(span.label, span.labels()), class_="axis")
    axis = element("div", element("span"), labels, class_="lane", aria_hidden="true")
    lanes = [_lane(number, row, span, frames) for number, row in enumerate(rows)]
    band = element("li", element("i", class_="swatch band"), "a segment")
    legend = element(
        "ul", frames.legend(), band, class_="legend", aria_label="Colours: why a frame was taken"
    )
    return element("div", element("div", axis, lanes, class_="lanes"), legend)


@dataclass(frozen=True, slots=True)
class _Span:
    """The time that a lane is as wide as."""

    start_s: float
    end_s: float

    def percent(self, time_s: float) -> float:
        length_s = max(self.end_s - self.start_s, 1e-9)
        return round(min(max((time_s - self.start_s) / length_s, 0.0), 1.0) * 100, 3)

    def labels(self) -> Iterator[float]:
        """Round times, a few of them."""
        length_s = self.end_s - self.start_s
        step_s = next((step for step in _STEPS_S if length_s / step <= _MOST_LABELS), _STEPS_S[-1])
        for count in range(math.ceil(self.start_s / step_s), math.floor(self.end_s / step_s) + 1):
            yield count * step_s

    def label(self, time_s: float) -> Html:
        left = self.percent(time_s)
        # Those at the edges stay within them.
        edge = {0.0: " first", 100.0: " last"}.get(left, "")
        return element("span", clock(time_s), class_=f"label{edge}", style=f"left:{left}%")

    def lines(self) -> Html:
        lines = [element("i", style=f"left:{self.percent(time_s)}%") for time_s in self.labels()]
        return element("div", lines, class_="grid", aria_hidden="true")

    def band(self, segment: Segment) -> Html:
        left = self.percent(segment.start_s)
        width = max(self.percent(segment.end_s) - left, 0)
        return element("i", style=f"left:{left}%;width:{width:.3f}%")


def _lane(number: int, row: Compared, span: _Span, frames: Illustrations) -> Html:
    name = element("a", label(row), href=f"#s{number}", class_="name")
    if row.coverage is None:
        return element("div", name, element("div", failure(row), class_="track failed"), class_="lane")
    marks = [_mark(f"f{number}-{place}", image, span, frames) for place, image in enumerate(row.images)]
    track = element("div", span.lines(), _bands(row.segments, span), marks, class_="track")
    return element("div", name, track, class_="lane")


def label(row: Compared) -> list[Html | None]:
    """A sampler's name, and below it the options that make it what it is."""
    return [element("b", row.name), element("small", row.told_options) if row.options else None]


def failure(row: Compared) -> str:
    """Why a sampler took nothing."""
    return f"{type(row.error).__name__}: {row.error}"


def _bands(segments: Sequence[Segment], span: _Span) -> Html | None:
    """Every other segment a little darker."""
    if not 1 < len(segments) <= _MOST_BANDS:
        return None
    return element("div", map(span.band, segments), class_="bands", aria_hidden="true")


def _mark(target: str, image: Image, span: _Span, frames: Illustrations) -> Html:
    """A frame at its time. The pointer, or the keyboard's focus, opens what it shows."""
    left, why = span.percent(image.time_s), shown_why(image)
    side = "left" if left < 25 else "right" if left > 75 else "middle"
    said = element("span", element("b", clock(image.time_s)), " ", why, class_="why")
    return element(
        "a",
        element("span", frames.picture(image), said, class_=f"look {side}"),
        href=f"#{target}",
        class_=f"tick {frames.colour(image)}",
        style=f"left:{left}%",
        aria_label=f"{clock(image.time_s)}, {why}",
    )
