"""Zipped does what every source has to do."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from zipped import Zipped

from vidcap_core.testing import SourceTests, tiny_video


class TestZipped(SourceTests):
    """With an archive of two videos and a text."""

    source = Zipped()
    expanded = 2

    @pytest.fixture(autouse=True)
    def archive(self, tmp_path: Path) -> None:
        video = tiny_video(tmp_path / "clip.mp4").path
        with ZipFile(tmp_path / "clips.zip", "w") as archive:
            archive.write(video, "one.mp4")
            archive.write(video, "two.mp4")
            archive.writestr("notes.txt", "no video")
        self.many = f"zip://{tmp_path / 'clips.zip'}"
        self.uri, self.missing = f"{self.many}!one.mp4", f"{self.many}!three.mp4"
