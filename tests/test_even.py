from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from vidcap_core.fit import coverage, thin
from vidcap_core.plugin import Sampler
from vidcap_core.samplers.even import FixedIntervalSampler, UniformSampler
from vidcap_core.types import Frame, LumaFrame, Packet, Pick, Segment
from vidcap_core.video import Video


class Blank(Video):
    """A video of which only the outside is known: who looks inside fails."""

    width_px, height_px, codec, has_audio = 160, 96, "none", False

    def __init__(self, end_s: float, start_s: float = 0.0, frame_rate: float | None = 25.0) -> None:
        self.start_s, self.end_s, self.frame_rate = start_s, end_s, frame_rate

    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        raise NotImplementedError

    def scan(
        self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False
    ) -> Iterator[LumaFrame]:
        raise NotImplementedError

    def packets(self) -> Iterator[Packet]:
        raise NotImplementedError


def blank(frames: int, frame_rate: float, start_s: float = 0.0) -> Blank:
    return Blank(start_s + frames / frame_rate, start_s, frame_rate)


VIDEOS = st.builds(
    blank,
    frames=st.one_of(st.integers(1, 40), st.integers(1, 1_000_000)),
    frame_rate=st.sampled_from([1 / 60, 1.0, 10.0, 24_000 / 1001, 25.0, 30_000 / 1001, 60.0, 240.0]),
    start_s=st.sampled_from([0.0, -0.08, 1.4, 1e6]),
)
INTERVALS = st.builds(
    FixedIntervalSampler, every_s=st.one_of(st.floats(1e-3, 1e5), st.just(20.0)), at_least=st.integers(1, 12)
)
SAMPLERS = st.one_of(INTERVALS, st.builds(UniformSampler, count=st.integers(1, 64)))
FEW = 3000


def picks_of(segments: Iterable[Segment]) -> list[Pick]:
    return [pick for segment in segments for pick in segment.picks]


def times_of(sampler: Sampler, video: Video) -> list[float]:
    return [pick.time_s for pick in picks_of(sampler.segments(video))]


def few(sampler: Sampler, video: Video) -> list[Segment]:
    """The segments of a sampler; none where they are too many for a quick test."""
    segments = []
    for segment in sampler.segments(video):
        segments.append(segment)
        if len(segments) > FEW:
            return []
    return segments


def gap_s(times_s: Sequence[float], video: Video) -> float:
    return coverage(times_s, video.start_s, video.end_s, 0).largest_gap_s


@given(SAMPLERS, VIDEOS)
@example(UniformSampler(count=16), blank(1, 25.0))
@example(FixedIntervalSampler(), blank(1, 25.0, 1e6))
def test_segments_tile_the_span(sampler: Sampler, video: Video) -> None:
    segments = few(sampler, video)
    if segments:
        assert (segments[0].start_s, segments[-1].end_s) == (video.start_s, video.end_s)
    assert all(one.end_s == other.start_s for one, other in pairwise(segments))
    for segment in segments:
        assert segment.start_s < segment.end_s
        assert [segment.start_s <= pick.time_s < segment.end_s for pick in segment.picks] == [True]


@given(SAMPLERS, st.integers(1, 500), st.sampled_from([1 / 3, 10.0, 23.976, 29.97, 30_000 / 1001, 59.94]))
@example(UniformSampler(count=99), 11, 10.0)
def test_never_more_picks_than_frames(sampler: Sampler, frames: int, frame_rate: float) -> None:
    assert 1 <= len(times_of(sampler, blank(frames, frame_rate))) <= frames


@given(SAMPLERS, VIDEOS, st.data())
def test_coverage(sampler: Sampler, video: Video, data: st.DataObject) -> None:
    picks = picks_of(few(sampler, video))
    if not picks:
        return
    fair_s = video.duration_s / len(picks)
    shifts = data.draw(st.lists(st.sampled_from([-1, 1]), min_size=len(picks), max_size=len(picks)))
    taken_s = [pick.time_s + shift * pick.tolerance_s for pick, shift in zip(picks, shifts, strict=True)]
    slack_s = 1e-9 * max(1.0, abs(video.end_s))
    assert gap_s([pick.time_s for pick in picks], video) <= 2 * fair_s + slack_s
    assert gap_s(taken_s, video) <= 2.5 * fair_s + slack_s


@given(SAMPLERS, VIDEOS, st.integers(1, 40))
def test_coverage_of_what_is_left_when_it_is_too_much(sampler: Sampler, video: Video, most: int) -> None:
    picks = picks_of(few(sampler, video))
    if not picks:
        return
    kept_s = [pick.time_s for pick in thin(picks, most, video.start_s, video.end_s)]
    slack_s = 1e-9 * max(1.0, abs(video.end_s))
    assert gap_s(kept_s, video) <= 2 * video.duration_s / len(kept_s) + slack_s


