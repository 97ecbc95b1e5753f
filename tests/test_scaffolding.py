"""A new plugin's package works before a line of it is changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from distributions import install

from vidcap_core import SettingsError
from vidcap_core.scaffolding import KINDS, write_package

ROOT = Path(__file__).parents[1]


def run(*words: object, cwd: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", *map(str, words)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass_and_it_is_found(kind: str, tmp_path: Path) -> None:
    package = write_package("my-own", kind, tmp_path)
    assert package == tmp_path / "vidcap-my-own"
    site = tmp_path / "site"
    install(package, site)
    # The decoder that it inherits from is tested with every kind of video elsewhere.
    some = ("-k", "plain") if kind == "decoder" else ()
    tests = run("pytest", "-q", "-p", "no:cacheprovider", *some, cwd=package, site=site)
    assert tests.returncode == 0, tests.stdout
    assert " passed" in tests.stdout
    code = f"from vidcap_core import Registry; print(Registry.load().find('{kind}s', 'my_own').__module__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "my_own\n"


def test_what_is_written_is_clean(tmp_path: Path) -> None:
    names = []
    for kind in KINDS:
        package = write_package(f"my-{kind}", kind, tmp_path)
        names += [package / f"my_{kind}.py", package / "tests" / f"test_my_{kind}.py"]
        rules = ("--isolated", "--select", "E,F,I,B,UP,ANN,D", "--ignore", "D203,D213")
        lint = run("ruff", "check", *rules, ".", cwd=package, site=tmp_path)
        assert lint.returncode == 0, lint.stdout
        form = run("ruff", "format", "--isolated", "--diff", ".", cwd=package, site=tmp_path)
        assert form.returncode == 0, form.stdout
    paths = os.pathsep.join(str(tmp_path / f"vidcap-my-{kind}") for kind in KINDS)
    environment = os.environ | {"MYPYPATH": f"{paths}{os.pathsep}{ROOT}"}
    cache = ("--cache-dir", tmp_path / "cache", "--config-file", os.devnull)
    types = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", *map(str, [*cache, *names])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert types.returncode == 0, types.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is no name"),
        ("../up", "is no name"),
        ("Shout", "is no name"),
        ("two--dashes", "is no name"),
        ("x" * 31, "is no name"),
        ("class", "means something to Python"),
        ("json", "means something to Python"),
        ("vidcap_core", "module 'vidcap_core' already"),
        ("numpy", "module 'numpy' already"),
        ("tests", "module 'tests' already"),
        ("uniform", r"sampler 'uniform' already, of builtin \(vidcap"),
    ],
)
def test_names_that_would_clash(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=reason):
        write_package(name, "sampler", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_kind_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is source, decoder, sampler, captioner"):
        write_package("fades", "samplers", tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    package = write_package("fades", "sampler", tmp_path)
    (package / "fades.py").write_text("mine")
    with pytest.raises(SettingsError, match="is there already"):
        write_package("fades", "sampler", tmp_path)
    assert (package / "fades.py").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot write"):
        write_package("fades", "sampler", tmp_path / "file")


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "vidcap-fades").mkdir()
    assert (write_package("fades", "sampler", tmp_path) / "fades.py").is_file()
