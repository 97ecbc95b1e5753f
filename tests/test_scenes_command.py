"""`vidcap scenes` and `Vidcap.scenes`: all segments, as text, JSON, CSV and a strip of pictures."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import Field
from typer.testing import CliRunner

from vidcap_core import Pick, PluginError, Sampler, Segment, UniformSampler, Vidcap, Video
from vidcap_core.cli import app
from vidcap_core.testing import colour_video
from vidcap_core.testing.videos import PaintedVideo


class Uneven(Sampler):
    """Three scenes: one with several picks, one with none."""

    name = "uneven"

    def segments(self, video: Video) -> Iterable[Segment]:
        yield Segment(0.0, 2.0, (Pick(0.5, worth=0.5), Pick(1.5, why="best\x1b[2J"), Pick(1.9, worth=0.2)))
        yield Segment(2.0, 4.5, ())
        yield Segment(4.5, 5.0, (Pick(4.7, why="the end"),))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of two seconds."""
    path = tmp_path_factory.mktemp("cuts") / "cuts.mp4"
    colour_video(path, ["red", "white", "blue"], seconds_each=2.0)
    return path


def scenes(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["scenes", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def uniform(count: int) -> tuple[str, ...]:
    return "--sampler", "uniform", "--set", f"samplers.uniform.count={count}"


def test_scenes_are_found_without_a_choice(cuts: Path) -> None:
    listed = json.loads(scenes(cuts, "--format", "json"))
    starts = [scene["start_s"] for scene in listed["scenes"]]
    assert starts == pytest.approx([0, 2, 4], abs=0.1)
    assert listed["sampler"]["name"] == "scene_change"
    assert listed["scenes"][-1]["end_s"] == pytest.approx(listed["duration_s"])


def test_a_line_a_scene(clip: PaintedVideo) -> None:
    lines = scenes(clip.path, *uniform(2)).splitlines()
    assert [line.split() for line in lines] == [
        ["1", "0:00", "0:02.5", "2.50", "s", "every", "2.5", "s"],
        ["2", "0:02.5", "0:05", "2.50", "s", "every", "2.5", "s"],
    ]


def test_no_budget_thins_the_list(clip: PaintedVideo) -> None:
    assert len(scenes(clip.path, *uniform(20), "--set", "max_frames=2").splitlines()) == 20


def test_a_part_of_a_video_keeps_its_times(clip: PaintedVideo) -> None:
    listed = json.loads(scenes(clip.path, *uniform(2), "--from", "1", "--to", "0:03", "--format", "json"))
    assert [(one["start_s"], one["end_s"]) for one in listed["scenes"]] == [(1, 2), (2, 3)]


def test_csv_of_many_has_one_head_and_names_the_video(clip: PaintedVideo, clips: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(scenes(clip.path, clips, *uniform(2), "--format", "csv"))))
    assert len(rows) == 2 * 5
    assert list(rows[0]) == ["uri", "number", "start_s", "end_s", "length_s", "why"]
    assert [row["number"] for row in rows] == ["1", "2"] * 5
    assert {row["uri"] for row in rows} == {str(clip.path), *map(str, clips.iterdir())}


def test_many_are_a_json_list_titled_text_or_a_folder(
    clip: PaintedVideo, clips: Path, tmp_path: Path
) -> None:
    uris = (clip.path, clips)
    assert len(json.loads(scenes(*uris, *uniform(1), "--format", "json"))) == 5
    assert scenes(*uris, *uniform(1)).startswith(f"{clip.path}\n1  ")
    assert scenes(*uris, *uniform(1), "--out", tmp_path / "out", "--format", "csv") == ""
    written = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in written] == ["0.csv", "1.csv", "2.csv", "3.csv", "clip.csv"]
    assert all(file.read_text().count("uri,number") == 1 for file in written)


