"""Prepare: from a URI to everything that has to be asked. Sync; the CPU's share of the work."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chosen import Chosen, foreign, plugin_record
from .errors import PluginError, SettingsError, SourceError, VidcapError
from .fit import coverage, thin
from .isolation.pool import DecoderPool, Stop
from .plugin import Plugin, Sampler
from .tasks import Task
from .text import as_data, clock
from .types import Coverage, Image, Limits, Media, Pick, Request, Want, Work
from .version import __version__

if TYPE_CHECKING:
    from .video import Video

_MOST_PICKS = 100_000
"""What a sampler may propose; a sampler that proposes without end would fill the memory."""
_MOST_TRANSCRIPT_CHARS = 20_000
_MOST_BYTES_A_CHAR = 4
_TEXT_BYTES = 8000
"""Room in a request for instructions, schema, title and question."""
_LABEL_BYTES = 200
"""What stands around an image in a request."""
_SLACK_S = 0.001
"""Sums of floats may end a little beside the edges."""
_LONGEST_SHAPE = 4
"""A film strip of a picture is not blown up for the sake of its short side."""

OnImage = Callable[[int, int], None]
"""Called with the number of images made and the number there will be."""


def prepare(uri: str, chosen: Chosen, task: Task) -> Work:
    """Everything that `task` has to ask about one video. Raises VidcapError.

    Opens and closes all it needs: for one video, or on another machine. A `Pipeline` keeps its
    decoders warm instead.
    """
    with decoder_pool(chosen) as pool, opened(uri, chosen) as media:
        return prepare_media(media, chosen, task, pool, Stop())


@contextmanager
def opened(uri: str, chosen: Chosen) -> Iterator[Media]:
    """A video, made readable by its source. Raises VidcapError."""
    source = chosen.source(uri)
    settings = chosen.settings
    want = Want(chosen.limits.side_px, settings.start_s, settings.end_s)
    resources = ExitStack()
    try:
        with blaming(source):
            media = resources.enter_context(source.open(uri, want))
        if not isinstance(media, Media):
            raise PluginError(f"source {source.name!r} opened {type(media).__name__}, not Media")
        yield media
    finally:
        with blaming(source):
            resources.close()


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


def decoder_pool(chosen: Chosen) -> DecoderPool:
    """A pool of what decodes, as the settings say."""
    settings = chosen.settings
    isolated = settings.isolation == "process"
    return DecoderPool(chosen.decoder, isolated=isolated, timeout_s=settings.decoder_timeout_s)


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


def sample(
    media: Media,
    chosen: Chosen,
    pool: DecoderPool,
    stop: Stop,
    on_image: OnImage = lambda done, total: None,
) -> Sampled:
    """Let the sampler choose, fit that to the budget and take the images. Raises VidcapError."""
    if not isinstance(media.location, Path):
        raise SourceError("vidcap reads files on this machine only, so far")
    limits = chosen.limits
    with pool.open(media.location, stop) as whole:
        video = _window(whole, chosen)
        proposed = _proposed(chosen.sampler, video, stop)
        most = min(chosen.settings.max_frames, limits.max_images or chosen.settings.max_frames)
        picks = thin(proposed, most, video.start_s, video.end_s)
        images = []
        for image in video.images(picks, side_px(limits, video.width_px, video.height_px)):
            images.append(image)
            on_image(len(images), len(picks))
        facts = _facts(whole, video)
    kept = _within_body(images, picks, media, limits, video.start_s, video.end_s)
    covered = coverage([image.asked_s for image in kept], video.start_s, video.end_s, len(proposed))
    sampled = Sampled(kept, covered, facts)
    wanted = min(len(proposed), chosen.settings.max_frames)
    sampled.notices += _notices(kept, len(images), wanted, limits)
    return sampled


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


def _proposed(sampler: Sampler, video: Video, stop: Stop) -> list[Pick]:
    picks: list[Pick] = []
    with blaming(sampler):
        for count, segment in enumerate(sampler.segments(video)):
            # Python code cannot be stopped from outside, only between its steps.
            stop.check()
            picks += islice(segment.picks, _MOST_PICKS + 1)
            if max(count, len(picks)) > _MOST_PICKS:
                raise SettingsError(
                    f"sampler {sampler.name!r} proposes more than {_MOST_PICKS:,} frames: take fewer"
                )
    if not picks:
        raise PluginError(f"sampler {sampler.name!r} chose no frame")
    for pick in picks:
        _check_pick(pick, sampler, video)
    for earlier, later in pairwise(picks):
        if later.time_s < earlier.time_s:
            raise PluginError(f"sampler {sampler.name!r} does not go forward: {later.time_s:g} s comes late")
    return picks


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


def _within_body(
    images: Sequence[Image], picks: Sequence[Pick], media: Media, limits: Limits, start_s: float, end_s: float
) -> list[Image]:
    """Leave out images, by time and worth, until they fit a request's body."""
    kept = list(images)
    if limits.max_body_bytes is None:
        return kept
    room_bytes = limits.max_body_bytes - _TEXT_BYTES
    if media.transcript:
        room_bytes -= _MOST_TRANSCRIPT_CHARS * _MOST_BYTES_A_CHAR
    by_pick = dict(zip(map(id, picks), images, strict=True))
    while (sent_bytes := sum(map(_sent_bytes, kept))) > room_bytes:
        if len(kept) == 1:
            raise SettingsError(
                f"a request may hold {limits.max_body_bytes:,} bytes, too few for one frame of"
                f" {sent_bytes:,}: lower side_px or raise max_body_bytes, in the captioner's limits"
            )
        most = min(max(int(len(kept) * room_bytes / sent_bytes), 1), len(kept) - 1)
        kept = [by_pick[id(pick)] for pick in thin(picks, most, start_s, end_s)]
    return kept


