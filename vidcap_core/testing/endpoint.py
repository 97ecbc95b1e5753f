"""A model's endpoint on this machine, for tests: a real HTTP server that misbehaves when told to.

    with Endpoint(faults=[Fault.status(429, retry_after="0")]) as endpoint:
        captioner = OpenAICompatible(base_url=endpoint.base_url, model="any")
        ...
    assert endpoint.chats[0].images == [jpeg]

The first chat request is refused with a 429, the later ones are answered. Nothing is patched: what
is tested is what would go over the wire.
"""

from __future__ import annotations

import base64
import itertools
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """What the JSON says; None where there is no body or it is not JSON."""
    raw: bytes = field(repr=False)

    @property
    def parts(self) -> list[str | bytes]:
        """What the user's messages hold, in order: texts, and images decoded to their bytes."""
        return [_part(part) for message in self._messages("user") for part in _content(message)]

    @property
    def images(self) -> list[bytes]:
        """The images, decoded, in order."""
        return [part for part in self.parts if isinstance(part, bytes)]

    @property
    def texts(self) -> list[str]:
        """The texts of the user's messages, in order."""
        return [part for part in self.parts if isinstance(part, str)]

    @property
    def system(self) -> str:
        """The system message."""
        return "\n".join(str(_part(part)) for m in self._messages("system") for part in _content(m))

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema asked for: of `response_format`, else one that stands in the words."""
        wanted = (self.body or {}).get("response_format") or {}
        if wanted.get("type") == "json_schema":
            schema: Mapping[str, Any] = wanted["json_schema"]["schema"]
            return schema
        return next(filter(None, map(_schema_in, [self.system, *self.texts])), None)

    def _messages(self, role: str) -> list[dict[str, Any]]:
        return [message for message in (self.body or {}).get("messages", []) if message["role"] == role]


def _content(message: dict[str, Any]) -> list[Any]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _part(part: dict[str, Any]) -> str | bytes:
    if part["type"] == "text":
        return str(part["text"])
    return base64.b64decode(part["image_url"]["url"].partition(";base64,")[2], validate=True)


def _schema_in(text: str) -> Mapping[str, Any] | None:
    start = text.find("{")
    while start >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            found = None
        if isinstance(found, dict) and "properties" in found:
            return found
        start = text.find("{", start + 1)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to misbehave, for one chat request. The class methods make the usual ones."""

    name: str
    """For people who read a failed test."""
    code: int = 200
    """The HTTP status."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent in place of the completion; None: the completion."""
    change: Callable[[dict[str, Any]], object] | None = None
    """Edits the completion before it is sent."""
    delivery: Literal["whole", "half", "none"] = "whole"
    """How much is sent before the connection is closed."""
    wait_s: float = 0.0
    """How long to think before the first byte."""

    @classmethod
    def status(
        cls,
        code: int,
        message: str = "This went wrong on purpose.",
        *,
        error_code: str | int | None = None,
        error_type: str = "error",
        retry_after: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Answer with any status and an error object."""
        error = {"message": message, "type": error_type, "code": error_code}
        extra = {} if retry_after is None else {"Retry-After": retry_after}
        return cls(
            name=f"status {code}",
            code=code,
            headers={**_JSON, **extra, **(headers or {})},
            body=_dump({"error": error}),
        )

    @classmethod
    def bad_key(cls, message: str = "Incorrect API key provided.") -> Self:
        """Answer 401."""
        return cls.status(401, message, error_code="invalid_api_key")

    @classmethod
    def forbidden(cls) -> Self:
        """Answer 403."""
        return cls.status(403, "This key may not use the model.", error_code="permission_denied")

    @classmethod
    def model_not_found(cls, model: str) -> Self:
        """Answer 404: the endpoint does not have the model."""
        return cls.status(404, f"The model `{model}` does not exist.", error_code="model_not_found")

    @classmethod
    def too_large(cls) -> Self:
        """Answer 413."""
        return cls.status(413, "Request Entity Too Large")

    @classmethod
    def rate_limited(cls, retry_after: str | None = "0") -> Self:
        """Answer 429 and ask to wait."""
        return cls.status(429, "Slow down.", error_code="rate_limit_exceeded", retry_after=retry_after)

    @classmethod
    def no_quota(cls) -> Self:
        """Answer 429 for an account that has nothing left."""
        return cls.status(
            429,
            "You exceeded your current quota.",
            error_code="insufficient_quota",
            error_type="insufficient_quota",
        )

    @classmethod
    def no_json_schema(cls, code: int = 400) -> Self:
        """Refuse `response_format` of type json_schema, as servers do that do not know it."""
        return cls.status(code, "response_format.type 'json_schema' is not supported by this model")

    @classmethod
    def half_body(cls) -> Self:
        """Announce a Content-Length, send half of it and close the connection."""
        return cls(name="half a body", delivery="half")

    @classmethod
    def hang_up(cls) -> Self:
        """Close the connection before a byte is sent."""
        return cls(name="hang up", delivery="none")

    @classmethod
    def raw(cls, body: bytes, content_type: str = "application/json", code: int = 200) -> Self:
        """Send any body at all."""
        return cls(name="raw body", code=code, headers={"Content-Type": content_type}, body=body)

    @classmethod
    def not_json(cls) -> Self:
        """Send a body that claims to be JSON and is not."""
        return cls.raw(b'{"choices": [')

    @classmethod
    def html(cls, code: int = 200) -> Self:
        """Send a web page, as a wrong address or a proxy does."""
        page = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Hello</body></html>"
        return cls.raw(page, "text/html; charset=utf-8", code)

    @classmethod
    def error_in_200(cls, error: Any = "Something went wrong.") -> Self:
        """Report success by the status and an error by the body."""
        return cls.raw(_dump({"error": error}))

    @classmethod
    def no_choices(cls) -> Self:
        """Send a completion with `choices: []`."""
        return cls(name="no choices", change=lambda completion: completion.update(choices=[]))

    @classmethod
    def says(cls, content: Any, finish_reason: str | None = "stop") -> Self:
        """Send this content, whatever was asked for."""

        def change(completion: dict[str, Any]) -> None:
            completion["choices"][0]["message"]["content"] = content
            completion["choices"][0]["finish_reason"] = finish_reason

        return cls(name=f"says {content!r}", change=change)

    @classmethod
    def null_content(cls) -> Self:
        """Send null for content."""
        return cls.says(None)

    @classmethod
    def empty_content(cls) -> Self:
        """Send content of no characters."""
        return cls.says("")

    @classmethod
    def prose(cls) -> Self:
        """Send content that is not JSON."""
        return cls.says("Sure! Here is what I see: a video.")

    @classmethod
    def off_schema(cls) -> Self:
        """Send content that is JSON, but not by the schema."""
        return cls.says('{"something": ["else"]}')

    @classmethod
    def truncated(cls) -> Self:
        """Send the first half of the content, with `finish_reason` length."""

        def change(completion: dict[str, Any]) -> None:
            choice = completion["choices"][0]
            content = choice["message"]["content"]
            choice["message"]["content"] = content[: len(content) // 2]
            choice["finish_reason"] = "length"

        return cls(name="truncated", change=change)

    @classmethod
    def filtered(cls) -> Self:
        """Let a content filter stop it before anything is said."""
        return cls.says(None, "content_filter")

    @classmethod
    def refusal(cls, text: str = "I can't help with that.") -> Self:
        """Decline, in `message.refusal`."""

        def change(completion: dict[str, Any]) -> None:
            completion["choices"][0]["message"].update(content=None, refusal=text)

        return cls(name="refusal", change=change)

    @classmethod
    def slow(cls, wait_s: float) -> Self:
        """Send the right answer, late."""
        return cls(name=f"slow by {wait_s} s", wait_s=wait_s)


class Endpoint:
    """A loopback server for `/v1/chat/completions` and `/v1/models`; starts and ends as a context.

    By itself it answers each chat request with content that satisfies the JSON Schema sent, or with
    what `answer` says. `faults` are used up one per chat request, then it is back to normal; an
    endless iterator such as `itertools.repeat(Fault.hang_up())` never gets there. With `models`, a
    request for any other model is a 404; with `api_key`, requests without it are a 401.
    """

    def __init__(
        self,
        *,
        answer: Callable[[RecordedRequest], str] | None = None,
        faults: Iterable[Fault] = (),
        models: Iterable[str] | None = None,
        api_key: str | None = None,
    ) -> None:
        self._answer = answer or example_answer
        self._faults = iter(faults)
        self._models = None if models is None else list(models)
        self._api_key = api_key
        self._requests: list[RecordedRequest] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._broken: BaseException | None = None

    @property
    def base_url(self) -> str:
        """What a captioner takes as its `base_url`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in the order in which they came in."""
        with self._lock:
            return list(self._requests)

    @property
    def chats(self) -> list[RecordedRequest]:
        """The chat requests among them."""
        return [request for request in self.requests if request.path == "/v1/chat/completions"]

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), type("_Bound", (_Handler,), {"endpoint": self}))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()
        if self._broken is not None and error is None:
            # An assertion that failed inside `answer` would otherwise look like a dead server.
            raise self._broken

    def _respond(self, request: RecordedRequest) -> Fault:
        """Choose what to send; a normal answer is a fault with nothing wrong in it."""
        with self._lock:
            self._requests.append(request)
        if self._api_key and request.headers.get("authorization") != f"Bearer {self._api_key}":
            return Fault.bad_key()
        if (request.method, request.path) == ("GET", "/v1/models"):
            listed = [{"id": model, "object": "model"} for model in self._models or ()]
            return Fault.raw(_dump({"object": "list", "data": listed}))
        if (request.method, request.path) == ("POST", "/v1/chat/completions"):
            return self._chat(request)
        return Fault.status(404, f"There is nothing at {request.path}.")

    def _chat(self, request: RecordedRequest) -> Fault:
        with self._lock:
            fault = next(self._faults, None)
        if fault is None and self._models is not None and request.body["model"] not in self._models:
            return Fault.model_not_found(request.body["model"])
        return self._filled(fault or Fault(name="none"), request)

    def _filled(self, fault: Fault, request: RecordedRequest) -> Fault:
        self._closing.wait(fault.wait_s)
        if fault.body is not None or fault.delivery == "none":
            return fault
        completion = _completion(request, self._told(request))
        if fault.change:
            fault.change(completion)
        return Fault(
            name=fault.name,
            code=fault.code,
            headers={**_JSON, **fault.headers},
            body=_dump(completion),
            delivery=fault.delivery,
        )

    def _told(self, request: RecordedRequest) -> str:
        try:
            return self._answer(request)
        except BaseException as error:
            self._broken = self._broken or error
            raise


def _completion(request: RecordedRequest, content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": None}
    prompt_tokens = 10 + 256 * len(request.images)
    completion_tokens = 1 + len(content) // 4
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": request.body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _dump(data: Any) -> bytes:
    return json.dumps(data).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._open.discard(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open, so that no thread outlives the test."""
        for connection in list(self._open):
            with suppress(OSError):  # the client was quicker
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 5
        while self._open and time.monotonic() < deadline:
            time.sleep(0.001)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing on stderr: clients may leave, and what `answer` raises comes out of the context."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together: else each answer may wait for a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    endpoint: Endpoint

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = RecordedRequest(self.command, self.path, headers, _parsed(raw), raw)
        self._send(self.endpoint._respond(request))

    def _send(self, fault: Fault) -> None:
        self.close_connection = fault.delivery != "whole"
        if fault.delivery == "none":
            return
        body = fault.body or b""
        self.send_response(fault.code)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if fault.delivery == "whole" else body[: len(body) // 2])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
        pass


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def example_answer(request: RecordedRequest) -> str:
    """Content that satisfies the schema asked for; plain words where there is none."""
    words = f"A video in {len(request.images)} frames."
    schema = request.schema
    return words if schema is None else json.dumps(_Examples(schema, words).of(schema))


class _Examples:
    """Makes a small instance of a JSON Schema, as far as answer models use its language."""

    _DEEP = 12
    """Where schemas that contain themselves stop."""

    def __init__(self, root: Mapping[str, Any], words: str) -> None:
        self._root = root
        self._words = words
        # Counting up, a start comes out before its end.
        self._numbers = itertools.count()

    def of(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        if "$ref" in schema:
            return self.of(self._resolved(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        for choice in ("anyOf", "oneOf", "allOf"):
            if choice in schema:
                return self.of(self._preferred(schema[choice], depth), depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        match kind[0] if isinstance(kind, list) else kind:
            case "object":
                properties = schema.get("properties", {})
                return {name: self.of(part, depth + 1) for name, part in properties.items()}
            case "array":
                return self._array(schema, depth)
            case "number" | "integer":
                return self._number(schema)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._words.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]

    def _resolved(self, ref: str) -> Mapping[str, Any]:
        found: Any = self._root
        for step in ref.removeprefix("#").strip("/").split("/"):
            found = found[step] if step else found
        schema: Mapping[str, Any] = found
        return schema

    def _preferred(self, choices: list[Mapping[str, Any]], depth: int) -> Mapping[str, Any]:
        wants_null = depth > self._DEEP
        return next((c for c in choices if (c.get("type") == "null") == wants_null), choices[0])

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        count = least if depth > self._DEEP else min(max(least, 1), schema.get("maxItems", least + 1))
        return [self.of(schema.get("items", {}), depth + 1) for _ in range(count)]

    def _number(self, schema: Mapping[str, Any]) -> int:
        least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        most = schema.get("maximum", schema.get("exclusiveMaximum", float("inf")))
        number: int = min(max(next(self._numbers), least), most)
        return number
