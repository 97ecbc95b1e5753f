"""Opens a video with PyAV and takes frames from it. Runs in the decoder's process."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from av import VideoFrame

from ..encode import encode
from ..errors import DecodeError
from ..image_size import fitted
from ..types import Frame, Image, LumaFrame, Packet, Pick, Transcript
from ..video import SeekableFile, Video
from . import pyav_text
from .pyav_cursor import Cursor
from .pyav_cursors import Cursors
from .pyav_picks import Group, Taken, Taker
from .pyav_picture import Pictures, shown_size, treatment
from .pyav_table import SampleTable

_HIGHEST_RATE = 300
"""Containers without a rate of their own make one up from their clock, 1,000 say."""

_ROUNDING_S = 1e-9
"""What sums of times may have lost."""


@contextmanager
def open_video(file: SeekableFile, workers: int = 1) -> Iterator[PyAVVideo]:
    """Open a video; raises DecodeError where the file holds none."""
    video = PyAVVideo(file, workers)
    try:
        yield video
    finally:
        video.close()


class PyAVVideo(Video):
    """A video opened with PyAV."""

    def __init__(self, file: SeekableFile, workers: int = 1) -> None:
        self._workers = workers
        self._cursors = Cursors(file)
        with self._cursors.one() as cursor:
            self._learn(cursor)

    def _learn(self, cursor: Cursor) -> None:
        self.codec = cursor.stream.codec_context.codec.canonical_name
        self.has_audio = bool(cursor.container.streams.audio)
        self._has_text = bool(pyav_text.tracks(cursor.container))
        rate = cursor.stream.average_rate
        self.frame_rate = float(rate) if rate and rate <= _HIGHEST_RATE else None
        self.start_s, self.end_s = cursor.span()
        # Only a picture tells for sure: the rotation stands beside its pixels.
        first = _first_picture(cursor, self.start_s)
        self.width_px, self.height_px = shown_size(first, cursor.sample_aspect_ratio)

    def close(self) -> None:
        """Close what is open of the file."""
        self._cursors.close()

    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        """For each pick, in order, the frame on screen at its time, or a keyframe in its tolerance."""
        for _, frame in self._frames(picks, sys.maxsize):
            yield frame

    def images(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[Image]:
        """The same frames, encoded."""
        if self._workers == 1:
            return self._encoded(self._frames(picks, max_side_px), max_side_px)
        return self._side_by_side(picks, max_side_px)

    def _encoded(self, frames: Iterator[tuple[Pick, Frame]], max_side_px: int) -> Iterator[Image]:
        return (encode(frame, pick, max_side_px) for pick, frame in frames)

    def _frames(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[tuple[Pick, Frame]]:
        with self._cursors.one() as cursor:
            yield from map(partial(_frame, cursor, Pictures(), max_side_px), self._taken(cursor, picks))

    def _taken(self, cursor: Cursor, picks: Sequence[Pick]) -> Iterator[Taken]:
        taker = Taker(self._cursors, self.start_s, self.end_s)
        for group in taker.groups(cursor, picks):
            yield from taker.taken(cursor, group)

    def treatments(self, picks: Sequence[Pick]) -> Iterator[str]:
        """What the pictures of `picks` need beside a change of colours and size, as `treatment` tells."""
        with self._cursors.one() as cursor:
            for taken in self._taken(cursor, picks):
                yield treatment(taken.frame.frame)

    def _side_by_side(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[Image]:
        """Encoded in several threads: PyAV lets go of the interpreter while it decodes."""
        taker = Taker(self._cursors, self.start_s, self.end_s)
        with self._cursors.one() as cursor:
            groups = list(taker.groups(cursor, picks))
        threads = ThreadPoolExecutor(self._workers, "vidcap-decode")
        running: deque[Future[list[Image]]] = deque()
        try:
            for group in groups:
                running.append(threads.submit(self._images_of, taker, group, max_side_px))
                # No further ahead than that: images wait in memory until they are asked for.
                if len(running) > self._workers:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)

    def _images_of(self, taker: Taker, group: Group, max_side_px: int) -> list[Image]:
        with self._cursors.one() as cursor:
            as_frame = partial(_frame, cursor, Pictures(), max_side_px)
            return list(self._encoded(map(as_frame, taker.taken(cursor, group)), max_side_px))

    def scan(
        self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False
    ) -> Iterator[LumaFrame]:
        """Small grey pictures in order of time, at least `every_s` apart.

        They are for looking: edges between blocks are not smoothed, so flat places are some levels
        off. Of H.264, where `every_s` is two frames or more, frames that no other one is made from
        are not decoded: the next one stands in for them, and steps come out longer by as much.
        """
        height_px, pictures = max(round(self.height_px * width_px / self.width_px), 1), Pictures()
        with self._cursors.one(looking=True) as cursor:
            cursor.seek(self.start_s)
            due_s, is_sparse = self.start_s, every_s >= 2 * cursor.frame_s > 0
            frames = cursor.keyframes(self.end_s) if keyframes_only else cursor.frames(leave_out=is_sparse)
            for frame in frames:
                time_s = cursor.seconds(frame.pts)
                if time_s > self.end_s:
                    return
                if time_s >= due_s:
                    due_s = time_s + every_s - _ROUNDING_S
                    luma = pictures.luma(frame.frame, width_px, height_px)
                    yield LumaFrame(time_s, luma, frame.damaged)

    def packets(self) -> Iterator[Packet]:
        """The compressed frames in order of decoding, nothing decoded."""
        # Asked for before a cursor is taken: else it needs one more, and opens the file again.
        table = self._cursors.table
        with self._cursors.one() as cursor:
            for pts, size_bytes, is_key in self._listed(cursor, table):
                time_s = cursor.seconds(pts)
                if self.start_s <= time_s <= self.end_s:
                    yield Packet(time_s, size_bytes, is_key)

    def _listed(self, cursor: Cursor, table: SampleTable | None) -> Iterator[tuple[int, int, bool]]:
        """(pts, size, whether it is a keyframe) of the packets, of the span at least."""
        if table is not None:
            return table.shown()
        cursor.seek(self.start_s)
        return ((packet.pts or 0, packet.size, packet.is_keyframe) for packet in cursor.shown_packets())

    def transcript(self, languages: Sequence[str] = ()) -> Transcript | None:
        """The text track that suits best, its cues within the span; None where there is none."""
        if not self._has_text:
            return None
        cursor = self._cursors.opened()
        try:
            return pyav_text.transcript(cursor, self.start_s, self.end_s, languages)
        finally:
            cursor.container.close()


def _first_picture(cursor: Cursor, start_s: float) -> VideoFrame:
    frame = cursor.keyframe(cursor.seek(start_s))
    if frame is None:
        cursor.seek(start_s)
        frame = next(cursor.frames(), None)
    if frame is None:
        raise DecodeError("not one picture could be decoded; is the file complete?")
    return frame.frame


def _frame(cursor: Cursor, pictures: Pictures, max_side_px: int, taken: Taken) -> tuple[Pick, Frame]:
    frame = taken.frame.frame
    # Shrunk before its colours are converted: it costs a third of doing it after.
    size = fitted(*shown_size(frame, cursor.sample_aspect_ratio), max_side_px)
    pixels = pictures.rgb(frame, *size)
    time_s = cursor.seconds(taken.frame.pts)
    return taken.pick, Frame(taken.pick.time_s, time_s, pixels, taken.damaged, taken.is_neighbour)
