"""`vidcap plugins` and `vidcap settings`: everything is told, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vidcap_core.cli import app
from vidcap_core.cli.listing import masked

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def vidcap(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    assert KEY not in result.output
    return result.output


def test_plugins_are_listed_with_their_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_API_KEY", KEY)
    told = vidcap("plugins")
    assert "* fixed_interval  builtin (vidcap " in told
    assert "every_s: float = 20.0" in told
    assert "* inference -> openai_compatible, INFERENCE_API_KEY is set" in told
    assert "openai -> openai_compatible, OPENAI_API_KEY is not set" in told
    assert max(map(len, told.splitlines())) < 80


def test_a_kind_is_taken_in_the_singular_and_a_wrong_one_refused() -> None:
    assert vidcap("plugins", "sampler") == vidcap("plugins", "samplers")
    assert "did you mean 'samplers'" in vidcap("plugins", "smaplers", code=4)
    listed = json.loads(vidcap("plugins", "samplers", "--json", "--set", "sampler=uniform"))
    assert {one["name"]: one["chosen"] for one in listed["samplers"]}["uniform"]
    assert "captioners" not in listed


def test_settings_tell_value_and_origin_the_set_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCAP_MAX_FRAMES", "7")
    Path("vidcap.toml").write_text('[samplers.uniform]\ncount = 3\n[profiles.draft]\nsampler = "uniform"\n')
    listed = json.loads(vidcap("settings", "--json"))
    values = {one["name"]: (one["value"], one["origin"]) for one in listed["settings"]}
    assert values["max_frames"] == (7, "VIDCAP_MAX_FRAMES")
    assert values["samplers.uniform.count"] == (3, "vidcap.toml")
    assert values["samplers.fixed_interval.every_s"] == (20.0, "default")
    assert values["max_output_tokens"] == (1024, "default")
    assert listed["profiles"] == ["draft"]
    ranks = [
        ("default", "providers.toml").index(o) + 1 if o in ("default", "providers.toml") else 0
        for o in (one["origin"] for one in listed["settings"])
    ]
    assert set(ranks) == {0, 1, 2}
    assert ranks == sorted(ranks)


def test_no_secret_is_shown() -> None:
    Path("vidcap.toml").write_text(
        f'[sources.elsewhere]\napi_key = "{KEY}"\nproxy = "me:{KEY}@proxy:1"\nurl = "http://me:{KEY}@host/v1"\n'
        f'keys = {{ one = "{KEY}" }}\napi_key_env = "ELSEWHERE_KEY"\n'
        f'[profiles.a.sources.elsewhere]\ntoken = "{KEY}"\n'
    )
    told = vidcap("settings")
    assert 'sources.elsewhere.url = "http' in told
    assert 'sources.elsewhere.api_key_env = "ELSEWHERE_KEY"' in told
    vidcap("settings", "--json")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("max_output_tokens", 5, 5),
        ("api_key_env", "A_KEY", "A_KEY"),
        ("password", "x", "…"),
        ("password", None, None),
        ("a.token", "x", "…"),
        ("samplers.keyframes", "x", "x"),
        ("a.apiKey_2", "x", "…"),
        ("url", "https://a:b/c@host/x", "https://…@host/x"),
        ("proxy", "a:b@host:1", "…@host:1"),
        ("headers", {"token": "x", "n": 1}, {"token": "…", "n": 1}),
        ("urls", ["ftp://a@b"], ["ftp://…@b"]),
    ],
)
def test_masks(name: str, value: object, shown: object) -> None:
    assert masked(name, value) == shown
