"""What it costs to start: CPU seconds of whole processes, children included.

    python benchmarks/startup.py [--runs 5] [--json startup.json]

Each command is run several times in turn, so that a busy machine slows all of them alike; medians
are printed, with ratios to `python -c pass`. The video is ten minutes of 1080p25 H.264 with a
keyframe every ten seconds, rendered on the first run and kept in the temporary folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH_PX, HEIGHT_PX, RATE, LOOP_S, LOOPS = 1920, 1080, 25, 10, 60
VIDEO = Path(tempfile.gettempdir()) / "vidcap-benchmark-1080p25-600s.mp4"
DRY_RUN = ["-m", "vidcap_core", "caption", "--dry-run", "--sampler", "uniform", "--frames", "5"]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import vidcap_core": ["-c", "import vidcap_core"],
    "vidcap --help": ["-m", "vidcap_core", "--help"],
    "caption --dry-run, 5 of 10 min": [*DRY_RUN, str(VIDEO)],
    "the same, isolation none": [*DRY_RUN, "--set", "isolation=none", str(VIDEO)],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not VIDEO.exists():
        render(VIDEO)
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


def render(path: Path) -> None:
    """Encode one loop, then write its packets again and again."""
    packets = loop()
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        stream.encode(av.VideoFrame(WIDTH_PX, HEIGHT_PX, "yuv420p"))  # opens the codec
        for turn in range(LOOPS):
            for data, pts, dts, is_keyframe in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, RATE)
                packet.pts, packet.dts = (ticks + turn * LOOP_S * RATE for ticks in (pts, dts))
                packet.is_keyframe = is_keyframe
                out.mux(packet)


def loop() -> list[tuple[bytes, int, int, bool]]:
    """(data, pts, dts, is_keyframe) of a texture that drifts, a closed group of pictures."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
    codec.framerate, codec.time_base = Fraction(RATE), Fraction(1, RATE)
    codec.options = {"preset": "veryfast", "g": str(LOOP_S * RATE), "x264-params": "open-gop=0:scenecut=0"}
    texture = np.random.default_rng(0).integers(0, 255, (HEIGHT_PX // 8, WIDTH_PX // 8, 3), np.uint8)
    texture = texture.repeat(8, 0).repeat(8, 1)
    packets = []
    for number in range(LOOP_S * RATE):
        frame = av.VideoFrame.from_ndarray(np.roll(texture, 2 * number, 1), format="rgb24")
        frame.pts = number
        packets += codec.encode(frame)
    packets += codec.encode(None)
    return [(bytes(p), int(p.pts or 0), int(p.dts or 0), p.is_keyframe) for p in packets]


if __name__ == "__main__":
    main()
