"""The sampler that spends a budget of frames where things happen."""

from __future__ import annotations

import math
from bisect import bisect, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat

from ..looking.activity import Spike, Stretch, spikes, stretches
from ..plugin import Sampler
from ..text import clock
from ..types import Packet, Pick, Segment
from ..video import Video

if TYPE_CHECKING:
    from ..looking.news import Look
    from ..looking.watching import Notice

_LOOK_PIXELS = 320 * 180
"""Letters 20 px high in 720p are 5 px high then, and still news."""
_CLOSEST_S = 1.0
_MOST_REGULAR = 96
"""Of picks that are there for coverage: more than any usual budget."""
_REGULAR, _OTHER_VIEW, _EVENT = 0.1, 0.2, 0.3
"""What picks are worth; of an event, at least. The more of the picture is new the more, up to 1."""
_VIEW_SHARE = 0.3
"""Of the picture; where more is another than in the pick before, the view has changed."""
_NEAR_S, _NEAR_SHARE = 5.0, 0.8
"""An event next to a worthier one loses up to that share of its worth, less with every such time between."""
_BEGINNING_S = 1.0
"""The best picture of it stands for the beginning: many videos begin in black."""
_SAME_S = 1e-6
_NOTHING_SEEN, _NOTHING_TOLD = "nothing else changes", "the index tells of nothing else"


class AdaptiveSampler(Sampler):
    """Take frames where something happens: a new scene, a line of text, something small that moves.

    Sizes of compressed frames tell first where nothing does, at no cost; the rest is looked at in small
    pictures. How many frames are proposed depends on the video; which of them are sent, on the budget.
    """

    name = "adaptive"
    look: Literal["auto", "index"] = Field(
        default="auto",
        description="auto: look at the pictures wherever sizes leave doubt. index: go by sizes alone, so"
        " that nothing is read but the index and the frames that are taken.",
    )
    every_s: PositiveFloat = Field(
        default=0.2, description="Seconds between pictures looked at: what is shorter may be missed."
    )

    def segments(self, video: Video) -> Iterator[Segment]:
        """One segment a pick, from halfway to the one before to halfway to the next."""
        step_s = max(video.duration_s / _MOST_REGULAR, _CLOSEST_S)
        packets = sorted(video.packets(), key=lambda packet: packet.time_s)
        picks = self._seen(video, packets, step_s) if self.look == "auto" else _told(video, packets, step_s)
        picks = list(_ranked(picks)) or [Pick(video.start_s, why="the beginning")]
        nothing = _NOTHING_SEEN if self.look == "auto" else _NOTHING_TOLD
        picks = list(_explained(picks, video.end_s, step_s, nothing))
        halfway_s = [(one.time_s + other.time_s) / 2 for one, other in pairwise(picks)]
        for span, pick in zip(pairwise([video.start_s, *halfway_s, video.end_s]), picks, strict=True):
            yield Segment(*span, (pick,))

    def _seen(self, video: Video, packets: Sequence[Packet], step_s: float) -> list[Pick]:
        from ..looking.watching import Watch

        picks: list[Pick] = []
        last: Look | None = None
        for batch, notices in Watch().notices(self._looks(video, packets)):
            events = {notice.look.time_s: notice for notice in notices}
            if last is None:
                picks, last = _begun(batch, events)
            for look in batch:
                if pick := _chosen(look, events.get(look.time_s), last, step_s):
                    picks.append(pick)
                    last = look
        return picks

    def _looks(self, video: Video, packets: Sequence[Packet]) -> Iterator[Look]:
        """Small pictures where something may happen, between them only keyframes."""
        from ..looking.news import Look
        from ..looking.watching import LAG_S

        width_px = min(round(math.sqrt(_LOOK_PIXELS * video.width_px / video.height_px)), video.width_px)
        last_s = -math.inf
        for stretch in _parts(video, packets, LAG_S):
            part = video.window(stretch.start_s, stretch.end_s)
            for frame in part.scan(self.every_s, max(width_px, 1), keyframes_only=not stretch.is_active):
                if frame.time_s > last_s and not frame.damaged:
                    last_s = frame.time_s
                    yield Look(frame.time_s, frame.luma)


