"""Prepare: from a URI to everything that has to be asked. Sync; the CPU's share of the work."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chosen import Chosen, foreign, plugin_record
from .errors import PluginError, SettingsError, SourceError, VidcapError
from .fit import coverage, thin
from .isolation.pool import DecoderPool, Stop
from .tasks import Task
from .text import as_data, clock
from .types import Coverage, Image, Limits, Media, Pick, Request, Want, Work
from .version import __version__

if TYPE_CHECKING:
    from .video import Video

_MOST_PICKS = 100_000
"""What a sampler may propose; a sampler that proposes without end would fill the memory."""
_MOST_TRANSCRIPT_CHARS = 20_000
_LONGEST_SHAPE = 4
"""A film strip of a picture is not blown up for the sake of its short side."""

OnImage = Callable[[int, int], None]
"""Called with the number of images made and the number there will be."""


def prepare(uri: str, chosen: Chosen, task: Task) -> Work:
    """Everything that `task` has to ask about one video. Raises VidcapError.

    Opens and closes all it needs: for one video, or on another machine. A `Pipeline` keeps its
    decoders warm instead.
    """
    stop = Stop()
    with decoder_pool(chosen) as pool, chosen.source(uri).open(uri, want(chosen)) as media:
        return prepare_media(media, chosen, task, pool, stop)


def decoder_pool(chosen: Chosen) -> DecoderPool:
    """A pool of what decodes, as the settings say."""
    settings = chosen.settings
    isolated = settings.isolation == "process"
    return DecoderPool(chosen.decoder, isolated=isolated, timeout_s=settings.decoder_timeout_s)


def want(chosen: Chosen) -> Want:
    """What the run needs of a video."""
    settings = chosen.settings
    return Want(chosen.limits.side_px, settings.start_s, settings.end_s)


def prepare_media(
    media: Media,
    chosen: Chosen,
    task: Task,
    pool: DecoderPool,
    stop: Stop,
    on_image: OnImage = lambda done, total: None,
) -> Work:
    """Everything that `task` has to ask about an opened video. Raises VidcapError."""
    started_s = time.perf_counter()
    sampled = sample(media, chosen, pool, stop, on_image)
    request, cut = _request(media, sampled, chosen, task)
    return Work(
        uri=media.uri,
        title=media.title,
        duration_s=sampled.facts["duration_s"],
        task=task.name,
        requests=(request,),
        spans=((sampled.coverage.start_s, sampled.coverage.end_s),),
        coverage=sampled.coverage,
        made_by=_made_by(media, chosen, task),
        prepare_s=time.perf_counter() - started_s,
        notices=(*sampled.notices, *cut),
    )


class Sampled:
    """The images that were taken of a video, and what was learned of it."""

    def __init__(self, images: Sequence[Image], covered: Coverage, facts: dict[str, Any]) -> None:
        self.images = tuple(images)
        self.coverage = covered
        self.facts = facts
        self.notices: list[str] = []


def sample(media: Media, chosen: Chosen, pool: DecoderPool, stop: Stop, on_image: OnImage) -> Sampled:
    """Let the sampler choose, fit that to the budget and take the images. Raises VidcapError."""
    if not isinstance(media.location, Path):
        raise SourceError("vidcap reads files on this machine only, so far")
    limits = chosen.limits
    with pool.open(media.location, stop) as whole:
        video = _window(whole, chosen)
        proposed = _proposed(chosen, video)
        most = min(chosen.settings.max_frames, limits.max_images or chosen.settings.max_frames)
        picks = thin(proposed, most, video.start_s, video.end_s)
        images = []
        for image in video.images(picks, side_px(limits, video.width_px, video.height_px)):
            images.append(image)
            on_image(len(images), len(picks))
        facts = {
            "start_s": video.start_s,
            "end_s": video.end_s,
            "duration_s": whole.duration_s,
            "width_px": video.width_px,
            "height_px": video.height_px,
            "has_audio": video.has_audio,
        }
    kept = _within_body(images, picks, limits, video.start_s, video.end_s)
    covered = coverage([image.asked_s for image in kept], video.start_s, video.end_s, len(proposed))
    sampled = Sampled(kept, covered, facts)
    if len(kept) < len(images):
        sampled.notices.append(
            f"{len(kept)} of {len(images)} frames sent: a request may hold {limits.max_body_bytes:,} bytes"
        )
    damaged = ", ".join(clock(image.time_s) for image in kept if image.damaged)
    if damaged:
        sampled.notices.append(f"the video is damaged; frames that may look wrong: {damaged}")
    return sampled


def _window(video: Video, chosen: Chosen) -> Video:
    start_s, end_s = chosen.settings.start_s, chosen.settings.end_s
    part = video.window(start_s, end_s)
    outside = (start_s or video.start_s) >= video.end_s or (end_s is not None and end_s <= video.start_s)
    if outside or (part.end_s <= part.start_s and video.end_s > video.start_s):
        raise SettingsError(
            f"nothing to look at: the video runs from {clock(video.start_s)} to {clock(video.end_s)}"
        )
    return part


def _proposed(chosen: Chosen, video: Video) -> list[Pick]:
    sampler = chosen.sampler
    try:
        segments = sampler.segments(video)
        picks = list(islice((pick for segment in segments for pick in segment.picks), _MOST_PICKS + 1))
    except VidcapError:
        raise
    except Exception as error:
        raise foreign(error, sampler) from error
    if not picks:
        raise PluginError(f"sampler {sampler.name!r} chose no frame")
    if len(picks) > _MOST_PICKS:
        raise SettingsError(f"sampler {sampler.name!r} proposes more than {_MOST_PICKS:,} frames: take fewer")
    for earlier, later in pairwise(picks):
        if later.time_s < earlier.time_s:
            raise PluginError(f"sampler {sampler.name!r} does not go forward: {later.time_s:g} s comes late")
    if not video.start_s <= picks[0].time_s <= picks[-1].time_s <= video.end_s:
        raise PluginError(f"sampler {sampler.name!r} chose a time outside the video")
    return picks


def side_px(limits: Limits, width_px: int, height_px: int) -> int:
    """The longer side of the images that a model sees best.

    An encoder that squashes everything to a square sees as many lines as the shorter side has.
    """
    if limits.fit != "squash":
        return limits.side_px
    shape = max(width_px, height_px) / min(width_px, height_px)
    return round(limits.side_px * min(shape, _LONGEST_SHAPE))


def _within_body(
    images: Sequence[Image], picks: Sequence[Pick], limits: Limits, start_s: float, end_s: float
) -> list[Image]:
    """Leave out images, by time and worth, until they fit a request's body."""
    kept = list(images)
    by_pick = dict(zip(map(id, picks), images, strict=True))
    while limits.max_body_bytes and len(kept) > 1:
        sent_bytes = sum(len(image.data) * 4 / 3 for image in kept) + _MOST_TRANSCRIPT_CHARS
        if sent_bytes <= limits.max_body_bytes:
            break
        most = min(max(int(len(kept) * limits.max_body_bytes / sent_bytes), 1), len(kept) - 1)
        kept = [by_pick[id(pick)] for pick in thin(picks, most, start_s, end_s)]
    return kept


