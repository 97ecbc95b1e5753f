"""Detectors of scene changes, vidcap's and others'; `scenes.py` runs each in a fresh process.

    python benchmarks/scene_detectors.py DETECTOR VIDEO

Prints JSON: the times in seconds at which it says that a scene begins, without the first. What a
detector needs it imports by itself, so that nobody pays for another's imports.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path


def vidcap(path: str, isolation: str) -> list[float]:
    """`scenes` with its defaults; in this process, or with the decoder in its own."""
    from vidcap_core.decoders.pyav import PyAVDecoder
    from vidcap_core.isolation.pool import DecoderPool, Stop
    from vidcap_core.looking.scenes import boundaries

    with (
        DecoderPool(PyAVDecoder(), isolated=isolation == "process", timeout_s=600) as pool,
        pool.open(Path(path), Stop()) as video,
    ):
        return [boundary.time_s for boundary in boundaries(video)]


def pyscenedetect(path: str, detector: str) -> list[float]:
    """`scenedetect.detect` with a detector's defaults, which open the file with OpenCV."""
    scenedetect = import_module("scenedetect")
    found = scenedetect.detect(path, getattr(scenedetect, detector)())
    return [begin.seconds for begin, _ in found][1:]


def ffmpeg(path: str, threshold: float) -> list[float]:
    """FFmpeg's `select=gt(scene,threshold)`, on one thread."""
    select = f"select='gt(scene,{threshold})',showinfo"
    command = ["ffmpeg", "-hide_banner", "-nostats", "-threads", "1", "-i", path, "-an", "-sn"]
    said = subprocess.run([*command, "-vf", select, "-f", "null", "-"], capture_output=True, check=True)
    return [float(time) for time in re.findall(rb"pts_time:\s*([-0-9.]+)", said.stderr)]


DETECTORS: dict[str, Callable[[str], list[float]]] = {
    "vidcap": partial(vidcap, isolation="none"),
    "vidcap, child": partial(vidcap, isolation="process"),
    "Adaptive": partial(pyscenedetect, detector="AdaptiveDetector"),
    "Content": partial(pyscenedetect, detector="ContentDetector"),
    "Histogram": partial(pyscenedetect, detector="HistogramDetector"),
    "ffmpeg": partial(ffmpeg, threshold=0.3),
}
"""What stands in the tables. The three in the middle are PySceneDetect's."""


if __name__ == "__main__":
    print(json.dumps({"times_s": DETECTORS[sys.argv[1]](sys.argv[2])}))
