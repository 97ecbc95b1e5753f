from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from vidcap_core.decoders.pyav import PyAVDecoder
from vidcap_core.fit import thin
from vidcap_core.isolation.child import PathFile
from vidcap_core.looking.activity import keyframes, spikes, stretches
from vidcap_core.looking.news import Look, fresh, fresh_between, is_thin
from vidcap_core.looking.quality import detail, exposure
from vidcap_core.samplers.adaptive import AdaptiveSampler
from vidcap_core.testing import SamplerTests
from vidcap_core.types import Packet, Pick, Segment

Luma = NDArray[np.uint8]

WIDTH_PX, HEIGHT_PX, RATE = 640, 360, 25


class TestAdaptive(SamplerTests):
    sampler = AdaptiveSampler()


class TestAdaptiveByTheIndex(SamplerTests):
    sampler = AdaptiveSampler(look="index")


# Footage


def texture(seed: int, height_px: int = HEIGHT_PX, width_px: int = WIDTH_PX, cell_px: int = 8) -> Luma:
    """Soft blobs: cells of random shades, blurred by their own size."""
    cells = np.random.default_rng(seed).uniform(60, 200, (height_px // cell_px + 2, width_px // cell_px + 2))
    rows, columns = (np.arange(side) / cell_px for side in (height_px, width_px))
    down = [np.interp(rows, np.arange(len(line)), line) for line in cells.T]
    both = [np.interp(columns, np.arange(cells.shape[1]), line) for line in np.array(down).T]
    return np.array(both).astype(np.uint8)


def letters(picture: Luma, y_px: int = 100, x_px: int = 200) -> Luma:
    """The picture with a line of strokes on it, as text has them."""
    written = picture.copy()
    for number in range(24):
        left_px = x_px + 7 * number
        written[y_px : y_px + 11, left_px : left_px + 2] = 245
        written[y_px + 5 * (number % 3) : y_px + 5 * (number % 3) + 2, left_px : left_px + 5] = 245
    return written


def patched(picture: Luma, x_px: int) -> Luma:
    """The picture with a checkered patch of 0.4 % of it, 32 x 28 px."""
    moved = picture.copy()
    patch = np.where(np.indices((28, 32)).sum(0) // 10 % 2, 230, 25)
    x0, x1 = max(x_px, 0), min(x_px + 32, WIDTH_PX)
    if x0 < x1:
        moved[150:178, x0:x1] = patch[:, x0 - x_px : x1 - x_px]
    return moved


def video(
    path: Path,
    pictures: Sequence[Luma] | Iterator[Luma],
    codec: Literal["libx264", "mjpeg"] = "libx264",
    pixel_format: str = "yuv420p",
) -> Path:
    with av.open(str(path), "w") as out:
        options = {"preset": "veryfast"} if codec == "libx264" else {}
        stream = out.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, pixel_format
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def proposed(path: Path, sampler: AdaptiveSampler | None = None) -> list[Segment]:
    with PathFile(str(path)) as file, PyAVDecoder().open(file) as opened:
        return list((sampler or AdaptiveSampler()).segments(opened))


def picks(path: Path, sampler: AdaptiveSampler | None = None) -> list[Pick]:
    return [pick for segment in proposed(path, sampler) for pick in segment.picks]


def best(path: Path, most: int) -> list[Pick]:
    """What is sent of ten seconds."""
    return list(thin(picks(path), most, 0.0, 10.0))


STILL = texture(1)


def frames(changed: dict[range, Luma], count: int = 250) -> Iterator[Luma]:
    """The still picture, other ones in ranges of frames."""
    for number in range(count):
        yield next((picture for where, picture in changed.items() if number in where), STILL)


# What is noticed


def test_a_still_video_costs_one_frame(tmp_path: Path) -> None:
    (pick,) = picks(video(tmp_path / "v.mp4", frames({})))
    assert pick.why == "the beginning; nothing else changes until 0:10"


def test_a_still_video_with_grain_costs_two_frames_at_most(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    grain = [draw.normal(0, 3, STILL.shape) for _ in range(7)]
    noisy = ((STILL + grain[n % 7]).clip(0, 255).astype(np.uint8) for n in range(250))
    assert len(picks(video(tmp_path / "v.mp4", noisy))) <= 2


def test_text_for_half_a_second_is_shown(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", frames({range(137, 150): letters(STILL)}))
    shown = [pick for pick in best(path, 4) if 137 / RATE <= pick.time_s < 150 / RATE]
    assert [pick.why.partition(";")[0] for pick in shown] == ["text or writing appears"]


def test_what_was_there_before_is_not_shown_again(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", frames({range(137, 150): letters(STILL)}))
    assert len([pick for pick in picks(path) if pick.time_s >= 150 / RATE]) <= 1


def test_something_small_that_crosses_is_shown_inside_of_the_picture(tmp_path: Path) -> None:
    crossing = {range(100 + n, 101 + n): patched(STILL, 13 * n - 30) for n in range(52)}
    path = video(tmp_path / "v.mp4", frames(crossing))
    assert any(103 / RATE <= pick.time_s < 149 / RATE and "small" in pick.why for pick in best(path, 4))


def test_another_picture_for_a_second_is_a_new_scene(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", frames({range(120, 145): texture(2)}))
    shown = [pick for pick in best(path, 3) if 120 / RATE <= pick.time_s < 145 / RATE]
    assert [pick.why for pick in shown] == ["new scene"]


def test_of_a_dissolve_the_new_scene_is_shown_not_the_mixture(tmp_path: Path) -> None:
    other = texture(3).astype(float)
    mixed = {range(100 + n, 101 + n): (STILL + (other - STILL) * n / 60).astype(np.uint8) for n in range(60)}
    path = video(tmp_path / "v.mp4", frames({**mixed, range(160, 250): texture(3)}))
    events = [pick for pick in picks(path) if pick.worth >= 0.3 and pick.time_s > 0]
    assert events[-1].time_s > (100 + 0.9 * 60) / RATE
    assert not [pick for pick in events if 110 / RATE < pick.time_s < 148 / RATE]


def test_text_is_noticed_in_a_pan(tmp_path: Path) -> None:
    wide = texture(4, width_px=WIDTH_PX + 600)
    panned = [wide[:, 2 * n : 2 * n + WIDTH_PX] for n in range(250)]
    panned[125:138] = [letters(picture) for picture in panned[125:138]]
    events = [pick for pick in picks(video(tmp_path / "v.mp4", iter(panned))) if pick.worth >= 0.3]
    assert events[1:]
    assert all(125 / RATE <= pick.time_s < 138 / RATE for pick in events[1:])


def test_a_video_that_begins_in_black_is_not_begun_with_it(tmp_path: Path) -> None:
    black = np.full_like(STILL, 16)
    path = video(tmp_path / "v.mp4", frames({range(12): black}, 100))
    assert picks(path)[0].time_s >= 12 / RATE


def test_what_comes_and_goes_within_the_first_second_is_shown(tmp_path: Path) -> None:
    card = np.full_like(STILL, 120)
    shown = picks(video(tmp_path / "v.mp4", frames({range(2, 15): card})))
    assert [pick.why.partition(";")[0] for pick in shown] == ["new scene", "the beginning"]
    assert 2 / RATE <= shown[0].time_s < 15 / RATE <= shown[1].time_s
    assert shown[0].worth < shown[1].worth == 1


def test_a_video_that_fades_in_is_begun_once(tmp_path: Path) -> None:
    fading = {range(n, n + 1): (STILL * min(n / 15, 1)).astype(np.uint8) for n in range(15)}
    (pick,) = picks(video(tmp_path / "v.mp4", frames(fading, 100)))
    assert pick.why == "the beginning"
    assert pick.time_s >= 13 / RATE


def test_the_whole_span_is_covered_where_something_moves(tmp_path: Path) -> None:
    turning = (np.roll(STILL, 3 * n, 0) for n in range(250))
    segments = proposed(video(tmp_path / "v.mp4", turning))
    times_s = [pick.time_s for segment in segments for pick in segment.picks]
    assert max(later - earlier for earlier, later in pairwise([0.0, *times_s, 10.0])) < 2.0
    assert [one.end_s for one in segments[:-1]] == [other.start_s for other in segments[1:]]
    assert segments[0].start_s == 0
    assert segments[-1].end_s == pytest.approx(10)


def test_by_the_index_alone_nothing_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidcap_core.decoders.pyav_video import PyAVVideo

    path = video(tmp_path / "v.mp4", frames({range(137, 250): letters(STILL)}))
    monkeypatch.delattr(PyAVVideo, "scan")
    found = picks(path, AdaptiveSampler(look="index"))
    assert any(137 / RATE <= pick.time_s < 145 / RATE and pick.worth >= 0.3 for pick in found)


def test_a_file_of_nothing_but_keyframes_is_covered_by_the_index(tmp_path: Path) -> None:
    path = video(tmp_path / "v.avi", frames({range(137, 250): letters(STILL)}), "mjpeg", "yuvj420p")
    found = picks(path, AdaptiveSampler(look="index"))
    times_s = [0.0, *(pick.time_s for pick in found), 10.0]
    assert max(later - earlier for earlier, later in pairwise(times_s)) <= 1.01
    assert {pick.why for pick in found} == {"the beginning", "something may move"}


def test_what_was_not_looked_at_is_not_said_to_be_still(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", frames({}))
    found = picks(path, AdaptiveSampler(look="index"))
    assert found[-1].why.endswith("; the index tells of nothing else until 0:10")


@pytest.mark.parametrize("options", [{"look": "hard"}, {"every_s": 0}])
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AdaptiveSampler.model_validate(options)


# What it stands on


def look(luma: Luma) -> Look:
    return Look(0.0, luma)


def test_letters_that_appear_are_news_and_the_ground_that_comes_back_is_none() -> None:
    plain = np.full((180, 320), 120, np.uint8)
    written = letters(plain, 60, 60)
    assert fresh(look(written), look(plain)).sum() > 3
    assert fresh(look(plain), look(written)).sum() < 0.5
    assert is_thin(look(written), look(plain))
    assert not is_thin(look(patched(texture(5), 100)), look(texture(5)))


@settings(max_examples=20, deadline=None)
@given(st.integers(-20, 20), st.integers(-60, 60))
def test_a_moved_camera_brings_no_news(down_px: int, right_px: int) -> None:
    scene = texture(6, 240, 460)
    one = scene[30 + down_px : 210 + down_px, 70 + right_px : 390 + right_px]
    other = scene[30:210, 70:390]
    came_in = 1 - (1 - abs(down_px) / 180) * (1 - abs(right_px) / 320)
    assert fresh(look(one), look(other))[0].mean() < came_in + 0.1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90))
def test_pictures_of_any_size_are_compared(height_px: int, width_px: int) -> None:
    black, white = (look(np.full((height_px, width_px), shade, np.uint8)) for shade in (0, 255))
    assert fresh(white, black)[0].min() == 1
    assert fresh(white, white).max() == 0


@given(st.floats(0, 1))
def test_a_mixture_of_two_pictures_shows_nothing_new(share: float) -> None:
    one, other = texture(7, 90, 160), texture(8, 90, 160)
    mixed = (one * share + other * (1 - share)).astype(np.uint8)
    assert fresh_between(look(mixed), look(one), look(other)).max() == 0
    assert fresh_between(look(letters(mixed, 40, 0)), look(one), look(other)).max() > 0


def test_sharp_pictures_that_show_something_are_best() -> None:
    sharp = texture(9, 180, 320, 6)
    blurred = sum(np.roll(sharp, step, 1).astype(float) for step in range(8)) / 8
    assert detail(sharp) > 1.5 * detail(np.asarray(blurred).astype(np.uint8))
    assert exposure(np.full((9, 9), 5, np.uint8)) == 0 == exposure(np.full((9, 9), 255, np.uint8))
    assert exposure(sharp) == 1


def listed(sizes: Sequence[int], keys: Sequence[int] = (0,)) -> list[Packet]:
    return [Packet(number / RATE, size, number in keys) for number, size in enumerate(sizes)]


Spans = st.lists(st.tuples(st.integers(0, 2500), st.integers(1, 200)), max_size=5)


@given(Spans)
def test_stretches_tile_the_span_and_hold_every_active_frame(spans: list[tuple[int, int]]) -> None:
    active = {number for first, count in spans for number in range(first, min(first + count, 2500))}
    sizes = [5000 if number in active else 40 for number in range(2500)]
    found = stretches(listed(sizes), 0.0, 100.0, 1280 * 720, 1.4)
    assert (found[0].start_s, found[-1].end_s) == (0.0, 100.0)
    assert all(one.end_s == other.start_s for one, other in pairwise(found))
    for number in active - {0}:
        assert any(s.is_active and s.start_s <= number / RATE <= s.end_s for s in found)
    if not active - {0}:
        assert [stretch.is_active for stretch in found] == [False]


def test_keyframes_that_follow_each_other_leave_all_open() -> None:
    keys = [*range(1000, 1100), 2000]
    packets = listed([40] * 2500, (0, *keys))
    found = stretches(packets, 0.0, 100.0, 1280 * 720, 0.0)
    assert [(s.start_s, s.end_s) for s in found if s.is_active] == [(39.5, 1099 / RATE)]
    assert stretches(packets[:1], 0.0, 0.0, 1280 * 720, 0.0)[0].is_active is False


@given(st.lists(st.booleans(), max_size=60))
def test_of_keyframes_those_before_the_longest_distance_are_cuts(is_key: list[bool]) -> None:
    packets = [Packet(float(number), 1, key) for number, key in enumerate(is_key)]
    found = keyframes(packets)
    assert [time_s for time_s, _ in found] == [packet.time_s for packet in packets if packet.is_key]
    edges = [*(time_s for time_s, _ in found), float(len(is_key))]
    usual = max((later - earlier for earlier, later in pairwise(edges)), default=0)
    early = [later - earlier < 0.9 * usual for earlier, later in pairwise(edges[:-1])]
    assert [is_cut for _, is_cut in found] == [False, *early][: len(found)]


def test_the_last_keyframe_comes_early_where_more_frames_follow_it_than_stood_before_it() -> None:
    assert [spike.time_s for spike in spikes(listed([1000] * 400, keys=(0, 100)), 0.0)] == [100 / RATE]


def test_sizes_of_several_times_the_usual_are_spikes() -> None:
    sizes = [90_000] + [500] * 499
    sizes[333] = 20_000
    (spike,) = spikes(listed(sizes, keys=(0, 250)), 0.0)
    assert 333 / RATE < spike.time_s < 333 / RATE + 0.5
    assert not spike.is_cut


def test_a_keyframe_before_its_time_is_a_cut() -> None:
    found = list(spikes(listed([1000] * 700, keys=(0, 250, 300, 550)), 0.0))
    assert [(spike.time_s, spike.is_cut) for spike in found] == [(300 / RATE, True)]