def _request(media: Media, sampled: Sampled, chosen: Chosen, task: Task) -> tuple[Request, list[str]]:
    schema = task.schema
    rung = chosen.limits.rungs[0]
    spoken, cut = _spoken(media, sampled)
    parts: list[str | Image] = ["\n".join([*_about(media, sampled), *spoken])]
    count = len(sampled.images)
    for number, image in enumerate(sampled.images, 1):
        label = task.label.format(number=number, count=count, time=clock(image.time_s))
        parts += [label, image] if label else [image]
    parts.append(task.question)
    request = Request(
        id="",
        system=task.system(rung),
        parts=tuple(parts),
        facts=sampled.facts,
        answer_schema=schema,
        rung=rung,
        max_output_tokens=chosen.settings.max_output_tokens,
    )
    return identified(request), cut


def identified(request: Request) -> Request:
    """The request with the id that belongs to what it asks."""
    parts = [part.sha256 if isinstance(part, Image) else part for part in request.parts]
    asked = [request.system, parts, dict(request.answer_schema), request.rung, request.max_output_tokens]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return dataclasses.replace(request, id=digest)


def _about(media: Media, sampled: Sampled) -> list[str]:
    covered = sampled.coverage
    lines = [f"The video is {clock(sampled.facts['duration_s'])} long."]
    if covered.end_s - covered.start_s < sampled.facts["duration_s"] - 0.01:
        lines.append(f"You are shown the part from {clock(covered.start_s)} to {clock(covered.end_s)}.")
    if media.title:
        lines.append(f"Its title: {as_data(media.title, 300)}")
    return lines


def _spoken(media: Media, sampled: Sampled) -> tuple[list[str], list[str]]:
    """What is said in the part that is shown, and a notice where it had to be cut."""
    if media.transcript is None:
        return [], []
    covered = sampled.coverage
    cues = [c for c in media.transcript.cues if c.end_s > covered.start_s and c.start_s < covered.end_s]
    lines = [f"[{clock(cue.start_s)}] {as_data(cue.text, 1000)}" for cue in cues]
    kept = sum(used_chars <= _MOST_TRANSCRIPT_CHARS for used_chars in accumulate(map(len, lines)))
    cut = [f"{kept} of {len(lines)} lines of the transcript sent"] if kept < len(lines) else []
    return ["What is said in it:", *lines[:kept]] if kept else [], cut


def _made_by(media: Media, chosen: Chosen, task: Task) -> dict[str, Any]:
    asked = [task.instructions, task.label, task.question, json.dumps(task.schema, sort_keys=True)]
    prompt = "\n".join(asked)
    captioner = chosen.captioner
    return {
        "vidcap": __version__,
        "source": plugin_record(chosen.source(media.uri)),
        "decoder": plugin_record(chosen.decoder),
        "sampler": plugin_record(chosen.sampler),
        "captioner": plugin_record(captioner, chosen.captioner_name) if captioner else None,
        "max_frames": chosen.settings.max_frames,
        "prompt_sha256": hashlib.sha256(prompt.encode()).hexdigest(),
        "identity": dict(media.identity),
    }
