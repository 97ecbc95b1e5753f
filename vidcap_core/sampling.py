"""Sample: the sampler proposes, the core fits that to the budget and has the images taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .chosen import Chosen, foreign
from .composing import LABEL_BYTES, most_text_bytes
from .errors import PluginError, SettingsError, SourceError, VidcapError
from .fit import coverage, thin
from .isolation.pool import DecoderPool, Stop
from .plugin import Plugin, Sampler
from .scopes import Part, parts
from .tasks import Task
from .text import clock
from .transcripts import transcript_of
from .types import Coverage, Image, Limits, Media, Pick, Segment, Transcript

if TYPE_CHECKING:
    from .video import Video

T = TypeVar("T")

_MOST_PICKS = 100_000
"""What a sampler may propose; a sampler that proposes without end would fill the memory."""
_SLACK_S = 0.001
"""Sums of floats may end a little beside the edges."""
_LONGEST_SHAPE = 4
"""A film strip of a picture is not blown up for the sake of its short side."""

OnImage = Callable[[int, int], None]
"""Called with the number of images made and the number there will be."""


@contextmanager
def blaming(plugin: Plugin) -> Iterator[None]:
    """Tell whatever a plugin raises that is no VidcapError as a PluginError."""
    try:
        yield
    except VidcapError:
        raise
    except Exception as error:
        raise foreign(error, plugin) from error
    except SystemExit as error:
        raise foreign(RuntimeError(f"it called sys.exit({error})"), plugin) from error


def _blaming_each(items: Iterator[T], plugin: Plugin) -> Iterator[T]:
    """The same for an iterator that a plugin gave; not for who takes its items."""
    while True:
        with blaming(plugin):
            item = next(items, None)
        if item is None:
            return
        yield item


@dataclass(frozen=True, slots=True)
class Shown:
    """A span of the video with the images that one request shows of it."""

    start_s: float
    end_s: float
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class Sampled:
    """What was taken of a video, and what was learned of it."""

    shown: tuple[Shown, ...]
    coverage: Coverage
    facts: dict[str, Any]
    transcript: Transcript | None
    notices: tuple[str, ...]

    @property
    def images(self) -> tuple[Image, ...]:
        """All images, in order."""
        return tuple(image for shown in self.shown for image in shown.images)


def sample(
    media: Media,
    chosen: Chosen,
    task: Task,
    pool: DecoderPool,
    stop: Stop,
    on_image: OnImage = lambda done, total: None,
) -> Sampled:
    """Let the sampler choose, fit that to the budget and take the images. Raises VidcapError."""
    if not isinstance(media.location, Path):
        raise SourceError("vidcap reads files on this machine only, so far")
    limits = chosen.limits
    left_out: list[str] = []
    with ExitStack() as opened:
        # Only the opening: what a sampler or a callback raises is not the decoder's fault.
        with blaming(chosen.decoder):
            whole = opened.enter_context(pool.open(media.location, stop))
        with blaming(chosen.decoder):
            transcript = transcript_of(media, whole, chosen.settings, left_out.append)
        stop.check()  # what was left out because of it is no fault of the file
        video = _window(whole, chosen)
        segments = _proposed(chosen.sampler, video, stop)
        asked = _asked(segments, chosen, task, video)
        picks = [pick for part in asked for pick in part.picks]
        made = video.images(picks, side_px(limits, video.width_px, video.height_px))
        images = []
        for image in _blaming_each(made, chosen.decoder):
            images.append(image)
            on_image(len(images), len(picks))
        facts = _facts(whole, video)
    room_bytes = _room_bytes(limits, media, transcript)
    taken = iter(images)
    shown = [_within_body(part, list(islice(taken, len(part.picks))), limits, room_bytes) for part in asked]
    kept = [image for one in shown for image in one.images]
    proposed = sum(len(segment.picks) for segment in segments)
    covered = coverage([image.asked_s for image in kept], video.start_s, video.end_s, proposed)
    wanted = min(proposed, chosen.settings.max_frames)
    notices = *media.notices, *left_out, *_notices(kept, len(images), wanted, limits)
    return Sampled(tuple(shown), covered, facts, transcript, notices)


def _asked(segments: Sequence[Segment], chosen: Chosen, task: Task, video: Video) -> list[Part]:
    """Fit what is proposed to the budget of the video, and each request's share to its limits."""
    most, most_a_request = chosen.settings.max_frames, chosen.limits.max_images
    proposed = [pick for segment in segments for pick in segment.picks]
    kept = thin(proposed, most, video.start_s, video.end_s)
    asked = parts(segments, kept, task, video.start_s, video.end_s)
    if most_a_request is None:
        return asked
    return [Part(p.start_s, p.end_s, thin(p.picks, most_a_request, p.start_s, p.end_s)) for p in asked]


def _facts(whole: Video, shown: Video) -> dict[str, Any]:
    return {
        "start_s": shown.start_s,
        "end_s": shown.end_s,
        "duration_s": whole.duration_s,
        "width_px": shown.width_px,
        "height_px": shown.height_px,
        "has_audio": shown.has_audio,
    }


def _notices(kept: Sequence[Image], taken: int, wanted: int, limits: Limits) -> Iterator[str]:
    if len(kept) < taken:
        yield f"{len(kept)} of {wanted} frames sent: a request may hold {limits.max_body_bytes:,} bytes"
    elif taken < wanted:
        yield f"{taken} of {wanted} frames sent: a request may hold {limits.max_images}"
    damaged = ", ".join(clock(image.time_s) for image in kept if image.damaged)
    if damaged:
        yield f"the video is damaged; frames that may look wrong: {damaged}"


