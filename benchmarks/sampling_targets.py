"""The targets that vidcap has set itself, told from what `sampling.py` measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sampling_report import BOUND, Row, find

_RATIOS = (
    (5, "ffmpeg-recipe", "vidcap-keyframe", 150.0),
    (5, "ffmpeg-recipe", "vidcap-tolerance", 150.0),
    (5, "ffmpeg-recipe", "vidcap-exact", 40.0),
    (5, "decord", "vidcap-exact", 1.6),
    (5, "opencv", "vidcap-exact", 1.5),
    (32, "decord", "vidcap-exact", 1.8),
    (32, "opencv", "vidcap-exact", 1.8),
)
"""(frames, what costs more, what costs less, how many times less at least), for ten minutes."""
_FLAT, _MARGINAL, _PEAK_MB = 1.2, 1.15, 100.0
_CHILD = "-child"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and what it should be."""

    what: str
    measured: float
    wanted: float
    at_most: bool = False
    with_child: float | None = None
    """The same figure with the decoder in a process of its own."""

    @property
    def is_met(self) -> bool:
        """Whether it is, in this process; the child is not asked."""
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    def __str__(self) -> str:
        sign, child = "≤" if self.at_most else "≥", ""
        if self.with_child is not None:
            child = f"; with the child {self.with_child:.3g}"
        verdict = "met   " if self.is_met else "missed"
        return f"{verdict} {self.measured:8.4g} {sign} {self.wanted:g}  {self.what}{child}"


def targets(rows: Sequence[Row]) -> Iterator[Target]:
    """Those that these rows can tell of."""
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        if kind.minutes == 10:
            yield from _ratios(of_kind)
        yield from _marginal(of_kind)
        yield from _largest(of_kind)
        yield from _right(of_kind)
    yield from _flat(rows)


def _ratios(rows: Sequence[Row]) -> Iterator[Target]:
    kind = rows[0].kind
    for count, dear, cheap, least in _RATIOS:
        more, less = find(rows, kind, count, dear), find(rows, kind, count, cheap)
        child = find(rows, kind, count, cheap + _CHILD)
        if more and less:
            what = f"{dear} / {cheap}, {count} frames, {kind}"
            with_child = more.median_s / child.median_s if child else None
            yield Target(what, more.median_s / less.median_s, least, with_child=with_child)


def _marginal(rows: Sequence[Row]) -> Iterator[Target]:
    kind = rows[0].kind
    bound = find(rows, kind, 32, BOUND)
    if bound is None:
        return
    costs = [_a_frame_more_s(rows, f"vidcap-keyframe{child}") for child in ("", _CHILD)]
    if costs[0] is not None:
        with_child = costs[1] / bound.median_s if costs[1] is not None else None
        what = f"a keyframe more / the least it has to cost ({1000 * bound.median_s:.1f} ms), {kind}"
        yield Target(what, costs[0] / bound.median_s, _MARGINAL, True, with_child)


def _a_frame_more_s(rows: Sequence[Row], method: str) -> float | None:
    few, many = (find(rows, rows[0].kind, count, method) for count in (5, 32))
    return (many.median_s - few.median_s) / (many.count - few.count) if few and many else None


def _largest(rows: Sequence[Row]) -> Iterator[Target]:
    ours = [row for row in rows if row.method.startswith("vidcap-") and row.cpu_s]
    here = [row.largest_mb for row in ours if not row.method.endswith(_CHILD)]
    child = [row.largest_mb for row in ours if row.method.endswith(_CHILD)]
    if here:
        what = f"MB at most, any mode and number of frames, {rows[0].kind}"
        yield Target(what, max(here), _PEAK_MB, True, max(child, default=None))


def _right(rows: Sequence[Row]) -> Iterator[Target]:
    exact = [row for row in rows if row.method.startswith("vidcap-exact") and row.cpu_s]
    if exact:
        share = 100 * sum(row.right for row in exact) / sum(row.count for row in exact)
        yield Target(f"% of the exact frames are right, {rows[0].kind}", share, 100.0)


def _flat(rows: Sequence[Row]) -> Iterator[Target]:
    """From the shortest to the longest video of the same kind, keyframe mode."""
    for codec, gop in dict.fromkeys((row.kind.codec, row.kind.gop) for row in rows):
        costs = [_spread(rows, codec, gop, f"vidcap-keyframe{child}") for child in ("", _CHILD)]
        if costs[0] is not None:
            what = f"5 keyframes of 60 min / of 1 min, {codec}, keyframes: {gop}"
            yield Target(what, costs[0], _FLAT, True, costs[1])


def _spread(rows: Sequence[Row], codec: str, gop: str, method: str) -> float | None:
    found = {
        row.kind.minutes: row.median_s
        for row in rows
        if (row.kind.codec, row.kind.gop, row.count, row.method) == (codec, gop, 5, method) and row.cpu_s
    }
    return max(found.values()) / min(found.values()) if {1, 60} <= found.keys() else None
