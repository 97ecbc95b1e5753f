"""What the sizes of compressed frames tell, with nothing decoded: where something may happen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..types import Packet

_QUIET_BITS_A_BLOCK = 0.25
"""Per 16x16 pixels. A frame that repeats another one costs 0.1; a word or a pointer that comes, several."""
_AROUND_S = 0.5
"""What is kept of the time on either side of an active frame: what it was like before, and after."""
_MERGED_S = 5.0
"""Two active stretches that are closer are one: decoding starts at a keyframe before each anyway."""
_WHOLE_SHARE = 0.7
"""Of the span. Where more is active all is looked at: the rest is decoded on the way."""
_BIN_S = 0.5
_NEAR_BINS = 20
_SPIKE = 3.0
_EARLY = 0.9
"""Of the longest distance between keyframes: at less, one was not due."""
_SETTLED_S = 0.1
"""After the frame that brought something new, which may be coarse still."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a video in which frames only repeat each other between keyframes, or do not."""

    start_s: float
    end_s: float
    is_active: bool


def stretches(
    packets: Sequence[Packet], start_s: float, end_s: float, pixels: int, after_s: float
) -> list[Stretch]:
    """Tile a span by what its packets, in order of time, tell.

    `after_s` more is active after each active frame. Keyframes tell nothing by their size: what is new
    in one is seen only by looking at it. Where they follow each other, then, anything may happen.
    """
    quiet_bytes = pixels / 256 * _QUIET_BITS_A_BLOCK / 8
    found = [(one.time_s, other.time_s) for one, other in pairwise(packets) if one.is_key and other.is_key]
    found += [(p.time_s, p.time_s) for p in packets if not p.is_key and p.size_bytes > quiet_bytes]
    active: list[list[float]] = []
    for first_s, last_s in sorted(found):
        if active and first_s - _AROUND_S - active[-1][1] < _MERGED_S:
            active[-1][1] = last_s + after_s
        else:
            active.append([max(first_s - _AROUND_S, start_s), last_s + after_s])
    spans = [(one, min(other, end_s)) for one, other in active]
    if sum(other - one for one, other in spans) > _WHOLE_SHARE * (end_s - start_s):
        return [Stretch(start_s, end_s, True)]
    return list(_tiled(spans, start_s, end_s))


def _tiled(spans: Sequence[tuple[float, float]], start_s: float, end_s: float) -> Iterator[Stretch]:
    edges_s = [start_s, *(edge_s for span in spans for edge_s in span), end_s]
    for number, (one, other) in enumerate(pairwise(edges_s)):
        if other > one or start_s == end_s:
            yield Stretch(one, other, number % 2 == 1)


def keyframes(packets: Iterable[Packet]) -> list[tuple[float, bool]]:
    """(time_s, is_cut) of each keyframe of a video, in the order of its packets.

    Encoders set one where the picture changes, or when the longest distance, in frames, is up: one
    that comes before it was due is a cut that the encoder saw.
    """
    times_s: list[float] = []
    distances: list[int] = []
    for packet in packets:
        if packet.is_key:
            times_s.append(packet.time_s)
            distances.append(0)
        if distances:
            distances[-1] += 1
    usual = max(distances, default=0)
    # The first one has no choice; whether the next one came early is told by the distance to it.
    early = [False, *(distance < _EARLY * usual for distance in distances[:-1])]
    return list(zip(times_s, early[: len(times_s)], strict=True))


@dataclass(frozen=True, slots=True)
class Spike:
    """A moment at which the sizes say that something is new."""

    time_s: float
    strength: float
    """How many times the usual size around it, as a power of two."""
    is_cut: bool


def spikes(packets: Sequence[Packet], start_s: float) -> Iterator[Spike]:
    """The encoder's cuts, then where half a second of frames costs several times what is usual near it.

    Keyframes are left out of what is counted.
    """
    yield from (Spike(time_s, math.log2(16), True) for time_s, is_cut in keyframes(packets) if is_cut)
    bins: dict[int, list[Packet]] = {}
    for packet in packets:
        if not packet.is_key:
            bins.setdefault(int((packet.time_s - start_s) / _BIN_S), []).append(packet)
    sizes = {place: sum(packet.size_bytes for packet in some) for place, some in bins.items()}
    for place, size_bytes in sizes.items():
        near = range(place - _NEAR_BINS // 2, place + _NEAR_BINS // 2 + 1)
        around = sorted(sizes[other] for other in near if other in sizes)
        usual_bytes = max(around[len(around) // 2], 1)
        if size_bytes > _SPIKE * usual_bytes:
            largest = max(bins[place], key=lambda packet: packet.size_bytes)
            yield Spike(largest.time_s + _SETTLED_S, math.log2(size_bytes / usual_bytes), False)
