"""Ask: send a request, patiently; validate the answer; have it repaired once."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .composing import identified
from .errors import InvalidAnswerError, PluginError, ProviderError, VidcapError
from .tasks import Task
from .text import as_data
from .types import Answer, Request, Usage

if TYPE_CHECKING:
    from .plugin import Session

_FIRST_WAIT_S, _MOST_WAIT_S = 0.5, 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try again. The only retry policy there is: no SDK has its own."""

    retries: int = 4
    longest_wait_s: float = 60.0

    def wait_s(self, tries: int, error: ProviderError) -> float | None:
        """How long to wait after a number of failed tries; None: give up."""
        if not error.retryable or tries > self.retries:
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= self.longest_wait_s else None
        # Full jitter would retry at once now and then; half keeps apart what failed together.
        longest_s = min(_FIRST_WAIT_S * 2**tries, _MOST_WAIT_S, self.longest_wait_s)
        return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - no secret


async def ask(request: Request, task: Task, session: Session, patience: Patience = Patience()) -> Answer:
    """An answer that fits the task's schema. Raises ProviderError.

    One that does not is sent back once with what is wrong; one that was cut off is asked for again
    with room for twice as many tokens.
    """
    answer = await _send(request, session, patience)
    try:
        check(answer, task, request)
    except InvalidAnswerError as error:
        if answer.finish not in ("stop", "length"):
            raise
        repaired = await _send(_repair(request, answer, error), session, patience)
        try:
            check(repaired, task, request)
        except InvalidAnswerError as second:
            said = f"; it said {as_data(second.text, 100)}" if second.text else ""
            second.args = (f"{second} (asked twice){said}",)
            raise
        return dataclasses.replace(
            repaired, usage=answer.usage + repaired.usage, requests=answer.requests + repaired.requests
        )
    return answer


def check(answer: Answer, task: Task, request: Request) -> object:
    """The value an answer holds. Raises InvalidAnswerError."""
    if answer.finish in _UNFINISHED:
        raise InvalidAnswerError(_UNFINISHED[answer.finish](answer), text=answer.text)
    try:
        return task.parse(answer.text)
    except InvalidAnswerError:
        # Where nobody enforces a schema, plain text is an honest answer to a question for one text.
        plain = task.parse_plain(answer.text) if request.rung == "prompt" else None
        if plain is None:
            raise
        return plain


_UNFINISHED: dict[str, Callable[[Answer], str]] = {
    "length": lambda answer: "the answer was cut off; raise max_output_tokens",
    "filtered": lambda answer: "the provider's content filter withheld the answer",
    "refused": lambda answer: f"the model refused: {answer.text[:300]}",
}


def _repair(request: Request, answer: Answer, error: InvalidAnswerError) -> Request:
    if answer.finish == "length":
        return identified(dataclasses.replace(request, max_output_tokens=request.max_output_tokens * 2))
    # What a model says may be what a video told it to say: it goes back as data.
    fault, said = as_data(str(error), 1000), as_data(answer.text, 2000)
    demand = f"Your last answer was not usable: {fault}. It was: {said}. Answer again, in JSON that fits."
    return identified(dataclasses.replace(request, parts=(*request.parts, demand)))


async def _send(request: Request, session: Session, patience: Patience) -> Answer:
    tries = 0
    while True:
        tries += 1
        try:
            answer = await _put(request, session)
        except ProviderError as error:
            wait_s = patience.wait_s(tries, error)
            if wait_s is None:
                raise _resigned(error, tries, patience) from error.__cause__
        else:
            return dataclasses.replace(answer, requests=answer.requests + tries - 1)
        await asyncio.sleep(wait_s)


async def _put(request: Request, session: Session) -> Answer:
    try:
        answer = await session.answer(request)
    except VidcapError:
        raise
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}"[:500]
        raise PluginError(f"captioner {_name(session)} failed: {said}; --debug shows where") from error
    if fault := _fault_in(answer):
        raise PluginError(f"captioner {_name(session)} gave {fault}")
    return answer


def _name(session: Session) -> str:
    # A captioner is its own session where it needs none of its own.
    return repr(getattr(session, "name", type(session).__name__))


def _fault_in(answer: Any) -> str:
    """What a plugin's author got wrong about an answer; checked, or a refusal might pass for a caption."""
    if not isinstance(answer, Answer):
        return f"{type(answer).__name__}, not an Answer"
    if not isinstance(answer.text, str) or not isinstance(answer.usage, Usage):
        return "an Answer whose text is no str, or whose usage is no Usage"
    if answer.finish not in (known := ("stop", "length", "filtered", "refused")):
        return f"an Answer whose finish is {answer.finish!r}, not one of {', '.join(known)}"
    return ""


def _resigned(error: ProviderError, tries: int, patience: Patience) -> VidcapError:
    if error.retryable and error.retry_after_s is not None and error.retry_after_s > patience.longest_wait_s:
        asked = (
            f"it asks to wait {error.retry_after_s:.0f} s; `longest_wait_s` is {patience.longest_wait_s:g}"
        )
        error.args = (f"{error}; {asked}",)
    elif tries > 1:
        error.args = (f"{error} (tried {tries} times)",)
    return error
