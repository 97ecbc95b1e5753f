"""How much memory it takes: a three-hour file with every sampler, and `pyav` whatever the length.

    python benchmarks/memory.py [--samplers uniform,keyframes] [--minutes 180] [--json memory.json]

Each line is one library call in a fresh interpreter. The peaks are of the process that vidcap runs in
and of its decoder's; with isolation `none` there is only the first. A sampler that looks at every frame
takes as long as the film has frames.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from measuring import RunError, cost_of, largest_child_mb, peak_mb

_CHILD_MB, _ONE_PROCESS_MB = 150.0, 100.0
"""The targets: of the decoder's process with any sampler, and of all in one with `pyav`."""
_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Line:
    """One run."""

    sampler: str
    isolation: str
    minutes: int
    frames: int
    cpu_s: float
    peak_mb: float
    child_mb: float

    @property
    def is_met(self) -> bool:
        """Whether the target is."""
        alone = self.isolation == "none"
        return self.peak_mb <= _ONE_PROCESS_MB if alone else self.child_mb <= _CHILD_MB

    def __str__(self) -> str:
        target = f"process ≤ {_ONE_PROCESS_MB:g}" if self.isolation == "none" else f"child ≤ {_CHILD_MB:g}"
        verdict = "met" if self.is_met else "missed"
        return (
            f"{self.sampler:18}{self.isolation:10}{self.minutes:6}{self.frames:8}{self.cpu_s:8.2f}"
            f"{self.peak_mb:9.0f}{self.child_mb:7.0f}  {verdict} ({target})"
        )


def main() -> None:
    """Measure and print, or be measured."""
    if sys.argv[1:2] == ["--one"]:
        take(*sys.argv[2:])
        return
    arguments = _arguments()
    print(f"{'sampler':18}{'isolation':10}{'min':>6}{'frames':>8}{'CPU s':>8}{'process':>9}{'child':>7}  MB")
    lines = []
    for sampler, isolation, minutes in _runs(arguments):
        try:
            lines.append(_measured(sampler, isolation, minutes))
            print(lines[-1], flush=True)
        except RunError as error:
            print(f"{sampler:18}{isolation:10}{minutes:6}  {error}", flush=True)
    if arguments.json:
        told = [asdict(line) | {"is_met": line.is_met} for line in lines]
        arguments.json.write_text(json.dumps(told, indent=2), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--samplers", help="by default all that are installed")
    parser.add_argument("--minutes", type=int, default=180, help="of the long file")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _runs(arguments: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """(sampler, isolation, minutes) of each run."""
    for minutes in (1, 10, 60):
        yield "uniform", "none", minutes
    for sampler in arguments.samplers.split(",") if arguments.samplers else _installed():
        yield sampler, "process", arguments.minutes


def _installed() -> list[str]:
    from vidcap_core import Registry

    return sorted(Registry.load().kind("samplers"))


def _measured(sampler: str, isolation: str, minutes: int) -> Line:
    # Here, or those that are measured would import it too.
    from media import Kind, rendered

    path = str(rendered(Kind(minutes)))
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("--one", sampler, isolation, path)
        cost = cost_of("memory.py", *arguments, folder=Path(folder), timeout_s=_TIMEOUT_S)
    return Line(sampler, isolation, minutes, cpu_s=cost.cpu_s, **cost.said)


def take(sampler: str, isolation: str, path: str) -> None:
    """Take up to 32 frames, and print the peaks."""
    from vidcap_core import Vidcap

    with Vidcap(sampler=sampler, isolation=isolation, max_frames=32, decoder_timeout_s=_TIMEOUT_S) as vidcap:
        frames = len([*vidcap.frames(path)])
    print(json.dumps({"frames": frames, "peak_mb": peak_mb(), "child_mb": largest_child_mb()}))


if __name__ == "__main__":
    main()
