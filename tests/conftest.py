"""What several test modules share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from vidcap_core import Chosen, Registry, Settings, choose
from vidcap_core.chosen import Given
from vidcap_core.testing import Endpoint, colour_video, tiny_video
from vidcap_core.testing.videos import PaintedVideo


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("VIDCAP_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    # The developer's own file.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path(__file__).with_name("no_such_folder")))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> PaintedVideo:
    """Five seconds at 10 frames a second, a keyframe each second."""
    return tiny_video(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four short videos."""
    folder = tmp_path_factory.mktemp("clips")
    for number, colour in enumerate(("red", "green", "blue", "white")):
        colour_video(folder / f"{number}.mp4", [colour], seconds_each=1.0)
    return folder


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that answers everything."""
    with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def chosen_with() -> Callable[..., Chosen]:
    """Make what a run is made of, from settings and from plugins given as objects."""

    def make(given: Given | None = None, **settings: object) -> Chosen:
        return choose(Settings.load(settings), Registry.load(), given or Given(), asks=False)

    return make


def left_behind() -> list[str]:
    """The decoders' processes and vidcap's threads that are alive."""
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("vidcap")]
    return threads + [f"process {pid}" for pid in children_of(os.getpid())]


def children_of(parent: int) -> list[int]:
    """The processes of a parent that run, of this program or of another."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, owner = entry.read_text().rpartition(")")[2].split()[:2]
            if int(owner) == parent and state != "Z":
                found.append(int(entry.parent.name))
    return found


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Check that neither thread nor process nor temporary file outlives the test."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = left_behind()

    def left() -> list[str]:
        return [one for one in left_behind() if one not in before] + [
            str(file) for file in temporary.iterdir()
        ]

    yield left
    deadline_s = time.monotonic() + 5
    while left() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert left() == []
