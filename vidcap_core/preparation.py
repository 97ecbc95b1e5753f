"""Prepare: from a URI to everything that has to be asked. Sync; the CPU's share of the work."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .blaming import blaming
from .chosen import Chosen
from .composing import compose
from .errors import PluginError
from .image_size import side_px
from .isolation.pool import DecoderPool, Stop
from .plugin import Plugin
from .proposing import OnStep, unheard
from .sampling import Sampled, sample
from .tasks import Task
from .types import Media, Transcript, Want, Work
from .version import __version__

OnBytes = Callable[[int, int | None], None]
"""Called with the number of bytes fetched, and of all there are where that is known."""


def prepare(uri: str, chosen: Chosen, task: Task) -> Work:
    """Everything that `task` has to ask about one video. Raises VidcapError.

    Opens and closes all it needs: for one video, or on another machine. A `Pipeline` keeps its
    decoders warm instead.
    """
    with decoder_pool(chosen) as pool, opened(uri, chosen) as media:
        return prepare_media(media, chosen, task, pool, Stop())


@contextmanager
def opened(uri: str, chosen: Chosen, on_bytes: OnBytes = lambda done, total: None) -> Iterator[Media]:
    """A video, made readable by its source. Raises VidcapError.

    `on_bytes` is told what is fetched; what it raises ends the fetching.
    """
    source = chosen.source(uri)
    settings = chosen.settings
    # Most videos are 16:9; a source chooses before it knows.
    side = side_px(chosen.limits, 16, 9)
    want = Want(side, settings.start_s, settings.end_s, settings.languages, on_bytes)
    resources = ExitStack()
    try:
        with blaming(source):
            media = resources.enter_context(source.open(uri, want))
        if fault := _fault_in(media):
            raise PluginError(f"source {source.name!r} opened {fault}")
        # Whatever its source calls it: results are found by what was asked for.
        yield dataclasses.replace(media, uri=uri)
    finally:
        with blaming(source):
            resources.close()


def _fault_in(media: Any) -> str:
    """What a plugin's author got wrong about a video."""
    if not isinstance(media, Media):
        return f"{type(media).__name__}, not Media"
    if not isinstance(media.location, Path) and not hasattr(media.location, "size_bytes"):
        return f"Media whose location is {type(media.location).__name__}, not a Path"
    try:
        json.dumps([dict(media.identity), dict(media.details), media.title, "".join(media.notices)])
    except (TypeError, ValueError) as error:
        return f"Media whose identity, details or title is not ready for JSON: {error}"
    return ""


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
    on_step: OnStep = unheard,
) -> Work:
    """Everything that `task` has to ask about an opened video. Raises VidcapError."""
    started_s = time.perf_counter()
    sampled = sample(media, chosen, task, pool, stop, on_step)
    return work_of(media, sampled, chosen, task, prepare_s=time.perf_counter() - started_s)


def work_of(media: Media, sampled: Sampled, chosen: Chosen, task: Task, *, prepare_s: float) -> Work:
    """Everything that `task` has to ask about what was taken of a video. Raises VidcapError."""
    composed = [compose(media, shown, sampled, chosen, task) for shown in sampled.shown]
    cut = dict.fromkeys(notice for _, cut in composed for notice in cut)
    return Work(
        uri=media.uri,
        title=media.title,
        duration_s=sampled.facts["duration_s"],
        task=task.name,
        requests=tuple(request for request, _ in composed),
        spans=tuple((shown.start_s, shown.end_s) for shown in sampled.shown),
        coverage=sampled.coverage,
        made_by=_made_by(media, sampled, chosen, task),
        prepare_s=prepare_s,
        notices=(*sampled.notices, *cut),
    )


def _made_by(media: Media, sampled: Sampled, chosen: Chosen, task: Task) -> dict[str, Any]:
    asked = [task.instructions, task.label, task.question, json.dumps(task.schema, sort_keys=True)]
    if task.scope != "video":
        asked.append(f"{task.scope} {task.window_s}")
    prompt = "\n".join(asked)
    captioner = chosen.captioner
    return {
        "vidcap": __version__,
        "source": _record(chosen.source(media.uri)),
        "decoder": _record(chosen.decoder),
        "sampler": _record(chosen.sampler),
        "captioner": _record(captioner, chosen.captioner_name) if captioner else None,
        "max_frames": chosen.settings.max_frames,
        "transcript": _transcript(sampled.transcript),
        "prompt_sha256": hashlib.sha256(prompt.encode()).hexdigest(),
        "identity": dict(media.identity),
    }


def _transcript(transcript: Transcript | None) -> dict[str, Any] | None:
    if transcript is None:
        return None
    return {
        "origin": transcript.origin,
        "language": transcript.language,
        "cues": len(transcript.cues),
    }


def with_options(plugin: Plugin) -> dict[str, Any]:
    """A plugin's name with its options, for lists that people read. Raises PluginError."""
    with blaming(plugin):  # an option may be what JSON cannot hold
        return {"name": plugin.name, **plugin.options()}


def _record(plugin: Plugin, name: str | None = None) -> dict[str, Any]:
    """A plugin with its options, for the provenance of a result."""
    with blaming(plugin):  # an option may be what JSON cannot hold
        options = plugin.options()
    return {"name": name or plugin.name, "plugin": plugin.name, "options": options}
