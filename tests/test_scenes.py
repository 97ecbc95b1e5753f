from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidcap_core.decoders.pyav_video import PyAVVideo, open_video
from vidcap_core.isolation.child import PathFile
from vidcap_core.looking.novelty import Sights
from vidcap_core.looking.novelty import _local_mean as local_mean
from vidcap_core.looking.scenes import Boundary, boundaries, scenes
from vidcap_core.looking.transitions import transitions
from vidcap_core.testing import colour_video
from vidcap_core.types import LumaFrame

Picture = NDArray[np.uint8]
Shot = Callable[[int], Picture]

RATE, WIDTH_PX, HEIGHT_PX = 25, 160, 96
MEDIA = Path(__file__).parents[2] / "shared" / "media"


def painted(seed: int) -> Picture:
    """Blobs at several scales, four times as large as a frame."""
    draw = np.random.default_rng(seed)
    total = np.zeros((2 * HEIGHT_PX, 2 * WIDTH_PX))
    for cell_px in (32, 16, 8, 4):
        cells = draw.normal(size=(2 * HEIGHT_PX // cell_px, 2 * WIDTH_PX // cell_px))
        total += np.kron(cells, np.ones((cell_px, cell_px))) * cell_px**0.5
    return np.asarray(total / total.std() * 45 + 120).clip(0, 255).astype(np.uint8)


def seen(world: Picture, x: float = 0, y: float = 0) -> Picture:
    return np.roll(world, (-round(y), -round(x)), (0, 1))[:HEIGHT_PX, :WIDTH_PX]


def still(seed: int) -> Shot:
    return lambda number: seen(painted_once[seed])


def pan(seed: int, speed_px: float) -> Shot:
    return lambda number: seen(painted_once[seed], number * speed_px)


painted_once = {seed: painted(seed) for seed in range(6)}


def video_of(path: Path, frames: Sequence[Picture], gop: int = 250, scenecut: bool = True) -> Path:
    options = {"preset": "veryfast", "crf": "23", "sc_threshold": "40" if scenecut else "0"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", RATE, options)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, RATE)
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def shots(*each: tuple[Shot, int]) -> list[Picture]:
    return [shot(number) for shot, count in each for number in range(count)]


def mixed(frames: int, share: Callable[[Picture, Picture, float], Picture]) -> list[Picture]:
    """A shot of 50 frames, a change of `frames`, another shot of 50."""
    old, new = seen(painted_once[0]), seen(painted_once[1])
    between = [share(old, new, (number + 0.5) / frames) for number in range(frames)]
    return [old] * 50 + between + [new] * 50


@contextmanager
def opened(path: Path) -> Iterator[PyAVVideo]:
    with PathFile(str(path)) as file, open_video(file) as video:
        yield video


def found(path: Path, threshold: float = 0.5) -> list[Boundary]:
    with opened(path) as video:
        return list(boundaries(video, threshold))


def frames_of(changes: Sequence[Boundary]) -> list[int]:
    return [round(change.time_s * RATE) for change in changes]


@pytest.mark.parametrize("scenecut", [True, False])
def test_cuts_are_found_where_they_are(tmp_path: Path, scenecut: bool) -> None:
    frames = shots((still(0), 40), (pan(1, 1.0), 45), (still(2), 30), (pan(3, 3.0), 50))
    changes = found(video_of(tmp_path / "cuts.mp4", frames, scenecut=scenecut))
    assert [change.kind for change in changes] == ["cut"] * 3
    slack = 0 if scenecut else 2
    for frame, truth in zip(frames_of(changes), (40, 85, 115), strict=True):
        assert abs(frame - truth) <= slack


def test_a_shot_of_a_third_of_a_second_is_one_and_a_flash_is_none(tmp_path: Path) -> None:
    short = found(video_of(tmp_path / "short.mp4", shots((still(0), 50), (still(1), 9), (still(2), 50))))
    flash = found(video_of(tmp_path / "flash.mp4", shots((still(0), 50), (still(1), 3), (still(0), 50))))
    assert len(short) == 2
    assert flash == []


def wiped(old: Picture, new: Picture, share: float) -> Picture:
    at = round(share * WIDTH_PX)
    return np.concatenate([new[:, :at], old[:, at:]], 1)


def dissolved(old: Picture, new: Picture, share: float) -> Picture:
    return (old * (1 - share) + new * share).astype(np.uint8)


def faded(old: Picture, new: Picture, share: float) -> Picture:
    shown, light = (old, 1 - share / 0.45) if share < 0.5 else (new, (share - 0.55) / 0.45)
    return (shown * max(light, 0.0)).astype(np.uint8)


@pytest.mark.parametrize(
    ("how", "kind"),
    [(wiped, "dissolve"), (dissolved, "dissolve"), (faded, "fade")],
    ids=["wipe", "dissolve", "fade"],
)
@pytest.mark.parametrize("length", [14, 36])
def test_gradual_changes_are_found_once_and_their_extent_told(
    tmp_path: Path, how: Callable[[Picture, Picture, float], Picture], kind: str, length: int
) -> None:
    (change,) = found(video_of(tmp_path / "gradual.mp4", mixed(length, how)))
    assert change.kind == kind
    assert 50 <= change.time_s * RATE <= 50 + length
    assert change.start_s < change.time_s < change.end_s
    assert (change.end_s - change.start_s) * RATE > length / 2


def shaken(number: int) -> Picture:
    x, y = np.random.default_rng(number).normal(size=2) * 4
    return seen(painted_once[0], x, y)


def dimmed(number: int) -> Picture:
    light = 0.7 + 0.3 * np.sin(number / 20)
    return np.asarray(seen(painted_once[0]) * light).astype(np.uint8)


def strobe(number: int) -> Picture:
    lit = number % 6 < 2
    return np.asarray(seen(painted_once[0]) * (0.5 if lit else 1) + 100 * lit).clip(0, 255).astype(np.uint8)


def passed(number: int) -> Picture:
    """Something half as wide as the picture crosses it in a second and a half."""
    picture = seen(painted_once[0]).copy()
    left = (number - 30) * 6 - 80
    begin, end = max(left, 0), min(left + 80, WIDTH_PX)
    if begin < end:
        picture[:, begin:end] = 30
    return picture


def flat(number: int) -> Picture:
    """One colour that gets brighter and darker: there is no scene to fade."""
    return np.full((HEIGHT_PX, WIDTH_PX), round(127.5 - 127.5 * np.cos(number / 12)), np.uint8)


@pytest.mark.parametrize(
    "shot",
    [pan(0, 2.0), pan(0, 9.0), shaken, dimmed, strobe, passed, flat],
    ids=["pan", "fast pan", "shake", "light", "strobe", "passer-by", "flat"],
)
def test_motion_and_light_are_no_scenes(tmp_path: Path, shot: Shot) -> None:
    assert found(video_of(tmp_path / "one.mp4", shots((shot, 120)))) == []


def test_flat_pictures_of_other_light_are_scenes(tmp_path: Path) -> None:
    path = colour_video(tmp_path / "flat.mp4", ["black", "white", "blue", "yellow"])
    assert [change.time_s for change in found(path)] == [2.0, 4.0, 6.0]


def test_black_before_the_first_picture_ends_with_a_fade_and_the_last_fade_begins_nothing(
    tmp_path: Path,
) -> None:
    black, picture = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8), seen(painted_once[0])
    rising = [(picture * (number / 20)).astype(np.uint8) for number in range(1, 20)]
    frames = [black] * 25 + rising + [picture] * 50 + rising[::-1] + [black] * 25
    (change,) = found(video_of(tmp_path / "faded.mp4", frames))
    assert change.kind == "fade"
    assert 1.0 <= change.time_s <= 1.0 + 20 / RATE


class Watched(PyAVVideo):
    """Tells which pictures were looked at."""

    def __init__(self, file: PathFile) -> None:
        super().__init__(file)
        self.looked: list[float] = []
        self.keyframes: list[float] = []

    def scan(
        self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False
    ) -> Iterator[LumaFrame]:
        for frame in super().scan(every_s, width_px, keyframes_only):
            (self.keyframes if keyframes_only else self.looked).append(frame.time_s)
            yield frame


def test_what_the_packets_settle_is_not_decoded(tmp_path: Path) -> None:
    frames = shots((still(0), 400), (still(1), 200))
    path = video_of(tmp_path / "still.mp4", frames, gop=50, scenecut=False)
    with PathFile(str(path)) as file:
        video = Watched(file)
        (change,) = boundaries(video)
        video.close()
    assert change.time_s == 400 / RATE
    assert len(video.looked) < 150
    assert min(video.looked) > 10


def test_keyframes_that_can_settle_nothing_are_not_compared(tmp_path: Path) -> None:
    restless = [seen(painted_once[number % 5]) for number in range(200)]
    frames = [*restless, *shots((still(5), 200))]
    path = video_of(tmp_path / "restless.mp4", frames, gop=50, scenecut=False)
    with PathFile(str(path)) as file:
        video = Watched(file)
        list(boundaries(video))
        video.close()
    assert video.keyframes == [8.0, 10.0, 12.0, 14.0]
    assert video.looked[0] == 0
    assert 7.9 < video.looked[-1] < 15.99


@given(st.integers(0, 99), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_the_local_mean_is_that_of_the_square_round_a_pixel(seed: int, height: int, width: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (2, height, width)).astype(np.float32)
    around = np.pad(grey, ((0, 0), (4, 4), (4, 4)), mode="edge")
    squares = np.lib.stride_tricks.sliding_window_view(around, (9, 9), (1, 2))
    assert np.allclose(local_mean(grey), squares.mean((3, 4)), atol=1e-3)


def test_a_window_is_looked_at_alone_and_keeps_its_times(tmp_path: Path) -> None:
    path = video_of(tmp_path / "cuts.mp4", shots((still(0), 60), (still(1), 60), (still(2), 60)))
    with opened(path) as video:
        assert [change.time_s for change in boundaries(video.window(3.0, 6.0))] == [4.8]
        assert list(boundaries(video.window(2.6, 4.6))) == []


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_scenes_tile_the_span(tmp_path: Path, threshold: float) -> None:
    frames = mixed(20, dissolved) + shots((still(2), 9), (pan(3, 2.0), 40))
    with opened(video_of(tmp_path / "all.mp4", frames)) as video:
        every = list(scenes(video, threshold))
        assert (every[0].start_s, every[-1].end_s) == (video.start_s, video.end_s)
    assert [scene.begins for scene in every] == ["start", "dissolve", "cut", "cut"]
    for one, following in pairwise(every):
        assert one.end_s == following.start_s
    for scene in every:
        assert scene.start_s <= scene.clear_start_s <= scene.clear_end_s <= scene.end_s


def test_short_scenes_belong_to_the_one_after(tmp_path: Path) -> None:
    path = video_of(tmp_path / "short.mp4", shots((still(0), 50), (still(1), 10), (still(2), 50)))
    with opened(path) as video:
        assert [scene.start_s for scene in scenes(video, min_scene_s=1.0)] == [0.0, 2.0]
        assert [scene.start_s for scene in scenes(video.window(None, 2.4), min_scene_s=1.0)] == [0.0]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0.1, 0.9)
)
def test_pictures_of_any_size_and_number_give_changes_in_order(
    count: int, height_px: int, width_px: int, seed: int, threshold: float
) -> None:
    draw = np.random.default_rng(seed)
    luma = draw.integers(0, 256, (count, height_px, width_px)).astype(np.uint8)
    times_s = np.cumsum(draw.uniform(0.01, 1, count))
    changes = transitions(Sights(luma), times_s, threshold)
    assert changes == sorted(changes)
    for change in changes:
        assert 0 <= change.last < change.first < count
        assert change.last <= change.at <= change.first


@given(st.integers(0, 5), st.integers(0, 5), st.floats(0.4, 1.0), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_novelty_is_a_share_and_blind_to_light(one: int, other: int, gain: float, offset: int) -> None:
    pictures = [seen(painted_once[one]), seen(painted_once[other])]
    relit = np.clip(pictures[0] * gain + offset, 0, 255).astype(np.uint8)
    sights = Sights(np.stack([*pictures, relit])[:, ::2, ::4])
    before, after = np.array([0, 0]), np.array([1, 2])
    new, lit = sights.novelty(before, after)
    assert 0 <= new <= 1
    assert (new > 0.5) == (one != other)
    assert lit < 0.3


@pytest.mark.skipif(not MEDIA.exists(), reason="the shared media are not here")
@pytest.mark.parametrize(
    ("name", "cuts", "gradual"),
    [
        ("video1.mp4", (144, 237), 0),
        ("big_buck_bunny_0_30.webm", (283, 376, 551), 1),
        ("chaplin.mp4", (), 0),
        ("yoga.mp4", (), 0),
        ("flipping_a_pancake.mkv", (), 0),
        ("fades.mp4", (), 0),
    ],
)
def test_changes_of_real_clips(name: str, cuts: tuple[int, ...], gradual: int) -> None:
    items = json.loads((MEDIA / "manifest.json").read_text("utf-8"))["items"]
    (item,) = [item for item in items if Path(item["file"]).name == name]
    times_s = json.loads((MEDIA / item["video_frames"]["v0"]["frames_json"]).read_text("utf-8"))["pts_s"]
    changes = found(MEDIA / item["file"])
    told = [change.time_s for change in changes if change.kind == "cut"]
    assert (len(told), len(changes) - len(told)) == (len(cuts), gradual)
    for time_s, cut in zip(told, cuts, strict=True):
        assert times_s[cut - 2] - 1e-3 <= time_s <= times_s[cut + 2] + 1e-3