def _parts(video: Video, packets: Sequence[Packet], after_s: float) -> list[Stretch]:
    pixels = video.width_px * video.height_px
    return stretches(packets, video.start_s, video.end_s, pixels, after_s)


def _begun(batch: Sequence[Look], events: Mapping[float, Notice]) -> tuple[list[Pick], Look]:
    """The picture that stands for the beginning, with a pick for it and for what came and went before it."""
    from ..looking.watching import best_of

    first = batch[0]
    last = best_of([look for look in batch if look.time_s <= first.time_s + _BEGINNING_S])
    early = [events[look.time_s] for look in batch if look.time_s < last.time_s and look.time_s in events]
    gone = [_event(notice) for notice in early if not notice.is_shown_by(first, last)]
    return [Pick(last.time_s, why="the beginning"), *gone], last


def _event(notice: Notice) -> Pick:
    return Pick(notice.look.time_s, 0.0, _EVENT + (1 - _EVENT) * notice.weight, notice.why)


def _chosen(look: Look, notice: Notice | None, last: Look, step_s: float) -> Pick | None:
    """A pick for what was noticed; else for coverage, where the last one is long ago and shows less."""
    from ..looking.news import fresh

    if look.time_s <= last.time_s:
        return None
    if notice is not None:
        return _event(notice)
    if look.time_s - last.time_s < step_s - _SAME_S:
        return None
    new = fresh(look, last)[0]
    if new.sum() < 1:
        return None
    if new.mean() > _VIEW_SHARE:
        return Pick(look.time_s, step_s / 4, _OTHER_VIEW, "the view has changed")
    return Pick(look.time_s, step_s / 4, _REGULAR, "something moves")


def _told(video: Video, packets: Sequence[Packet], step_s: float) -> list[Pick]:
    """Picks by what the index tells alone."""
    picks = {video.start_s: Pick(video.start_s, why="the beginning")}
    for stretch in _parts(video, packets, 0.0):
        count = math.ceil((stretch.end_s - stretch.start_s) / step_s) if stretch.is_active else 0
        for number in range(count):
            time_s = stretch.start_s + (number + 0.5) * (stretch.end_s - stretch.start_s) / count
            picks[time_s] = Pick(time_s, step_s / 4, _REGULAR, "something may move")
    for spike in spikes(packets, video.start_s):
        time_s = min(spike.time_s, video.end_s)
        picks[time_s] = Pick(time_s, 0.0, _EVENT + (1 - _EVENT) * _strength(spike), _spike_why(spike))
    return sorted(picks.values(), key=lambda pick: pick.time_s)


def _ranked(picks: Sequence[Pick]) -> Iterator[Pick]:
    """The picks by time, events worth less the nearer they are to worthier ones: those show most of it.

    Of equals the one given first is the worthier.
    """
    order = sorted(picks, key=lambda pick: -pick.worth)
    before_s, worths = [-math.inf, math.inf], {}
    for pick in order:
        place = bisect(before_s, pick.time_s)
        near_s = min(pick.time_s - before_s[place - 1], before_s[place] - pick.time_s)
        insort(before_s, pick.time_s)
        less = _EVENT + (pick.worth - _EVENT) * (1 - _NEAR_SHARE * math.exp(-near_s / _NEAR_S))
        worths[pick.time_s] = less if pick.worth > _EVENT else pick.worth
    for pick in sorted(picks, key=lambda pick: pick.time_s):
        yield Pick(pick.time_s, pick.tolerance_s, worths[pick.time_s], pick.why)


def _strength(spike: Spike) -> float:
    return min(spike.strength / 8, 1.0)


def _spike_why(spike: Spike) -> str:
    return "the encoder saw a cut" if spike.is_cut else "more is stored than usual: something is new"


def _explained(picks: Sequence[Pick], end_s: float, step_s: float, nothing: str) -> Iterator[Pick]:
    """The picks; where none follows for long, with the reason."""
    for pick, next_s in zip(picks, [*(pick.time_s for pick in picks[1:]), end_s], strict=True):
        if next_s - pick.time_s > max(2 * step_s, 5.0):
            why = f"{pick.why}; {nothing} until {clock(round(next_s))}"
            pick = Pick(pick.time_s, pick.tolerance_s, pick.worth, why)
        yield pick
