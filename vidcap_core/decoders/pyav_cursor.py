"""A place in an opened file: seek, read packets, decode. One per iterator that is under way."""

from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice
from typing import TYPE_CHECKING

import av
import av.error
from av import Packet, VideoFrame
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from ..errors import DecodeError
from ..video import SeekableFile

if TYPE_CHECKING:
    _Packet = Packet[VideoStream]

av.logging.set_level(av.logging.PANIC)

_MAX_PIXELS = 8192 * 4608
"""Above 8K. A picture that claims more is refused before memory is taken for it."""

# FFmpeg opens nothing by itself: no playlist, no concat script, no image sequence, no device. With
# its defaults a file can make it read other files and reach other hosts.
_OPTIONS = {
    "format_whitelist": "mov,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,gif,mp3,wav,flac,aac",
    "protocol_whitelist": "file",
    # For the streams: some are decoded already to learn what they are.
    "max_pixels": str(_MAX_PIXELS),
}
_READ_BYTES = 1 << 17
_REORDER_DEPTH = 17
"""H.264 and HEVC reorder 16 frames at most: the next frame in time is this near in the file."""
_SKIPS_NONREF = frozenset({"h264"})
"""Codecs whose frames stay right where unreferenced ones are skipped. AV1's do not."""
_TAIL_S = 2.0
_MAX_TICKS = 1 << 62
"""FFmpeg counts in 64 bits; what a header claims may lie beyond."""
_MANIFESTS = {
    b"#extm3u": "an HLS playlist",
    b"ffconcat": "an ffconcat script",
    b"<?xml": "an XML document, a DASH manifest perhaps",
    b"<mpd": "a DASH manifest",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
}


