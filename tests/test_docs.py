"""What README and docs show is run, and what they list is complete."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from vidcap_core import Registry, Settings, choose_task, errors
from vidcap_core.chosen import choose
from vidcap_core.registry import KINDS

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[ParameterSet]:
    found: list[ParameterSet] = []
    for page in PAGES:
        for number, match in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")), 1):
            if match.group(1) == language:
                found.append(pytest.param(match.group(2), id=f"{page.name}-{number}"))
    return found


@pytest.fixture
def environment() -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIDCAP_", "INFERENCE_"))
    }
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(code: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("session", blocks("console"))
def test_console_examples_print_what_they_show(session: str, environment: dict[str, str]) -> None:
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE):
        done = subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert _timeless(done.stdout) == _timeless(shown)


def _timeless(text: str) -> list[str]:
    # stdout and stderr are two pipes: their lines may meet in any order.
    return sorted(re.sub(r"\d+\.\d s$", "… s", text.strip(), flags=re.MULTILINE).splitlines())


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_examples_are_accepted(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if text.startswith("[build-system]"):
        pytest.skip("a pyproject.toml")
    (tmp_path / "vidcap.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = Settings.load()
    chosen = choose(settings, Registry.load(settings.plugins), asks=False)
    assert not chosen.notices
    for name in settings.tasks:
        assert choose_task(name, settings).name == name


@pytest.mark.parametrize("script", blocks("sh"))
def test_options_in_shell_examples_exist(script: str, environment: dict[str, str]) -> None:
    calls = re.findall(r"\bvidcap ([a-z-]+)\b([^#\n]*)", script)
    if not calls:
        pytest.skip("no call of vidcap")
    for command, rest in calls:
        known = subprocess.run(["vidcap", command, "--help"], env=environment, capture_output=True, text=True)
        assert known.returncode == 0, command
        for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest):
            assert re.search(rf"(?<!\S){option}(?![\w-])", known.stdout), option


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "module", sorted((ROOT / "examples" / "plugins").rglob("*.py")), ids=lambda path: path.stem
)
def test_the_plugins_that_are_shown_are_the_ones_that_are_tested(module: Path) -> None:
    page = (ROOT / "docs" / "write-a-plugin.md").read_text(encoding="utf-8")
    fence = "python test" if module.stem.startswith("test_") else "python"  # only pytest can run a test
    assert f"```{fence}\n{module.read_text(encoding='utf-8')}```" in page


def test_every_hook_is_documented() -> None:
    page = (ROOT / "docs" / "write-a-plugin.md").read_text(encoding="utf-8")
    for kind, base in KINDS.items():
        assert f"| `vidcap_{kind}()` | `{base.__name__}` |" in page


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for setting in Settings.model_fields:
        assert f"`{setting}`" in page, setting


def test_every_builtin_plugin_is_documented_with_its_options() -> None:
    rows = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    registry = Registry.load()
    for kind in KINDS:
        for name, (installed, *_) in registry.kind(kind).items():
            if not installed.plugin.__module__.startswith("vidcap_core."):
                continue
            plugin = f"| {kind[:-1]} `{name}` |"
            for cell in [f"`{option}`" for option in installed.plugin.model_fields] or ["none"]:
                assert any(row.startswith(f"{plugin} {cell} |") for row in rows), f"{plugin} {cell}"


def test_every_error_is_documented_with_its_exit_code() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.VidcapError) and error is not errors.VidcapError:
            assert re.search(rf"^\| `{name}` \|.*\| {error.exit_code} \|$", page, re.MULTILINE), name
