"""What several test modules share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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
