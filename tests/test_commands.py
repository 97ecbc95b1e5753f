"""Commands that other distributions add, and what a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HELLO = """
import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    print(f"hello {name}")
"""


def distribution(site: Path, name: str, commands: dict[str, str], module: str) -> None:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{command} = {target}" for command, target in commands.items()]
    (info / "entry_points.txt").write_text("\n".join(["[vidcap.commands]", *lines, ""]))
    (site / f"{name}.py").write_text(module)


def vidcap(site: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{Path.cwd()}", **variables}
    return subprocess.run(
        [sys.executable, "-m", "vidcap_core", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    distribution(site, "greeting", {"hello": "greeting:app", "caption": "greeting:app"}, HELLO)
    distribution(site, "leaving", {"bye": "leaving:app"}, "raise SystemExit(9)")
    distribution(site, "one", {"same": "one:app"}, HELLO)
    distribution(site, "two", {"same": "two:app"}, HELLO)
    return site


def test_help_lists_them_without_importing_them(site: Path) -> None:
    run = vidcap(site, "--help")
    assert run.returncode == 0
    assert "From greeting 1.0." in run.stdout
    assert "From leaving 1.0." in run.stdout
    assert "From one 1.0 and two 1.0." in run.stdout
    assert run.stdout.count("\n  caption ") == 1


def test_one_of_them_runs(site: Path) -> None:
    run = vidcap(site, "hello", "you")
    assert (run.returncode, run.stdout) == (0, "hello you\n")
    assert vidcap(site, "hello", "--help").returncode == 0


def test_vidcaps_own_commands_cannot_be_taken_over(site: Path) -> None:
    run = vidcap(site, "caption", "missing.mp4", "--captioner", "offline")
    assert run.returncode == 3
    assert "there is no such file" in run.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [("bye", "the command 'bye' of leaving 1.0 is broken: SystemExit: 9"), ("same", "one 1.0 and two 1.0")],
)
def test_a_broken_one_harms_only_who_calls_it(site: Path, command: str, words: str) -> None:
    run = vidcap(site, command)
    assert run.returncode == 4
    assert words in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unknown_one(site: Path) -> None:
    run = vidcap(site, "helo")
    assert run.returncode == 2
    assert "hello" in run.stderr or "No such command" in run.stderr


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["caption", "--sampler", "fix"], {"fixed_interval"}),
        (["caption", "--captioner", "o"], {"offline", "openai", "openai_compatible"}),
        (["run", "desc"], {"describe"}),
        (["compare", "--samplers", "uniform,fix"], {"uniform,fixed_interval"}),
        (["caption", "--sampler", "uniform,fix"], set()),
        (["caption", "--profile", "dr"], {"draft"}),
    ],
)
def test_a_shell_completes_names(site: Path, words: list[str], names: set[str]) -> None:
    typed = "vidcap " + " ".join(words)
    run = vidcap(
        site,
        _VIDCAP_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(words)),
        COMP_LINE=typed,
        VIDCAP_PROFILES__DRAFT__MAX_FRAMES="2",
    )
    assert set(run.stdout.split()) == names, run.stderr
