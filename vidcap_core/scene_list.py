"""The scenes of a video, listed: what a sampler proposes, nothing thinned, no model asked."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .chosen import Chosen
from .isolation.pool import DecoderPool, Stop
from .preparation import with_options
from .proposing import OnStep, proposed, unheard
from .reports.contact_sheet import contact_sheet
from .sampling import asked_window, facts_of, take_images, video_of
from .text import clock, one_line
from .types import Image, Media, Pick, Segment

_SIDE_PX = 480
"""Of a picture that stands for a scene."""
COLUMNS = ("uri", "number", "start_s", "end_s", "length_s", "why")


@dataclass(frozen=True, slots=True)
class Scenes:
    """The scenes of one video: the segments of a sampler that finds them."""

    uri: str
    title: str | None
    facts: Mapping[str, Any]
    """start_s, end_s, duration_s, width_px, height_px, has_audio."""
    sampler: Mapping[str, Any]
    """The name of what found them, and its options."""
    segments: tuple[Segment, ...]
    notices: tuple[str, ...] = ()
    images: tuple[Image, ...] = field(default=(), repr=False)
    """One for each segment, where they were asked for; else none."""

    @property
    def text(self) -> str:
        """A line for each scene: number, start, end, length, why."""
        cells = [
            (str(row["number"]), clock(row["start_s"]), clock(row["end_s"]), f"{row['length_s']:.2f} s")
            for row in self.rows()
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(map(str.rjust, line, widths)) for line in cells)
        return "\n".join(
            f"{line}  {row['why']}".rstrip() for line, row in zip(lines, self.rows(), strict=True)
        )

    def csv(self, *, head: bool = True) -> str:
        """A line for each scene, by COLUMNS, after a head of their names."""
        import csv

        written = io.StringIO()
        writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
        if head:
            writer.writeheader()
        writer.writerows({"uri": one_line(self.uri), **row} for row in self.rows())
        return written.getvalue()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Of each scene number (from 1), start_s, end_s, length_s and why."""
        for number, one in enumerate(self.segments, 1):
            times_s = {"start_s": one.start_s, "end_s": one.end_s, "length_s": one.end_s - one.start_s}
            why = one_line(one.picks[0].why) if one.picks else ""
            yield {"number": number, **{name: round(t, 6) for name, t in times_s.items()}, "why": why}

    def strip(self) -> bytes:
        """One picture with a thumbnail of every scene, as a JPEG. Needs the images."""
        # The font has no dash.
        legends = [
            f"{number}.  {clock(one.start_s)} - {clock(one.end_s)}"
            for number, one in enumerate(self.segments, 1)
        ]
        title = self.title or Path(self.uri).name or self.uri
        return contact_sheet(title, self.facts, self.images, legends, things="scenes")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "uri": self.uri,
            "title": self.title,
            **self.facts,
            "sampler": dict(self.sampler),
            "scenes": list(self.rows()),
            "notices": list(self.notices),
        }


def scenes(
    media: Media,
    chosen: Chosen,
    with_images: bool,
    pool: DecoderPool,
    stop: Stop,
    on_step: OnStep = unheard,
) -> Scenes:
    """List the segments of the sampler that is chosen, one picture of each if wanted. Raises VidcapError."""
    with video_of(media, chosen, pool, stop) as whole:
        video = asked_window(whole, chosen)
        segments = proposed(chosen.sampler, video, stop, on_step)
        picks = [_standing_for(segment) for segment in segments] if with_images else []
        images = take_images(video, picks, _SIDE_PX, chosen.decoder, on_step)
        facts = facts_of(whole, video)
    sampler = with_options(chosen.sampler)
    return Scenes(media.uri, media.title, facts, sampler, tuple(segments), media.notices, tuple(images))


def _standing_for(segment: Segment) -> Pick:
    """What is worth most of a segment; of equals the one in the middle, of none the middle itself."""
    if not segment.picks:
        return Pick((segment.start_s + segment.end_s) / 2)
    most = max(pick.worth for pick in segment.picks)
    best = [pick for pick in segment.picks if pick.worth == most]
    return best[len(best) // 2]
