"""An opened video: what a decoder gives, what samplers look at. Nothing heavy is imported here."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from .types import Frame, Image, LumaFrame, Packet, Pick, Transcript


class SeekableFile(Protocol):
    """What a decoder reads from: a seekable binary file whose size is known.

    With a decoder that `needs_path`, the file is a local one and `path` is its path.
    """

    size_bytes: int
    path: str | None

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def need(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Announce (start, end) ranges that will be read soon, so that they come together."""
        ...


class Video(ABC):
    """An opened video, or a window of one. Times are presentation times in seconds.

    A decoder's author writes `frames`, `scan` and `packets`, each looking at
    [`start_s`, `end_s`] only, and sets the attributes. Several of the iterators may be under way
    at once: each needs a cursor of its own.
    """

    start_s: float
    """Time of the first frame; often not 0."""
    end_s: float
    """Where the last frame ends, as the packets say, not the header."""
    width_px: int
    """Of a frame, upright, pixels made square."""
    height_px: int
    frame_rate: float | None
    """Average frames per second; None where it is not known. For information: times are the truth."""
    codec: str
    has_audio: bool
    cpu_s: float = 0.0
    """CPU time that a process of its own has spent on it so far; 0 where it is read in this one."""

    @property
    def duration_s(self) -> float:
        """Length of the span."""
        return self.end_s - self.start_s

    def window(self, start_s: float | None, end_s: float | None) -> Self:
        """The part between two times, both kept inside the video, as a Video of its own."""
        part = copy.copy(self)
        part.start_s = self.start_s if start_s is None else min(max(start_s, self.start_s), self.end_s)
        part.end_s = self.end_s if end_s is None else max(min(end_s, self.end_s), part.start_s)
        return part

    @abstractmethod
    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        """For each pick, in order, the frame on screen at its time, or a keyframe in its tolerance.

        The frame on screen at t is the last one with a presentation time ≤ t; before the first
        frame it is the first one. Picks come in ascending order of time.

        In place of a damaged frame a sound one may be given that lies in the span and at most 2 s
        from the time asked for, with `damaged` and `is_neighbour` both set. Where there is none, the
        damaged frame is given, with `damaged` alone.
        """

    @abstractmethod
    def scan(
        self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False
    ) -> Iterator[LumaFrame]:
        """Small grey pictures in order of time, at least `every_s` apart, for samplers that look.

        They are made to be cheap: levels may be a little off, and where `every_s` is more than the
        time between two frames, a frame that is costly to get may be left out for the next one.
        """

    @abstractmethod
    def packets(self) -> Iterator[Packet]:
        """The compressed frames in order of decoding, nothing decoded."""

    def transcript(self, languages: Sequence[str] = ()) -> Transcript | None:
        """The text track inside the file that suits best, its cues within the span; None where there is none.

        `languages` are BCP 47, the best first; without any, the container's default track.
        """
        return None

    def images(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[Image]:
        """The frames of `picks`, resized to a longer side of `max_side_px` at most and encoded."""
        from .encode import encode

        for pick, frame in zip(picks, self.frames(picks), strict=True):
            yield encode(frame, pick, max_side_px)
