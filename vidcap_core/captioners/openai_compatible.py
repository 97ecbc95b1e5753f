"""Any endpoint that speaks OpenAI's chat completions: hosted, or a server on this machine.

The way of one request: `body` (pure) → `_Session._send` (the SDK, one attempt) → `Reply` → either an
`Answer` or a `Complaint`, of which `Refusals` makes a typed error. A reply counts as an answer only
after its body was looked at: many servers report errors with status 200.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, SecretStr, field_validator

from ..errors import ProviderError, SettingsError
from ..plugin import Captioner, Session
from ..types import Answer, Image, Request
from .refusals import Refusals
from .replies import Reply, answer_in, complaint_in, mended, model_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai import AsyncOpenAI

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY_LIKE = re.compile(r"(?=.*[a-z])(?=.*[0-9]).{20,}")
_CONNECT_S = 10.0
_LISTING_S = 5.0
_NO_LISTING = (404, 405, 501)
"""How endpoints say that they list no models."""


class OpenAICompatible(Captioner):
    """Ask a model behind an endpoint that speaks OpenAI's chat completions."""

    name: ClassVar[str] = "openai_compatible"

    base_url: str = Field(description="Where the endpoint is, up to and including /v1.")
    model: str = Field(description="The model to ask, as the endpoint names it.")
    api_key_env: str | None = Field(
        default=None,
        description="The environment variable that holds the key; empty for a server that needs none.",
    )
    timeout_s: PositiveFloat = Field(default=120.0, description="Seconds to wait for one answer.")

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        value = value.strip()
        fault = _url_fault(value)
        if fault:
            raise ValueError(fault)
        return value.rstrip("/")

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty: name the model to ask, as the endpoint lists it")
        return value.strip()

    @field_validator("api_key_env")
    @classmethod
    def _check_api_key_env(cls, value: str | None) -> str | None:
        if value and (not _VARIABLE.fullmatch(value) or _KEY_LIKE.fullmatch(value)):
            raise ValueError(
                "is not the name of an environment variable; if it is a key, put it into a variable"
                " (export MY_API_KEY=...) and give that variable's name"
            )
        return value or None

    @property
    def host(self) -> str:
        """The endpoint's host and port, for messages."""
        return urlsplit(self.base_url).netloc

    def body(self, request: Request) -> dict[str, Any]:
        """Make the JSON that is sent for a request. Pure: batch files and dry runs use it too."""
        content = [_content(part) for part in request.parts]
        system = [{"role": "system", "content": mended(request.system)}] if request.system else []
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [*system, {"role": "user", "content": content}],
            # OpenAI's newer models refuse max_tokens; most other servers know nothing else.
            "max_completion_tokens" if self._is_openai else "max_tokens": request.max_output_tokens,
        }
        if request.rung == "json_schema":
            schema = {"name": "answer", "strict": True, "schema": dict(request.answer_schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Open a pool of connections, with the key as it is at this moment."""
        key = self._key()
        async with _open_client(self, key) as client:
            yield _Session(self, client, key)

    async def answer(self, request: Request) -> Answer:
        """Ask once, over a connection of its own; for more than one request open a `session`."""
        async with self.session() as session:
            return await session.answer(request)

    async def models(self) -> tuple[str, ...] | None:
        """Name the models the endpoint lists; None where it does not tell. Raises ProviderError."""
        plugin, key = self.replace(timeout_s=min(self.timeout_s, _LISTING_S)), self._key()
        async with _open_client(plugin, key) as client:
            return await _Session(plugin, client, key).models()

    @property
    def _is_openai(self) -> bool:
        host = urlsplit(self.base_url).hostname or ""
        return host == "api.openai.com" or host.endswith(".api.openai.com")

    def _key(self) -> SecretStr | None:
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise SettingsError(
                f"{self.host} needs a key and {self.api_key_env} is not set:"
                f" export {self.api_key_env}=<your key>"
            )
        # HTTP would refuse it later, with a message that holds it.
        if not key.isascii() or not key.isprintable() or " " in key:
            raise SettingsError(
                f"{self.api_key_env} holds characters that no key has: set it anew,"
                f" export {self.api_key_env}=<your key>"
            )
        return SecretStr(key)


def _url_fault(url: str) -> str | None:
    """Say what keeps this from being a base URL, in words that repeat none of it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        if "[" in parts.netloc or re.fullmatch(r"(\d+\.){3}\d+", host or ""):
            ipaddress.ip_address(host or "")
    except ValueError:
        return "is not an address: write it like https://api.example.com/v1"
    if parts.username is not None or parts.password is not None:
        return (
            "holds a user name or a password, which would end up in logs: put the key into an"
            " environment variable and name that in api_key_env"
        )
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[!-~]+", url):
        return "must start with http:// or https:// and a host, like https://api.example.com/v1"
    if parts.query or parts.fragment:
        return "must end with its path: what follows ? or # cannot be kept"
    if parts.path.rstrip("/").endswith("/chat/completions"):
        return "must end before /chat/completions"
    return None


def _content(part: str | Image) -> dict[str, Any]:
    if isinstance(part, Image):
        return {"type": "image_url", "image_url": {"url": part.data_uri()}}
    return {"type": "text", "text": mended(part)}


def _open_client(plugin: OpenAICompatible, key: SecretStr | None) -> AsyncOpenAI:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

    return AsyncOpenAI(
        base_url=plugin.base_url,
        # Without one the SDK would look for OPENAI_API_KEY; `_headers` keeps this word at home.
        api_key=key.get_secret_value() if key else "none",
        max_retries=0,
        timeout=Timeout(plugin.timeout_s, connect=min(_CONNECT_S, plugin.timeout_s)),
        # A redirect would carry frames to a host that nobody chose.
        http_client=DefaultAsyncHttpxClient(follow_redirects=False),
    )


def _headers(client: AsyncOpenAI, key: SecretStr | None, is_openai: bool) -> dict[str, Any]:
    """Headers of each request: ours only.

    The SDK adds what it finds in OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS to its
    defaults, whatever the host is. So each default is taken out, and what is wanted put back.
    """
    from openai import omit

    ours: dict[str, Any] = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": "vidcap",
        "Authorization": f"Bearer {key.get_secret_value()}" if key else omit,
    }
    if is_openai:
        ours["OpenAI-Organization"] = client.organization or omit
        ours["OpenAI-Project"] = client.project or omit
    # Spelt as the SDK spells them, and ours last: some of its versions tell upper from lower case
    # when they merge, others do not.
    return {name: omit for name in client.default_headers if name not in ours} | ours


class _Session:
    """What is bound to the run's loop lives here, not on the plugin."""

    def __init__(self, plugin: OpenAICompatible, client: AsyncOpenAI, key: SecretStr | None) -> None:
        self._plugin = plugin
        self._client = client
        self._headers = _headers(client, key, plugin._is_openai)
        self._refusals = Refusals(plugin, key)
        self._listing = asyncio.Lock()
        self._listed: list[str] | None = None

    async def answer(self, request: Request) -> Answer:
        reply = await self._send(self._plugin.body(request))
        if isinstance(reply, ProviderError):
            raise reply
        data = reply.json()
        complaint = complaint_in(reply, data)
        if complaint is not None:
            listed = await self._models() if complaint.cause(request.rung) == "model" else []
            raise self._refusals.of(complaint, request.rung, listed)
        if not isinstance(data, dict):
            raise self._refusals.no_completion(reply)
        answer = answer_in(data, self._plugin.model)
        if answer is None:
            raise self._refusals.nothing_said()
        return answer

    async def _send(self, body: dict[str, Any]) -> Reply | ProviderError:
        # Errors are returned, to be raised outside of the except clauses: as their context the SDK's
        # own would come along, with the request's headers and all that the server said.
        from openai import APIConnectionError, APIStatusError

        completions = self._client.chat.completions.with_raw_response
        try:
            async with asyncio.timeout(self._plugin.timeout_s):
                raw = await completions.create(**body, extra_headers=self._headers)
            return Reply.of(raw.http_response)
        except APIStatusError as error:
            return Reply.of(error.response)
        except (APIConnectionError, TimeoutError) as error:
            return self._refusals.no_reply(error)

    async def _models(self) -> list[str]:
        """Ask which models there are, once a session; none where the endpoint does not say."""
        async with self._listing:
            if self._listed is None:
                self._listed = await self._list_models()
            return self._listed

    async def models(self) -> tuple[str, ...] | None:
        reply = await self._listing_reply()
        if isinstance(reply, ProviderError):
            raise reply
        if reply.status in _NO_LISTING:
            return None
        data = reply.json()
        complaint = complaint_in(reply, data)
        if complaint is not None:
            raise self._refusals.of(complaint, "prompt", [])
        if not isinstance(data, (dict, list)):
            raise self._refusals.no_completion(reply)
        return tuple(model_names(data)) or None

    async def _list_models(self) -> list[str]:
        reply = await self._listing_reply()
        # Without one only a hint is lost, and there is an error to report already.
        return [] if isinstance(reply, ProviderError) else model_names(reply.json())

    async def _listing_reply(self) -> Reply | ProviderError:
        # Returned, as in `_send`.
        from openai import APIConnectionError, APIStatusError

        try:
            async with asyncio.timeout(_LISTING_S):
                raw = await self._client.models.with_raw_response.list(extra_headers=self._headers)
            return Reply.of(raw.http_response)
        except APIStatusError as error:
            return Reply.of(error.response)
        except (APIConnectionError, TimeoutError) as error:
            return self._refusals.no_reply(error)