def _window(video: Video, chosen: Chosen) -> Video:
    start_s, end_s = chosen.settings.start_s, chosen.settings.end_s
    too_late = start_s is not None and start_s >= video.end_s
    too_early = end_s is not None and end_s <= video.start_s
    if too_late or too_early:
        wanted = (
            f"from {clock(start_s)} on" if too_late and start_s is not None else f"up to {clock(end_s or 0)}"
        )
        raise SettingsError(
            f"there is nothing {wanted}: the video runs from {clock(video.start_s)} to {clock(video.end_s)}"
        )
    return video.window(start_s, end_s)


def _proposed(sampler: Sampler, video: Video, stop: Stop) -> list[Segment]:
    segments: list[Segment] = []
    count, end_s = 0, video.start_s
    with blaming(sampler):
        for segment in sampler.segments(video):
            _check_segment(segment, sampler, end_s)
            end_s = segment.end_s
            # Python code cannot be stopped from outside, only between its steps.
            stop.check()
            picks = tuple(islice(segment.picks, _MOST_PICKS + 1))
            segments.append(Segment(segment.start_s, segment.end_s, picks))
            count += len(picks)
            if max(count, len(segments)) > _MOST_PICKS:
                raise SettingsError(
                    f"sampler {sampler.name!r} proposes more than {_MOST_PICKS:,} frames: take fewer"
                )
    _check_picks([pick for segment in segments for pick in segment.picks], sampler, video)
    for segment in segments:
        _check_inside(segment, sampler)
    return segments


def _check_inside(segment: Segment, sampler: Sampler) -> None:
    for pick in segment.picks:
        if not segment.start_s - _SLACK_S <= pick.time_s <= segment.end_s + _SLACK_S:
            raise PluginError(
                f"sampler {sampler.name!r} chose {pick.time_s:g} s for the segment {segment.start_s:g} to"
                f" {segment.end_s:g} s: picks lie in their segment"
            )


def _check_picks(picks: Sequence[Any], sampler: Sampler, video: Video) -> None:
    if not picks:
        raise PluginError(f"sampler {sampler.name!r} chose no frame")
    for pick in picks:
        _check_pick(pick, sampler, video)
    for earlier, later in pairwise(picks):
        if later.time_s < earlier.time_s:
            raise PluginError(f"sampler {sampler.name!r} does not go forward: {later.time_s:g} s comes late")


def _check_segment(segment: Any, sampler: Sampler, after_s: float) -> None:
    if not isinstance(segment, Segment):
        raise PluginError(f"sampler {sampler.name!r} gave {type(segment).__name__}, not a Segment")
    if not after_s - _SLACK_S <= segment.start_s <= segment.end_s:
        raise PluginError(
            f"sampler {sampler.name!r} gave the segment {segment.start_s:g} to {segment.end_s:g} s"
            f" after {after_s:g} s: segments go forward and do not overlap"
        )


def _check_pick(pick: Any, sampler: Sampler, video: Video) -> None:
    if not isinstance(pick, Pick):
        raise PluginError(f"sampler {sampler.name!r} chose {type(pick).__name__}, not a Pick")
    for name in ("time_s", "tolerance_s", "worth"):
        value = getattr(pick, name)
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise PluginError(f"sampler {sampler.name!r} chose a frame whose {name} is {str(value)[:40]}")
    if not video.start_s - _SLACK_S <= pick.time_s <= video.end_s + _SLACK_S:
        raise PluginError(
            f"sampler {sampler.name!r} chose {pick.time_s:g} s, outside of the part to look at,"
            f" {video.start_s:g} to {video.end_s:g} s"
        )


def side_px(limits: Limits, width_px: int, height_px: int) -> int:
    """The longer side of the images that a model sees best.

    An encoder that squashes everything to a square sees as many lines as the shorter side has.
    """
    if limits.fit != "squash":
        return limits.side_px
    shape = max(width_px, height_px) / min(width_px, height_px)
    return round(limits.side_px * min(shape, _LONGEST_SHAPE))


def _room_bytes(limits: Limits, media: Media, transcript: Transcript | None) -> int | None:
    """What the images of one request may take; None where there is no limit."""
    if limits.max_body_bytes is None:
        return None
    return limits.max_body_bytes - most_text_bytes(media, transcript)


def _within_body(part: Part, images: Sequence[Image], limits: Limits, room_bytes: int | None) -> Shown:
    """Leave out images, by time and worth, until they fit a request's body."""
    kept = list(images)
    by_pick = dict(zip(map(id, part.picks), images, strict=True))
    while room_bytes is not None and (sent_bytes := sum(map(_sent_bytes, kept))) > room_bytes:
        if len(kept) == 1:
            raise SettingsError(
                f"a request may hold {limits.max_body_bytes:,} bytes, too few for one frame of"
                f" {sent_bytes:,}: lower side_px or raise max_body_bytes, in the captioner's limits"
            )
        most = min(max(int(len(kept) * room_bytes / sent_bytes), 1), len(kept) - 1)
        kept = [by_pick[id(pick)] for pick in thin(part.picks, most, part.start_s, part.end_s)]
    return Shown(part.start_s, part.end_s, tuple(kept))


def _sent_bytes(image: Image) -> int:
    return len(image.data) * 4 // 3 + LABEL_BYTES
