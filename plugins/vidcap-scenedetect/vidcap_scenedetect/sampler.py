"""The sampler. What it does with a video is in `detecting`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from vidcap_core import Sampler, Segment, Video, clock, picks_of_scene

if TYPE_CHECKING:
    from scenedetect import SceneDetector

_DETECTORS = {
    "adaptive": ("AdaptiveDetector", "adaptive_threshold", 255.0),
    "content": ("ContentDetector", "threshold", 255.0),
    "hash": ("HashDetector", "threshold", 1.0),
    "histogram": ("HistogramDetector", "threshold", 1.0),
    "threshold": ("ThresholdDetector", "threshold", 255.0),
}
"""The class of each, what it calls its threshold, and the highest one that means something."""


class PySceneDetectSampler(Sampler):
    """Take frames of every scene, as PySceneDetect's detectors see scenes."""

    name = "scene_change_psd"
    detector: Literal["adaptive", "content", "hash", "histogram", "threshold"] = Field(
        default="adaptive", description="One of PySceneDetect's; `threshold` finds fades through black only."
    )
    threshold: NonNegativeFloat | None = Field(
        default=None, description="The detector's own threshold; none is its default."
    )
    min_scene_s: NonNegativeFloat = Field(default=0.6, description="No scene is shorter, in seconds.")
    every_s: PositiveFloat = Field(default=10.0, description="Take a frame for each such span of a scene.")

    @model_validator(mode="after")
    def _is_in_range(self) -> Self:
        most = _DETECTORS[self.detector][2]
        if self.threshold is not None and self.threshold > most:
            raise ValueError(f"the threshold of {self.detector!r} is {most:g} at most")
        return self

    def segments(self, video: Video) -> Iterator[Segment]:
        """One segment a scene."""
        from .detecting import boundaries

        edges = [video.start_s, *boundaries(video, self._detector()), video.end_s]
        for number, (start_s, end_s) in enumerate(pairwise(edges), 1):
            why = f"scene {number} of {len(edges) - 1}, from {clock(start_s)}"
            yield Segment(start_s, end_s, tuple(picks_of_scene(start_s, end_s, self.every_s, why)))

    def _detector(self) -> SceneDetector:
        import scenedetect

        kind, threshold, _ = _DETECTORS[self.detector]
        given = {} if self.threshold is None else {threshold: self.threshold}
        detector: SceneDetector = getattr(scenedetect, kind)(min_scene_len=self.min_scene_s, **given)
        return detector
