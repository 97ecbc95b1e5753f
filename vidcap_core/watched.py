"""A video that tells how far it has been looked at: samplers that look take their time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self, TypeVar

from .types import Frame, Image, LumaFrame, Packet, Pick, Transcript
from .video import Video

_STEPS = 200
"""So often it is told in one go through the video: a bar has no more places to stand at."""


class _Timed(Protocol):
    @property
    def time_s(self) -> float: ...


T = TypeVar("T", bound=_Timed)


class Watched(Video):
    """A video that calls `on_look` with the time of what is being looked at.

    Whatever its decoder's class has beside is there too.
    """

    def __init__(self, video: Video, on_look: Callable[[float], None], step_s: float | None = None) -> None:
        self._video = video
        self._on_look = on_look
        self._step_s = video.duration_s / _STEPS if step_s is None else step_s
        self.start_s, self.end_s = video.start_s, video.end_s
        self.width_px, self.height_px = video.width_px, video.height_px
        self.frame_rate, self.codec, self.has_audio = video.frame_rate, video.codec, video.has_audio

    @property
    def cpu_s(self) -> float:  # type: ignore[override]  # nobody sets it
        """CPU time that the decoder's process has spent on the video so far."""
        return self._video.cpu_s

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of copies and pickles, which have no video yet
            raise AttributeError(name)
        return getattr(self._video, name)

    def window(self, start_s: float | None, end_s: float | None) -> Self:
        """The part between two times."""
        return type(self)(self._video.window(start_s, end_s), self._on_look, self._step_s)

    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        """For each pick the frame on screen at its time, or a keyframe in its tolerance."""
        return self._told(self._video.frames(picks))

    def scan(self, *args: Any, **options: Any) -> Iterator[LumaFrame]:
        """Small grey pictures in order of time."""
        return self._told(self._video.scan(*args, **options))

    def packets(self) -> Iterator[Packet]:
        """The compressed frames in order of decoding."""
        return self._told(self._video.packets())

    def images(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[Image]:
        """The frames of `picks`, resized and encoded."""
        return self._told(self._video.images(picks, max_side_px))

    def transcript(self, languages: Sequence[str] = ()) -> Transcript | None:
        """The text track inside the file that suits best."""
        return self._video.transcript(languages)

    def _told(self, items: Iterator[T]) -> Iterator[T]:
        told_s = -math.inf
        for item in items:
            if abs(item.time_s - told_s) >= self._step_s:
                told_s = item.time_s
                self._on_look(told_s)
            yield item
