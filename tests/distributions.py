"""Distributions as pip leaves them behind, for the tests of plugins from outside."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "vidcap-{name}"
version = "1.0"
dependencies = ["vidcap"]

[project.entry-points.vidcap]
{name} = "{name}"

[tool.hatch.build.targets.wheel]
only-include = ["{name}.py"]
"""


def write_project(folder: Path, name: str, code: str) -> Path:
    """Write a project of one module that is a plugin of vidcap."""
    project = folder / f"vidcap-{name}"
    project.mkdir(parents=True)
    (project / f"{name}.py").write_text(dedent(code), encoding="utf-8")
    (project / "pyproject.toml").write_text(PYPROJECT.format(name=name), encoding="utf-8")
    return project


def install(project: Path, site: Path) -> None:
    """Lay a project out as an installer does, without a build backend: those come from a network."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site.mkdir(parents=True, exist_ok=True)
    files = {module.name: module.read_text(encoding="utf-8") for module in project.glob("*.py")}
    info = f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    (site / info).mkdir()
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n",
        f"{info}/entry_points.txt": _entry_points(about["entry-points"]),
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    for path, text in files.items():
        (site / path).write_text(text, encoding="utf-8")


def _entry_points(groups: Mapping[str, Mapping[str, str]]) -> str:
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    return "\n".join([*lines, ""])
