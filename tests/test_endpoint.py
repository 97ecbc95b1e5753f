"""The server that other tests trust: here what they do not touch themselves."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from urllib.error import HTTPError

import pytest
from pydantic import BaseModel, Field

from vidcap_core.testing.endpoint import Endpoint, Fault


class Chapter(BaseModel):
    start_s: float = Field(ge=0)
    end_s: float
    title: str = Field(max_length=12)
    kind: Literal["scene", "talk"]
    parts: list[Chapter] = []


class Chapters(BaseModel):
    summary: str = Field(min_length=40)
    sure: float = Field(ge=0, le=0.5)
    count: int = Field(gt=3)
    has_text: bool
    mood: str | None
    nothing: None
    version: Literal[2]
    chapters: list[Chapter] = Field(min_length=2, max_length=3)


def chat(schema: dict[str, Any] | None = None, words: str = "Go.", model: str = "m") -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": words}]}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return body


def post(endpoint: Endpoint, body: dict[str, Any]) -> Any:
    data = json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{endpoint.base_url}/chat/completions", data)) as reply:
        return json.load(reply)


def content(endpoint: Endpoint, body: dict[str, Any]) -> str:
    said = post(endpoint, body)["choices"][0]["message"]["content"]
    assert isinstance(said, str)
    return said


def test_the_answer_satisfies_the_schema() -> None:
    with Endpoint() as endpoint:
        found = Chapters.model_validate_json(content(endpoint, chat(Chapters.model_json_schema())))
    assert found.mood == "A video in 0 frames."
    assert [chapter.start_s < chapter.end_s for chapter in found.chapters] == [True, True]


def test_a_schema_in_words_will_do() -> None:
    words = f'Answer {{so}} by this schema: {json.dumps(Chapters.model_json_schema())} and "nothing" else.'
    with Endpoint() as endpoint:
        Chapters.model_validate_json(content(endpoint, chat(words=words)))
        assert content(endpoint, chat()) == "A video in 0 frames."


def test_faults_are_used_up_one_a_request() -> None:
    with Endpoint(faults=[Fault.status(503), Fault.prose()]) as endpoint:
        with pytest.raises(HTTPError) as caught:
            post(endpoint, chat())
        caught.value.close()
        assert content(endpoint, chat()).startswith("Sure!")
        assert content(endpoint, chat()) == "A video in 0 frames."
    assert len(endpoint.chats) == 3


def test_other_models_are_unknown_where_models_are_named() -> None:
    with Endpoint(models=["a"]) as endpoint:
        assert post(endpoint, chat(model="a"))["model"] == "a"
        with pytest.raises(HTTPError, match="404") as caught:
            post(endpoint, chat(model="b"))
        caught.value.close()


def test_requests_at_the_same_time_are_all_recorded() -> None:
    with Endpoint() as endpoint, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: post(endpoint, chat(words=str(n))), range(40)))
    assert sorted(request.texts[0] for request in endpoint.chats) == sorted(map(str, range(40)))


def test_what_the_answer_function_raises_comes_out() -> None:
    def answer(_: object) -> str:
        raise AssertionError("not what was expected")

    with (
        pytest.raises(AssertionError, match="not what was expected"),
        Endpoint(answer=answer) as endpoint,
        pytest.raises(OSError, match="closed"),
    ):
        post(endpoint, chat())


def test_it_ends_with_its_context_however_slow_it_is() -> None:
    before = set(threading.enumerate())
    with ThreadPoolExecutor(1) as pool:
        with Endpoint(faults=[Fault.slow(60)]) as endpoint:
            waiting = pool.submit(post, endpoint, chat())
            while not endpoint.requests:
                time.sleep(0.005)
        waiting.exception(timeout=5)
    assert set(threading.enumerate()) <= before
