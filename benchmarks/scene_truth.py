"""What is known of the changes of scene of a clip, and how what a detector found is scored.

A cut is found by a time within 2 frames of it, a gradual change by one from 5 frames before it to 5
after it; each counts once. What lies about something that is neither to be found nor wrong, a jump
cut say, is left out of account. Everything else is a false alarm.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hard_scenes import RECIPES, render

_CUT_FRAMES, _GRADUAL_FRAMES = 2, 5

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Truth:
    """A clip and its changes of scene, as numbers of frames."""

    name: str
    path: Path
    times_s: tuple[float, ...]
    """Of every frame."""
    cuts: tuple[int, ...]
    gradual: tuple[Span, ...]
    free: tuple[Span, ...] = ()
    """Neither to be found nor wrong."""


@dataclass(frozen=True, slots=True)
class Score:
    """How many changes were found, missed, and made up."""

    found: int = 0
    missed: int = 0
    false: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.found + other.found, self.missed + other.missed, self.false + other.false)

    @property
    def precision(self) -> float:
        """Share of what was said that is right; 1 where nothing was said."""
        said = self.found + self.false
        return self.found / said if said else 1.0

    @property
    def recall(self) -> float:
        """Share of what there is that was said; 1 where there is nothing."""
        there = self.found + self.missed
        return self.found / there if there else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there was nothing and nothing was said."""
        counted = 2 * self.found + self.missed + self.false
        return 2 * self.found / counted if counted else 1.0


def score(truth: Truth, times_s: Sequence[float]) -> Score:
    """Compare the times at which scenes are said to begin with the truth."""
    left = sorted(_frame_at(truth.times_s, time_s) for time_s in times_s)
    wanted = [(cut - _CUT_FRAMES, cut + _CUT_FRAMES) for cut in truth.cuts]
    wanted += [(begin - _GRADUAL_FRAMES, end + _GRADUAL_FRAMES) for begin, end in truth.gradual]
    found = 0
    # Those whose room ends first choose first: so no one takes what another one needs more.
    for begin, end in sorted(wanted, key=lambda span: span[1]):
        if mine := [frame for frame in left if begin <= frame <= end]:
            left.remove(mine[0])
            found += 1
    false = [frame for frame in left if not any(b - 5 <= frame <= e + 5 for b, e in truth.free)]
    return Score(found, len(wanted) - found, len(false))


def _frame_at(times_s: Sequence[float], time_s: float) -> int:
    """Number of the nearest frame."""
    after = min(bisect_left(times_s, time_s), len(times_s) - 1)
    before = max(after - 1, 0)
    return before if time_s - times_s[before] < times_s[after] - time_s else after


def labelled(media: Path) -> Iterator[Truth]:
    """The clips of a media folder whose manifest.json knows their cuts."""
    for item in json.loads((media / "manifest.json").read_text("utf-8"))["items"]:
        known = item.get("ground_truth") or {}
        if "events" in known:
            events = json.loads((media / known["events"]).read_text("utf-8"))["events"]
            yield _truth(media, item, "v0", _of_events(events))
        elif isinstance(known.get("cuts"), dict):
            cuts = known["cuts"]
            gradual = [(one["start_frame"], one["end_frame"]) for one in cuts.get("gradual", [])]
            yield _truth(media, item, f"v{cuts.get('stream_index', 0)}", (cuts["cuts"], gradual, []))
        elif "scene_cuts" in known:
            yield _truth(media, item, "v0", (known["scene_cuts"], [], []))


Changes = tuple[Sequence[int], Sequence[Span], Sequence[Span]]


def _of_events(events: Sequence[dict[str, Any]]) -> Changes:
    required = [one for one in events if one["required"]]
    cuts = [one["frame"] for one in required if one["type"] == "cut"]
    gradual = [_span(one) for one in required if one["type"] != "cut"]
    return cuts, gradual, [_span(one) for one in events if not one["required"]]


def _span(event: dict[str, Any]) -> Span:
    if "start_frame" in event:
        return event["start_frame"], event["end_frame"]
    return event["frame"], event["frame"]


def _truth(media: Path, item: dict[str, Any], stream: str, changes: Changes) -> Truth:
    tables = item["video_frames"]
    table = tables.get(stream) or next(iter(tables.values()))
    times_s = json.loads((media / table["frames_json"]).read_text("utf-8"))["pts_s"]
    cuts, gradual, free = changes
    path = media / item["file"]
    return Truth(path.name, path, tuple(times_s), tuple(cuts), tuple(gradual), tuple(free))


def rendered(folder: Path, seeds: Sequence[int]) -> Iterator[Truth]:
    """The hard set."""
    for seed in seeds:
        for name in RECIPES:
            clip = render(folder, name, seed)
            numbers = range(round(clip.times_s[-1] * 25) + 2)
            at = [bisect_right(clip.times_s, number / 25 - 0.001) for number in numbers]
            changes = [(at[one.first], at[one.last], one.kind == "cut") for one in clip.changes]
            cuts = tuple(begin for begin, _, is_cut in changes if is_cut)
            gradual = tuple((begin, end) for begin, end, is_cut in changes if not is_cut)
            yield Truth(f"{name} {seed}", clip.path, clip.times_s, cuts, gradual)
