"""Ask a sampler what it proposes, and refuse what no sampler may propose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from typing import Any, Literal, TypeAlias

from .blaming import blaming
from .errors import PluginError, SettingsError
from .isolation.pool import Stop
from .plugin import Sampler
from .types import Pick, Segment
from .video import Video
from .watched import Watched

OnStep: TypeAlias = Callable[[Literal["look", "frames"], float, float], None]
"""Called with what is under way, and how much is done of how much: of the span in seconds while a sampler
looks, in each of its passes anew, of the frames while they are taken."""

_MOST_PICKS = 100_000
"""What a sampler may propose; a sampler that proposes without end would fill the memory."""
_SLACK_S = 0.001
"""Sums of floats may end a little beside the edges."""


def unheard(step: Literal["look", "frames"], done: float, total: float) -> None:
    """Nobody wants to know."""


def proposed(sampler: Sampler, video: Video, stop: Stop, on_step: OnStep = unheard) -> list[Segment]:
    """All segments of a sampler, checked. Raises PluginError, and SettingsError for too many picks.

    What `on_step` raises is raised as it is.
    """
    raised: list[BaseException] = []

    def on_look(time_s: float) -> None:
        try:
            stop.check()
            on_step("look", time_s - video.start_s, video.duration_s)
        except BaseException as error:
            raised.append(error)
            raise

    try:
        segments = _collected(sampler, Watched(video, on_look), stop)
    finally:
        # It went through the sampler, which may have swallowed it, and is not to be blamed for it.
        if raised:
            raise raised[0]
    _check_picks([pick for segment in segments for pick in segment.picks], sampler, video)
    for segment in segments:
        _check_inside(segment, sampler)
    return segments


def _collected(sampler: Sampler, video: Video, stop: Stop) -> list[Segment]:
    segments: list[Segment] = []
    count, end_s = 0, video.start_s
    with blaming(sampler):
        for segment in sampler.segments(video):
            _check_segment(segment, sampler, end_s)
            end_s = segment.end_s
            # Python code cannot be stopped from outside, only between its steps.
            stop.check()
            picks = tuple(islice(segment.picks, _MOST_PICKS + 1))
            segments.append(Segment(segment.start_s, segment.end_s, picks))
            count += len(picks)
            if max(count, len(segments)) > _MOST_PICKS:
                raise SettingsError(
                    f"sampler {sampler.name!r} proposes more than {_MOST_PICKS:,} frames: take fewer"
                )
    return segments


def _check_inside(segment: Segment, sampler: Sampler) -> None:
    for pick in segment.picks:
        if not segment.start_s - _SLACK_S <= pick.time_s <= segment.end_s + _SLACK_S:
            raise PluginError(
                f"sampler {sampler.name!r} chose {pick.time_s:g} s for the segment {segment.start_s:g} to"
                f" {segment.end_s:g} s: picks lie in their segment"
            )


def _check_picks(picks: Sequence[Any], sampler: Sampler, video: Video) -> None:
    if not picks:
        raise PluginError(f"sampler {sampler.name!r} chose no frame")
    for pick in picks:
        _check_pick(pick, sampler, video)
    for earlier, later in pairwise(picks):
        if later.time_s < earlier.time_s:
            raise PluginError(f"sampler {sampler.name!r} does not go forward: {later.time_s:g} s comes late")


def _check_segment(segment: Any, sampler: Sampler, after_s: float) -> None:
    if not isinstance(segment, Segment):
        raise PluginError(f"sampler {sampler.name!r} gave {type(segment).__name__}, not a Segment")
    if not after_s - _SLACK_S <= segment.start_s <= segment.end_s:
        raise PluginError(
            f"sampler {sampler.name!r} gave the segment {segment.start_s:g} to {segment.end_s:g} s"
            f" after {after_s:g} s: segments go forward and do not overlap"
        )


def _check_pick(pick: Any, sampler: Sampler, video: Video) -> None:
    if not isinstance(pick, Pick):
        raise PluginError(f"sampler {sampler.name!r} chose {type(pick).__name__}, not a Pick")
    for name in ("time_s", "tolerance_s", "worth"):
        value = getattr(pick, name)
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise PluginError(f"sampler {sampler.name!r} chose a frame whose {name} is {str(value)[:40]}")
    if not video.start_s - _SLACK_S <= pick.time_s <= video.end_s + _SLACK_S:
        raise PluginError(
            f"sampler {sampler.name!r} chose {pick.time_s:g} s, outside of the part to look at,"
            f" {video.start_s:g} to {video.end_s:g} s"
        )
