"""From URIs to videos: lazily, faults as values, and no source asked twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from vidcap_core import Chosen, Claim, Failure, LocalSource, Media, Source, Vidcap, Want
from vidcap_core.chosen import Given
from vidcap_core.cli import app
from vidcap_core.finding import Videos
from vidcap_core.tasks import CAPTION
from vidcap_core.testing.videos import PaintedVideo


class Counting(Source):
    """Reads local files, and notes how often it was asked what a URI stands for."""

    name = "counting"
    asked: ClassVar[list[str]] = []

    def claims(self, uri: str) -> Claim:
        return Claim.YES

    def expand(self, uri: str) -> Iterator[str]:
        self.asked.append(uri)
        if uri == "broken":
            raise ZeroDivisionError
        yield from [uri, uri] if uri == "twice" else [] if uri == "none" else [uri]

    def open(self, uri: str, want: Want) -> AbstractContextManager[Media]:
        return LocalSource().open(uri, want)


@pytest.fixture
def counting(chosen_with: Callable[..., Chosen]) -> Chosen:
    Counting.asked.clear()
    return chosen_with(Given(source=Counting()))


def test_in_order_faults_as_values_and_only_as_needed(counting: Chosen) -> None:
    videos = Videos(["a", "twice", "none", "broken", "b"], counting)
    assert videos.ahead(1) == ["a"]
    assert Counting.asked == ["a"]
    found = [one.stage if isinstance(one, Failure) else one for one in videos]
    assert found == ["a", "twice", "twice", "source", "source", "b"]
    assert len(Counting.asked) == 5


@pytest.mark.parametrize(
    ("uris", "is_one"), [(["a"], True), (["twice"], True), (["none"], True), (["broken"], True), ([], False)]
)
def test_what_stands_for_itself(counting: Chosen, uris: list[str], is_one: bool) -> None:
    assert Videos(uris, counting).begins_with(uris[0] if uris else "") is is_one


def test_a_plugins_fault_is_blamed_on_it(counting: Chosen) -> None:
    (failure,) = Videos(["broken"], counting)
    assert isinstance(failure, Failure)
    assert "'counting' failed: ZeroDivisionError" in str(failure.error)


def test_one_video_and_many_are_looked_up_once(clip: PaintedVideo) -> None:
    Counting.asked.clear()
    with Vidcap(source=Counting(), captioner="offline", max_frames=1) as vidcap:
        vidcap.caption(clip.path)
        assert Counting.asked == [str(clip.path)]
        assert len(list(vidcap._run(Videos([str(clip.path)] * 2, vidcap.chosen), CAPTION))) == 2
    assert len(Counting.asked) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["caption", "--captioner", "offline"],
        ["caption", "--dry-run"],
        ["frames", "--out", "out"],
        ["scenes", "--sampler", "uniform"],
        ["compare", "--samplers", "uniform"],
    ],
)
def test_every_command_looks_it_up_once(
    words: list[str], clip: PaintedVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Counting.asked.clear()
    monkeypatch.setattr(LocalSource, "expand", Counting.expand)
    monkeypatch.setattr(LocalSource, "asked", Counting.asked, raising=False)
    result = CliRunner().invoke(app, [*words, str(clip.path)])
    assert result.exit_code == 0, result.output
    assert Counting.asked == [str(clip.path)]


def test_dry_run_blames_a_plugin(monkeypatch: pytest.MonkeyPatch, clip: PaintedVideo, tmp_path: Path) -> None:
    def expand(self: Any, uri: str) -> Iterator[str]:
        raise ZeroDivisionError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LocalSource, "expand", expand)
    for words in (["caption", "--dry-run"], ["frames", "--out", "out"], ["scenes"]):
        result = CliRunner().invoke(app, [*words, str(clip.path)])
        assert result.exit_code == 4, result.output
        assert "'local' failed: ZeroDivisionError" in result.output
    result = CliRunner().invoke(app, ["scenes", str(clip.path), str(clip.path), "--format", "json"])
    assert json.loads(result.stdout) == []
