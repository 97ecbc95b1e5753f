"""Which frame is on screen when, told from packets before they are decoded."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream

    _Packet = Packet[VideoStream]

REORDER_DEPTH = 17
"""H.264 and HEVC reorder 16 frames at most: the next frame in time is this near in the file."""


def is_shown(packet: _Packet) -> bool:
    """False for what an edit list cuts away: it is decoded for others, never shown."""
    return not packet.is_discard


class Timeline:
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
            if len(self.ahead) > REORDER_DEPTH:
                yield self.ahead.popleft()
        while self.ahead:
            yield self.ahead.popleft()

    def _learn(self, packet: _Packet) -> None:
        if packet.pts is None:
            self._complete = False
        elif is_shown(packet):
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
