"""`vidcap frames`: what lies in the folder afterwards, and what is left alone."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from vidcap_core.cli import app
from vidcap_core.testing.videos import PaintedVideo


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def frames(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["frames", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_one_video_fills_the_folder(clip: PaintedVideo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert frames(clip.path, "--out", out).startswith("5 frames in ")
    listed = json.loads((out / "frames.json").read_text())
    names = [frame["file"] for frame in listed["frames"]]
    assert names == sorted(names)
    assert names[0] == "frame-001-0m00.50s.jpg"
    for frame in listed["frames"]:
        data = (out / frame["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == frame["sha256"]
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (frame["width_px"], frame["height_px"])
    assert listed["made_by"]["sampler"]["name"] == "fixed_interval"
    assert listed["coverage"]["sent"] == 5
    assert {file.name for file in out.iterdir()} == {*names, "frames.json", "contact-sheet.jpg"}
    with Image.open(out / "contact-sheet.jpg") as sheet:
        assert max(sheet.size) <= 2000


def test_a_former_run_is_replaced_and_nothing_else(clip: PaintedVideo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    frames(clip.path, "--out", out)
    (out / "frame-900-0m00.00s.jpg").write_text("mine")
    frames(clip.path, "--out", out, "--frames", 2)
    assert len(json.loads((out / "frames.json").read_text())["frames"]) == 2
    assert len(list(out.glob("frame-*.jpg"))) == 3
    assert (out / "frame-900-0m00.00s.jpg").read_text() == "mine"


@pytest.mark.parametrize("listed", [None, "{}", '{"frames": [{"file": "../x"}]}'])
def test_a_folder_of_somebody_else_is_refused(clip: PaintedVideo, tmp_path: Path, listed: str | None) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    if listed:
        (tmp_path / "frames.json").write_text(listed)
    before = sorted(tmp_path.iterdir())
    assert "is not empty" in frames(clip.path, "--out", tmp_path, code=4)
    assert sorted(tmp_path.iterdir()) == before


def test_several_videos_have_a_folder_each(clip: PaintedVideo, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    frames(clips, clip.path, clip.path, "--out", out)
    assert sorted(folder.name for folder in out.iterdir()) == ["0", "1", "2", "3", "clip", "clip-2"]
    assert all((folder / "frames.json").is_file() for folder in out.iterdir())


def test_a_video_that_fails_leaves_the_others_standing(clip: PaintedVideo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "there is no such file" in frames("none.mp4", clip.path, "--out", out, code=3)
    assert (out / "clip" / "frames.json").is_file()
    (tmp_path / "file").write_text("")
    assert "is a file: name a folder" in frames(clip.path, "--out", tmp_path / "file", code=4)
