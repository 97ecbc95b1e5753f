"""PySceneDetect's detectors see a video's scenes where they are, at the video's own times."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import accumulate, cycle, islice, pairwise
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest
from av import VideoFrame
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vidcap_core import Packet, Registry, SettingsError, Vidcap, Video
from vidcap_core.decoders.pyav import PyAVDecoder
from vidcap_core.isolation.pool import DecoderPool, Stop
from vidcap_core.testing import SamplerTests

pytest.importorskip("scenedetect", reason="PySceneDetect is not installed", exc_type=ImportError)

import scenedetect
from vidcap_scenedetect import detecting
from vidcap_scenedetect.sampler import PySceneDetectSampler

MEDIA = Path(__file__).parents[4] / "shared" / "media" / "media"
DETECTORS = get_args(PySceneDetectSampler.model_fields["detector"].annotation)
BLACK = -1
RATE = 25
_TICK = Fraction(1, 60_000)


class TestAdaptive(SamplerTests):
    sampler = PySceneDetectSampler()


def film(
    path: Path,
    shots: Sequence[tuple[int, int]],
    frames_s: Sequence[Fraction],
    start_s: int = 0,
    width_px: int = 320,
) -> list[float]:
    """Write shots, (seed of a picture, frames), without a keyframe at their cuts; gives the frames' times.

    A frame lasts as long as the next of `frames_s` says, which are taken again and again.
    """
    pictures = [picture(seed) for seed, frames in shots for _ in range(frames)]
    ends_s = accumulate(islice(cycle(frames_s), len(pictures)), initial=Fraction(start_s))
    times_s = list(ends_s)[:-1]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", RATE, {"sc_threshold": "0", "preset": "veryfast"})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt, context.time_base = width_px, 192, "yuv420p", _TICK
        context.gop_size = 40
        for pixels, time_s in zip(pictures, times_s, strict=True):
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(time_s / _TICK), _TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return [float(time_s) for time_s in times_s]


def picture(seed: int) -> Any:
    """Coloured blocks drawn by a seed, dark or bright; or nothing but black."""
    if seed == BLACK:
        return np.zeros((192, 320, 3), np.uint8)
    draw = np.random.default_rng(seed)
    blocks = draw.integers(0, 100, (6, 10, 3)) + 120 * (seed % 2) + 30
    return np.kron(blocks, np.ones((32, 32, 1))).astype(np.uint8)


@contextmanager
def opened(path: Path, *, isolated: bool = False) -> Iterator[Video]:
    with (
        DecoderPool(PyAVDecoder(), isolated=isolated, timeout_s=30) as pool,
        pool.open(path, Stop()) as video,
    ):
        yield video


def begins(video: Video, **options: Any) -> list[float]:
    """When the scenes after the first begin; they tile the span."""
    segments = list(PySceneDetectSampler(**options).segments(video))
    edges = [video.start_s, *(segment.end_s for segment in segments)]
    assert [segment.start_s for segment in segments] == edges[:-1]
    assert edges[-1] == video.end_s
    return edges[1:-1]


STEADY = (Fraction(1, RATE),)
UNEVEN = (Fraction(1, 50), Fraction(3, 50), Fraction(1, 10))
SHOTS = [(2, 40), (5, 33), (8, 50), (11, 37)]
CUTS = list(accumulate(frames for _, frames in SHOTS))[:-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.mark.parametrize("frames_s", [STEADY, UNEVEN], ids=["steady", "uneven"])
@pytest.mark.parametrize("detector", [name for name in DETECTORS if name != "threshold"])
def test_cuts_are_found_at_the_time_of_the_first_frame(
    folder: Path, detector: str, frames_s: Sequence[Fraction]
) -> None:
    path = folder / f"cuts-{len(frames_s)}.mp4"
    times_s = film(path, SHOTS, frames_s, start_s=3)
    with opened(path) as video:
        assert begins(video, detector=detector) == pytest.approx([times_s[cut] for cut in CUTS], abs=1e-4)


@pytest.mark.parametrize("detector", DETECTORS)
def test_they_are_what_pyscenedetect_finds_by_itself(folder: Path, detector: str) -> None:
    path = folder / "itself.mp4"
    film(path, [*SHOTS, (BLACK, 20), (4, 30)], STEADY)
    kind = getattr(scenedetect, f"{detector.title()}Detector")
    by_itself = [start.seconds for start, _ in scenedetect.detect(str(path), kind(min_scene_len=0.6))][1:]
    with opened(path) as video:
        assert begins(video, detector=detector) == pytest.approx(by_itself, abs=1e-3)
    assert by_itself


def test_a_process_of_its_own_sees_the_same(folder: Path) -> None:
    path = folder / "isolated.mp4"
    film(path, SHOTS * 2, UNEVEN)
    with opened(path) as here, opened(path, isolated=True) as there:
        assert begins(here) == begins(there) != []


def test_a_window_is_seen_by_itself(folder: Path) -> None:
    path = folder / "window.mp4"
    times_s = film(path, SHOTS, STEADY)
    with opened(path) as video:
        assert begins(video.window(times_s[20], times_s[100])) == pytest.approx([times_s[40], times_s[73]])
        assert begins(video.window(times_s[41], times_s[72])) == []
        assert begins(video.window(1.001, 1.002)) == []  # no frame begins in it


def test_black_between_two_scenes_is_a_boundary_for_threshold(folder: Path) -> None:
    path = folder / "black.mp4"
    times_s = film(path, [(2, 40), (BLACK, 20), (5, 40)], UNEVEN)
    with opened(path) as video:
        (boundary_s,) = begins(video, detector="threshold")
    assert times_s[40] <= boundary_s <= times_s[60]
    assert any(boundary_s == pytest.approx(time_s, abs=1e-4) for time_s in times_s)


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_video_may_change_its_size_on_the_way(tmp_path: Path, detector: str) -> None:
    narrow, wide, both = (tmp_path / f"{name}.ts" for name in ("narrow", "wide", "both"))
    film(narrow, SHOTS[:2], STEADY)
    film(wide, SHOTS[2:], STEADY, start_s=4, width_px=480)
    both.write_bytes(narrow.read_bytes() + wide.read_bytes())
    cuts_s = [] if detector == "threshold" else [40 / RATE, 4, 4 + 50 / RATE]
    with opened(both) as video:
        found_s = [time_s - video.start_s for time_s in begins(video, detector=detector)]
    assert found_s == pytest.approx(cuts_s, abs=0.1)  # MPEG-TS moves its times a little


def test_options_reach_the_detector(folder: Path) -> None:
    path = folder / "options.mp4"
    times_s = film(path, [(2, 40), (5, 10), (8, 50)], STEADY)
    with opened(path) as video:
        assert len(begins(video, min_scene_s=0.2)) == 2
        assert begins(video, min_scene_s=0.6) == pytest.approx([times_s[40]])
        assert begins(video, detector="content", threshold=250) == []


def test_picks_are_as_many_as_a_scene_is_long(folder: Path) -> None:
    path = folder / "picks.mp4"
    film(path, [(2, 20), (5, 100)], STEADY)
    with opened(path) as video:
        short, long = PySceneDetectSampler(every_s=4 / 3).segments(video)
    assert [pick.time_s for pick in short.picks] == pytest.approx([0.4])
    assert [pick.time_s for pick in long.picks] == pytest.approx([0.8 + 4 * part / 6 for part in (1, 3, 5)])
    assert [pick.worth for pick in (*short.picks, *long.picks)].count(1.0) == 2
    assert long.picks[0].why == "scene 2 of 2, from 0:00.8"


def test_it_is_chosen_by_its_name(folder: Path) -> None:
    path = folder / "named.mp4"
    film(path, SHOTS, STEADY)
    with Vidcap(captioner="offline", sampler="scene_change_psd") as vidcap:
        assert len(list(vidcap.frames(str(path)))) == len(SHOTS)


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 20), st.integers(0, 30))
def test_batches_hold_every_frame_once_and_begin_with_keyframes(
    keys: list[bool], few: int, more: int
) -> None:
    packets = [Packet(float(number), 1, is_key) for number, is_key in enumerate(keys)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detecting, "_FEWEST", few)
        patch.setattr(detecting, "_MOST", few + more)
        batches = list(detecting._batches(packets))
    assert [pick.time_s for batch in batches for pick in batch] == [packet.time_s for packet in packets]
    for batch, following in pairwise(batches):
        assert few <= len(batch) <= few + more
        assert keys[int(following[0].time_s)] or len(batch) == few + more


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"detector": "hash", "threshold": 2}, "the threshold of 'hash' is 1 at most"),
        ({"threshold": -1}, "greater than or equal to 0"),
        ({"detector": "transnet"}, "'adaptive', 'content'"),
        ({"every_s": 0}, "greater than 0"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PySceneDetectSampler(**options)
    with pytest.raises(SettingsError, match=says):
        Vidcap(sampler="scene_change_psd", captioner="offline", samplers={"scene_change_psd": options})


def test_where_it_is_not_installed_the_extra_is_named() -> None:
    with pytest.raises(SettingsError, match=r'not installed: pip install "vidcap\[scenedetect\]"'):
        Registry.load(only=()).find("samplers", "scene_change_psd")


def test_where_pyscenedetect_cannot_be_imported_the_remedy_is_told(folder: Path) -> None:
    film(folder / "missing.mp4", [(2, 3)], STEADY)
    (folder / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open it')", "utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "vidcap_core", "frames", "missing.mp4", "--out", "out", "-q"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "VIDCAP_SAMPLER": "scene_change_psd"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 4, run.stderr
    assert "libGL.so.1" in run.stderr
    assert 'pip install "vidcap[scenedetect]"' in run.stderr
    assert len(run.stderr.splitlines()) <= 2


def test_listing_plugins_does_not_import_it() -> None:
    code = (
        "import sys; from vidcap_core import Registry; registry = Registry.load();"
        "assert 'scene_change_psd' in registry.kind('samplers');"
        "sys.exit(bool({'scenedetect', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not MEDIA.exists(), reason="the shared media are not here")
@pytest.mark.parametrize(
    ("name", "rate", "cuts"),
    [
        ("video1.mp4", 24, [144, 237]),
        ("big_buck_bunny_0_30.webm", 24, [283, 376, 551]),
    ],
)
def test_cuts_of_real_footage(name: str, rate: int, cuts: list[int]) -> None:
    with opened(MEDIA / name) as video:
        found = begins(video, detector="content")
    assert found == pytest.approx([cut / rate for cut in cuts], abs=1 / rate)
