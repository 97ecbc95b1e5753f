"""Read: from answers to the result of a video."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from .asking import check
from .errors import VidcapError
from .tasks import Task
from .types import Answer, Evidence, Item, Request, Result, Timings, Usage, Work


def read(work: Work, answers: Sequence[Answer | VidcapError], task: Task, *, ask_s: float = 0.0) -> Result:
    """The result of a prepared video; `answers` belong to `work.requests`, errors stand for missing ones."""
    given = [answer for answer in answers if isinstance(answer, Answer)]
    usage = sum((answer.usage for answer in given), Usage(0, 0, Decimal(0)))
    return Result(
        uri=work.uri,
        title=work.title,
        duration_s=work.duration_s,
        task=work.task,
        items=tuple(
            _item(request, span, answer, task)
            for request, span, answer in zip(work.requests, work.spans, answers, strict=True)
        ),
        coverage=work.coverage,
        usage=usage if given else Usage(),
        requests=sum(answer.requests for answer in given),
        timings=Timings(prepare_s=work.prepare_s, ask_s=ask_s),
        made_by={**work.made_by, "model": given[0].model if given else None, "rung": work.requests[0].rung},
        notices=work.notices,
    )


def _item(request: Request, span: tuple[float, float], answer: Answer | VidcapError, task: Task) -> Item:
    value, error = None, None
    if isinstance(answer, Answer):
        try:
            value = check(answer, task, request)
        except VidcapError as invalid:
            error = invalid
    else:
        error = answer
    evidence = tuple(Evidence(i.asked_s, i.time_s, i.why, i.sha256) for i in request.images)
    return Item(*span, value=value, error=error, evidence=evidence)