class TestFixedInterval:
    @given(st.floats(0.1, 1e4), st.floats(5, 500), st.sampled_from([0.0, -3.0, 1e5]))
    def test_exactly_that_far_apart_and_centred(
        self, every_s: float, intervals: float, start_s: float
    ) -> None:
        video = Blank(start_s + intervals * every_s, start_s, frame_rate=60.0)
        times_s = times_of(FixedIntervalSampler(every_s=every_s), video)
        assert [b - a for a, b in pairwise(times_s)] == pytest.approx([every_s] * (len(times_s) - 1))
        assert times_s[0] - start_s == pytest.approx(video.end_s - times_s[-1], abs=1e-6)
        assert 0.249 * every_s < times_s[0] - start_s < 0.751 * every_s

    def test_a_video_of_whole_intervals(self) -> None:
        assert times_of(FixedIntervalSampler(), Blank(100.0)) == [10.0, 30.0, 50.0, 70.0, 90.0]

    @pytest.mark.parametrize(
        ("end_s", "count"), [(1.0, 5), (60.0, 5), (89.9, 5), (100.0, 5), (109.0, 5), (111.0, 6), (0.1, 2)]
    )
    def test_at_least(self, end_s: float, count: int) -> None:
        assert len(times_of(FixedIntervalSampler(every_s=20.0, at_least=5), Blank(end_s))) == count

    def test_a_short_video_is_parted_evenly(self) -> None:
        assert times_of(FixedIntervalSampler(), Blank(10.0)) == [1.0, 3.0, 5.0, 7.0, 9.0]

    @pytest.mark.parametrize("every_s", [1e-3, 1e-310])
    def test_every_frame_is_the_most(self, every_s: float) -> None:
        times_s = times_of(FixedIntervalSampler(every_s=every_s), Blank(10.0, frame_rate=25.0))
        assert times_s == pytest.approx([0.02 + 0.04 * n for n in range(250)])

    def test_it_does_not_drift(self) -> None:
        times_s = times_of(FixedIntervalSampler(every_s=0.1), Blank(10_000.0))
        assert len(times_s) == 100_000
        assert max(abs(time_s - (n + 0.5) / 10) for n, time_s in enumerate(times_s)) < 1e-9

    def test_a_very_long_video_costs_nothing_until_it_is_asked_for(self) -> None:
        segments = iter(FixedIntervalSampler(every_s=1.0).segments(Blank(1e12)))
        assert next(segments).picks[0].time_s == 0.5


class TestUniform:
    @given(st.integers(1, 200), st.floats(10.0, 1e6))
    def test_as_many_as_asked_for(self, count: int, end_s: float) -> None:
        times_s = times_of(UniformSampler(count=count), Blank(end_s))
        assert times_s == pytest.approx([(n + 0.5) * end_s / count for n in range(count)])

    def test_one_is_the_middle(self) -> None:
        (segment,) = UniformSampler(count=1).segments(Blank(10.0, 2.0))
        assert segment == Segment(2.0, 10.0, (Pick(6.0, tolerance_s=2.0, why="the middle"),))

    @pytest.mark.parametrize("frame_rate", [None, 25.0])
    def test_any_number_may_be_asked_for(self, frame_rate: float | None) -> None:
        times_s = times_of(UniformSampler(count=10**400), Blank(2.0, frame_rate=frame_rate))
        assert len(times_s) == 2 * (frame_rate or 1000)


@pytest.mark.parametrize("sampler", [FixedIntervalSampler(), UniformSampler()], ids=lambda s: s.name)
class TestBoth:
    @pytest.mark.parametrize("frame_rate", [None, 0.0, 25.0])
    @pytest.mark.parametrize("length_s", [0.0, 1e-6, 0.04])
    def test_one_frame(self, sampler: Sampler, length_s: float, frame_rate: float | None) -> None:
        video = Blank(3.0 + length_s, 3.0, frame_rate)
        times_s = times_of(sampler, video)
        if frame_rate or length_s < 0.001:
            assert times_s == pytest.approx([3.0 + length_s / 2])
        assert all(3.0 <= time_s <= video.end_s for time_s in times_s)

    def test_a_window_is_a_video_of_its_own(self, sampler: Sampler) -> None:
        video = Blank(600.0, 1.5)
        window, alone = video.window(60.0, 100.0), Blank(100.0, 60.0)
        assert list(sampler.segments(window)) == list(sampler.segments(alone))
        assert times_of(sampler, video.window(700.0, 800.0)) == [600.0]

    def test_it_can_be_asked_again(self, sampler: Sampler) -> None:
        assert list(sampler.segments(Blank(99.0))) == list(sampler.segments(Blank(99.0)))


@pytest.mark.parametrize(
    ("every_s", "why"),
    [(0.04, "0.04"), (1 / 3, "0.333"), (20.0, "20"), (99.97, "100"), (3600.0, "3600"), (86_400.0, "86400")],
)
def test_why_is_for_people(every_s: float, why: str) -> None:
    picks = picks_of(FixedIntervalSampler(every_s=every_s).segments(Blank(10 * every_s, frame_rate=100.0)))
    assert {pick.why for pick in picks} == {f"every {why} s"}


def test_the_tolerance_is_a_quarter_of_the_distance() -> None:
    for sampler in (FixedIntervalSampler(every_s=2.0), UniformSampler(count=5)):
        assert {pick.tolerance_s for pick in picks_of(sampler.segments(Blank(10.0)))} == {0.5}


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf, None, "often", [1]])
@pytest.mark.parametrize(
    ("kind", "option"),
    [(FixedIntervalSampler, "every_s"), (FixedIntervalSampler, "at_least"), (UniformSampler, "count")],
)
def test_options_that_make_no_sense(kind: type[Sampler], option: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=option):
        kind(**{option: value})
    with pytest.raises(ValidationError, match=option):
        kind().replace(**{option: value})


def test_options_are_frozen() -> None:
    sampler = FixedIntervalSampler()
    with pytest.raises(ValidationError, match="frozen"):
        sampler.every_s = 3.0  # type: ignore[misc]  # what mypy forbids as well
    assert sampler.replace(every_s=3.0).options() == {"every_s": 3.0, "at_least": 5}
    assert sampler.every_s == 20.0
