"""A place in an opened file, and the pictures from there on. One per iterator that is under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import av.error
from av import Packet
from av.video.stream import VideoStream

from ..errors import DecodeError
from .pyav_damage import Damage, Decoded
from .pyav_file import MAX_PIXELS, SharedFile
from .pyav_reader import Reader
from .pyav_timeline import Timeline, is_shown

if TYPE_CHECKING:
    _Packet = Packet[VideoStream]

_SKIPS_NONREF = frozenset({"h264"})
"""Codecs whose frames stay right where unreferenced ones are skipped. AV1's do not."""


class Cursor(Reader):
    """Reads a video and decodes it. Not for two iterators at once.

    `looking`: its pictures are not to be shown. They come without the codec's last step, which
    smooths the edges of blocks: a fifth less work, and some levels off in flat places.
    """

    def __init__(self, file: SharedFile, *, looking: bool = False) -> None:
        self._codec_options = {"max_pixels": str(MAX_PIXELS)}
        if looking:
            self._codec_options["skip_loop_filter"] = "all"
        super().__init__(file)

    def _open(self) -> None:
        super()._open()
        self._context.options = self._codec_options
        # More threads buy wall time with CPU time: a batch would pay for nothing.
        self._context.thread_count = 1
        if self._context.pix_fmt == "yuv444p" and (packet := next(self._packets, None)):
            # x264 says its version in the first packet only. Without it, what old ones wrote is green.
            self._decode(packet)
            self._context.flush_buffers()
            self._packets = chain([packet], self._packets)

    def _begin(self) -> None:
        super()._begin()
        self._damage = Damage()
        self._context = self.stream.codec_context
        self._context.skip_frame = "DEFAULT"

    def keyframe(self, time_s: float) -> Decoded | None:
        """The keyframe of a time that `seek` gave: one packet and a flush."""
        packet = self._packet_at(self._ticks(time_s))
        return next(iter(self._by_itself(packet)), None) if packet else None

    def _packet_at(self, pts: int) -> _Packet | None:
        self.seek(self.seconds(pts))
        # Where the index does not list every sample, a seek may land a keyframe early.
        return next((packet for packet in self._packets if packet.pts == pts), None)

    def _by_itself(self, packet: _Packet | None) -> list[Decoded]:
        return [*self._decode(packet), *self._decode(None)][:1]

    def frames(self, *, leave_out: bool = False) -> Iterator[Decoded]:
        """The frames from where `seek` stands, in order of time.

        `leave_out`: without those that no other frame is made from, where the codec is proven for it.
        """
        if leave_out and self._may_skip:
            self._context.skip_frame = "NONREF"
        for packet in self._packets:
            yield from self._decode(packet)
        yield from self._decode(None)

    def keyframes(self, until_s: float) -> Iterator[Decoded]:
        """Every keyframe from where `seek` stands up to a time; the others are not decoded."""
        # `skip_frame` would leave it to the decoder, and those of VP9 and AV1 give every frame.
        for packet in self._keyframe_packets(self._ticks(until_s)):
            yield from self._by_itself(packet)
            self._context.flush_buffers()
            self._damage = Damage()

    def _keyframe_packets(self, until: int) -> Iterator[_Packet]:
        if self.known is None:
            for packet in self.shown_packets():
                if packet.is_keyframe:
                    yield packet
                elif packet.pts is not None and packet.pts > until:
                    return
            return
        begin = self._stand_on_keyframe()
        for pts in self.known.keyframes:
            if begin is not None and begin <= pts <= until:
                # Only they are read of the file.
                packet_there = self._packet_at(pts)
                if packet_there and is_shown(packet_there):
                    yield packet_there

    def on_screen(self, times_s: Sequence[float]) -> Iterator[tuple[Decoded, Decoded | None]]:
        """The frame on screen at each of some ascending times; fewer where nothing decodes.

        Beside each stands the last one that was sound on the way to it.
        """
        self.seek(times_s[0])
        # Before the first frame the first one is shown.
        asked = deque(max(self._ticks(time_s), self._first_ticks()) for time_s in times_s)
        timeline = Timeline(self._packets)
        shown: Decoded | None = None
        sound: Decoded | None = None
        for frame in self._frames_for(asked, timeline):
            while asked and frame.pts > asked[0]:
                yield shown or frame, sound
                asked.popleft()
            shown, sound = frame, frame if frame.is_surely_sound else sound
            while asked and timeline.shows(frame.pts, asked[0]):
                yield frame, sound
                asked.popleft()
            if not asked:
                return
        if shown is not None:
            yield from [(shown, sound)] * len(asked)

    def _frames_for(self, asked: deque[int], timeline: Timeline) -> Iterator[Decoded]:
        """Frames in order of time up to the last asked one; of the others, as few as will do."""
        last, reached = asked[-1], False
        for packet in timeline:
            wanted = timeline.wants(packet, asked)
            if self._may_skip:
                self._context.skip_frame = "DEFAULT" if wanted else "NONREF"
            yield from self._decode(packet)
            reached = reached or (packet.pts is not None and timeline.shows(packet.pts, last))
            # The last frame in time may stand before others in the file.
            if reached and not any(timeline.wants(later, asked) for later in timeline.ahead):
                break
        yield from self._decode(None)

    @property
    def _may_skip(self) -> bool:
        return self._context.codec.canonical_name in _SKIPS_NONREF

    def _decode(self, packet: _Packet | None) -> list[Decoded]:
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError as error:
            if not self._context.is_open:
                raise DecodeError(
                    f"FFmpeg refuses this {self._context.name} stream: its size, perhaps"
                ) from error
            self._damage.lost(packet)
            return []
        return [Decoded(f, f.pts, self._damage.reaches(f, f.pts)) for f in frames if f.pts is not None]
