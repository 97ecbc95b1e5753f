"""An opened file read packet by packet: where its video lies in time, and how a place in it is found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from typing import TYPE_CHECKING

import av
import av.error
from av import Packet
from av.video.stream import VideoStream

from ..errors import DecodeError
from .pyav_file import SharedFile, best_video, open_container
from .pyav_table import SampleTable, sample_table
from .pyav_timeline import REORDER_DEPTH, is_shown

if TYPE_CHECKING:
    _Packet = Packet[VideoStream]

_TAIL_S = 2.0
_MAX_TICKS = 1 << 62
"""FFmpeg counts in 64 bits; what a header claims may lie beyond."""


class Reader:
    """An open container with its best video stream. Nothing is decoded."""

    def __init__(self, file: SharedFile) -> None:
        self._file = file
        self.known: SampleTable | None = None
        """What `table` gave, where somebody has asked for it: it costs more than a few seeks."""
        self._packets: Iterator[_Packet]
        self._open()

    def _open(self) -> None:
        self.container = open_container(self._file.place())
        self.stream = best_video(self.container)
        self._time_base = self.stream.time_base or Fraction(1, av.time_base)
        self._begin()

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
