"""A sampler that takes the first and the last frame."""

from __future__ import annotations

from collections.abc import Iterable

from vidcap_core import Pick, Sampler, Segment, Video, hookimpl


class FirstLast(Sampler):
    """Take two frames, `inset_s` away from the ends."""

    name = "first_last"
    inset_s: float = 0.0

    def segments(self, video: Video) -> Iterable[Segment]:
        """Two halves, each with one pick."""
        middle_s = video.start_s + video.duration_s / 2
        first_s = min(video.start_s + self.inset_s, middle_s)
        last_s = max(video.end_s - self.inset_s, middle_s)
        yield Segment(video.start_s, middle_s, (Pick(first_s, why="the first"),))
        yield Segment(middle_s, video.end_s, (Pick(last_s, why="the last"),))


@hookimpl
def vidcap_samplers() -> list[type[Sampler]]:
    """Offer `first_last`."""
    return [FirstLast]