class Cursor:
    """An open container with its best video stream. Not for two iterators at once."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        self._open()

    def _open(self) -> None:
        self.container = _open(_Place(self._file))
        self.stream = _best_video(self.container)
        self._context = self.stream.codec_context
        self._context.options = {"max_pixels": str(_MAX_PIXELS)}
        # More threads buy wall time with CPU time: a batch would pay for nothing.
        self._context.thread_count = 1
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
        first, back = self._first_ticks(), self._ticks(_TAIL_S + _REORDER_DEPTH * (self._frame_s or 1.0))
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
    def _frame_s(self) -> float:
        return float(1 / self.stream.average_rate) if self.stream.average_rate else 0.0

    def _first_ticks(self) -> int:
        if self.stream.start_time is not None:
            return self.stream.start_time
        self._jump_to_start()
        times = [p.pts for p in islice(self._packets, _REORDER_DEPTH) if _is_shown(p)]
        return min((pts for pts in times if pts is not None), default=0)

    def _last_ticks_from(self, ticks: int) -> int | None:
        if not self._jump(ticks, any_frame=True):
            self._jump_to_start()
        # MPEG-TS does not say how long a frame lasts.
        usual = self._ticks(self._frame_s)
        return max(
            (p.pts + (p.duration or usual) for p in self.shown_packets() if p.pts is not None), default=None
        )

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
        self.damaged = False
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
        at, and where it lies past the time the seek steps further back.
        """
        target, first, back = self._ticks(time_s), self._first_ticks(), 0
        while target - back > first:
            if self._jump(target - back) and (pts := self._stand_on_keyframe()) is not None and pts <= target:
                return self.seconds(pts)
            back = max(back * 2, self._ticks(1.0), 1)
        self._jump_to_start()
        pts = self._stand_on_keyframe()
        if pts is None:
            raise DecodeError("the video stream holds no keyframe; is the file complete?")
        return self.seconds(pts)

    def _stand_on_keyframe(self) -> int | None:
        for packet in self._packets:
            if packet.is_keyframe and packet.pts is not None:
                self._packets = chain([packet], self._packets)
                return packet.pts
        return None

    def shown_packets(self) -> Iterator[_Packet]:
        """The packets from where `seek` stands whose frames are shown, in order of decoding."""
        return (packet for packet in self._packets if packet.pts is not None and _is_shown(packet))

    # Pictures

    def keyframe(self) -> VideoFrame | None:
        """The keyframe that `seek` stands on: one packet and a flush."""
        return next(iter(self._by_itself(next(self._packets, None))), None)

    def _by_itself(self, packet: _Packet | None) -> list[VideoFrame]:
        return [*self._decode(packet), *self._decode(None)][:1]

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame from where `seek` stands, in order of time."""
        for packet in self._packets:
            yield from self._decode(packet)
        yield from self._decode(None)

    def keyframes(self) -> Iterator[VideoFrame]:
        """Every keyframe from where `seek` stands; the others are not decoded."""
        # `skip_frame` would leave it to the decoder, and those of VP9 and AV1 give every frame.
        for packet in self.shown_packets():
            if packet.is_keyframe:
                yield from self._by_itself(packet)
                self._context.flush_buffers()

    def on_screen(self, times_s: Sequence[float]) -> Iterator[VideoFrame]:
        """The frame on screen at each of some ascending times; fewer where nothing decodes."""
        self.seek(times_s[0])
        # Before the first frame the first one is shown.
        asked = deque(max(self._ticks(time_s), self._first_ticks()) for time_s in times_s)
        timeline = _Timeline(self._packets)
        shown: VideoFrame | None = None
        for frame in self._frames_for(asked, timeline):
            pts = _pts(frame)
            while asked and pts > asked[0]:
                yield shown or frame
                asked.popleft()
            shown = frame
            while asked and timeline.shows(pts, asked[0]):
                yield frame
                asked.popleft()
            if not asked:
                return
        if shown is not None:
            yield from [shown] * len(asked)

    def _frames_for(self, asked: deque[int], timeline: _Timeline) -> Iterator[VideoFrame]:
        """Frames in order of time up to the last asked one; of the others, as few as will do."""
        may_skip = self._context.codec.canonical_name in _SKIPS_NONREF
        last, reached = asked[-1], False
        for packet in timeline:
            wanted = timeline.wants(packet, asked)
            if may_skip:
                self._context.skip_frame = "DEFAULT" if wanted else "NONREF"
            yield from self._decode(packet)
            reached = reached or (packet.pts is not None and timeline.shows(packet.pts, last))
            # The last frame in time may stand before others in the file.
            if reached and not any(timeline.wants(later, asked) for later in timeline.ahead):
                break
        yield from self._decode(None)

    def _decode(self, packet: _Packet | None) -> list[VideoFrame]:
        try:
            return [frame for frame in self._context.decode(packet) if frame.pts is not None]
        except av.error.FFmpegError as error:
            if not self._context.is_open:
                raise DecodeError(
                    f"FFmpeg refuses this {self._context.name} stream: its size, perhaps"
                ) from error
            self.damaged = True
            return []


class _Timeline:
    """Packets with a look ahead, so that it is known which frame is on screen when."""

    def __init__(self, packets: Iterator[_Packet]) -> None:
        self._packets = packets
        self._times: list[int] = []
        self._complete = True
        self.ahead: deque[_Packet] = deque()

    def __iter__(self) -> Iterator[_Packet]:
        for packet in self._packets:
            self._learn(packet)
            self.ahead.append(packet)
            if len(self.ahead) > _REORDER_DEPTH:
                yield self.ahead.popleft()
        while self.ahead:
            yield self.ahead.popleft()

    def _learn(self, packet: _Packet) -> None:
        if packet.pts is None:
            self._complete = False
        elif _is_shown(packet):
            bisect.insort(self._times, packet.pts)

    def shows(self, pts: int, ticks: int) -> bool:
        """Whether the frame at `pts` is surely the one on screen at `ticks`."""
        after = bisect.bisect_right(self._times, pts)
        is_last = after == len(self._times) or self._times[after] > ticks
        return self._complete and pts <= ticks and is_last

    def wants(self, packet: _Packet, asked: Iterable[int]) -> bool:
        """Whether a packet may hold a frame that is on screen at one of the times."""
        if packet.pts is None or not self._complete:
            return True
        return any(self.shows(packet.pts, ticks) for ticks in asked)


class _Place:
    """A place of its own in a file that others read as well: FFmpeg goes on where it read last."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        self._offset = 0

    def read(self, size: int = -1, /) -> bytes:
        self._file.seek(self._offset)
        data = self._file.read(size)
        self._offset += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._offset = offset + (0, self._offset, self._file.size_bytes)[whence]
        return self._offset

    def tell(self) -> int:
        return self._offset


def _open(file: _Place) -> InputContainer:
    head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        raise DecodeError("this file is empty")
    for magic, name in _MANIFESTS.items():
        if head.startswith(magic):
            raise DecodeError(f"this is {name}, not a video; give the video itself")
    file.seek(0)
    try:
        container = av.open(file, "r", metadata_errors="replace", options=_OPTIONS, buffer_size=_READ_BYTES)
    except (av.error.FFmpegError, UnicodeDecodeError) as error:
        raise DecodeError("this file is no video that vidcap can read, or a damaged one") from error
    assert isinstance(container, InputContainer)  # noqa: S101 - mode "r" opens no other
    return container


def _best_video(container: InputContainer) -> VideoStream:
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        what = "only audio" if container.streams.audio else "no video stream"
        raise DecodeError(f"this file holds {what}: there is no picture to caption")
    if stream.codec_context is None:  # PyAV's types do not know of this
        raise DecodeError("this video's codec is one that FFmpeg cannot decode")
    for other in container.streams:
        if other.index != stream.index:
            # Or every seek costs a stray read of the audio beside it.
            other.discard = Discard.all
    return stream


def _is_shown(packet: _Packet) -> bool:
    """False for what an edit list cuts away: it is decoded for others, never shown."""
    return not packet.is_discard


def _pts(frame: VideoFrame) -> int:
    assert frame.pts is not None  # noqa: S101 - `_decode` keeps only such
    return frame.pts
