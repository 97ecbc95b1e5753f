"""What every sampler has to do, as tests to inherit."""

from __future__ import annotations

import atexit
import math
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from .conformance import PluginTests, require
from .videos import tiny_video

if TYPE_CHECKING:
    from ..plugin import Plugin, Sampler
    from ..types import Pick, Segment
    from ..video import Video

_SLACK_S = 0.001
"""Sums of floats may end a little beside the edges."""
_UNEVEN_S = (0.0, 0.04, 0.5, 0.6, 2.0, 2.1, 5.0, 9.0)


class SamplerTests(PluginTests):
    """The tests of a sampler, over videos with painted frames: set `sampler`.

    class TestFirstLast(SamplerTests):
        sampler = FirstLast()
    """

    sampler: Sampler

    @property
    def plugin(self) -> Plugin:
        return self.sampler

    def test_segments_go_forward(self) -> None:
        for name, video, segments in self._proposals():
            end_s = video.start_s
            for segment in segments:
                span = f"{name}: the segment {segment.start_s:g} to {segment.end_s:g} s"
                require(segment.start_s >= end_s - _SLACK_S, f"{span} overlaps the one before")
                require(segment.end_s >= segment.start_s, f"{span} goes backwards")
                require(segment.end_s <= video.end_s + _SLACK_S, f"{span} leaves the span of the video")
                end_s = segment.end_s

    def test_picks_lie_in_their_segments(self) -> None:
        for name, _, segments in self._proposals():
            for segment in segments:
                for pick in segment.picks:
                    inside = segment.start_s - _SLACK_S <= pick.time_s <= segment.end_s + _SLACK_S
                    require(inside, f"{name}: {pick} lies outside of its segment")

    def test_picks_go_forward(self) -> None:
        for name, _, segments in self._proposals():
            for earlier, later in pairwise(_picks(segments)):
                require(later.time_s >= earlier.time_s, f"{name}: {later} comes after {earlier}")

    def test_picks_are_numbers(self) -> None:
        for name, _, segments in self._proposals():
            for pick in _picks(segments):
                finite = all(map(math.isfinite, (pick.time_s, pick.tolerance_s, pick.worth)))
                require(finite and pick.tolerance_s >= 0, f"{name}: {pick} cannot be taken")

    def test_chooses_something_of_every_video(self) -> None:
        for name, _, segments in self._proposals():
            require(_picks(segments), f"{name}: it chose no frame")

    def test_chooses_the_same_again(self) -> None:
        copy = pickle.loads(pickle.dumps(self.sampler))  # noqa: S301 - our own bytes
        for name, video, segments in self._proposals():
            require(
                list(self.sampler.segments(video)) == segments, f"{name}: it chose others the second time"
            )
            require(list(copy.segments(video)) == segments, f"{name}: its copy chose others")

    def test_can_be_taken_step_by_step_beside_a_scan(self) -> None:
        for name, video, segments in self._proposals():
            beside, taken = video.scan(), []
            for segment in self.sampler.segments(video):
                next(beside, None)
                taken.append(segment)
            require(taken == segments, f"{name}: it chose others while another looked at the video")

    def test_can_be_left_in_the_middle(self) -> None:
        for name, video, segments in self._proposals():
            next(iter(self.sampler.segments(video)))
            require(
                list(self.sampler.segments(video)) == segments, f"{name}: it chose others after a false start"
            )

    def test_thinned_it_still_covers_the_video(self) -> None:
        from ..fit import coverage, thin

        for name, video, segments in self._proposals():
            picks, span = _picks(segments), (video.start_s, video.end_s)
            widest_s = coverage([pick.time_s for pick in picks], *span, len(picks)).largest_gap_s
            for most in (1, 2, 5, 16):
                kept = thin(picks, most, *span)
                gap_s = coverage([pick.time_s for pick in kept], *span, len(picks)).largest_gap_s
                most_s = widest_s + 2 * video.duration_s / most + _SLACK_S
                require(gap_s <= most_s, f"{name}: of {most} picks {gap_s:g} s lie between two")

    def test_chooses_the_same_of_a_video_that_a_process_holds(self) -> None:
        here = {name: segments for name, _, segments in self._proposals()}
        for name, video, segments in self._proposals(isolated=True):
            require(segments == here[name], f"{name}: it chose others than in one process")
            picks = _picks(segments)[:4]
            taken = [image.asked_s for image in video.images(picks, 64)]
            require(taken == [pick.time_s for pick in picks], f"{name}: not every frame could be taken")

    def _proposals(self, *, isolated: bool = False) -> Iterator[tuple[str, Video, list[Segment]]]:
        """Each video by its name, opened, and what the sampler chose of it."""
        from ..types import Segment

        for name, video in _opened(isolated=isolated):
            segments = list(self.sampler.segments(video))
            for segment in segments:
                require(isinstance(segment, Segment), f"{name}: {segment!r} is no Segment")
            yield name, video, segments


def _picks(segments: Sequence[Segment]) -> list[Pick]:
    return [pick for segment in segments for pick in segment.picks]


def _opened(*, isolated: bool) -> Iterator[tuple[str, Video]]:
    from ..decoders.pyav import PyAVDecoder
    from ..isolation.pool import DecoderPool, Stop

    with DecoderPool(PyAVDecoder(), isolated=isolated, timeout_s=60.0) as pool:
        for name, path in _videos().items():
            with pool.open(path, Stop()) as video:
                yield name, video
                if name == "a long video":
                    yield "a window of it", video.window(100.0, 130.0)


@cache
def _videos() -> dict[str, Path]:
    """Paths of videos by their names, rendered once a process."""
    holder = tempfile.TemporaryDirectory(prefix="vidcap-samplers-")
    atexit.register(holder.cleanup)
    folder = Path(holder.name)
    small = partial(tiny_video, width_px=64, height_px=48)
    return {
        "a short video": small(folder / "short.mp4").path,
        "a long video": small(folder / "long.mp4", frames=300, rate=1).path,
        "a single frame": small(folder / "single.mp4", frames=1).path,
        "a variable frame rate": small(folder / "uneven.mp4", times_s=_UNEVEN_S).path,
        "a video that starts late": small(folder / "late.mp4", start_s=3.0).path,
    }
