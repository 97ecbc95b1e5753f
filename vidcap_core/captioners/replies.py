"""Read what OpenAI-compatible endpoints reply. Pure: bytes in, data out.

Servers differ in all that OpenAI's documentation leaves open, and in much that it does not: errors
come with status 200, codes as words or numbers, content as text or parts. What is known of their
habits stands here, so that nothing else has to know it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Self

from ..types import Answer, Rung, Usage

Cause = Literal["quota", "access", "rung", "model", "other"]
"""What a complaint is about, as far as somebody can do something about it."""

_Finish = Literal["stop", "length", "filtered", "refused"]

_FINISHES: dict[str, _Finish] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filtered",
    "safety": "filtered",
    "prohibited_content": "filtered",
    "recitation": "filtered",
    "refusal": "refused",
}
"""What endpoints call it, beside `stop` and its kin."""

_QUOTA_WORDS = frozenset(
    {
        "insufficient_quota",
        "insufficient_balance",
        "insufficient_credits",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",
    }
)
_UNKNOWN_MODEL_WORDS = frozenset({"model_not_found", "unknown_model", "invalid_model"})
_BAD_KEY = re.compile(r"(incorrect|invalid)[ _]api[ _-]?key|api[ _-]?key.{0,20}(not valid|invalid)", re.I)
_ABOUT_RUNG = re.compile(
    r"response[_ ]?format|json[_ ]?schema|structured[_ ]output|guided[_ ](json|decoding)|grammar", re.I
)
_ABOUT_MODEL = re.compile(
    r"\bmodel\b.{0,120}?(not found|not exist|not supported|unavailable|not available|not a valid|unknown)"
    r"|(unknown|invalid|unsupported|no such) model\b",
    re.I | re.S,
)
_STATUS_OF_WORD = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "unauthenticated": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found": 404,
    "not_found_error": 404,
    "model_not_found": 404,
    "timeout": 408,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "resource_exhausted": 429,
    "too_many_requests": 429,
    "server_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "api_error": 500,
    "overloaded_error": 503,
    "unavailable": 503,
    "service_unavailable": 503,
    # The vaguest comes last: many errors are of this type and have a code that says more.
    "invalid_argument": 400,
    "bad_request": 400,
    "badrequesterror": 400,
    "invalid_request_error": 400,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came over the wire."""

    status: int
    headers: Mapping[str, str]
    """Found by their names in lower case."""
    body: bytes

    @classmethod
    def of(cls, response: Any) -> Self:
        """Take it from an HTTP response of the SDK."""
        return cls(response.status_code, response.headers, response.content)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, as a wrong address or a proxy sends."""
        return self.body[:500].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head"))

    def json(self) -> Any:
        """The JSON it holds; None where it holds none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an endpoint says went wrong, in whichever of the many shapes it says so."""

    status: int
    """The HTTP status; for an error inside a 200 the status it stands for, where that can be told."""
    message: str
    words: frozenset[str] = frozenset()
    """Its codes and types, in lower case."""
    retry_after_s: float | None = None

    def cause(self, rung: Rung) -> Cause:
        """What it is about; the rung can only be to blame where a schema was sent."""
        if self.status == 402 or self.words & _QUOTA_WORDS:
            return "quota"
        # Gemini and xAI answer 400 to a wrong key.
        if self.status in (401, 403) or (self.status == 400 and self._speaks_of(_BAD_KEY)):
            return "access"
        if rung == "json_schema" and self.status in (200, 400, 422) and self._speaks_of(_ABOUT_RUNG):
            return "rung"
        return "model" if self._is_about_model() else "other"

    @property
    def is_retryable(self) -> bool:
        """Whether it may pass; an error inside a 200 that does not say what it is may well."""
        return self.status in (200, 408, 409, 425, 429) or self.status >= 500

    @property
    def remedy(self) -> str:
        """What to do where nothing else is known of the cause."""
        if self.status < 300 or self.status >= 500:
            return "The fault is on its side: try again later."
        if self.status < 400:
            return "Redirects are not followed: set base_url to where it has moved."
        if self.status == 413 or "context_length_exceeded" in self.words:
            return "Send fewer or smaller frames, or lower its limits in the settings."
        if self.status == 429:
            return "It is asked too often: wait, or ask less at a time."
        return "Try again." if self.is_retryable else "It does not take this request."

    def _is_about_model(self) -> bool:
        if self.status not in (200, 400):
            return self.status == 404
        return bool(self.words & _UNKNOWN_MODEL_WORDS) or self._speaks_of(_ABOUT_MODEL)

    def _speaks_of(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search(" ".join([self.message[:5000], *sorted(self.words)])))


def complaint_in(reply: Reply, data: Any) -> Complaint | None:
    """Tell what a reply with this JSON complains of; None where its body reports a success as well."""
    error = _error_in(data)
    if error is None and reply.status < 300:
        return None
    error = error or data or _page_title(reply)
    words = _words(error)
    return Complaint(
        reply.status if reply.status >= 300 else _meant_status(words),
        _message(error) or _redirect(reply),
        words,
        _retry_after_s(reply.headers),
    )


def answer_in(data: Mapping[str, Any], asked_model: str) -> Answer | None:
    """Take the answer out of a completion; None where nothing is said.

    Whether one that ended early will do, the core decides.
    """
    choice = _choice(data)
    message = choice.get("message")
    if not isinstance(message, dict):
        return None
    refusal = _said(message, "refusal")
    text = refusal or _said(message, "text")
    finish = "refused" if refusal else _FINISHES.get(str(choice.get("finish_reason")).lower(), "stop")
    if finish == "stop" and not text.strip():
        return None
    model = data.get("model")
    named = mended(model)[:200] if isinstance(model, str) and model else asked_model
    return Answer(text=text, model=named, usage=_usage(data.get("usage")), finish=finish)


def model_names(data: Any) -> list[str]:
    """The names in a list of models; none where it is no such list."""
    models = data.get("data") if isinstance(data, dict) else None
    names = (
        (model.get("id") for model in models if isinstance(model, dict)) if isinstance(models, list) else ()
    )
    return [name for name in names if isinstance(name, str)]


def mended(text: str) -> str:
    """Put a ? for each lone surrogate: file names and broken servers bring them, nothing takes them."""
    return text.encode("utf-8", "replace").decode()


def _choice(data: Mapping[str, Any]) -> dict[str, Any]:
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _said(message: dict[str, Any], kind: Literal["text", "refusal"]) -> str:
    """Collect the text or the refusal of a message: a string, or a list of parts."""
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    whole = content if kind == "text" else message.get("refusal")
    found = [whole, *(part.get(kind) for part in parts)]
    return mended("".join(text for text in found if isinstance(text, str)))


def _usage(data: Any) -> Usage:
    counts = data if isinstance(data, dict) else {}
    return Usage(_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _error_in(data: Any) -> Any:
    """Find the error in a body: at its top, in a list (Gemini) or in the choice (OpenRouter)."""
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return None
    if data.get("object") == "error":
        return data
    return data.get("error") or _choice(data).get("error") or None


def _message(error: Any) -> str:
    """Take the words out of an error; all of it where no field is known to hold them."""
    if isinstance(error, str):
        return error
    fields = error if isinstance(error, dict) else {}
    known = (fields.get(name) for name in ("message", "detail", "error", "msg"))
    words = [text for text in known if isinstance(text, str) and text]
    return words[0] if words else json.dumps(error) if error else ""


def _words(error: Any) -> frozenset[str]:
    fields = error if isinstance(error, dict) else {}
    values = (fields.get(name) for name in ("code", "type", "status", "param"))
    return frozenset(str(value).lower() for value in values if isinstance(value, str | int))


def _meant_status(words: frozenset[str]) -> int:
    numbers = [int(word) for word in words if re.fullmatch(r"[45][0-9][0-9]", word)]
    named = [status for word, status in _STATUS_OF_WORD.items() if word in words]
    return next(iter(numbers + named), 200)


def _page_title(reply: Reply) -> str:
    if not reply.is_page:
        return reply.text
    title = re.search(r"<title[^>]*>(.{0,300}?)</title>", reply.text, re.I | re.S)
    return title[1] if title else "a web page"


def _redirect(reply: Reply) -> str:
    location = reply.headers.get("location")
    return f"moved to {location}" if location else ""


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the endpoint asks to wait: milliseconds, seconds or a date, never negative."""
    millis, after = _number(headers.get("retry-after-ms")), headers.get("retry-after")
    wait_s = _number(after) if millis is None else millis / 1000
    if wait_s is None:
        wait_s = _seconds_until(after)
    return None if wait_s is None else max(0.0, wait_s)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds_until(date: str | None) -> float | None:
    try:
        when = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
