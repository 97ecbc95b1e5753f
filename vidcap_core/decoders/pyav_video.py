"""Opens a video with PyAV and takes frames from it. Runs in the decoder's process."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import cast

import numpy as np
from av import VideoFrame
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from ..encode import encode, fitted
from ..errors import DecodeError
from ..types import Frame, Image, LumaFrame, Packet, Pick, Transcript
from ..video import SeekableFile, Video
from . import pyav_text
from .pyav_cursor import Cursor

_HIGHEST_RATE = 300
"""Containers without a rate of their own make one up from their clock, 1,000 say."""


@contextmanager
def open_video(file: SeekableFile) -> Iterator[PyAVVideo]:
    """Open a video; raises DecodeError where the file holds none."""
    video = PyAVVideo(file)
    try:
        yield video
    finally:
        video.close()


class PyAVVideo(Video):
    """A video opened with PyAV."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        cursor = Cursor(file)
        self._idle = [cursor]
        self.codec = cursor.stream.codec_context.codec.canonical_name
        self.has_audio = bool(cursor.container.streams.audio)
        self._has_text = bool(pyav_text.tracks(cursor.container))
        rate = cursor.stream.average_rate
        self.frame_rate = float(rate) if rate and rate <= _HIGHEST_RATE else None
        self.start_s, self.end_s = cursor.span()
        self.width_px, self.height_px = _upright_size(cursor, self.start_s)

    def close(self) -> None:
        """Close what is open of the file."""
        for cursor in self._idle:
            cursor.container.close()

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        # Iterators may be suspended while others run, so each takes a cursor of its own. One that
        # is free is used again, for opening a long file reads its whole index.
        cursor = self._idle.pop() if self._idle else Cursor(self._file)
        try:
            yield cursor
        finally:
            self._idle.append(cursor)

    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        """For each pick, in order, the frame on screen at its time, or a keyframe in its tolerance."""
        return self._frames(picks, sys.maxsize)

    def images(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[Image]:
        """The same frames, encoded."""
        # Colours converted and size changed in one step: it costs half of doing one after the other.
        for pick, frame in zip(picks, self._frames(picks, max_side_px), strict=True):
            yield encode(frame, pick, max_side_px)

    def _frames(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[Frame]:
        with self._cursor() as cursor:
            # Neighbours that need the same group of pictures are decoded in one go.
            for (key_s, exact), run in groupby(picks, key=partial(self._choose, cursor)):
                asked = [pick.time_s for pick in run]
                shown = [] if exact else _keyframe(cursor, key_s) * len(asked)
                yield from self._taken(cursor, asked, shown or cursor.on_screen(asked), max_side_px)

    def _choose(self, cursor: Cursor, pick: Pick) -> tuple[float, bool]:
        """The keyframe before a pick, False; or the one in its tolerance, True where none is."""
        before_s = cursor.seek(pick.time_s)
        if abs(pick.time_s - before_s) <= pick.tolerance_s and before_s >= self.start_s:
            return before_s, False
        if pick.tolerance_s:
            latest_s = min(pick.time_s + pick.tolerance_s, self.end_s)
            after_s = cursor.seek(latest_s)
            if pick.time_s < after_s <= latest_s:
                return after_s, False
        return before_s, True

    def _taken(
        self, cursor: Cursor, asked_s: Sequence[float], shown: Iterable[VideoFrame], max_side_px: int
    ) -> Iterator[Frame]:
        shown = iter(shown)
        for time_s in asked_s:
            frame = next(shown, None)
            if frame is None:
                raise DecodeError(f"no picture could be decoded at {time_s:.2f} s; is the file damaged?")
            size = fitted(*_shown_size(frame, cursor.sample_aspect_ratio), max_side_px)
            pixels = _pixels(frame, "rgb24", *size)
            pts_s = cursor.seconds(frame.pts or 0)
            yield Frame(time_s, pts_s, pixels, frame.is_corrupt or cursor.damaged)

    def scan(
        self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False
    ) -> Iterator[LumaFrame]:
        """Small grey pictures in order of time, at least `every_s` apart."""
        height_px = max(round(self.height_px * width_px / self.width_px), 1)
        with self._cursor() as cursor:
            cursor.seek(self.start_s)
            due_s = self.start_s
            for frame in cursor.keyframes() if keyframes_only else cursor.frames():
                time_s = cursor.seconds(frame.pts or 0)
                if time_s > self.end_s:
                    return
                if time_s >= due_s:
                    due_s = time_s + every_s
                    luma = _pixels(frame, "gray", width_px, height_px)
                    yield LumaFrame(time_s, luma, frame.is_corrupt or cursor.damaged)

    def packets(self) -> Iterator[Packet]:
        """The compressed frames in order of decoding, nothing decoded."""
        with self._cursor() as cursor:
            cursor.seek(self.start_s)
            for packet in cursor.shown_packets():
                time_s = cursor.seconds(packet.pts or 0)
                if self.start_s <= time_s <= self.end_s:
                    yield Packet(time_s, packet.size, packet.is_keyframe)

    def transcript(self, languages: Sequence[str] = ()) -> Transcript | None:
        """The text track that suits best, its cues within the span; None where there is none."""
        if not self._has_text:
            return None
        cursor = Cursor(self._file)
        try:
            return pyav_text.transcript(cursor, self.start_s, self.end_s, languages)
        finally:
            cursor.container.close()


def _keyframe(cursor: Cursor, time_s: float) -> list[VideoFrame]:
    cursor.seek(time_s)
    frame = cursor.keyframe()
    # Not what was asked for: a frame that an edit list cuts away, or half a field pair.
    return [frame] if frame and cursor.seconds(frame.pts or 0) == time_s else []


def _upright_size(cursor: Cursor, start_s: float) -> tuple[int, int]:
    """(width, height) as shown. Only a picture tells for sure: the rotation stands beside its pixels."""
    cursor.seek(start_s)
    frame = cursor.keyframe()
    if frame is None:
        cursor.seek(start_s)
        frame = next(cursor.frames(), None)
    if frame is None:
        raise DecodeError("not one picture could be decoded; is the file complete?")
    return _shown_size(frame, cursor.sample_aspect_ratio)


def _shown_size(frame: VideoFrame, sample_aspect_ratio: float) -> tuple[int, int]:
    """(width, height) upright, with pixels made square."""
    width_px, height_px = max(round(frame.width * sample_aspect_ratio), 1), frame.height
    return (height_px, width_px) if _orientation(frame).transposed else (width_px, height_px)


@dataclass(frozen=True, slots=True)
class _Orientation:
    """How to bring a picture upright: transpose first, then mirror."""

    transposed: bool
    mirror_x: bool
    mirror_y: bool

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The upright picture, contiguous."""
        upright = pixels.swapaxes(0, 1) if self.transposed else pixels
        upright = upright[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(upright)


def _orientation(frame: VideoFrame) -> _Orientation:
    """Read the display matrix: (x, y) is shown at (a·x + c·y, b·x + d·y), see libavutil/display.h."""
    side_data = cast("SideDataContainer", frame.side_data)
    matrix = next((data for data in side_data if data.type == SideDataType.DISPLAYMATRIX), None)
    if matrix is None:
        return _Orientation(False, False, False)
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if abs(b) > abs(a):
        return _Orientation(True, c < 0, b < 0)
    return _Orientation(False, a < 0, d < 0)


def _pixels(frame: VideoFrame, pixel_format: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Upright pixels of a frame at a size given upright."""
    orientation = _orientation(frame)
    if orientation.transposed:
        width_px, height_px = height_px, width_px
    scaled = frame.reformat(width_px, height_px, format=pixel_format, interpolation=Interpolation.AREA)
    return orientation.apply(scaled.to_ndarray().astype(np.uint8, copy=False))
