"""Plugins from outside: distributions that know nothing of vidcap but its public names.

They stand in `examples/plugins/`, written the way that the documentation recommends.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from distributions import install, write_project

from vidcap_core.testing import PaintedVideo

PLUGINS = Path(__file__).parents[1] / "examples" / "plugins"
NAMES = ("shout", "first_last", "zipped")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def project(name: str) -> Path:
    return PLUGINS / f"vidcap-{name.replace('_', '-')}"


def code(name: str) -> str:
    return (project(name) / f"{name}.py").read_text(encoding="utf-8")


def command(site: Path, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vidcap_core", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def result(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    parsed: dict[str, Any] = json.loads(run.stdout)
    return parsed


def asked_s(outcome: dict[str, Any]) -> list[float]:
    return [frame["asked_s"] for frame in outcome["items"][0]["evidence"]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the three are installed."""
    site = tmp_path_factory.mktemp("site")
    for name in NAMES:
        install(project(name), site)
    return site


@pytest.fixture
def folder(tmp_path: Path, clip: PaintedVideo) -> Path:
    """Where the command is run: with a clip, and an archive of two clips and a text."""
    shutil.copy(clip.path, tmp_path / "clip.mp4")
    with ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.write(clip.path, "one.mp4")
        archive.write(clip.path, "two.mp4")
        archive.writestr("notes.txt", "no video")
    return tmp_path


@pytest.fixture
def vidcap(site: Path, folder: Path) -> Run:
    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return command(site, folder, *words, **variables)

    return run


@pytest.mark.parametrize("name", NAMES)
def test_all_that_an_author_imports_is_public(name: str) -> None:
    modules = set()
    for node in ast.walk(ast.parse(code(name))):
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
        elif isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
    assert {one for one in modules if one.split(".")[0] not in sys.stdlib_module_names} == {"vidcap_core"}


@pytest.mark.parametrize(("name", "most"), [("shout", 20), ("first_last", 20), ("zipped", 40)])
def test_a_plugin_is_short(name: str, most: int) -> None:
    assert len([line for line in code(name).splitlines() if line.strip()]) < most


@pytest.mark.parametrize("name", NAMES)
def test_its_own_tests_pass(name: str, site: Path, tmp_path: Path) -> None:
    tests = shutil.copytree(project(name) / "tests", tmp_path / "tests")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_chosen_by_a_word_on_the_command_line(vidcap: Run) -> None:
    words = ("zip://clips.zip!one.mp4", "--captioner", "shout", "--sampler", "first_last")
    run = vidcap("caption", *words)
    assert (run.returncode, run.stdout) == (0, "2 FRAMES!\n")
    outcome = result(vidcap("caption", *words, "--format", "json"))
    assert outcome["uri"] == "zip://clips.zip!one.mp4"
    assert asked_s(outcome) == [0.0, 5.0]
    assert [frame["time_s"] for frame in outcome["items"][0]["evidence"]] == [0.0, 4.9]
    made_by = outcome["made_by"]
    assert [made_by[kind]["plugin"] for kind in ("source", "sampler", "captioner")] == [
        "zipped",
        "first_last",
        "shout",
    ]


def test_chosen_and_set_in_a_file(vidcap: Run, folder: Path) -> None:
    (folder / "vidcap.toml").write_text(
        """
        sampler = "first_last"
        captioner = "scream"

        [samplers.first_last]
        inset_s = 1.0

        [captioners.scream]
        use = "shout"
        marks = 3
        """,
        encoding="utf-8",
    )
    outcome = result(vidcap("caption", "clip.mp4", "--format", "json"))
    assert asked_s(outcome) == [1.0, 4.0]
    assert outcome["items"][0]["value"]["caption"] == "2 FRAMES!!!"
    assert outcome["made_by"]["captioner"]["name"] == "scream"
    # The options of what is not chosen stay where they are, and are checked all the same.
    assert vidcap("caption", "clip.mp4", "--captioner", "shout").stdout == "2 FRAMES!\n"
    wrong = vidcap("caption", "clip.mp4", "--sampler", "uniform", VIDCAP_SAMPLERS__FIRST_LAST__INSET="2")
    assert wrong.returncode == 4
    assert "VIDCAP_SAMPLERS__FIRST_LAST__INSET" in wrong.stderr
    assert "did you mean 'inset_s'?" in wrong.stderr


def test_chosen_and_set_by_variables(vidcap: Run) -> None:
    run = vidcap(
        "caption",
        "clip.mp4",
        VIDCAP_CAPTIONER="shout",
        VIDCAP_SAMPLER="first_last",
        VIDCAP_CAPTIONERS__SHOUT__MARKS="2",
    )
    assert run.stdout == "2 FRAMES!!\n"


def test_an_archive_stands_for_its_videos(vidcap: Run) -> None:
    run = vidcap("caption", "zip://clips.zip", "--captioner", "shout", "--frames", "3", "--format", "jsonl")
    assert run.returncode == 0, run.stderr
    outcomes = [json.loads(line) for line in run.stdout.splitlines()]
    assert [outcome["uri"] for outcome in outcomes] == ["zip://clips.zip!one.mp4", "zip://clips.zip!two.mp4"]
    assert {outcome["items"][0]["value"]["caption"] for outcome in outcomes} == {"3 FRAMES!"}


def test_what_a_source_misses_is_a_failure_of_that_video(vidcap: Run) -> None:
    run = vidcap("caption", "zip://clips.zip!three.mp4", "clip.mp4", "--captioner", "shout", "-q")
    assert run.returncode == 3
    assert "clips.zip holds no 'three.mp4'" in run.stderr
    assert "5 FRAMES!" in run.stdout


def test_two_sources_that_claim_the_same(site: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "site"
    rival = code("zipped").replace("Zipped", "Unzip").replace("zipped", "unzip")
    install(write_project(tmp_path / "projects", "unzip", rival), other)
    words = ("caption", "zip://clips.zip!one.mp4", "--captioner", "shout", "--frames", "3")
    both = Path(f"{site}{os.pathsep}{other}")
    tie = command(both, folder, *words)
    assert tie.returncode != 0
    assert tie.stdout == ""
    assert "unzip (unzip)" in tie.stderr
    assert "zipped (zipped)" in tie.stderr
    assert "--source" in tie.stderr
    outcome = result(command(both, folder, *words, "--source", "unzip", "--format", "json"))
    assert outcome["made_by"]["source"]["name"] == "unzip"


def test_a_misspelt_name(vidcap: Run) -> None:
    run = vidcap("caption", "clip.mp4", "--captioner", "shuot")
    assert run.returncode == 4
    assert "no captioner named 'shuot'; did you mean 'shout'?" in run.stderr


def test_built_and_installed_for_real(tmp_path: Path, folder: Path) -> None:
    site = tmp_path / "installed"
    for name in NAMES:
        copy = shutil.copytree(project(name), tmp_path / name)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
        subprocess.run(build, cwd=copy, check=True, capture_output=True)
        # What pip does with a wheel of pure Python.
        (wheel,) = (copy / "dist").glob("*.whl")
        ZipFile(wheel).extractall(site)
    words = ("--captioner", "shout", "--sampler", "first_last")
    assert command(site, folder, "caption", "zip://clips.zip!two.mp4", *words).stdout == "2 FRAMES!\n"
