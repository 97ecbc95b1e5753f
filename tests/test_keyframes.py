from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from test_even import Blank, picks_of

from vidcap_core.decoders.pyav import PyAVDecoder
from vidcap_core.isolation.child import PathFile
from vidcap_core.samplers.keyframes import KeyframesSampler
from vidcap_core.testing import SamplerTests, colour_video, tiny_video
from vidcap_core.types import Frame, Packet, Pick
from vidcap_core.video import Video


class TestKeyframes(SamplerTests):
    sampler = KeyframesSampler()


class Listed(Blank):
    """A video of which only the packets are known."""

    def __init__(self, is_key: list[bool], frame_rate: float = 25.0) -> None:
        super().__init__(len(is_key) / frame_rate, frame_rate=frame_rate)
        self._packets = [Packet(n / frame_rate, 1000, key) for n, key in enumerate(is_key)]

    def packets(self) -> Iterator[Packet]:
        return (packet for packet in self._packets if self.start_s <= packet.time_s <= self.end_s)


def picks(video: Video, **options: float) -> list[Pick]:
    return picks_of(KeyframesSampler.model_validate(options).segments(video))


def taken(path: Path, start_s: float | None = None, **options: float) -> list[tuple[Pick, Frame]]:
    with PathFile(str(path)) as file, PyAVDecoder().open(file) as whole:
        video = whole.window(start_s, None)
        asked = picks(video, **options)
        return list(zip(asked, video.frames(asked), strict=True))


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.sampled_from([0.2, 1.0, 25.0]))
def test_the_span_is_tiled_and_no_stretch_is_longer_than_asked(is_key: list[bool], rate: float) -> None:
    video = Listed(is_key, rate)
    segments = list(KeyframesSampler(closest_s=2.0, furthest_s=20.0).segments(video))
    assert (segments[0].start_s, segments[-1].end_s) == (video.start_s, video.end_s)
    assert all(one.end_s == other.start_s for one, other in pairwise(segments))
    times_s = [pick.time_s for pick in picks_of(segments)]
    edges_s = [video.start_s, *times_s, video.end_s]
    assert max(later - earlier for earlier, later in pairwise(edges_s)) <= 20.0 + 1e-9
    assert all(video.start_s <= time_s <= video.end_s for time_s in times_s)


@given(st.lists(st.booleans(), min_size=1, max_size=400))
def test_keyframes_too_close_to_another_are_left_out(is_key: list[bool]) -> None:
    video = Listed(is_key, 10.0)
    times_s = [pick.time_s for pick in picks(video, closest_s=0.75, furthest_s=1e6)]
    assert all(later - earlier >= 0.749 for earlier, later in pairwise(times_s))
    keys_s = [number / 10 for number, key in enumerate(is_key) if key]
    for key_s in keys_s:
        assert any(0 <= key_s - time_s < 0.75 for time_s in times_s)


def test_each_keyframe_is_taken_itself(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "v.mp4", frames=50, gop=10)
    shown = taken(video.path)
    assert [frame.time_s for _, frame in shown] == [video.times_s[n] for n in video.keyframes]
    assert [pick.time_s for pick, _ in shown] == [frame.time_s for _, frame in shown]


def test_every_frame_a_keyframe_is_thinned_to_a_distance(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "v.mp4", frames=50, gop=1)
    times_s = [frame.time_s for _, frame in taken(video.path)]
    assert times_s == pytest.approx([n / 2 for n in range(10)], abs=1e-3)


def test_where_keyframes_are_rare_frames_between_them_are_taken(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "v.mp4", frames=60, rate=1, gop=100)
    shown = taken(video.path)
    assert [round(pick.time_s) for pick, _ in shown] == [0, 20, 40]
    assert [round(frame.time_s) for _, frame in shown] == [0, 20, 40]
    assert [pick.why for pick, _ in shown] == ["keyframe", "no keyframe for 60 s", "no keyframe for 60 s"]


def test_a_window_without_keyframe_is_shown_by_its_middle(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "v.mp4", frames=50, gop=100)
    ((pick, frame),) = taken(video.path, start_s=1.0)
    assert pick.time_s == pytest.approx(3.0)
    assert frame.time_s == pytest.approx(3.0)


def test_cuts_are_worth_more_than_keyframes_that_were_due() -> None:
    is_key = [number in {0, 100, 200, 230, 330} for number in range(430)]
    found = picks(Listed(is_key))
    assert [pick.time_s for pick in found if pick.why == "the encoder saw a cut"] == [230 / 25]
    assert max(found, key=lambda pick: pick.worth).time_s == 230 / 25


def test_regular_keyframes_are_no_cuts(tmp_path: Path) -> None:
    path = colour_video(tmp_path / "v.mp4", ["red", "green", "blue"])
    assert {pick.why for pick, _ in taken(path)} == {"keyframe"}


def test_a_day_in_which_every_frame_is_a_keyframe_gives_a_number_that_can_be_taken() -> None:
    found = picks(Listed([True] * 86_400, frame_rate=1.0), closest_s=0.5)
    assert 10_000 <= len(found) <= 20_001


@pytest.mark.parametrize("options", [{"closest_s": 0}, {"furthest_s": -1.0}, {"closest_s": math.inf}])
def test_distances_are_positive_and_finite(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        KeyframesSampler.model_validate(options)
