"""Read: from answers to the result of a video."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from .asking import check
from .errors import VidcapError
from .tasks import Task
from .types import Answer, Evidence, Item, Request, Result, Timings, Usage, Work

_NEAR_S = 0.5
"""How far a time that a model names may lie from the frame it means: many leave out the fraction."""


def read(work: Work, answers: Sequence[Answer | VidcapError], task: Task, *, ask_s: float = 0.0) -> Result:
    """The result of a prepared video; `answers` belong to `work.requests`, errors stand for missing ones."""
    given = [answer for answer in answers if isinstance(answer, Answer)]
    usage = sum((answer.usage for answer in given), Usage(0, 0, Decimal(0)))
    items = [
        _item(request, span, answer, task)
        for request, span, answer in zip(work.requests, work.spans, answers, strict=True)
    ]
    return Result(
        uri=work.uri,
        title=work.title,
        duration_s=work.duration_s,
        task=work.task,
        items=tuple(item for item, _ in items),
        coverage=work.coverage,
        usage=usage if given else Usage(),
        requests=sum(answer.requests for answer in given),
        timings=Timings(prepare_s=work.prepare_s, ask_s=ask_s),
        made_by={**work.made_by, "model": given[0].model if given else None, "rung": work.requests[0].rung},
        notices=(*work.notices, *(notice for _, notice in items if notice)),
        images=tuple(image for request in work.requests for image in request.images),
    )


def _item(
    request: Request, span: tuple[float, float], answer: Answer | VidcapError, task: Task
) -> tuple[Item, str]:
    value, error, notice = None, None, ""
    if isinstance(answer, Answer):
        try:
            value = check(answer, task, request)
        except VidcapError as invalid:
            error = invalid
    else:
        error = answer
    if value is not None and task.cites:
        value, notice = _cited(value, task.cites, request)
    evidence = tuple(Evidence(i.asked_s, i.time_s, i.why, i.sha256) for i in request.images)
    return Item(*span, value=value, error=error, evidence=evidence), notice


def _cited(value: Any, field: str, request: Request) -> tuple[Any, str]:
    """Keep of the times that an answer names those of frames that were sent, as the frames' own."""
    named_s: tuple[float, ...] = getattr(value, field)
    sent_s = [image.time_s for image in request.images]
    # Of each the distance and the frame: the smallest is the nearest.
    nearest = [min((abs(time_s - sent), sent) for sent in sent_s) for time_s in named_s]
    shown = [sent for distance_s, sent in nearest if distance_s <= _NEAR_S]
    left_out = len(named_s) - len(shown)
    notice = f"{left_out} of {len(named_s)} times that the model names were of no frame sent; left out"
    kept = value.model_copy(update={field: tuple(dict.fromkeys(shown))})
    return kept, notice if left_out else ""