def _sent_bytes(image: Image) -> int:
    return len(image.data) * 4 // 3 + _LABEL_BYTES


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
    shape = dict(request.answer_schema), request.rung, request.max_output_tokens
    asked = [request.system, parts, dict(request.facts), *shape]
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
    """What is said in the part that is shown, and a notice where it had to be thinned."""
    if media.transcript is None:
        return [], []
    covered = sampled.coverage
    cues = [c for c in media.transcript.cues if c.end_s > covered.start_s and c.start_s < covered.end_s]
    lines = [f"[{clock(cue.start_s)}] {as_data(cue.text, 1000)}" for cue in cues]
    kept = _thinned(lines, _MOST_TRANSCRIPT_CHARS)
    cut = [f"{len(kept)} of {len(lines)} lines of the transcript sent"] if len(kept) < len(lines) else []
    return ["What is said in it:", *kept] if kept else [], cut


def _thinned(lines: Sequence[str], most_chars: int) -> list[str]:
    """Lines that fit, taken evenly from all of them: as with frames, the tail is never cut off."""
    all_chars = sum(map(len, lines))
    if all_chars <= most_chars:
        return list(lines)
    kept: list[str] = []
    kept_chars = passed_chars = 0
    for line in lines:
        passed_chars += len(line)
        if kept_chars + len(line) <= passed_chars * most_chars / all_chars:
            kept.append(line)
            kept_chars += len(line)
    return kept


def _made_by(media: Media, chosen: Chosen, task: Task) -> dict[str, Any]:
    asked = [task.instructions, task.label, task.question, json.dumps(task.schema, sort_keys=True)]
    prompt = "\n".join(asked)
    captioner = chosen.captioner
    return {
        "vidcap": __version__,
        "source": _record(chosen.source(media.uri)),
        "decoder": _record(chosen.decoder),
        "sampler": _record(chosen.sampler),
        "captioner": _record(captioner, chosen.captioner_name) if captioner else None,
        "max_frames": chosen.settings.max_frames,
        "prompt_sha256": hashlib.sha256(prompt.encode()).hexdigest(),
        "identity": dict(media.identity),
    }


def _record(plugin: Plugin, name: str | None = None) -> dict[str, Any]:
    with blaming(plugin):  # an option may be what JSON cannot hold
        record = plugin_record(plugin, name)
    return record
