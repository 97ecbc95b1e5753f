"""The sampler that takes frames of every scene."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, NonNegativeFloat, PositiveFloat

from ..plugin import Sampler
from ..text import clock
from ..types import Pick, Segment
from ..video import Video

_MORE = 0.5
"""Worth of a scene's other frames: one of every scene goes before the second of any."""


class SceneChangeSampler(Sampler):
    """Take frames of every scene, more of a long one. Cuts, dissolves, wipes and fades are looked for."""

    name = "scene_change"
    threshold: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="How much of a picture has to be new to begin a scene: 0.5 is half. Lower finds more.",
    )
    min_scene_s: NonNegativeFloat = Field(
        default=0.3, description="A scene shorter than this belongs to the one after it, in seconds."
    )
    every_s: PositiveFloat = Field(default=10.0, description="Take a frame of a scene for each such span.")

    def segments(self, video: Video) -> Iterator[Segment]:
        """One segment a scene."""
        from ..looking.scenes import scenes

        found = list(scenes(video, self.threshold, self.min_scene_s))
        for number, scene in enumerate(found, 1):
            why = f"scene {number} of {len(found)}"
            if scene.begins != "start":
                why += f", {scene.begins} at {clock(scene.start_s)}"
            picks = picks_of_scene(scene.clear_start_s, scene.clear_end_s, self.every_s, why)
            yield Segment(scene.start_s, scene.end_s, tuple(picks))


def picks_of_scene(start_s: float, end_s: float, every_s: float, why: str) -> Iterator[Pick]:
    """In the middle of equal parts of about `every_s`; one of every scene comes before the second of any.

    A keyframe within a quarter of a part is of the same scene.
    """
    count = max(round((end_s - start_s) / every_s), 1)
    part_s = (end_s - start_s) / count
    for index in range(count):
        worth = 1.0 if index == count // 2 else _MORE
        yield Pick(start_s + (index + 0.5) * part_s, part_s / 4, worth, why)
