"""The errors of an OpenAI-compatible endpoint: who must act decides the type, the words say how."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AccessError, InvalidAnswerError, ProviderError, UnsupportedRung
from .replies import Complaint, Reply

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ..types import Rung
    from .openai_compatible import OpenAICompatible


@dataclass(frozen=True, slots=True)
class Refusals:
    """Makes the errors of one endpoint. None of them holds the key, whatever the server said."""

    plugin: OpenAICompatible
    key: SecretStr | None

    def of(self, complaint: Complaint, rung: Rung, listed: Sequence[str]) -> ProviderError:
        """The error for a complaint; `listed` are the models that there are, as far as known."""
        says, status = self._says(complaint), complaint.status
        match complaint.cause(rung):
            case "quota":
                return AccessError(
                    f"{says} Its quota is used up: add credit, or use another key.", status=status
                )
            case "access":
                return AccessError(f"{says} {self._key_remedy()}", status=status)
            case "rung":
                return UnsupportedRung(f"{says} It does not take a JSON schema in this way.", status=status)
            case "model":
                return ProviderError(f"{says} {self._model_remedy(listed)}", status=status)
        return ProviderError(
            f"{says} {complaint.remedy}",
            status=status,
            retryable=complaint.is_retryable,
            retry_after_s=complaint.retry_after_s,
        )

    def nothing_said(self) -> InvalidAnswerError:
        """The error for a completion that holds no words."""
        return InvalidAnswerError(
            f"{self.plugin.host} answered without any text: {self.plugin.model} may have filtered the"
            " request, or may not take images. Try another model."
        )

    def no_completion(self, reply: Reply) -> ProviderError:
        """The error for a success that is no JSON object."""
        if reply.is_page:
            return ProviderError(
                f"{self.plugin.host} answered with a web page: check base_url, most end in /v1.",
                status=reply.status,
            )
        return ProviderError(
            f"{self.plugin.host} answered with something that is not JSON"
            f' ("{self._quote(reply.text, 80)}"): is it an OpenAI-compatible endpoint?',
            status=reply.status,
            retryable=True,
        )

    def no_reply(self, error: Exception) -> ProviderError:
        """The error for a request that nothing came back of: `error` is the SDK's or a timeout."""
        host, base_url, cause = self.plugin.host, self.plugin.base_url, error.__cause__
        kind, words = type(cause).__name__, self._quote(str(cause or ""))
        if "SSL" in words:
            said = f"no secure connection to {base_url}: {words}"
            return ProviderError(said, retryable="certificate" not in words.lower())
        if kind in ("ConnectError", "ConnectTimeout"):
            said = f"nothing answers at {base_url}: is the server running? ({words or kind})"
        elif isinstance(error, TimeoutError) or "Timeout" in kind:
            said = f"{host} gave no answer within {self.plugin.timeout_s:g} s: is timeout_s too short?"
        else:
            said = f"{host} broke off before the answer was whole ({words or kind}): try again."
        return ProviderError(said, retryable=True)

    def _says(self, complaint: Complaint) -> str:
        what = f"answered {complaint.status}" if complaint.status >= 300 else "answered with an error"
        quoted = self._quote(complaint.message)
        return f'{self.plugin.host} {what}: "{quoted}".' if quoted else f"{self.plugin.host} {what}."

    def _key_remedy(self) -> str:
        variable = self.plugin.api_key_env
        if variable is None:
            return "If it needs a key, name the environment variable that holds it in api_key_env."
        return f"Check that the key in {variable} is right and may use {self.plugin.model}."

    def _model_remedy(self, listed: Sequence[str]) -> str:
        wanted = self.plugin.model
        if not listed:
            return f"Check the model, {wanted}, and base_url: most end in /v1."
        if wanted in listed:
            return f"Yet it lists {wanted}: check base_url, or ask for access to the model."
        names = (self._quote(name, 100) for name in _nearest(wanted, listed))
        return f"It does not list {wanted}; it lists {', '.join(names)}."

    def _quote(self, text: str, cap: int = 300) -> str:
        """Make what a server said fit for a message: no key, no control characters, not too long."""
        if self.key:
            text = text.replace(self.key.get_secret_value(), "[key]")
        text = "".join(char if char.isprintable() else " " for char in text[:10_000])
        text = " ".join(text.split()).rstrip(".")
        return text if len(text) <= cap else f"{text[: cap - 1]}…"


def _nearest(wanted: str, listed: Sequence[str]) -> list[str]:
    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, wanted.lower(), name.lower()).ratio()

    return sorted(listed[:2000], key=likeness, reverse=True)[:10]
