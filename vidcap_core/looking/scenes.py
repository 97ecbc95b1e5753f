"""Where one scene of a video ends and the next begins: cuts, dissolves, wipes and fades.

    for scene in scenes(video):
        print(scene.start_s, scene.end_s, scene.begins)

Flashes, pans, shake, zoom, fast motion and changes of light are no scenes; a shot of a third of a
second is one. Nothing is learned and nothing is fitted to a film: see `novelty` and `transitions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from .novelty import SCAN_PX, Sights
from .packet_cues import PacketCues
from .transitions import Transition, transitions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..types import LumaFrame
    from ..video import Video

_STEP_S = 0.085
"""Two frames of most videos: half of them need not be decoded, and no shot is that short."""
_AT_ONCE = 512
"""Pictures that are looked at together."""
_MARGIN_S = 4.0
"""Of the pictures before and after, these are seen as well: no change of scene takes longer."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A change of scene."""

    time_s: float
    """Where the next scene begins: with a cut its first frame, else the middle of the change."""
    kind: Literal["cut", "dissolve", "fade"]
    """A wipe is a `dissolve`: both turn one picture into another."""
    start_s: float
    """Of the change; the same as `time_s` with a cut."""
    end_s: float


@dataclass(frozen=True, slots=True)
class Scene:
    """A span of a video between two changes of scene."""

    start_s: float
    end_s: float
    clear_start_s: float
    """From here on the change that it begins with is over."""
    clear_end_s: float
    """Here the change that it ends with begins."""
    begins: Literal["start", "cut", "dissolve", "fade"]


def scenes(video: Video, threshold: float = 0.5, min_scene_s: float = 0.3) -> Iterator[Scene]:
    """The scenes of a video, ascending; they tile its span.

    `threshold`: how much of a picture has to be new, 0 to 1. `min_scene_s`: what is shorter belongs
    to the scene after it, at the end of the video to the one before it.
    """
    begins: Literal["start", "cut", "dissolve", "fade"] = "start"
    start_s = clear_s = video.start_s
    for change in boundaries(video, threshold, min_scene_s):
        clear_s = min(clear_s, change.time_s)
        yield Scene(start_s, change.time_s, clear_s, max(change.start_s, clear_s), begins)
        start_s, clear_s, begins = change.time_s, change.end_s, change.kind
    yield Scene(start_s, video.end_s, min(clear_s, video.end_s), video.end_s, begins)


def boundaries(video: Video, threshold: float = 0.5, min_scene_s: float = 0.3) -> Iterator[Boundary]:
    """The changes of scene of a video, ascending; for the options see `scenes`."""
    last_s = video.start_s
    for change in _changes(video, threshold):
        long_enough = min(change.time_s - last_s, video.end_s - change.time_s) >= min_scene_s
        if long_enough and change.time_s > last_s:
            yield change
            last_s = change.time_s


def _changes(video: Video, threshold: float) -> Iterator[Boundary]:
    cues = PacketCues(video)
    for start_s, end_s in cues.doubtful(video, threshold):
        for frames, begin_s, until_s in _stretches(video.window(start_s, end_s)):
            times_s = np.array([frame.time_s for frame in frames])
            sights = Sights(np.stack([frame.luma for frame in frames]))
            for change in transitions(sights, times_s, threshold):
                boundary = _boundary(change, times_s, cues)
                if begin_s <= boundary.time_s < until_s:
                    yield boundary


def _boundary(change: Transition, times_s: NDArray[np.float64], cues: PacketCues) -> Boundary:
    start_s, end_s = float(times_s[change.last]), float(times_s[change.first])
    if change.kind == "cut":
        time_s = cues.cut_s(start_s, end_s)
        return Boundary(time_s, "cut", time_s, time_s)
    return Boundary(float(times_s[change.at]), change.kind, start_s, end_s)


def _stretches(video: Video) -> Iterator[tuple[list[LumaFrame], float, float]]:
    """Pictures that are looked at together, and the span to answer for; neighbours overlap.

    All pictures of a long film would fill the memory.
    """
    every_s = 0.0
    if video.frame_rate:
        every_s = int(_STEP_S * video.frame_rate) / video.frame_rate
    frames: list[LumaFrame] = []
    begin_s = video.start_s
    for frame in video.scan(every_s, SCAN_PX):
        frames.append(frame)
        if len(frames) >= _AT_ONCE and frame.time_s - begin_s > 3 * _MARGIN_S:
            end_s = frame.time_s - _MARGIN_S
            yield frames, begin_s, end_s
            begin_s = end_s
            frames = [each for each in frames if each.time_s >= begin_s - _MARGIN_S]
    if frames:
        yield frames, begin_s, float("inf")
