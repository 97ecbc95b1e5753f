"""The real SDK against a real server on this machine; nothing is patched."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from vidcap_core.captioners.openai_compatible import OpenAICompatible, _headers, _open_client, _Session
from vidcap_core.errors import (
    AccessError,
    InvalidAnswerError,
    ProviderError,
    SettingsError,
    UnsupportedRung,
)
from vidcap_core.testing.endpoint import Endpoint, Fault, RecordedRequest
from vidcap_core.types import Answer, Image, Limits, Request, Rung, Usage

if TYPE_CHECKING:
    from pydantic import SecretStr

KEY = "sk-canary-4711-do-not-print"
SCHEMA = {
    "type": "object",
    "properties": {"caption": {"type": "string"}},
    "required": ["caption"],
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("CANARY_KEY", KEY)


def image(data: bytes, time_s: float = 0.0, media_type: str = "image/jpeg") -> Image:
    return Image(time_s, time_s, data, width_px=16, height_px=9, media_type=media_type)


def request(rung: Rung = "json_schema", **changes: Any) -> Request:
    parts = ("At 0.0 s:", image(b"\xff\xd8first"), "At 2.5 s:", image(b"\x89PNG", 2.5, "image/png"), "Go.")
    given: dict[str, Any] = {"parts": parts, "max_output_tokens": 321, **changes}
    return Request("id", "Answer in JSON.", facts={}, answer_schema=SCHEMA, rung=rung, **given)


def plugin(endpoint: Endpoint, **options: Any) -> OpenAICompatible:
    return OpenAICompatible(**{"base_url": endpoint.base_url, "model": "some/model/fp8", **options})


def ask(captioner: OpenAICompatible, asked: Request | None = None) -> Answer:
    return asyncio.run(captioner.answer(asked or request()))


def ask_faulty(fault: Fault, asked: Request | None = None, **options: Any) -> Answer:
    with Endpoint(faults=[fault]) as endpoint:
        return ask(plugin(endpoint, **options), asked)


def refusal(fault: Fault, asked: Request | None = None, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask_faulty(fault, asked, **options)
    assert str(caught.value).startswith("127.0.0.1:")
    assert str(caught.value).count("\n") <= 1
    return caught.value


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "api.example.com/v1",
            "ftp://api.example.com/v1",
            "http://",
            "http://[::1",
            "http://[v1.x]/v1",
            "http://256.1.1.1/v1",
            "http://host:port/v1",
            "http://a host/v1",
            "https://api.example.com/v1?key=canary",
            "https://api.example.com/v1#canary",
            "https://user:canary@api.example.com/v1",
            "https://canary@api.example.com/v1",
            "https://api.example.com/v1/chat/completions",
        ],
    )
    def test_base_url_must_be_one(self, url: str) -> None:
        with pytest.raises(ValidationError, match="base_url") as caught:
            OpenAICompatible(base_url=url, model="m")
        assert "canary" not in str(caught.value)

    def test_base_url_loses_its_slash(self) -> None:
        assert (
            OpenAICompatible(base_url=" http://[::1]:8000/v1/ ", model="m").base_url == "http://[::1]:8000/v1"
        )

    def test_model_must_be_named(self) -> None:
        with pytest.raises(ValidationError, match="name the model"):
            OpenAICompatible(base_url="http://host/v1", model=" ")

    @pytest.mark.parametrize("pasted", ["sk-proj-canary", "gsk_canary0123456789abcdef", "a b", "1A"])
    def test_a_key_is_refused_where_a_name_belongs(self, pasted: str) -> None:
        with pytest.raises(ValidationError, match="environment variable") as caught:
            OpenAICompatible(base_url="http://host/v1", model="m", api_key_env=pasted)
        assert "canary" not in str(caught.value)

    def test_an_empty_variable_name_means_no_key(self) -> None:
        assert OpenAICompatible(base_url="http://host/v1", model="m", api_key_env="").api_key_env is None

    @pytest.mark.parametrize("value", [None, "", " \n"])
    def test_a_missing_key_names_the_variable_and_the_remedy(
        self, monkeypatch: pytest.MonkeyPatch, value: str | None
    ) -> None:
        monkeypatch.delenv("CANARY_KEY")
        if value is not None:
            monkeypatch.setenv("CANARY_KEY", value)
        with Endpoint() as endpoint, pytest.raises(SettingsError, match="export CANARY_KEY=") as caught:
            ask(plugin(endpoint, api_key_env="CANARY_KEY"))
        assert caught.value.exit_code == 4
        assert endpoint.requests == []

    @pytest.mark.parametrize("value", ["two words", "schlüssel", "line\nbreak"])
    def test_a_key_that_no_header_can_hold(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("CANARY_KEY", value)
        with Endpoint() as endpoint, pytest.raises(SettingsError) as caught:
            ask(plugin(endpoint, api_key_env="CANARY_KEY"))
        assert value not in str(caught.value)

    def test_importing_it_does_not_import_the_sdk(self) -> None:
        code = "import sys, vidcap_core.captioners.openai_compatible; sys.exit('openai' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestRequest:
    def test_body_goes_out_exactly_as_body_says(self) -> None:
        with Endpoint() as endpoint:
            captioner = plugin(endpoint)
            ask(captioner)
        (chat,) = endpoint.requests
        assert (chat.method, chat.path) == ("POST", "/v1/chat/completions")
        assert chat.body == captioner.body(request())
        assert chat.body == {
            "model": "some/model/fp8",
            "messages": [
                {"role": "system", "content": "Answer in JSON."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "At 0.0 s:"},
                        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9hmaXJzdA=="}},
                        {"type": "text", "text": "At 2.5 s:"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                        {"type": "text", "text": "Go."},
                    ],
                },
            ],
            "max_tokens": 321,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
            },
        }

    def test_images_arrive_as_the_same_bytes_between_their_texts(self) -> None:
        blobs = [bytes([n]) * 70_000 for n in range(3)]
        parts = tuple(itertools.chain.from_iterable((f"{n}", image(blob)) for n, blob in enumerate(blobs)))
        with Endpoint() as endpoint:
            ask(plugin(endpoint), request(parts=parts))
        assert endpoint.chats[0].parts == ["0", blobs[0], "1", blobs[1], "2", blobs[2]]
        assert endpoint.chats[0].images == blobs

    def test_rung_prompt_sends_no_response_format(self) -> None:
        with Endpoint() as endpoint:
            ask(plugin(endpoint), request("prompt"))
        assert "response_format" not in endpoint.chats[0].body

    def test_openai_itself_gets_the_name_of_the_cap_that_it_takes(self) -> None:
        body = OpenAICompatible(base_url="https://api.openai.com/v1", model="m").body(request())
        assert body["max_completion_tokens"] == 321
        assert "max_tokens" not in body

    def test_text_that_cannot_be_encoded_is_sent_all_the_same(self) -> None:
        with Endpoint() as endpoint:
            ask(plugin(endpoint), request(parts=("title \udcff", image(b"x"))))
        assert endpoint.chats[0].texts == ["title ?"]


class TestAnswer:
    def test_text_model_usage(self) -> None:
        with Endpoint() as endpoint:
            answer = ask(plugin(endpoint))
        assert json.loads(answer.text) == {"caption": "A video in 2 frames."}
        assert (answer.model, answer.finish, answer.requests) == ("some/model/fp8", "stop", 1)
        assert answer.usage == Usage(522, 9, None)

    @pytest.mark.parametrize(
        "usage", [None, {}, "x", {"prompt_tokens": None}, {"prompt_tokens": -1, "completion_tokens": True}]
    )
    def test_unknown_usage_is_none(self, usage: Any) -> None:
        answer = ask_faulty(Fault(name="usage", change=lambda completion: completion.update(usage=usage)))
        assert answer.usage == Usage(None, None, None)

    def test_the_model_is_the_one_that_the_endpoint_resolved(self) -> None:
        resolved = Fault(name="model", change=lambda completion: completion.update(model="model-2026-11"))
        assert ask_faulty(resolved).model == "model-2026-11"
        unnamed = Fault(name="model", change=lambda completion: completion.pop("model"))
        assert ask_faulty(unnamed).model == "some/model/fp8"

    def test_content_as_parts(self) -> None:
        parts = [{"type": "text", "text": "A "}, {"type": "other"}, "odd", {"type": "text", "text": "cat."}]
        assert ask_faulty(Fault.says(parts)).text == "A cat."

    def test_what_ended_early_is_still_an_answer(self) -> None:
        truncated = ask_faulty(Fault.truncated())
        assert truncated.finish == "length"
        assert '{"caption": "A vi' in truncated.text
        assert ask_faulty(Fault.says(None, "length")) == Answer("", "some/model/fp8", Usage(522, 9), "length")
        assert ask_faulty(Fault.filtered()).finish == "filtered"

    def test_a_refusal_is_told_in_the_models_own_words(self) -> None:
        answer = ask_faulty(Fault.refusal("No."))
        assert (answer.finish, answer.text) == ("refused", "No.")
        in_parts = ask_faulty(Fault.says([{"type": "refusal", "refusal": "No."}]))
        assert (in_parts.finish, in_parts.text) == ("refused", "No.")

    @pytest.mark.parametrize("reason", ["stop", None, "eos", "tool_calls"])
    def test_any_other_reason_is_a_stop(self, reason: str | None) -> None:
        assert ask_faulty(Fault.says("x", reason)).finish == "stop"

    @pytest.mark.parametrize("fault", [Fault.prose(), Fault.off_schema()], ids=lambda fault: fault.name)
    def test_whether_the_text_will_do_is_for_the_core_to_judge(self, fault: Fault) -> None:
        assert ask_faulty(fault).finish == "stop"

    def test_text_that_cannot_be_written_is_mended(self) -> None:
        assert ask_faulty(Fault.says("a \ud800 b")).text == "a ? b"


class TestNotAnAnswer:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault.no_choices(),
            Fault.null_content(),
            Fault.empty_content(),
            Fault.says(" \n"),
            Fault.says(7),
            Fault.raw(b"{}"),
            Fault.raw(b'{"choices": [null]}'),
            Fault.raw(b'{"choices": [{"message": null}]}'),
            Fault.raw(b'{"choices": {}}'),
        ],
        ids=lambda fault: fault.name,
    )
    def test_nothing_said(self, fault: Fault) -> None:
        error = refusal(fault)
        assert isinstance(error, InvalidAnswerError)
        assert not error.retryable

    def test_not_json(self) -> None:
        error = refusal(Fault.not_json())
        assert (type(error), error.status, error.retryable) == (ProviderError, 200, True)
        assert "not JSON" in str(error)

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
    def test_no_object(self, body: bytes) -> None:
        assert refusal(Fault.raw(body)).retryable

    def test_a_web_page_points_at_base_url(self) -> None:
        error = refusal(Fault.html())
        assert "base_url" in str(error)
        assert not error.retryable

    @pytest.mark.parametrize(
        ("error", "kind", "status", "retryable"),
        [
            ("Something went wrong.", ProviderError, 200, True),
            ({"message": "x"}, ProviderError, 200, True),
            ({"message": "x", "code": 503}, ProviderError, 503, True),
            ({"message": "x", "code": "429"}, ProviderError, 429, True),
            ({"message": "x", "type": "invalid_request_error"}, ProviderError, 400, False),
            ({"message": "x", "type": "invalid_request_error", "code": "timeout"}, ProviderError, 408, True),
            ({"message": "x", "type": "overloaded_error"}, ProviderError, 503, True),
            ({"message": "x", "code": "invalid_api_key"}, AccessError, 401, False),
            ({"message": "x", "code": "insufficient_quota"}, AccessError, 200, False),
            ("'response_format.type' must be 'json_schema' or 'text'", UnsupportedRung, 200, False),
        ],
    )
    def test_an_error_inside_a_success(
        self, error: Any, kind: type[ProviderError], status: int, retryable: bool
    ) -> None:
        caught = refusal(Fault.error_in_200(error))
        assert (type(caught), caught.status, caught.retryable) == (kind, status, retryable)

    def test_an_error_inside_the_choice(self) -> None:
        def change(completion: dict[str, Any]) -> None:
            completion["choices"][0]["error"] = {"message": "upstream is down", "code": 502}

        caught = refusal(Fault(name="error in choice", change=change))
        assert (caught.status, caught.retryable) == (502, True)
        assert "upstream is down" in str(caught)


class TestStatus:
    @pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 502, 503, 504, 529])
    def test_what_may_pass(self, code: int) -> None:
        error = refusal(Fault.status(code))
        assert (type(error), error.status, error.retryable) == (ProviderError, code, True)

    @pytest.mark.parametrize("code", [400, 404, 405, 413, 415, 422, 451])
    def test_what_will_not(self, code: int) -> None:
        error = refusal(Fault.status(code))
        assert (type(error), error.status, error.retryable) == (ProviderError, code, False)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.bad_key(),
            Fault.forbidden(),
            Fault.no_quota(),
            Fault.status(402, "Insufficient Balance"),
            Fault.status(400, "API key not valid. Please pass a valid API key."),
        ],
        ids=lambda fault: fault.name,
    )
    def test_access(self, fault: Fault) -> None:
        error = refusal(fault)
        assert isinstance(error, AccessError)
        assert (error.exit_code, error.retryable, error.status) == (5, False, fault.code)

    def test_a_wrong_key_names_its_variable(self) -> None:
        with Endpoint(api_key="another") as endpoint, pytest.raises(AccessError, match="key in CANARY_KEY"):
            ask(plugin(endpoint, api_key_env="CANARY_KEY"))

    def test_a_missing_key_names_the_option(self) -> None:
        with Endpoint(api_key=KEY) as endpoint, pytest.raises(AccessError, match="api_key_env"):
            ask(plugin(endpoint))

    @pytest.mark.parametrize("code", [400, 422])
    def test_an_unsupported_rung(self, code: int) -> None:
        error = refusal(Fault.no_json_schema(code))
        assert isinstance(error, UnsupportedRung)
        assert (error.status, error.retryable) == (code, False)
        assert not isinstance(refusal(Fault.no_json_schema(code), request("prompt")), UnsupportedRung)

    def test_a_rung_refused_by_a_validator(self) -> None:
        detail = [{"loc": ["body", "response_format"], "msg": "extra fields not permitted"}]
        fault = Fault.raw(json.dumps({"detail": detail}).encode(), code=422)
        assert isinstance(refusal(fault), UnsupportedRung)

    @pytest.mark.parametrize(
        "fault", [Fault.status(500, "json_schema"), Fault.status(400, "too many images")]
    )
    def test_not_every_complaint_is_about_the_rung(self, fault: Fault) -> None:
        assert not isinstance(refusal(fault), UnsupportedRung)

    @pytest.mark.parametrize(
        ("headers", "wait_s"),
        [
            ({}, None),
            ({"Retry-After": "0"}, 0.0),
            ({"Retry-After": "2.5"}, 2.5),
            ({"Retry-After": "3600"}, 3600.0),
            ({"Retry-After": "-5"}, 0.0),
            ({"Retry-After": "soon"}, None),
            ({"Retry-After": "nan"}, None),
            ({"Retry-After": "inf"}, None),
            ({"Retry-After-Ms": "250", "Retry-After": "1"}, 0.25),
            ({"Retry-After-Ms": "x", "Retry-After": "1"}, 1.0),
            ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
            ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000"}, 0.0),
            ({"Retry-After": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ],
    )
    def test_retry_after(self, headers: dict[str, str], wait_s: float | None) -> None:
        assert refusal(Fault.status(429, headers=headers)).retry_after_s == wait_s

    def test_retry_after_a_date_to_come(self) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
        wait_s = refusal(Fault.rate_limited(date)).retry_after_s
        assert wait_s == pytest.approx(60, abs=5)

    def test_it_never_retries(self) -> None:
        with Endpoint(faults=itertools.repeat(Fault.rate_limited())) as endpoint:
            for _ in range(2):
                with pytest.raises(ProviderError):
                    ask(plugin(endpoint))
        assert len(endpoint.requests) == 2

    def test_redirects_are_not_followed(self) -> None:
        with Endpoint() as elsewhere:
            location = {"Location": f"{elsewhere.base_url}/chat/completions"}
            error = refusal(Fault.status(307, "", headers=location))
        assert elsewhere.requests == []
        assert (error.status, error.retryable) == (307, False)
        assert "base_url" in str(error)
        assert location["Location"] in str(refusal(Fault(name="bare", code=307, headers=location, body=b"")))


class TestMessages:
    def test_a_message_quotes_the_server_within_limits(self) -> None:
        said = str(refusal(Fault.status(400, "no \x1b[31mred\x1b[0m\r\n\u202e" + "x" * 5000)))
        assert '"no [31mred [0m xxx' in said
        assert said.isprintable()
        assert len(said) < 450

    @pytest.mark.parametrize(
        ("body", "quoted"),
        [
            (b'{"error": "plain"}', "plain"),
            (b'{"message": "top"}', "top"),
            (b'{"detail": "fastapi"}', "fastapi"),
            (b'{"object": "error", "message": "old vllm", "code": 400}', "old vllm"),
            (b'[{"error": {"message": "gemini", "code": 400}}]', "gemini"),
            (b'{"detail": [{"msg": "validator"}]}', "validator"),
            (b"just text", "just text"),
            (b"", "answered 400."),
            (b"<html><title>502 Bad\nGateway</title>junk</html>", '"502 Bad Gateway"'),
        ],
    )
    def test_errors_come_in_many_shapes(self, body: bytes, quoted: str) -> None:
        assert quoted in str(refusal(Fault.raw(body, code=400)))

    def test_too_large_says_what_to_do(self) -> None:
        assert "fewer or smaller frames" in str(refusal(Fault.too_large()))

    def test_an_unknown_model_is_told_its_neighbours(self) -> None:
        models = [f"zzz-{n}" for n in range(20)] + ["google/gemma-3-27b"]
        with Endpoint(models=models) as endpoint, pytest.raises(ProviderError) as caught:
            ask(plugin(endpoint, model="gemma-3-27B"))
        assert caught.value.status == 404
        assert not caught.value.retryable
        assert "it lists google/gemma-3-27b, zzz-" in str(caught.value)
        assert str(caught.value).count("zzz-") == 9

    def test_the_models_are_asked_for_once_a_session(self) -> None:
        async def ask_five(captioner: OpenAICompatible) -> list[Any]:
            async with captioner.session() as connected:
                answers = (connected.answer(request()) for _ in range(5))
                return await asyncio.gather(*answers, return_exceptions=True)

        with Endpoint(models=["a"], api_key=KEY) as endpoint:
            errors = asyncio.run(ask_five(plugin(endpoint, api_key_env="CANARY_KEY")))
        assert {type(error) for error in errors} == {ProviderError}
        assert [got.path for got in endpoint.requests].count("/v1/models") == 1

    def test_a_400_about_the_model_lists_them_too(self) -> None:
        with (
            Endpoint(faults=[Fault.status(400, "Invalid model: x")], models=["real"]) as endpoint,
            pytest.raises(ProviderError, match="it lists real"),
        ):
            ask(plugin(endpoint, model="x"))

    def test_a_model_that_is_listed_and_yet_refused(self) -> None:
        with (
            Endpoint(faults=[Fault.status(404)], models=["some/model/fp8"]) as endpoint,
            pytest.raises(ProviderError, match="Yet it lists some/model/fp8"),
        ):
            ask(plugin(endpoint))

    def test_a_wrong_path(self) -> None:
        with Endpoint() as endpoint, pytest.raises(ProviderError, match="most end in /v1"):
            ask(plugin(endpoint, base_url=endpoint.base_url.removesuffix("/v1")))


class TestConnection:
    def test_nothing_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        captioner = OpenAICompatible(base_url=f"http://127.0.0.1:{port}/v1", model="m")
        with pytest.raises(ProviderError) as caught:
            ask(captioner)
        assert f"nothing answers at http://127.0.0.1:{port}/v1: is the server running?" in str(caught.value)
        assert (caught.value.status, caught.value.retryable) == (None, True)

    def test_https_where_there_is_none(self) -> None:
        with Endpoint() as endpoint, pytest.raises(ProviderError, match="no secure connection to https:"):
            ask(plugin(endpoint, base_url=endpoint.base_url.replace("http", "https")))

    @pytest.mark.parametrize("fault", [Fault.half_body(), Fault.hang_up()], ids=lambda fault: fault.name)
    def test_it_breaks_off(self, fault: Fault) -> None:
        error = refusal(fault)
        assert "broke off" in str(error)
        assert (error.status, error.retryable) == (None, True)

    def test_it_is_too_slow(self) -> None:
        error = refusal(Fault.slow(0.2), timeout_s=0.05)
        assert "no answer within 0.05 s" in str(error)
        assert (error.status, error.retryable) == (None, True)

    def test_it_is_slow(self) -> None:
        assert ask_faulty(Fault.slow(0.05), timeout_s=5).finish == "stop"

    def test_a_session_reuses_its_connection_and_goes_on_after_errors(self) -> None:
        async def ask_thrice(captioner: OpenAICompatible) -> Answer:
            async with captioner.session() as connected:
                for _ in range(2):
                    with pytest.raises(ProviderError):
                        await connected.answer(request())
                return await connected.answer(request())

        with Endpoint(faults=[Fault.half_body(), Fault.status(500)]) as endpoint:
            answer = asyncio.run(ask_thrice(plugin(endpoint, limits=Limits(max_images=7))))
        assert answer.finish == "stop"

    def test_one_plugin_serves_two_loops(self) -> None:
        async def ask_twice(captioner: OpenAICompatible) -> list[Answer]:
            async with captioner.session() as connected:
                return await asyncio.gather(*(connected.answer(request()) for _ in range(2)))

        with Endpoint() as endpoint:
            captioner = plugin(endpoint)
            answers = asyncio.run(ask_twice(captioner)) + asyncio.run(ask_twice(captioner))
        assert len(answers) == len(endpoint.chats) == 4

    def test_cancellation(self) -> None:
        async def cancel_midway() -> Answer:
            loop, arrived = asyncio.get_running_loop(), asyncio.Event()

            def answer_slowly(_: RecordedRequest) -> str:
                loop.call_soon_threadsafe(arrived.set)
                time.sleep(0.05)
                return "A cat."

            with Endpoint(answer=answer_slowly) as endpoint:
                async with plugin(endpoint).session() as connected:
                    task = asyncio.create_task(connected.answer(request()))
                    await arrived.wait()
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    return await connected.answer(request())

        assert asyncio.run(cancel_midway()).text == "A cat."

    def test_a_plugin_may_change_the_body(self) -> None:
        class Warm(OpenAICompatible):
            def body(self, request: Request) -> dict[str, Any]:
                return super().body(request) | {"temperature": 0.7}

        with Endpoint() as endpoint:
            ask(Warm(base_url=endpoint.base_url, model="m"))
        assert endpoint.chats[0].body["temperature"] == 0.7


@pytest.fixture
def _canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set every variable that the SDK reads, to what must not be seen on the wire."""
    for variable in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{variable}", f"stray-{variable}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/stray")
    names = (
        "Authorization",
        "authorization",
        "X-Extra",
        "Host",
        "User-Agent",
        "Accept",
        "Cookie",
        "OpenAI-Organization",
    )
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(f"{name}: stray-header" for name in names))


