"""`vidcap doctor` against a real endpoint: what it finds, what it sends, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vidcap_core.cli import app
from vidcap_core.testing import Endpoint

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def doctor(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    assert result.exit_code == code, result.output
    assert KEY not in result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def asking(endpoint: Endpoint, model: str = "qwen") -> list[str]:
    return ["--base-url", endpoint.base_url, "--model", model]


def test_without_a_choice_decoders_are_tried_and_it_says_how_to_choose() -> None:
    found = doctor()
    assert found["decoders"]["pyav"]["H.264"] == "yes"
    assert "export INFERENCE_API_KEY=" in found["captioner"]["says"]
    assert not found["keys"]["openai"]["set"]
    assert found["problems"] == []
    told = CliRunner().invoke(app, ["doctor"]).output
    assert "pyav         H.264: yes" in told
    assert "captioner    none" in told


def test_nothing_is_sent_but_a_listing() -> None:
    with Endpoint(models=["qwen", "gemma"]) as endpoint:
        assert doctor(*asking(endpoint))["captioner"]["listed"] is True
        unlisted = doctor(*asking(endpoint, "qwem"))["captioner"]
        assert (unlisted["reachable"], unlisted["listed"]) == (True, False)
        assert "did you mean 'qwen'" in unlisted["says"]
    assert {(one.method, one.path) for one in endpoint.requests} == {("GET", "/v1/models")}


def test_an_endpoint_that_does_not_list_is_reachable() -> None:
    with Endpoint() as endpoint:
        base_url = f"{endpoint.base_url}/deeper"  # where this one answers 404
        found = doctor("--base-url", base_url, "--model", "qwen")["captioner"]
    assert (found["reachable"], found["listed"]) == (True, None)


def test_the_exit_code_is_the_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_API_KEY", KEY)
    with Endpoint(api_key="another") as endpoint:
        monkeypatch.setenv("VIDCAP_CAPTIONERS__INFERENCE__BASE_URL", endpoint.base_url)
        refused = doctor(code=5)
        assert refused["captioner"]["reachable"] is True
        assert refused["keys"]["inference"] == {"variable": "INFERENCE_API_KEY", "set": True}
    down = doctor(code=3)
    assert down["captioner"]["reachable"] is False
    assert "nothing answers at" in down["problems"][0]
    assert "OPENAI_API_KEY is not set" in doctor("--captioner", "openai", code=4)["problems"][0]
