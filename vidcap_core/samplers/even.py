"""Samplers that take frames at even distances: nothing is looked at to choose."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, PositiveFloat, PositiveInt

from ..plugin import Sampler
from ..types import Pick, Segment
from ..video import Video

_HIGHEST_RATE = 1000.0
"""Frames per second, where the video does not say how many it has."""


class FixedIntervalSampler(Sampler):
    """Take a frame every `every_s` seconds, closer together where the video is short."""

    name = "fixed_interval"
    every_s: PositiveFloat = Field(default=20.0, description="Seconds between frames.")
    at_least: PositiveInt = Field(
        default=5, description="Frames to take from a video shorter than that many intervals."
    )

    def segments(self, video: Video) -> Iterator[Segment]:
        """One segment a pick. What is left over lies half before the first and half after the last."""
        most = _frames_in(video)
        intervals = video.duration_s / self.every_s
        if intervals > most:
            return grid(video, most)
        count = round(intervals)
        return grid(video, count, self.every_s) if count >= self.at_least else grid(video, self.at_least)


class UniformSampler(Sampler):
    """Take `count` frames at even distances, however long the video is."""

    name = "uniform"
    count: PositiveInt = Field(default=16, description="Frames to take.")

    def segments(self, video: Video) -> Iterator[Segment]:
        """One segment a pick, of equal length."""
        return grid(video, self.count)


def grid(video: Video, count: int, step_s: float | None = None) -> Iterator[Segment]:
    """Picks at even distances in the middle of a video, each with the stretch around it.

    They are `step_s` apart; without it each stands in the middle of an equal part of the video.
    A frame may lie a quarter of the distance from where it was asked for: a keyframe is often that
    near, and no stretch without a frame gets much longer.
    """
    if step_s is None:
        # Not more often than there are frames: the same one would be sent again.
        count = min(count, _frames_in(video))
        step_s = video.duration_s / count
    first_s = video.start_s + (video.duration_s - (count - 1) * step_s) / 2
    why = f"every {_shown(step_s)} s" if count > 1 else "the middle"
    start_s = video.start_s
    for index in range(count):
        time_s = first_s + index * step_s
        end_s = time_s + step_s / 2 if index < count - 1 else video.end_s
        yield Segment(start_s, end_s, (Pick(time_s, tolerance_s=step_s / 4, why=why),))
        start_s = end_s


def _frames_in(video: Video) -> int:
    return max(round(video.duration_s * (video.frame_rate or _HIGHEST_RATE)), 1)


def _shown(step_s: float) -> str:
    return f"{step_s:.3g}" if step_s < 100 else f"{step_s:.0f}"
