"""The beginnings of a plugin: a package that can be installed, with the tests of its kind."""

from __future__ import annotations

import keyword
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from . import registry
from .errors import SettingsError
from .plugin import NAME_PATTERN

KINDS = tuple(kind.removesuffix("s") for kind in registry.KINDS)
_LONGEST_NAME = 30


def write_package(name: str, kind: str, folder: Path) -> Path:
    """Write `vidcap-NAME` into `folder` and give its path. Raises SettingsError.

    It is a distribution of one module, `NAME.py`, with an entry point, a README and a test file
    whose tests pass. Dashes in the name become underscores where it is a module or a plugin.
    """
    module = name.replace("-", "_")
    _check(name, module, kind)
    package = folder / f"vidcap-{module.replace('_', '-')}"
    words = {
        "name": module,
        "kind": kind,
        "distribution": package.name,
        "title": "".join(map(str.capitalize, [*module.split("_"), kind])),
    }
    files_there = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{module}.py": f"{kind}.py",
        f"tests/test_{module}.py": f"test_{kind}.py",
    }
    try:
        _make_room(package)
        for path, template in files_there.items():
            (package / path).write_text(_filled(template, words), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {package}: {error.strerror}") from error
    return package


def _check(name: str, module: str, kind: str) -> None:
    if kind not in KINDS:
        raise SettingsError(f"no kind of plugin is called {kind!r}; there is {', '.join(KINDS)}")
    if not NAME_PATTERN.fullmatch(module) or len(module) > _LONGEST_NAME:
        raise SettingsError(
            f"{name!r} is no name for a plugin: take lower-case words, joined by single dashes or"
            f" underscores, of {_LONGEST_NAME} characters at most"
        )
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise SettingsError(f"{name!r} means something to Python already: take another name")
    if module in ("tests", "vidcap") or find_spec(module):
        raise SettingsError(f"there is a module {module!r} already: take another name")
    _check_is_new(module, kind)


def _check_is_new(module: str, kind: str) -> None:
    installed = registry.Registry.load().kind(f"{kind}s").get(module)
    if installed:
        raise SettingsError(
            f"there is a {kind} {module!r} already, of {installed[0].origin}: take another name"
        )


def _make_room(package: Path) -> None:
    if package.exists() and (not package.is_dir() or any(package.iterdir())):
        raise SettingsError(f"{package} is there already: remove it, or take another name")
    (package / "tests").mkdir(parents=True)


def _filled(template: str, words: dict[str, str]) -> str:
    text = files("vidcap_core").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(words)
