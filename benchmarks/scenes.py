"""Changes of scene: how many vidcap and others find, how many they make up, and what it costs.

    python benchmarks/scenes.py --media FOLDER              # its labelled clips and the hard set
    python benchmarks/scenes.py --seeds 100,101             # the hard set alone, by these seeds

FOLDER holds a manifest.json with the cuts of its clips. Every detector runs with its defaults in a
fresh interpreter; CPU seconds are those of the whole process and of all that it starts, medians of
`--runs`. The rule of scoring stands in scene_truth.py, what the hard set is in hard_scenes.py.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from measuring import RunError, cost_of
from media import FOLDER
from scene_detectors import DETECTORS
from scene_truth import Score, Truth, labelled, rendered, score

OURS, PEERS = "vidcap", ("Adaptive", "Content", "Histogram")
LONG_S = 60.0
"""Shorter clips tell what it costs to start."""
RECORD = "scenes_shared.mp4"


@dataclass(frozen=True, slots=True)
class Row:
    """What one detector made of one clip."""

    group: str
    clip: str
    length_s: float
    detector: str
    score: Score
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Target:
    """What was aimed at, and what came out."""

    wanted: str
    measured: str
    is_met: bool

    def __str__(self) -> str:
        return f"  {'met   ' if self.is_met else 'missed'}  {self.wanted}: {self.measured}"


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    rows: list[Row] = []
    for group, truth in _truths(arguments):
        new = list(_rows(group, truth, arguments))
        rows += new
        print(f"{truth.name:36.36}", "  ".join(map(_cell, new)), flush=True)
    for group in dict.fromkeys(row.group for row in rows):
        print(f"\n{group}\n{_totals([row for row in rows if row.group == group])}")
    targets = list(_targets(rows))
    print("\n".join(["", "Targets", *map(str, targets)]))
    if arguments.json:
        told = {"rows": [asdict(row) for row in rows], "targets": [asdict(target) for target in targets]}
        arguments.json.write_text(json.dumps(told, indent=2), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--media", type=Path, help="a folder with labelled clips and their manifest.json")
    parser.add_argument(
        "--seeds", type=_numbers, default=[100, 101, 102], help="of the hard set; empty: none"
    )
    parser.add_argument("--detectors", type=lambda text: text.split(";"), default=list(DETECTORS))
    parser.add_argument("--runs", type=int, default=1, help="of each detector, for its CPU time")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _truths(arguments: argparse.Namespace) -> Iterator[tuple[str, Truth]]:
    if arguments.media:
        for truth in labelled(arguments.media):
            yield ("the record" if truth.name == RECORD else "other labelled clips"), truth
    for truth in rendered(FOLDER, arguments.seeds):
        yield "the hard set", truth


def _rows(group: str, truth: Truth, arguments: argparse.Namespace) -> Iterator[Row]:
    costs: dict[str, list[tuple[float, list[float]]]] = {name: [] for name in arguments.detectors}
    for _ in range(arguments.runs):  # in turn, so that a busy machine slows all alike
        for name in list(costs):
            try:
                costs[name].append(_cost(name, truth))
            except RunError as error:
                print(f"{name} refuses {truth.name}: {error}")
                del costs[name]
    for name, runs in costs.items():
        cpu_s = statistics.median(cost_s for cost_s, _ in runs)
        yield Row(group, truth.name, truth.times_s[-1], name, score(truth, runs[0][1]), cpu_s)


def _cost(name: str, truth: Truth) -> tuple[float, list[float]]:
    cost = cost_of("scene_detectors.py", name, str(truth.path.resolve()), folder=Path(tempfile.gettempdir()))
    return cost.cpu_s, cost.said["times_s"]


def _cell(row: Row) -> str:
    one = row.score
    return f"{row.detector} {one.found}+{one.missed}-{one.false} {row.cpu_s:.2f} s"


def _totals(rows: Sequence[Row]) -> str:
    lines = [
        f"{'':16}{'F1':>7}{'precision':>11}{'recall':>8}{'found':>7}{'missed':>8}{'false':>7}{'CPU s':>9}"
    ]
    for name in dict.fromkeys(row.detector for row in rows):
        one, cpu_s = _sum(rows, name), sum(row.cpu_s for row in rows if row.detector == name)
        shares = f"{one.f1:7.3f}{one.precision:11.3f}{one.recall:8.3f}"
        lines.append(f"{name:16}{shares}{one.found:7}{one.missed:8}{one.false:7}{cpu_s:9.2f}")
    return "\n".join(lines)


def _sum(rows: Sequence[Row], detector: str) -> Score:
    return sum((row.score for row in rows if row.detector == detector), Score())


def _targets(rows: Sequence[Row]) -> Iterator[Target]:
    for group, least in (("the record", 0.90), ("the hard set", 0.93)):
        some = [row for row in rows if row.group == group]
        if any(row.detector == OURS for row in some):
            f1 = _sum(some, OURS).f1
            yield Target(f"F1 of {group} at least {least}", f"{f1:.3f}", f1 >= least)
    peers = [name for name in PEERS if any(row.detector == name for row in rows)]
    others = [row for row in rows if row.group == "other labelled clips"]
    if peers and others:
        yield from _against_best(others, max(peers, key=lambda name: _sum(others, name).f1))
    if peers:
        yield from _cheaper(rows, max(peers, key=lambda name: _sum(rows, name).f1))


def _against_best(rows: Sequence[Row], best: str) -> Iterator[Target]:
    ours, theirs = _sum(rows, OURS).f1, _sum(rows, best).f1
    yield Target(
        f"F1 of the other clips at least that of {best}", f"{ours:.3f} to {theirs:.3f}", ours >= theirs
    )
    worse = []
    for clip in {row.clip for row in rows}:
        one, other = (_sum([row for row in rows if row.clip == clip], name) for name in (OURS, best))
        if one.missed + one.false > other.missed + other.false + 1:
            worse.append(clip)
    yield Target(f"no clip worse than {best} by more than one", ", ".join(worse) or "none", not worse)


def _cheaper(rows: Sequence[Row], best: str) -> Iterator[Target]:
    for clip in dict.fromkeys(row.clip for row in rows if row.length_s >= LONG_S):
        cpu_s = {row.detector: row.cpu_s for row in rows if row.clip == clip}
        if OURS in cpu_s and best in cpu_s:
            share = cpu_s[OURS] / cpu_s[best]
            yield Target(f"{clip}: a third of the CPU time of {best}", f"{share:.2f}", share <= 1 / 3)


if __name__ == "__main__":
    main()
