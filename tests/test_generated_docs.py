"""What the documentation says of settings, plugins, hooks and commands is what the code has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PARTS = {
    "settings.md": ["settings", "plugins", "tasks"],
    "write-a-plugin.md": ["hooks"],
    "commands.md": ["commands"],
}


def generate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "generate.py"), *arguments], capture_output=True, text=True
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ("generate.py", *PARTS):
        (tmp_path / name).write_text((DOCS / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_no_page_is_stale() -> None:
    done = generate(DOCS, "--check")
    assert done.returncode == 0, done.stderr


def test_a_stale_page_is_told_and_mended(copied: Path) -> None:
    assert generate(copied).returncode == 0
    page = copied / "settings.md"
    fresh = page.read_text(encoding="utf-8")
    page.write_text(fresh.replace("| `max_frames` |", "| `most_frames` |"), encoding="utf-8")
    done = generate(copied, "--check")
    assert done.returncode == 1
    assert done.stderr == "docs/settings.md is stale: run python docs/generate.py\n"
    assert generate(copied).returncode == 0
    assert page.read_text(encoding="utf-8") == fresh
    assert generate(copied, "--check").returncode == 0


@pytest.mark.parametrize(("page", "parts"), PARTS.items())
def test_every_part_has_its_place(page: str, parts: list[str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for part in parts:
        assert text.count(f"<!-- begin: {part} -->\n") == text.count(f"<!-- end: {part} -->") == 1
