"""The sample table of an mp4 or mov: time, size and kind of every packet, without reading one.

FFmpeg's index of such a file has all but one thing: how much later than it is decoded a frame is
shown. That stands in the box `ctts` (ISO/IEC 14496-12, 8.6.1.3) and is read here. What comes out
has to be compared with packets that were read, at both ends of the file, before it is believed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .pyav_timeline import is_shown

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream

    from .pyav_file import Place

_MAX_BOXES = 4096
"""On one level. A file of many fragments has more, and no table."""
_MAX_TABLE_BYTES = 1 << 25
_MAX_SAMPLES = 1 << 22
"""19 hours at 60 frames a second."""
_ENTRY = np.dtype([("dts", "i8"), ("size_bytes", "i8"), ("is_key", "?"), ("is_discard", "?")])
_WAY_TO_TABLES = (b"mdia", b"minf", b"stbl")


@dataclass(frozen=True, eq=False)
class SampleTable:
    """Packets in order of decoding, as arrays of one length."""

    pts: NDArray[np.int64]
    """When a frame is shown, in ticks of the stream's time base."""
    size_bytes: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    is_shown: NDArray[np.bool_]
    """False for what an edit list cuts away."""

    def shifted(self, ticks: int) -> SampleTable:
        """The same, with all frames shown later."""
        return replace(self, pts=self.pts + ticks)

    def lists(self, packets: Sequence[Packet[VideoStream]], begin: int) -> bool:
        """Whether packets that were read are those of the table from one place on."""
        end = begin + len(packets)
        columns = self.pts, self.size_bytes, self.is_key, self.is_shown
        listed = zip(*(column[begin:end].tolist() for column in columns), strict=True)
        return list(listed) == [(p.pts, p.size, p.is_keyframe, is_shown(p)) for p in packets]

    def __len__(self) -> int:
        return len(self.pts)

    @cached_property
    def keyframes(self) -> list[int]:
        """The pts of the keyframes, ascending."""
        ascending: list[int] = np.sort(self.pts[self.is_key]).tolist()
        return ascending

    def keyframe_before(self, ticks: int) -> int:
        """The pts of the last keyframe at or before a time, else of the first one."""
        return self.keyframes[max(bisect_right(self.keyframes, ticks) - 1, 0)]

    def shown(self) -> Iterator[tuple[int, int, bool]]:
        """(pts, size_bytes, is_key) of each packet whose frame is shown."""
        columns = self.pts, self.size_bytes, self.is_key
        return zip(*(column[self.is_shown].tolist() for column in columns), strict=True)


def sample_table(file: Place, stream: VideoStream) -> SampleTable | None:
    """The table of a stream of mp4 or mov; None where there is none, or not one of every packet.

    Its times may all be off by the same: FFmpeg moves them so that none is shown before it is decoded.
    """
    tables = _tables(file, stream.id)
    if tables is None:
        return None
    count = len(stream.index_entries)
    if not 0 < count == stream.frames <= _MAX_SAMPLES:
        return None
    rows = ((e.timestamp, e.size, e.is_keyframe, e.is_discard) for e in stream.index_entries)
    index = np.fromiter(rows, _ENTRY, count)
    later = _later(tables.get(b"ctts"), count)
    if later is None or not _are_sizes(tables.get(b"stsz"), index["size_bytes"]):
        return None
    return SampleTable(index["dts"] + later, index["size_bytes"], index["is_key"], ~index["is_discard"])


def _tables(file: Place, track_id: int) -> dict[bytes, bytes] | None:
    """The boxes that describe the samples of a track; None where there are fragments beside."""
    boxes = list(_boxes(file, 0, file.size_bytes))
    movie = next((span for kind, *span in boxes if kind == b"moov"), None)
    if movie is None or any(kind == b"moof" for kind, *_ in boxes):
        return None
    for kind, *span in _boxes(file, *movie):
        if kind == b"trak" and _track_id(file, *span) == track_id:
            return _sample_tables(file, *span)
    return None


def _track_id(file: Place, begin: int, end: int) -> int:
    head = next((_content(file, *span) for kind, *span in _boxes(file, begin, end) if kind == b"tkhd"), b"")
    # After version and flags stand two times, of 4 bytes each or of 8.
    at = 20 if head[:1] == b"\x01" else 12
    return int.from_bytes(head[at : at + 4])


def _sample_tables(file: Place, begin: int, end: int) -> dict[bytes, bytes]:
    boxes = {kind: span for kind, *span in _boxes(file, begin, end)}
    for step in _WAY_TO_TABLES:
        boxes = {kind: span for kind, *span in _boxes(file, *boxes.get(step, (0, 0)))}
    return {kind: _content(file, *boxes[kind]) for kind in (b"ctts", b"stsz") if kind in boxes}


def _boxes(file: Place, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, begin, end) of the content of each box that stands between two places."""
    for _ in range(_MAX_BOXES):
        file.seek(begin)
        head = file.read(16)
        size, content = int.from_bytes(head[:4]), begin + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16]), begin + 16
        elif size == 0:
            size = end - begin
        if len(head) < 8 or size < content - begin or begin + size > end:
            return
        yield head[4:8], content, begin + size
        begin += size


def _content(file: Place, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(min(end - begin, _MAX_TABLE_BYTES))


def _later(ctts: bytes | None, count: int) -> NDArray[np.int64] | None:
    """How much later than it is decoded each sample is shown; None where that is not told of each."""
    if ctts is None:
        return np.zeros(count, np.int64)
    runs = np.frombuffer(ctts[8 : 8 + (len(ctts) - 8) // 8 * 8], ">u4").reshape(-1, 2)
    # Unsigned in version 0, by the letter. QuickTime and others write negative ones all the same.
    lengths, offsets = runs[:, 0].astype(np.int64), runs[:, 1].astype(np.uint32).view(np.int32)
    return np.repeat(offsets.astype(np.int64), lengths) if lengths.sum() == count else None


def _are_sizes(stsz: bytes | None, size_bytes: NDArray[np.int64]) -> bool:
    """Whether the index has every sample in the table's order: an edit list may have it otherwise."""
    if stsz is None or len(stsz) < 12:
        return False
    if same := int.from_bytes(stsz[4:8]):
        return bool((size_bytes == same).all())
    listed = np.frombuffer(stsz[12 : 12 + (len(stsz) - 12) // 4 * 4], ">u4")
    return np.array_equal(listed, size_bytes)
