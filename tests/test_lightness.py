"""What is imported when; and that every public name is where it is said to be."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from distributions import install, write_project

import vidcap_core

HEAVY = {"pydantic", "pydantic_settings", "rich", "av", "numpy", "simplejpeg", "openai", "httpx", "yt_dlp"}
HELP = """
from vidcap_core.cli import main
sys.argv = ["vidcap", *{words!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end
"""


def imported(code: str, **variables: str) -> set[str]:
    """The modules that a fresh interpreter has after some code."""
    code = f"import json, sys\n{code}\njson.dump(sorted(sys.modules), sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stderr))


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def plugins(modules: set[str]) -> set[str]:
    kinds = ("sources", "decoders", "samplers", "captioners", "builtin")
    return {module for module in modules if module.startswith(tuple(f"vidcap_core.{kind}" for kind in kinds))}


def test_the_package_alone() -> None:
    modules = imported("import vidcap_core")
    assert not packages(modules) & {*HEAVY, "pluggy", "typer", "asyncio"}
    assert {module for module in modules if module.startswith("vidcap_core.")} == set()


def test_a_type_brings_no_framework() -> None:
    modules = imported("from vidcap_core import Pick, Result, Segment, SettingsError, Video")
    assert not packages(modules) & {*HEAVY, "pluggy", "typer", "asyncio"}


def test_help() -> None:
    modules = imported(HELP.format(words=["--help"]))
    assert not packages(modules) & HEAVY
    assert not plugins(modules)


@pytest.mark.parametrize("words", [["caption", "--help"], ["--version"]])
def test_what_says_nothing_of_videos(words: list[str]) -> None:
    modules = imported(HELP.format(words=words))
    # Typer itself brings pydantic in where it looks at the parameters of a command.
    assert not packages(modules) & (HEAVY - {"pydantic"})
    assert not plugins(modules)
    assert "vidcap_core.plugin" not in modules


def test_help_does_not_look_at_the_plugins(tmp_path: Path) -> None:
    install(write_project(tmp_path, "spoiler", "raise SystemExit(9)"), tmp_path / "site")
    modules = imported(HELP.format(words=["--help"]), PYTHONPATH=str(tmp_path / "site"))
    assert "spoiler" not in modules


def test_settings_and_registry_bring_no_decoder_and_no_sdk() -> None:
    modules = imported("from vidcap_core import Registry, Settings\nSettings.load()\nRegistry.load()")
    assert not packages(modules) & {"rich", "av", "numpy", "simplejpeg", "openai", "httpx"}


def test_all_plugins_can_be_listed_without_their_libraries() -> None:
    code = """
from vidcap_core.registry import KINDS, Registry
registry = Registry.load()
assert all(registry.kind(kind) for kind in KINDS)
"""
    assert not packages(imported(code)) & {"rich", "av", "numpy", "simplejpeg", "openai", "httpx"}


def test_the_child_has_the_decoder_only() -> None:
    modules = imported("import vidcap_core.isolation.child, vidcap_core.decoders.pyav_video")
    assert not packages(modules) & {
        "pydantic",
        "pydantic_settings",
        "openai",
        "httpx",
        "typer",
        "rich",
        "pluggy",
    }


@pytest.mark.parametrize("name", vidcap_core.__all__)
def test_a_public_name(name: str) -> None:
    assert getattr(vidcap_core, name) is not None
    assert name in dir(vidcap_core)


def test_type_checkers_see_the_same_names_in_the_same_modules() -> None:
    tree = ast.parse(Path(vidcap_core.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    seen: dict[str, str | None] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            # `X as X`: else a type checker takes it for the module's own business.
            assert alias.asname == alias.name
            assert alias.name not in seen
            seen[alias.name] = node.module
    homes = {name: module for module, names in vidcap_core._HOMES.items() for name in names}
    assert seen == homes
    assert sorted(homes) == vidcap_core.__all__


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'vidcap_core' has no attribute 'Captionr'"):
        vidcap_core.Captionr  # noqa: B018
    with pytest.raises(ImportError, match="Captionr"):
        exec("from vidcap_core import Captionr")
    assert not hasattr(vidcap_core, "_MISSING")


def test_a_star_brings_every_public_name() -> None:
    names: dict[str, object] = {}
    exec("from vidcap_core import *", names)
    assert names.keys() - {"__builtins__"} == set(vidcap_core.__all__)
