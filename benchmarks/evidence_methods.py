"""How the methods of `evidence` choose: vidcap's samplers, and what stands beside them.

Times of frames that are sent of a file by budget, 0 for all that is proposed, and the CPU seconds it took
to choose.
"""

from __future__ import annotations

import importlib
import time
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import av
from PIL import Image

from vidcap_core import Pick, Sampler, UniformSampler, Video
from vidcap_core.builtin import vidcap_samplers
from vidcap_core.decoders.pyav import PyAVDecoder
from vidcap_core.fit import thin
from vidcap_core.isolation.child import PathFile

BUDGETS = (8, 16, 32, 64)
OURS = {sampler.name: sampler for sampler in vidcap_samplers()}
PEERS = ("1 fps", "PySceneDetect", "phash")
_PHASH_BITS = 8


class Index:
    """Times of the frames of a file, to tell which one a pick gets."""

    def __init__(self, video: Video) -> None:
        packets = list(video.packets())
        self.times_s = sorted(packet.time_s for packet in packets)
        self.keys_s = sorted(packet.time_s for packet in packets if packet.is_key)
        self.span = video.start_s, video.end_s

    def taken_s(self, pick: Pick) -> float:
        """The keyframe before a pick or after it, if it is within its tolerance; else the frame on screen."""
        before_s = _last(self.keys_s, pick.time_s)
        after_s = _last(self.keys_s, pick.time_s + pick.tolerance_s)
        for key_s in (before_s, after_s):
            if abs(pick.time_s - key_s) <= pick.tolerance_s:
                return key_s
        return _last(self.times_s, pick.time_s)


def _last(times_s: Sequence[float], time_s: float) -> float:
    return times_s[max(bisect_right(times_s, time_s + 1e-6) - 1, 0)]


def sampled(sampler: Sampler, path: Path) -> tuple[list[Pick], Index, float]:
    """What a sampler proposes, and the CPU seconds it took to choose."""
    with PathFile(str(path)) as file, PyAVDecoder().open(file) as video:
        begun_s = time.process_time()
        picks = [pick for segment in sampler.segments(video) for pick in segment.picks]
        return picks, Index(video), time.process_time() - begun_s


def by_sampler(name: str, path: Path) -> tuple[dict[int, list[float]], float]:
    """Times sent by budget, 0 for all."""
    sampler_class = OURS[name]
    if sampler_class is UniformSampler:
        # It is told how many; the others propose.
        plans = {budget: sampled(UniformSampler(count=budget), path) for budget in BUDGETS}
        sent = {most: [index.taken_s(pick) for pick in picks] for most, (picks, index, _) in plans.items()}
        return sent | {0: sent[BUDGETS[-1]]}, plans[BUDGETS[-1]][2]
    picks, index, cpu_s = sampled(sampler_class(), path)
    kept = {budget: thin(picks, budget, *index.span) for budget in BUDGETS} | {0: tuple(picks)}
    return {budget: [index.taken_s(pick) for pick in some] for budget, some in kept.items()}, cpu_s


def by_peer(name: str, path: Path) -> tuple[dict[int, list[float]], float]:
    """The same of other tools."""
    begun_s = time.process_time()
    times_s = {"1 fps": every_second, "PySceneDetect": scene_middles, "phash": unlike_the_last}[name](path)
    cpu_s = time.process_time() - begun_s
    with PathFile(str(path)) as file, PyAVDecoder().open(file) as video:
        index = Index(video)
    times_s = [_last(index.times_s, time_s) for time_s in times_s]
    return {budget: evenly(times_s, budget) for budget in BUDGETS} | {0: times_s}, cpu_s


def evenly(times_s: Sequence[float], most: int) -> list[float]:
    """At most so many of some times, at even places of the list."""
    if len(times_s) <= most:
        return list(times_s)
    return [times_s[(2 * place + 1) * len(times_s) // (2 * most)] for place in range(most)]


def every_second(path: Path) -> list[float]:
    """The middle of each second."""
    with av.open(str(path)) as container:
        return [second + 0.5 for second in range(round((container.duration or 0) / av.time_base))]


def scene_middles(path: Path) -> list[float]:
    """The middle of each scene."""
    scenedetect = importlib.import_module("scenedetect")
    scenes = scenedetect.detect(str(path), scenedetect.AdaptiveDetector(), start_in_scene=True)
    return [(begin.seconds + end.seconds) / 2 for begin, end in scenes]


def unlike_the_last(path: Path) -> list[float]:
    """Of a frame each second, those that look unlike the one kept last."""
    imagehash = importlib.import_module("imagehash")
    kept_s, last, due_s = [], None, 0.5
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is None or frame.time < due_s:
                continue
            due_s += 1.0
            now = imagehash.phash(Image.fromarray(frame.to_ndarray(width=320, height=180, format="rgb24")))
            if last is None or now - last > _PHASH_BITS:
                kept_s.append(frame.time)
                last = now
    return kept_s
