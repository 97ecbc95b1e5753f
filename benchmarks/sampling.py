"""Frames for less: what vidcap and others pay for the same frames of the same videos.

    python benchmarks/sampling.py                     # the headline: 5 and 32 frames of ten minutes
    python benchmarks/sampling.py --all               # every length, codec and distance of keyframes
    python benchmarks/sampling.py --minutes 1,60 --codecs hevc --methods vidcap-exact,opencv

Every method runs in a fresh interpreter, in turn with the others, so that a busy machine slows all of
them alike. Medians are printed with ratios to vidcap, then the targets. README.md tells more.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

from measuring import RunError, cost_of
from media import ENCODERS, HEIGHT_PX, LOOP_FRAMES, WIDTH_PX, Kind, rendered
from sampling_methods import METHODS, Job, tolerance_s
from sampling_report import BOUND, ONCE, Row, table
from sampling_targets import targets
from simplejpeg import decode_jpeg

from vidcap_core.image_size import fitted
from vidcap_core.testing.barcode import read_barcode

MINUTES, GOPS, COUNTS = ("1", "10", "60"), ("50", "250", "default"), ("5", "32", "128")


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    rows: list[Row] = []
    for minutes, codec, gop in product(arguments.minutes, arguments.codecs, arguments.gops):
        kind = Kind(int(minutes), codec, gop)
        rendered(kind)
        for count in map(int, arguments.frames):
            once_done = any(row.kind == kind and row.method in ONCE for row in rows)
            methods = [name for name in arguments.methods if not (once_done and name in ONCE)]
            rows += _measured(kind, count, methods, arguments)
            print(table(rows, kind, count), flush=True)
    met = list(targets(rows))
    print("\n".join(["Targets", *map(str, met)] if met else ["No target can be told from these runs."]))
    if arguments.json:
        told = {
            "side_px": arguments.side_px,
            "rows": [asdict(row) for row in rows],
            "targets": [asdict(target) | {"is_met": target.is_met} for target in met],
        }
        arguments.json.write_text(json.dumps(told, indent=2), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--all", action="store_true", help="every length, codec, distance and number")
    _choice(parser, "minutes", ("1", "10", "60", "180"), ("10",))
    _choice(parser, "codecs", tuple(ENCODERS), ("h264",))
    _choice(parser, "gops", GOPS, ("default",))
    _choice(parser, "frames", COUNTS, ("5", "32"))
    _choice(parser, "methods", (*METHODS, BOUND), (*METHODS, BOUND))
    parser.add_argument("--side-px", type=int, default=1024, help="of the longer side of the JPEGs")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.all:
        arguments.minutes, arguments.gops, arguments.frames = MINUTES, GOPS, COUNTS
        arguments.codecs = tuple(ENCODERS)
    return arguments


def _choice(parser: argparse.ArgumentParser, name: str, known: Sequence[str], default: Sequence[str]) -> None:
    def words(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"no {', '.join(sorted(unknown))}: {', '.join(known)}")
        return chosen

    parser.add_argument(f"--{name}", type=words, default=default, help=f"of {','.join(known)}")


def _measured(kind: Kind, count: int, methods: Sequence[str], arguments: argparse.Namespace) -> list[Row]:
    size = fitted(WIDTH_PX, HEIGHT_PX, arguments.side_px)
    rows = {method: Row(kind, count, method) for method in methods}
    for run in range(arguments.runs):
        for method, row in rows.items():
            if not row.refused and not (run and method in ONCE):
                _run(row, size)
    return list(rows.values())


def _run(row: Row, size_px: tuple[int, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asked_s = row.kind.even_s(row.count)
        job = Job(str(row.kind.path), folder, tuple(asked_s), *size_px)
        try:
            cost = cost_of("sampling_methods.py", row.method, json.dumps(asdict(job)), folder=Path(folder))
        except RunError as error:
            row.refused = str(error)
            return
        said = cost.said
        if row.method == BOUND:
            row.cpu_s.append(said[BOUND])
            return
        row.cpu_s.append(cost.cpu_s)
        row.wall_s.append(cost.wall_s)
        row.peak_mb.append(said["peak_mb"])
        row.child_mb.append(said["child_mb"])
        if len(row.cpu_s) == 1:
            _check(row, job, said["times_s"])


def _check(row: Row, job: Job, times_s: Sequence[float | None]) -> None:
    """Count the frames that are the right ones, by what is painted on them."""
    tolerated_s = tolerance_s(row.method, job)
    for place, (asked_s, time_s) in enumerate(zip(job.asked_s, times_s, strict=True)):
        try:
            number = read_barcode(decode_jpeg(Path(job.folder, f"{place:04}.jpg").read_bytes()))
        except ValueError:
            continue
        if tolerated_s and time_s is not None:
            # What it says of itself has to be true, and near enough.
            row.right += number == row.kind.number_at(time_s) and abs(time_s - asked_s) <= tolerated_s
        else:
            late = (number - row.kind.number_at(asked_s)) % LOOP_FRAMES
            row.right += late == 0
            row.beside += late in {1, LOOP_FRAMES - 1}


if __name__ == "__main__":
    main()
