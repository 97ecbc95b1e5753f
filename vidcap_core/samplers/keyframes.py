"""The sampler that goes by the encoder's own keyframes: nothing is decoded to choose."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from pydantic import Field, PositiveFloat

from ..looking.activity import keyframes
from ..plugin import Sampler
from ..types import Pick, Segment
from ..video import Video

_MOST = 20_000
"""Keyframes taken at most: in a day of video whose every frame is one, they stand further apart."""
_TICK_S = 0.001
"""Times are told as they are listed, so this is enough to be given the keyframe itself."""
_CUT, _USUAL, _BETWEEN = 1.0, 0.5, 0.25
"""What picks are worth: encoders set a keyframe where the picture changes, or when one is due."""


class KeyframesSampler(Sampler):
    """Take the frames that the encoder stored whole, at its cuts above all: the cheapest to get."""

    name = "keyframes"
    closest_s: PositiveFloat = Field(
        default=0.5, description="Seconds between two frames at least, where keyframes stand closer."
    )
    furthest_s: PositiveFloat = Field(
        default=20.0,
        description="Seconds between two frames at most: where keyframes stand further apart, other frames"
        " are taken between them, which costs decoding.",
    )

    def segments(self, video: Video) -> Iterator[Segment]:
        """One segment a pick; each begins with its pick, the first one with the video."""
        picks = self._between(list(self._keyframes(video)), video)
        starts_s = [video.start_s, *(pick.time_s for pick in picks[1:]), video.end_s]
        for (start_s, end_s), pick in zip(pairwise(starts_s), picks, strict=True):
            yield Segment(start_s, end_s, (pick,))

    def _keyframes(self, video: Video) -> Iterator[Pick]:
        closest_s, last_s = max(self.closest_s, video.duration_s / _MOST), -math.inf
        for time_s, is_cut in sorted(keyframes(video.packets())):
            if time_s - last_s >= closest_s - _TICK_S:
                last_s = time_s
                why, worth = ("the encoder saw a cut", _CUT) if is_cut else ("keyframe", _USUAL)
                yield Pick(time_s, _TICK_S, worth, why)

    def _between(self, picks: list[Pick], video: Video) -> list[Pick]:
        """The picks, with others wherever too long a stretch has none."""
        furthest_s = max(self.furthest_s, video.duration_s / _MOST)
        edges_s = [video.start_s, *(pick.time_s for pick in picks), video.end_s]
        between: list[Pick] = []
        for begin_s, end_s in pairwise(edges_s):
            parts = max(math.ceil((end_s - begin_s) / furthest_s), 1 if picks else 2)
            step_s = (end_s - begin_s) / parts
            why = f"no keyframe for {end_s - begin_s:.0f} s"
            between += [Pick(begin_s + n * step_s, 0.0, _BETWEEN, why) for n in range(1, parts)]
        return sorted([*picks, *between], key=lambda pick: pick.time_s)