class TestSecrets:
    @pytest.mark.usefixtures("_canaries")
    @pytest.mark.parametrize("variable", [None, "CANARY_KEY"])
    def test_the_sdks_own_variables_stay_at_home(self, variable: str | None) -> None:
        with Endpoint(models=[]) as endpoint, pytest.raises(ProviderError):
            ask(plugin(endpoint, api_key_env=variable))
        assert [got.path for got in endpoint.requests] == ["/v1/chat/completions", "/v1/models"]
        for got in endpoint.requests:
            assert "stray" not in str(dict(got.headers)) + got.raw.decode()
            assert got.headers.get("authorization") == (f"Bearer {KEY}" if variable else None)
            assert not any(name.startswith("openai-") for name in got.headers)

    @pytest.mark.usefixtures("_canaries")
    def test_openai_itself_gets_organization_and_project(self) -> None:
        async def sent(base_url: str) -> dict[str, str]:
            captioner = OpenAICompatible(base_url=base_url, model="m", api_key_env="CANARY_KEY")
            key: SecretStr | None = captioner._key()
            async with _open_client(captioner, key) as client:
                headers = _headers(client, key, captioner._is_openai)
                return {name: value for name, value in headers.items() if isinstance(value, str)}

        headers = asyncio.run(sent("https://api.openai.com/v1"))
        assert headers["OpenAI-Organization"] == "stray-ORG_ID"
        assert headers["OpenAI-Project"] == "stray-PROJECT_ID"
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert "stray" not in str(asyncio.run(sent("https://api.openai.com.example.org/v1")))

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.bad_key(f"Incorrect API key provided: {KEY}. Bearer {KEY}"),
            Fault.status(500, "x" * 290 + KEY),
            Fault.status(404, KEY),
            Fault.raw(KEY.encode()),
            Fault.raw(f"<title>{KEY}</title>".encode(), code=502),
            Fault(name="redirect", code=302, headers={"Location": f"http://host/?k={KEY}"}, body=b""),
            Fault.error_in_200(KEY),
            Fault.no_json_schema(),
            Fault.no_quota(),
            Fault.no_choices(),
            Fault.half_body(),
            Fault.hang_up(),
            Fault.slow(0.2),
        ],
        ids=lambda fault: fault.name,
    )
    def test_no_error_holds_the_key(self, fault: Fault) -> None:
        # A server may list what it likes as a model, too.
        with Endpoint(faults=[fault], models=[KEY], api_key=KEY) as endpoint:
            captioner = plugin(endpoint, api_key_env="CANARY_KEY", timeout_s=0.15 if fault.wait_s else 5)
            with pytest.raises(ProviderError) as caught:
                ask(captioner)
        assert endpoint.chats[0].headers["authorization"] == f"Bearer {KEY}"
        error = caught.value
        assert error.__cause__ is None
        assert error.__context__ is None
        seen = [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
        assert not [text for text in seen if "sk-canary" in text]

    def test_no_repr_holds_the_key(self) -> None:
        async def seen(captioner: OpenAICompatible) -> str:
            async with captioner.session() as connected:
                assert isinstance(connected, _Session)
                return repr((captioner, captioner.__dict__, connected, connected._refusals))

        captioner = OpenAICompatible(base_url="http://host/v1", model="m", api_key_env="CANARY_KEY")
        assert KEY not in asyncio.run(seen(captioner))
        assert KEY not in str(captioner.options())

    @pytest.mark.usefixtures("_canaries")
    def test_the_log_holds_neither_keys_nor_strays(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("OPENAI_LOG", "debug")
        caplog.set_level(logging.DEBUG)
        for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "asyncio"):
            caplog.set_level(logging.DEBUG, logger=name)
        faults = [Fault.bad_key(f"Incorrect: {KEY}"), Fault.status(404), Fault.slow(0)]
        with Endpoint(faults=faults, api_key=KEY) as endpoint:
            captioner = plugin(endpoint, api_key_env="CANARY_KEY")
            for kind in (AccessError, ProviderError):
                with pytest.raises(kind):
                    ask(captioner)
            ask(captioner)
        assert re.search(r"openai|httpx", " ".join(record.name for record in caplog.records))
        assert "sk-canary" not in caplog.text
        assert "stray" not in caplog.text

    def test_openai_log_set_before_the_import(self) -> None:
        code = """
import asyncio, sys
from vidcap_core.captioners.openai_compatible import OpenAICompatible
from vidcap_core.errors import VidcapError
from vidcap_core.types import Request
captioner = OpenAICompatible(base_url=sys.argv[1], model="m", api_key_env="CANARY_KEY")
try:
    asyncio.run(captioner.answer(Request("id", "", ("Go.",), {}, {"type": "object"})))
except VidcapError as error:
    print(error)
"""
        with Endpoint(faults=[Fault.bad_key(KEY)], api_key=KEY) as endpoint:
            done = subprocess.run(
                [sys.executable, "-c", code, endpoint.base_url],
                env={**os.environ, "OPENAI_LOG": "debug"},
                capture_output=True,
                text=True,
                check=True,
            )
        assert "openai" in done.stderr
        assert "[key]" in done.stdout
        assert "sk-canary" not in done.stdout + done.stderr
