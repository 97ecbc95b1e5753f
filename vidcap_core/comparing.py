"""Compare: samplers side by side on one video, what each takes of it, at what cost, and what is then said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .blaming import blaming
from .chosen import Chosen
from .errors import AccessError, VidcapError
from .image_size import image_tokens
from .plugin import Sampler, Session
from .preparation import with_options, work_of
from .samplers.even import UniformSampler
from .sampling import Sampled
from .tasks import CAPTION, Task
from .text import one_line
from .types import Coverage, Image, Limits, Media, Result, Segment
from .version import __version__

if TYPE_CHECKING:
    from .pipeline import Pipeline

_LONGEST_OPTIONS = 80


@dataclass(frozen=True, slots=True)
class Compared:
    """What one sampler takes of the video, or why it takes nothing."""

    name: str
    """What it was chosen by, a nickname perhaps."""
    options: Mapping[str, Any]
    """Those that differ from its defaults."""
    error: VidcapError | None = None
    segments: tuple[Segment, ...] = ()
    images: tuple[Image, ...] = field(default=(), repr=False)
    coverage: Coverage | None = None
    image_tokens: int | None = None
    """What the images take of the model's input, by its limits' rule; None: not known."""
    image_bytes: int = 0
    choosing_cpu_s: float = 0.0
    """CPU time of the sampler, the decoder's for it included."""
    taking_cpu_s: float = 0.0
    """CPU time of decoding and encoding the images."""
    result: Result | None = None
    """What the model says of these frames; None where it was not asked."""
    notices: tuple[str, ...] = ()

    @property
    def told_options(self) -> str:
        """The options in a few words."""
        words = ", ".join(f"{name}={one_line(str(value))}" for name, value in self.options.items())
        return words if len(words) <= _LONGEST_OPTIONS else f"{words[: _LONGEST_OPTIONS - 1]}…"

    @property
    def label(self) -> str:
        """Its name, with the options that make it what it is."""
        return f"{self.name}({self.told_options})" if self.options else self.name


@dataclass(frozen=True, slots=True)
class Comparison:
    """Samplers side by side on one video. In a notebook it shows its page."""

    uri: str
    title: str | None
    facts: Mapping[str, Any]
    """start_s, end_s, duration_s, width_px, height_px, has_audio."""
    max_frames: int
    """The budget, for all alike."""
    made_by: Mapping[str, Any]
    samplers: tuple[Compared, ...]

    @property
    def text(self) -> str:
        """A table, and below it what the model says where it was asked."""
        from .reports.comparison_text import comparison_text

        return comparison_text(self)

    def html(self) -> str:
        """One page without scripts, with all pictures in it."""
        from .reports.comparison_page import comparison_page

        return comparison_page(self)

    def _repr_html_(self) -> str:
        from .reports.html import framed

        return framed(self.html(), "Samplers compared", height_px=900)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; images without their bytes."""
        from .writers import to_plain

        plain: dict[str, Any] = to_plain(self)
        return plain


async def compare(
    pipeline: Pipeline, uri: str, samplers: Iterable[tuple[str, Sampler]], task: Task | None
) -> Comparison:
    """Let every sampler choose, one after the other, with one budget, from one opened video.

    Each sampler comes with what it is chosen by. With a `task` the model is asked about the frames of
    each, until it refuses all further requests. Raises VidcapError where the video cannot be read at all.
    """
    compared: list[Compared] = []
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(pipeline.session()) if task else None
        media = await stack.enter_async_context(pipeline.opened(uri))
        # One frame, shown to nobody: a video without a picture fails here, once and not in every row, and
        # what is imported for the first frame is not counted as the first sampler's CPU time.
        tried = await pipeline.with_sampler(UniformSampler(count=1)).taken(media, task or CAPTION)
        for name, sampler in samplers:
            compared.append(await _compared(name, pipeline.with_sampler(sampler), media, task, session))
            if isinstance(compared[-1].error, AccessError):
                session = None  # it refuses the others as well; their frames still stand
    chosen = pipeline.chosen
    return Comparison(
        uri=uri,
        title=media.title,
        facts=tried.facts,
        max_frames=chosen.settings.max_frames,
        made_by=_made_by(chosen, media, task),
        samplers=tuple(compared),
    )


async def _compared(
    name: str, line: Pipeline, media: Media, task: Task | None, session: Session | None
) -> Compared:
    """What the line's sampler takes, and what is then said; an error in their place."""
    row = Compared(name, {})
    started_s = time.perf_counter()
    try:
        row = replace(row, options=_options(line.chosen.sampler))
        sampled = await line.taken(media, task or CAPTION)
        row = _filled(row, sampled, line.chosen.limits)
        if task and session:
            took_s = time.perf_counter() - started_s
            work = work_of(media, sampled, line.chosen, task, prepare_s=took_s)
            room = asyncio.Semaphore(line.chosen.settings.concurrency)
            result = await line.said(work, task, session, room)
            errors = [item.error for item in result.items if item.error]
            # As elsewhere, an answer of which nothing is left is a failure.
            return replace(row, result=result, error=errors[0] if len(errors) == len(result.items) else None)
    except VidcapError as error:
        return replace(row, error=error)
    return row


def _filled(row: Compared, sampled: Sampled, limits: Limits) -> Compared:
    each = [image_tokens(limits, image.width_px, image.height_px) for image in sampled.images]
    return replace(
        row,
        segments=sampled.segments,
        images=sampled.images,
        coverage=sampled.coverage,
        image_tokens=None if None in each else sum(filter(None, each)),
        image_bytes=sum(len(image.data) for image in sampled.images),
        choosing_cpu_s=sampled.choosing_cpu_s,
        taking_cpu_s=sampled.taking_cpu_s,
        notices=sampled.notices,
    )


def _options(sampler: Sampler) -> dict[str, Any]:
    with blaming(sampler):  # an option may be what JSON cannot hold
        return sampler.model_dump(mode="json", exclude_defaults=True)


def _made_by(chosen: Chosen, media: Media, task: Task | None) -> dict[str, Any]:
    captioner = chosen.captioner
    return {
        "vidcap": __version__,
        "decoder": with_options(chosen.decoder),
        "captioner": chosen.captioner_name if captioner else None,
        "task": task.name if task else None,
        "identity": dict(media.identity),
    }