def test_a_file_and_a_strip(clip: PaintedVideo, tmp_path: Path) -> None:
    assert scenes(clip.path, *uniform(3), "--out", tmp_path / "s.txt", "--strip", tmp_path / "s.jpg") == ""
    assert len((tmp_path / "s.txt").read_text().splitlines()) == 3
    with Image.open(tmp_path / "s.jpg") as strip:
        assert strip.format == "JPEG"
        assert strip.width > strip.height


def test_strips_of_many_and_what_stands_in_their_way(clip: PaintedVideo, clips: Path, tmp_path: Path) -> None:
    scenes(clip.path, clips, *uniform(1), "--strip", tmp_path / "strips")
    assert len(list((tmp_path / "strips").glob("*.jpg"))) == 5
    (tmp_path / "file").write_text("mine")
    assert "is a file" in scenes(clip.path, clips, "--strip", tmp_path / "file", code=4)
    assert "must be a file" in scenes(clip.path, "--strip", tmp_path / "strips", code=4)
    assert (tmp_path / "file").read_text() == "mine"


def test_no_video_is_written_over(clip: PaintedVideo, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c.jpg"):
        shutil.copy(clip.path, tmp_path / name)
    assert "must be a file that ends in .jpg" in scenes("a.mp4", "--strip", "b.mp4", code=4)
    assert "a.mp4 is the video itself" in scenes("a.mp4", "--out", tmp_path / "a.mp4", code=4)
    assert "c.jpg is the video itself" in scenes("c.jpg", "--strip", "./c.jpg", code=4)
    written = {path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {clip.path.read_bytes()}


@pytest.mark.parametrize(("option", "name"), [("--out", "scenes.csv"), ("--strip", "scenes.jpg")])
def test_a_files_name_is_no_folder_for_many(option: str, name: str, clips: Path, tmp_path: Path) -> None:
    many = (clips, *uniform(1), "--format", "csv", option, name)
    assert f"{option} {name} looks like a file" in scenes(*many, code=4)
    assert not (tmp_path / name).exists()
    (tmp_path / name).mkdir()
    scenes(*many)
    assert len(list((tmp_path / name).iterdir())) == 4


def test_what_fails_leaves_the_others_standing(clip: PaintedVideo) -> None:
    said = scenes("none.mp4", clip.path, *uniform(1), code=3)
    assert "none.mp4: there is no such file" in said
    assert "1  0:00  0:05" in said
    assert "no sampler named 'scnee'" in scenes(clip.path, "--sampler", "scnee", code=4)


def test_in_python_they_are_segments_with_a_picture_of_each(clip: PaintedVideo) -> None:
    with Vidcap(max_frames=1) as vidcap:
        found = vidcap.scenes(clip.path, Uneven(), images=True)
        assert vidcap.scenes(clip.path, Uneven()).images == ()
        assert len(vidcap.scenes(clip.path, UniformSampler(count=7)).segments) == 7
    assert [(one.start_s, one.end_s) for one in found.segments] == [(0, 2), (2, 4.5), (4.5, 5)]
    # What is worth most, and the middle of a scene that nothing was picked of.
    assert [image.asked_s for image in found.images] == [1.5, 3.25, 4.7]
    assert found.text.splitlines()[2].endswith("the end")
    assert "\x1b" not in found.text + found.csv()
    with Image.open(io.BytesIO(found.strip())) as strip:
        assert strip.format == "JPEG"


def test_async(clip: PaintedVideo) -> None:
    async def main() -> int:
        with Vidcap() as vidcap:
            return len((await vidcap.ascenes(clip.path, UniformSampler(count=4))).segments)

    assert asyncio.run(main()) == 4


class Unlistable(UniformSampler):
    """Has an option that JSON cannot hold."""

    name = "unlistable"
    thing: Any = Field(default_factory=object)


def test_an_option_that_json_cannot_hold_is_its_authors_fault(cuts: Path) -> None:
    words = "'unlistable' failed: PydanticSerializationError"
    with Vidcap() as vidcap, pytest.raises(PluginError, match=words):
        vidcap.scenes(cuts, Unlistable())
