"""Sample: the sampler proposes, the core fits that to the budget and has the images taken."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .blaming import blaming, blaming_each
from .chosen import Chosen
from .composing import LABEL_BYTES, most_text_bytes
from .errors import SettingsError, SourceError
from .fit import coverage, thin
from .image_size import fitted, image_tokens, side_px
from .isolation.pool import DecoderPool, Stop
from .plugin import Decoder
from .proposing import OnStep, proposed, unheard
from .scopes import Part, parts
from .tasks import Task
from .text import clock
from .transcripts import transcript_of
from .types import Coverage, Image, Limits, Media, Pick, Segment, Transcript

if TYPE_CHECKING:
    from .video import Video


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
    segments: tuple[Segment, ...]
    """All that the sampler proposed, nothing left out yet."""
    choosing_cpu_s: float
    """CPU time of the sampler: in this process, all that runs in it meanwhile, and in the decoder's."""
    taking_cpu_s: float
    """The same of decoding and encoding the images."""

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
    on_step: OnStep = unheard,
) -> Sampled:
    """Let the sampler choose, fit that to the budget and take the images. Raises VidcapError."""
    limits = chosen.limits
    left_out: list[str] = []
    with video_of(media, chosen, pool, stop) as whole:
        with blaming(chosen.decoder):
            transcript = transcript_of(media, whole, chosen.settings, left_out.append)
        stop.check()  # what was left out because of it is no fault of the file
        video = asked_window(whole, chosen)
        before_s = _cpu_s(whole)
        segments = proposed(chosen.sampler, video, stop, on_step)
        chosen_s = _cpu_s(whole)
        asked = _asked(segments, chosen, task, video)
        picks = [pick for part in asked for pick in part.picks]
        images = take_images(
            video, picks, side_px(limits, video.width_px, video.height_px), chosen.decoder, on_step
        )
        taken_s = _cpu_s(whole)
        facts = facts_of(whole, video)
    room_bytes = _room_bytes(limits, media, transcript)
    taken = iter(images)
    shown = [_within_body(part, list(islice(taken, len(part.picks))), limits, room_bytes) for part in asked]
    kept = [image for one in shown for image in one.images]
    count = sum(len(segment.picks) for segment in segments)
    covered = coverage([image.asked_s for image in kept], video.start_s, video.end_s, count)
    wanted = min(count, chosen.settings.max_frames)
    notices = *media.notices, *left_out, *_notices(kept, len(images), wanted, limits)
    return Sampled(
        tuple(shown),
        covered,
        facts,
        transcript,
        notices,
        tuple(segments),
        choosing_cpu_s=chosen_s - before_s,
        taking_cpu_s=taken_s - chosen_s,
    )


@contextmanager
def video_of(media: Media, chosen: Chosen, pool: DecoderPool, stop: Stop) -> Iterator[Video]:
    """Open a video with the decoder that is chosen. Raises VidcapError."""
    if not isinstance(media.location, Path):
        raise SourceError("vidcap reads files on this machine only, so far")
    with ExitStack() as opened:
        # Only the opening: what a sampler or a callback raises is not the decoder's fault.
        with blaming(chosen.decoder):
            whole = opened.enter_context(pool.open(media.location, stop))
        yield whole


def take_images(
    video: Video, picks: Sequence[Pick], max_side_px: int, decoder: Decoder, on_step: OnStep
) -> list[Image]:
    """The images of picks. Raises VidcapError."""
    images: list[Image] = []
    for image in blaming_each(lambda: video.images(picks, max_side_px), decoder):
        images.append(image)
        on_step("frames", len(images), len(picks))
    return images


def _cpu_s(video: Video) -> float:
    return time.process_time() + video.cpu_s


def _asked(segments: Sequence[Segment], chosen: Chosen, task: Task, video: Video) -> list[Part]:
    """Fit what is proposed to the budget of the video, and each request's share to its limits."""
    picks = [pick for segment in segments for pick in segment.picks]
    kept = thin(picks, chosen.settings.max_frames, video.start_s, video.end_s)
    asked = parts(segments, kept, task, video.start_s, video.end_s)
    most = _most_images(chosen.limits, video)
    if most is None:
        return asked
    return [Part(p.start_s, p.end_s, thin(p.picks, most, p.start_s, p.end_s)) for p in asked]


def _most_images(limits: Limits, video: Video) -> int | None:
    """Images that a request may hold, by their number and by their tokens; None where no limit is known."""
    if limits.max_image_tokens is None:
        return limits.max_images
    longer_px = side_px(limits, video.width_px, video.height_px)
    width_px, height_px = fitted(video.width_px, video.height_px, longer_px)
    tokens = image_tokens(limits, width_px, height_px)
    if tokens is None:
        return limits.max_images
    if tokens > limits.max_image_tokens:
        raise SettingsError(
            f"a request may hold {limits.max_image_tokens:,} image tokens, too few for one frame of"
            f" {width_px} x {height_px}, {tokens:,}: lower side_px or raise max_image_tokens, in the"
            " captioner's limits"
        )
    by_tokens = limits.max_image_tokens // tokens
    return min(limits.max_images or by_tokens, by_tokens)


def facts_of(whole: Video, shown: Video) -> dict[str, Any]:
    """What is known of a video, of which a part is shown."""
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
        yield f"{taken} of {wanted} frames sent: a request may hold {_hold(limits)}"
    replaced = ", ".join(clock(image.asked_s) for image in kept if image.is_neighbour)
    if replaced:
        yield f"the video is damaged; a sound frame nearby stands in for those at: {replaced}"
    damaged = ", ".join(clock(image.time_s) for image in kept if image.damaged and not image.is_neighbour)
    if damaged:
        yield f"the video is damaged; frames that may look wrong: {damaged}"


def _hold(limits: Limits) -> str:
    named = (limits.max_images, "images"), (limits.max_image_tokens, "image tokens")
    return ", ".join(f"{most:,} {what}" for most, what in named if most is not None)


def asked_window(video: Video, chosen: Chosen) -> Video:
    """The part that the settings ask for. Raises SettingsError where there is nothing of it."""
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
