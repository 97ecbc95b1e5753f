"""The commands that put a task to videos: `caption`, `describe`, `ask` and `run`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ..chosen import choose
from ..errors import SettingsError, VidcapError
from ..finding import Videos
from ..task_choice import choose_task
from ..tasks import CAPTION, Task
from ..vidcap import Vidcap
from ..writers import to_json, work_plain
from .choosing import load
from .files import spare_inputs
from .order import Order
from .output import ResultOutput
from .tally import Tally
from .terminal import Display


def run(order: Order) -> int:
    """Put the task to the videos; returns the exit code."""
    started_s = time.perf_counter()
    settings, registry = load(order)
    task = choose_task(order.task, settings, prompt=order.prompt, schema=order.schema)
    spare_inputs(order.uris, order.out)
    chosen = choose(settings, registry, asks=False)
    videos = Videos(order.uris, chosen)
    single = len(order.uris) == 1 and videos.begins_with(order.uris[0])
    if chosen.captioner is None and not order.dry_run:
        # Without a model there can be a caption of one video, and nothing else.
        chosen = choose(settings, registry, offline_will_do=single and task is CAPTION)
    if not single and settings.transcript not in ("auto", "none"):
        raise SettingsError("a transcript file belongs to one video: many find their own beside them")
    tally = Tally(quiet=order.quiet)
    tally.note(*chosen.notices)
    display = Display(quiet=order.quiet)
    with Vidcap.of(chosen, display) as vidcap, display.shown():
        if order.dry_run:
            _dry_run(vidcap, videos, task, tally, display, single=single)
            return tally.exit_code
        with ResultOutput(order.format, order.out, single=single) as output:
            for outcome in vidcap._run(videos, task):
                with display.paused():
                    output.write(outcome)
                    tally.add(outcome)
    tally.conclude(chosen, time.perf_counter() - started_s)
    return tally.exit_code


def _dry_run(
    vidcap: Vidcap, videos: Videos, task: Task, tally: Tally, display: Display, *, single: bool
) -> None:
    works = list(_works(vidcap, videos, task, tally))
    with display.paused():
        if works or not single:
            print(to_json(works[0] if single else works))  # noqa: T201


def _works(vidcap: Vidcap, videos: Videos, task: Task, tally: Tally) -> Iterator[dict[str, Any]]:
    for uri in tally.among(videos):
        try:
            yield work_plain(vidcap.prepare(uri, task))
        except VidcapError as error:
            tally.fail(uri, error)
