"""A video that tells how far it has been looked at: what a sampler sees is the same, and a bar moves."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from vidcap_core import Pick, Progress, Sampler, Segment, Vidcap, Video
from vidcap_core.decoders.pyav_video import open_video
from vidcap_core.isolation.child import PathFile
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


def test_a_long_video_is_told_of_a_few_hundred_times_at_most(clip: PaintedVideo) -> None:
    told: list[float] = []
    with PathFile(str(clip.path)) as file, open_video(file) as video:
        for _ in Watched(video, told.append, step_s=1.0).scan():
            pass
    assert len(told) == 5
