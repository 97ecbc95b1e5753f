"""A video that tells how far it has been looked at: what a sampler sees is the same, and a bar moves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from vidcap_core import Pick, Progress, Sampler, Segment, Vidcap, Video
from vidcap_core.decoders.pyav_video import open_video
from vidcap_core.isolation.child import PathFile
from vidcap_core.testing import tiny_video
from vidcap_core.testing.videos import PaintedVideo
from vidcap_core.watched import Watched


class Looking(Sampler):
    """Looks at every frame, then at the end once more."""

    name = "looking"

    def segments(self, video: Video) -> Iterable[Segment]:
        times_s = [frame.time_s for frame in video.scan()]
        later = [frame.time_s for frame in video.window(times_s[-2], None).scan()]
        assert later == times_s[-2:]
        yield Segment(video.start_s, video.end_s, (Pick(times_s[len(times_s) // 2], why="the middle"),))


def test_all_that_a_sampler_sees_is_the_same(clip: PaintedVideo) -> None:
    with PathFile(str(clip.path)) as file, open_video(file) as video:
        seen: list[float] = []
        watched = Watched(video, seen.append)
        for name in ("start_s", "end_s", "width_px", "height_px", "frame_rate", "codec", "has_audio"):
            assert getattr(watched, name) == getattr(video, name)
        assert [f.time_s for f in watched.scan(0.5, 32)] == [f.time_s for f in video.scan(0.5, 32)]
        assert list(watched.packets()) == list(video.packets())
        picks = [Pick(video.start_s), Pick(video.end_s)]
        assert [f.time_s for f in watched.frames(picks)] == [f.time_s for f in video.frames(picks)]
        assert [i.sha256 for i in watched.images(picks, 64)] == [i.sha256 for i in video.images(picks, 64)]
        part = watched.window(1.0, 2.0)
        assert (part.start_s, part.end_s) == (1.0, 2.0)
        assert seen[0] == video.start_s
        with pytest.raises(AttributeError):
            _ = watched.nothing_of_the_kind


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_looking_is_progress(clip: PaintedVideo, isolation: str) -> None:
    told: list[Progress] = []
    with Vidcap(sampler=Looking(), isolation=isolation, on_progress=told.append) as vidcap:
        _, sampled = vidcap.sampled(clip.path)
    looks = [progress for progress in told if progress.step == "look"]
    assert {progress.total for progress in looks} == {sampled.facts["duration_s"]}
    done = [progress.done for progress in looks]
    assert done[:40] == sorted(done[:40])
    assert 0 <= done[0] < 0.2
    assert max(done) > 0.9 * looks[0].total
    assert [progress.step for progress in told][-1] == "frames"
    assert sampled.choosing_cpu_s > 0
    assert sampled.taking_cpu_s > 0


class Counting(Sampler):
    """Says what looking has cost."""

    name = "counting"

    def segments(self, video: Video) -> Iterable[Segment]:
        before_s = video.cpu_s
        for _ in video.scan():
            pass
        yield Segment(video.start_s, video.end_s, (Pick(1.0, why=f"{before_s} {video.cpu_s}"),))


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_a_sampler_sees_what_its_looking_costs_the_decoder(clip: PaintedVideo, isolation: str) -> None:
    with Vidcap(sampler=Counting(), isolation=isolation) as vidcap:
        (image,) = vidcap.frames(clip.path)
    before_s, after_s = map(float, image.why.split())
    if isolation == "process":
        assert 0 < before_s < after_s < 60
    else:
        assert before_s == after_s == 0


def test_however_many_frames_there_are_it_is_told_a_few_hundred_times_at_most(tmp_path: Path) -> None:
    many = tiny_video(tmp_path / "many.mp4", frames=1000, rate=100, width_px=64, height_px=48, gop=100)
    told: list[float] = []
    with PathFile(str(many.path)) as file, open_video(file) as video:
        assert len(list(Watched(video, told.append).scan())) == 1000
    # A step is a 200th of the video; no place is told twice, and none is left out.
    assert 150 <= len(told) <= 201
    assert told == sorted(told)
    assert max(b - a for a, b in pairwise(told)) < 0.07
