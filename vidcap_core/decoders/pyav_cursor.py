"""A place in an opened file: seek, read packets, decode. One per iterator that is under way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice
from typing import TYPE_CHECKING

import av
import av.error
from av import Packet
from av.video.stream import VideoStream

from ..errors import DecodeError
from .pyav_damage import Damage, Decoded
from .pyav_file import MAX_PIXELS, SharedFile, best_video, open_container
from .pyav_table import SampleTable, sample_table
from .pyav_timeline import REORDER_DEPTH, Timeline, is_shown

if TYPE_CHECKING:
    _Packet = Packet[VideoStream]

_SKIPS_NONREF = frozenset({"h264"})
"""Codecs whose frames stay right where unreferenced ones are skipped. AV1's do not."""
_TAIL_S = 2.0
_MAX_TICKS = 1 << 62
"""FFmpeg counts in 64 bits; what a header claims may lie beyond."""


class Cursor:
    """An open container with its best video stream. Not for two iterators at once.

    `looking`: its pictures are not to be shown. They come without the codec's last step, which
    smooths the edges of blocks: a fifth less work, and some levels off in flat places.
    """

    def __init__(self, file: SharedFile, *, looking: bool = False) -> None:
        self._file = file
        self.known: SampleTable | None = None
        """What `table` gave, where somebody has asked for it: it costs more than a few seeks."""
        self._codec_options = {"max_pixels": str(MAX_PIXELS)}
        self._packets: Iterator[_Packet]
        if looking:
            self._codec_options["skip_loop_filter"] = "all"
        self._open()

    def _open(self) -> None:
        self.container = open_container(self._file.place())
        self.stream = best_video(self.container)
        self._context = self.stream.codec_context
        self._context.options = self._codec_options
        # More threads buy wall time with CPU time: a batch would pay for nothing.
        self._context.thread_count = 1
        self._time_base = self.stream.time_base or Fraction(1, av.time_base)
        self._begin()
        if self._context.pix_fmt == "yuv444p" and (packet := next(self._packets, None)):
            # x264 says its version in the first packet only. Without it, what old ones wrote is green.
            self._decode(packet)
            self._context.flush_buffers()
            self._packets = chain([packet], self._packets)

    @property
    def sample_aspect_ratio(self) -> float:
        """Width of a pixel over its height. 1.0 also where the file's claim is out of this world."""
        ratio = float(self.stream.sample_aspect_ratio or 1)
        return ratio if 0.25 <= ratio <= 4 and abs(ratio - 1) > 0.01 else 1.0

    def seconds(self, ticks: int) -> float:
        """Ticks of the stream's time base as seconds."""
        # As a fraction would be rounded, but a video has many packets.
        return ticks * self._time_base.numerator / self._time_base.denominator

    def _ticks(self, time_s: float) -> int:
        # Down to the tick that has begun. A thousandth of a tick makes up for what a time lost
        # when it was made from ticks, or it would fall to the tick before.
        return math.floor(time_s / float(self._time_base) + 1e-3)

    # Where the video lies in time

    def span(self) -> tuple[float, float]:
        """(start, end) in seconds by the packets: headers claim 40 hours of a file of one second."""
        first, back = self._first_ticks(), self._ticks(_TAIL_S + REORDER_DEPTH * (self.frame_s or 1.0))
        tail = first + self._ticks((self.container.duration or 0) / av.time_base) - back
        end = self._last_ticks_from(tail) if tail > first else None
        if end is not None and end - tail < back / 2:
            # Too late: the sound is longer, say. The last packet's frame need not be the last in time.
            end = self._last_ticks_from(max(end - back, first))
        if end is None:
            end = self._last_ticks_from(first)
        if end is None:
            raise DecodeError("the video stream holds no frames; is the file complete?")
        if end < first:
            raise DecodeError("the times in this file contradict each other: it is damaged")
        return self.seconds(first), self.seconds(end)

    @property
    def frame_s(self) -> float:
        """How long a frame lasts on average; 0.0 where that is not known."""
        return float(1 / self.stream.average_rate) if self.stream.average_rate else 0.0

    def _first_ticks(self) -> int:
        if self.stream.start_time is not None:
            return self.stream.start_time
        self._jump_to_start()
        times = [p.pts for p in islice(self._packets, REORDER_DEPTH) if is_shown(p)]
        return min((pts for pts in times if pts is not None), default=0)

    def _last_ticks_from(self, ticks: int) -> int | None:
        if not self._jump(ticks, any_frame=True):
            self._jump_to_start()
        # MPEG-TS does not say how long a frame lasts.
        usual = self._ticks(self.frame_s)
        return max(
            (p.pts + (p.duration or usual) for p in self.shown_packets() if p.pts is not None), default=None
        )

    def table(self) -> SampleTable | None:
        """Every packet of the file from its index; None where there is none or it may not be true."""
        found = sample_table(self._file.place(), self.stream)
        if found is None:
            return None
        self._jump_to_start()
        head = list(islice(self._packets, REORDER_DEPTH))
        if not head or head[0].pts is None:
            return None
        found = found.shifted(head[0].pts - int(found.pts[0]))
        if not self._jump(int(found.pts[-REORDER_DEPTH:].min()), any_frame=True):
            return None
        tail = list(islice(self._packets, 8 * REORDER_DEPTH))
        is_true = tail and found.lists(head, 0) and found.lists(tail, len(found) - len(tail))
        return found if is_true else None

    # Positions

    def _jump(self, ticks: int, *, any_frame: bool = False) -> bool:
        """Seek by the container's own index; False where it cannot."""
        ticks = min(max(ticks, -_MAX_TICKS), _MAX_TICKS)
        try:
            self.container.seek(ticks, stream=self.stream, any_frame=any_frame)
        except av.error.FFmpegError:
            return False
        self._begin()
        return True

    def _jump_to_start(self) -> None:
        if not self._jump(min(self.stream.start_time or 0, 0) - self._ticks(10.0)):
            self.container.close()
            self._open()

    def _begin(self) -> None:
        self._damage = Damage()
        self._context.skip_frame = "DEFAULT"
        self._packets = self._demux()

    def _demux(self) -> Iterator[_Packet]:
        try:
            for packet in self.container.demux(self.stream):
                if packet.size:
                    yield packet
        except (av.error.FFmpegError, IndexError):
            # What follows is unreadable: a truncated or damaged file ends here. PyAV's IndexError
            # comes at the end of a file in which another stream has begun meanwhile.
            return

    def seek(self, time_s: float) -> float:
        """Go to the last keyframe at or before a time, else to the first one; returns its time.

        Containers land late: fragmented mp4 and MPEG-TS do so often. So the first packet is looked
        at, and where it lies past the time the seek steps further back. They land early too, in mp4
        with edit lists above all: where the index has a later keyframe, packets are read up to it.
        """
        target, first, back = self._ticks(time_s), self._first_ticks(), 0
        while target - back > first:
            if self._jump(target - back) and (pts := self._stand_on_keyframe()) is not None and pts <= target:
                return self.seconds(self._read_on(pts, target))
            back = max(back * 2, self._ticks(1.0), 1)
        self._jump_to_start()
        pts = self._stand_on_keyframe()
        if pts is None:
            raise DecodeError("the video stream holds no keyframe; is the file complete?")
        return self.seconds(self._read_on(pts, target))

    def keyframe_before(self, time_s: float) -> float:
        """Where `seek` would go. Where the table is known it is read there, and nothing moves."""
        if self.known is None:
            return self.seek(time_s)
        return self.seconds(self.known.keyframe_before(self._ticks(time_s)))

    def _stand_on_keyframe(self) -> int | None:
        for packet in self._packets:
            if packet.is_keyframe and packet.pts is not None:
                self._packets = chain([packet], self._packets)
                return packet.pts
        return None

    def _read_on(self, pts: int, target: int) -> int:
        """Go on from the keyframe at `pts` to the last one at or before a time, if the index has such."""
        entries = self.stream.index_entries
        # Then the index is one of every sample, by the time at which it is decoded.
        is_whole = len(entries) == self.stream.frames
        at = entries.search_timestamp(min(target, _MAX_TICKS)) if is_whole and target > pts else -1
        if at < 0:
            return pts
        last_dts = entries[at].timestamp
        ahead: list[_Packet] = []
        for packet in self._packets:
            if packet.is_keyframe and packet.pts is not None and packet.pts <= target:
                pts, ahead = packet.pts, []
            ahead.append(packet)
            if packet.dts is None or packet.dts >= last_dts:
                break
        self._packets = chain(ahead, self._packets)
        return pts

    def shown_packets(self) -> Iterator[_Packet]:
        """The packets from where `seek` stands whose frames are shown, in order of decoding."""
        return (packet for packet in self._packets if packet.pts is not None and is_shown(packet))

    # Pictures

    def keyframe(self, time_s: float) -> Decoded | None:
        """The keyframe of a time that `seek` gave: one packet and a flush."""
        packet = self._packet_at(self._ticks(time_s))
        return next(iter(self._by_itself(packet)), None) if packet else None

    def _packet_at(self, pts: int) -> _Packet | None:
        self.seek(self.seconds(pts))
        # Where there are edit lists, mp4's reader lands a keyframe early.
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
