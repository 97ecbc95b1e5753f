"""What it costs to start: CPU seconds of whole processes, children included.

    python benchmarks/startup.py [--runs 5] [--json startup.json]

Each command is run several times in turn, so that a busy machine slows all of them alike; medians
are printed, with ratios to `python -c pass`. The video is ten minutes of 1080p25 H.264 with a
keyframe every ten seconds, rendered on the first run and kept in the temporary folder (`media.py`).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from media import Kind, rendered

VIDEO = Kind(minutes=10, gop="250")
DRY_RUN = ["-m", "vidcap_core", "caption", "--dry-run", "--sampler", "uniform", "--frames", "5"]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import vidcap_core": ["-c", "import vidcap_core"],
    "vidcap --help": ["-m", "vidcap_core", "--help"],
    "caption --dry-run, 5 of 10 min": [*DRY_RUN, str(VIDEO.path)],
    "the same, isolation none": [*DRY_RUN, "--set", "isolation=none", str(VIDEO.path)],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rendered(VIDEO)
    taken_s: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(arguments.runs):
        for name, command in COMMANDS.items():
            taken_s[name].append(cpu_s([sys.executable, *command]))
    medians_s = {name: statistics.median(runs) for name, runs in taken_s.items()}
    base_s = next(iter(medians_s.values()))
    print(f"{'CPU s':>7} {'ratio':>7}")
    for name, median_s in medians_s.items():
        print(f"{median_s:7.3f} {median_s / base_s:7.1f}  {name}")
    if arguments.json:
        arguments.json.write_text(json.dumps(taken_s, indent=2), encoding="utf-8")


def cpu_s(command: list[str]) -> float:
    """CPU seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
