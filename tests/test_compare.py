"""`vidcap compare` and `Vidcap.compare`: figures, failures, and a page that is safe to open."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vidcap_core import (
    DecodeError,
    Limits,
    Offline,
    Pick,
    Sampler,
    Segment,
    SettingsError,
    UniformSampler,
    Vidcap,
    Video,
)
from vidcap_core.cli import app
from vidcap_core.comparing import Comparison
from vidcap_core.testing import Endpoint, Fault
from vidcap_core.testing.videos import PaintedVideo

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ATTACKS = (
    "<script>document.title = 'taken'</script>",
    '"><img src=x onerror="document.title=\'taken\'">',
    "</style></svg></title><script>document.title='taken'</script>",
    "\u202eright to left\u2066",
    "x" * 10_000,
)


class Hostile(Sampler):
    """Its reasons are attacks."""

    name = "hostile"

    def segments(self, video: Video) -> Iterable[Segment]:
        step_s = video.duration_s / len(ATTACKS)
        for number, why in enumerate(ATTACKS):
            start_s = video.start_s + number * step_s
            yield Segment(start_s, start_s + step_s, (Pick(start_s + step_s / 2, why=why),))


class Broken(Sampler):
    """Fails."""

    name = "broken"

    def segments(self, video: Video) -> Iterable[Segment]:
        raise ZeroDivisionError("<b>nothing</b>")


class Page(HTMLParser):
    """What stands in a page: its elements, and the text of those that are open."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def of_class(self, name: str) -> list[dict[str, str]]:
        return [attrs for _, attrs in self.elements if name in attrs.get("class", "").split()]

    def of_name(self, name: str) -> list[dict[str, str]]:
        return [attrs for found, attrs in self.elements if found == name]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Good, hostile and broken samplers on one video."""
    from vidcap_core.testing import tiny_video

    clip = tiny_video(tmp_path_factory.mktemp("clip") / "a <b>.mp4")
    limits = Limits(tokens_per_image=100, max_image_tokens=1000, source="a test", checked="2026-11")
    uniform = UniformSampler(count=3), UniformSampler(count=20)
    samplers: list[str | Sampler] = ["fixed_interval", *uniform, Hostile(), Broken()]
    with Vidcap(captioner=Offline(limits=limits), max_frames=8) as vidcap:
        return vidcap.compare(clip.path, samplers, "caption")


def test_every_sampler_has_its_figures(compared: Comparison) -> None:
    names = ["fixed_interval", "uniform(count=3)", "uniform(count=20)", "hostile", "broken"]
    assert [row.label for row in compared.samplers] == names
    some, few, many, *_ = compared.samplers
    assert (len(some.images), len(few.images), len(many.images)) == (5, 3, 8)
    assert many.coverage is not None
    assert (many.coverage.asked, many.coverage.sent) == (20, 8)
    assert (few.image_tokens, few.image_bytes) == (300, sum(len(image.data) for image in few.images))
    assert len(many.segments) == 20
    assert 0 <= few.choosing_cpu_s < few.taking_cpu_s < 5
    assert few.result is not None
    assert few.result.coverage.sent == 3
    assert compared.max_frames == 8


def test_one_that_fails_is_a_row_and_the_others_stand(compared: Comparison) -> None:
    *good, bad = compared.samplers
    assert all(row.error is None for row in good)
    assert "'broken' failed: ZeroDivisionError" in str(bad.error)
    assert bad.coverage is None
    lines = compared.text.splitlines()
    assert lines[0].split()[:2] == ["sampler", "frames"]
    assert lines[3].split()[:4] == ["uniform(count=20)", "8", "of", "20"]
    assert lines[5].split() == ["broken", "failed"]
    assert lines[-1].startswith("broken: PluginError: 'broken' failed: ZeroDivisionError: <b>nothing</b>")


def test_the_page_shows_every_frame_its_time_and_why(compared: Comparison) -> None:
    page = Page(compared.html())
    count = sum(len(row.images) for row in compared.samplers)
    assert not page.open
    assert len(page.of_class("tick")) == len(page.of_name("figure")) == count
    places = {attrs["id"] for attrs in page.of_name("figure")}
    assert {attrs["href"].removeprefix("#") for attrs in page.of_class("tick")} == places
    pictures = {attrs["id"] for attrs in page.of_name("image")}
    assert {attrs["href"].removeprefix("#") for attrs in page.of_name("use")} == pictures
    # A frame that several took is stored once, and shown at each tick and in each sheet.
    assert len(pictures) == len({image.sha256 for row in compared.samplers for image in row.images}) < count
    assert len(page.of_name("use")) == 2 * count
    assert len(page.of_name("tr")) == 1 + len(compared.samplers)
    assert page.text.count("every 1 s") >= 10


def test_lanes_are_aligned_and_everything_lies_within_them(compared: Comparison) -> None:
    page = Page(compared.html())
    lefts = {
        image.time_s: attrs["style"]
        for image, attrs in zip(
            (image for row in compared.samplers for image in row.images), page.of_class("tick"), strict=True
        )
    }
    for time_s, style in lefts.items():
        percent = float(style.removeprefix("left:").removesuffix("%"))
        assert percent == pytest.approx(100 * time_s / compared.facts["end_s"], abs=0.01)


def test_what_is_hostile_stays_text(compared: Comparison) -> None:
    markup = compared.html()
    page = Page(markup)
    assert not page.of_name("script")
    assert not page.of_name("img")
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert "\u202e" not in markup
    assert "<script>document.title = 'taken'</script>" in page.text
    assert "x" * 400 not in page.text
    loaded = [attrs[name] for _, attrs in page.elements for name in ("src", "href") if name in attrs]
    assert all(one.startswith(("#", "data:image/jpeg;base64,")) for one in loaded)


def test_the_page_is_small(compared: Comparison) -> None:
    pictures = [attrs["href"] for attrs in Page(compared.html()).of_name("image")]
    assert max(map(len, pictures)) < 30_000


def test_in_a_notebook_it_is_a_page_of_its_own(compared: Comparison) -> None:
    (frame,) = Page(compared._repr_html_()).of_name("iframe")
    assert frame["srcdoc"] == compared.html()
    assert frame["sandbox"] == ""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_a_browser_has_nothing_to_complain_of(compared: Comparison, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(compared.html())
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    flags += " --disable-background-networking --disable-component-update --enable-logging=stderr --dump-dom"
    run = subprocess.run(
        [str(CHROMIUM), *flags.split(), f"--user-data-dir={tmp_path}/u", f"file://{tmp_path}/page.html"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
    )
    assert "CONSOLE" not in run.stderr
    shown = Page(run.stdout)
    assert len(shown.of_class("tick")) == len(Page(compared.html()).of_class("tick"))
    title = re.search("<title>(.*?)</title>", run.stdout)
    assert title is not None
    assert title[1] == "a &lt;b&gt;.mp4: samplers compared"


def test_as_data(compared: Comparison) -> None:
    plain = json.loads(json.dumps(compared.to_dict()))
    row = plain["samplers"][1]
    assert row["image_tokens"] == 300
    assert row["images"][0]["why"] == "every 1.67 s"
    assert "data" not in row["images"][0]
    assert row["result"]["coverage"]["sent"] == 3
    assert plain["samplers"][4]["error"]["type"] == "PluginError"


def test_without_names_all_that_are_ready(clip: PaintedVideo) -> None:
    table = {"thrifty": {"use": "uniform", "count": 2}}
    with Vidcap(samplers=table, max_frames=4) as vidcap:
        rows = asyncio.run(vidcap.acompare(clip.path)).samplers
    assert {"fixed_interval", "uniform", "thrifty"} <= {row.name for row in rows}
    assert all(row.image_tokens is None and row.result is None for row in rows)
    assert {row.name: len(row.images) for row in rows}["thrifty"] == 2


def test_what_cannot_be_compared(clip: PaintedVideo, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("no video")
    with Vidcap() as vidcap:
        for samplers, words in ((["unifrm"], "did you mean 'uniform'"), ([], "no sampler to compare")):
            with pytest.raises(SettingsError, match=words):
                vidcap.compare(clip.path, samplers)
        with pytest.raises(SettingsError, match="no captioner is chosen"):
            vidcap.compare(clip.path, ["uniform"], "caption")
        with pytest.raises(SettingsError, match="more than one video"):
            vidcap.compare(clips, ["uniform"])
        with pytest.raises(DecodeError):
            vidcap.compare(tmp_path / "no.mp4", ["uniform"])


def compare(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_a_page_and_may_write_it_again(clip: PaintedVideo, here: Path) -> None:
    said = compare(clip.path, "--samplers", "uniform, fixed_interval", "--frames", 3)
    assert [line.split()[:2] for line in said.splitlines()[1:3]] == [
        ["uniform(count=3)", "3"],
        ["fixed_interval", "3"],
    ]
    assert said.splitlines()[-1].endswith(": compare.html")
    assert len(Page((here / "compare.html").read_text()).of_class("tick")) == 6
    assert compare(clip.path, "--samplers", "uniform", "--quiet").count("\n") == 2
    assert len(Page((here / "compare.html").read_text()).of_class("tick")) == 16


def test_what_is_not_vidcaps_is_left_alone(clip: PaintedVideo, here: Path) -> None:
    (here / "compare.html").write_text("<!doctype html><p>mine")
    assert "is no page of vidcap's" in compare(clip.path, code=4)
    assert "is a folder" in compare(clip.path, "--out", here, code=4)
    assert (here / "compare.html").read_text() == "<!doctype html><p>mine"
    assert "no sampler named" in compare(clip.path, "--samplers", "uniform,nix", "--out", "new.html", code=4)
    assert not (here / "new.html").exists()


def test_json_and_what_the_model_says(clip: PaintedVideo, here: Path, endpoint: Endpoint) -> None:
    asks = ("--caption", "--base-url", endpoint.base_url, "--model", "qwen")
    result = CliRunner().invoke(
        app,
        ["compare", str(clip.path), "--samplers", "uniform,fixed_interval", *asks, "--json", "--frames", "4"],
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["samplers"]
    assert [row["result"]["items"][0]["value"]["caption"] for row in rows] == ["A video in 4 frames."] * 2
    assert rows[0]["result"]["usage"]["input_tokens"] > 0
    assert "A video in 4 frames." in Page((here / "compare.html").read_text()).text
    assert len(endpoint.chats) == 2


def test_where_the_key_gives_out_all_that_was_made_stands(clip: PaintedVideo, here: Path) -> None:
    with Endpoint(faults=[Fault(name="answers"), Fault.no_quota()]) as endpoint:
        asks = ("--caption", "--base-url", endpoint.base_url, "--model", "qwen", "--json", "--quiet")
        said = compare(clip.path, "--samplers", "uniform,keyframes,fixed_interval", *asks, code=5)
        assert len(endpoint.chats) == 2
    rows = json.loads(said)["samplers"]
    assert [row["error"] and row["error"]["type"] for row in rows] == [None, "AccessError", None]
    assert [bool(row["result"]) for row in rows] == [True, False, False]
    assert all(row["images"] for row in rows)
    page = Page((here / "compare.html").read_text())
    assert len(page.of_class("tick")) == sum(len(row["images"]) for row in rows)
    assert "A video in " in page.text
    assert "AccessError: " in page.text


@pytest.mark.parametrize("named", [(), ("--samplers", "uniform")])
def test_the_configured_sampler_need_not_be_there(
    named: tuple[str, ...], clip: PaintedVideo, here: Path
) -> None:
    said = compare(clip.path, *named, "--set", "sampler=nope", "--frames", 2, "--quiet")
    assert "uniform(count=2)  " in said
    assert "no sampler to compare" in compare(clip.path, "--samplers", ",", code=4)


def test_without_a_captioner_nothing_is_compared(clip: PaintedVideo, here: Path) -> None:
    assert "no captioner is chosen" in compare(clip.path, "--caption", code=4)
    assert not (here / "compare.html").exists()
