from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from test_scenes import RATE, dissolved, mixed, opened, shots, still, video_of

from vidcap_core import Registry
from vidcap_core.fit import thin
from vidcap_core.samplers.scene_change import SceneChangeSampler
from vidcap_core.testing import SamplerTests
from vidcap_core.types import Pick, Segment


class TestSceneChange(SamplerTests):
    sampler = SceneChangeSampler()


def segments_of(path: Path, sampler: SceneChangeSampler) -> list[Segment]:
    with opened(path) as video:
        return list(sampler.segments(video))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of 8, 1, 2 and 1 seconds."""
    frames = shots((still(0), 200), (still(1), 25), (still(2), 50), (still(3), 25))
    return video_of(tmp_path_factory.mktemp("film") / "film.mp4", frames)


def test_it_is_built_in() -> None:
    assert Registry.load().find("samplers", "scene_change") is SceneChangeSampler


def test_every_scene_is_a_segment_and_says_why(film: Path) -> None:
    segments = segments_of(film, SceneChangeSampler())
    assert [segment.start_s for segment in segments] == pytest.approx([0.0, 8.0, 9.0, 11.0], abs=2 / RATE)
    picks = [pick for segment in segments for pick in segment.picks]
    assert [pick.why[:12] for pick in picks] == [f"scene {number} of 4" for number in range(1, 5)]
    assert picks[1].why == "scene 2 of 4, cut at 0:08"
    assert [pick.time_s for pick in picks] == pytest.approx([4.0, 8.5, 10.0, 11.5], abs=2 / RATE)


def test_longer_scenes_get_more_frames_and_each_its_first_before_any_gets_a_second(film: Path) -> None:
    segments = segments_of(film, SceneChangeSampler(every_s=1.0))
    assert [len(segment.picks) for segment in segments] == [8, 1, 2, 1]
    picks = [pick for segment in segments for pick in segment.picks]
    for most in range(4, len(picks)):
        kept = set(thin(picks, most, 0.0, 12.0))
        first = {max(segment.picks, key=lambda pick: pick.worth) for segment in segments}
        assert sum(pick.worth for pick in kept) == most / 2 + len(first & kept) / 2
        assert len(first & kept) >= 3


def test_frames_come_from_their_scene_and_not_from_a_dissolve(tmp_path: Path) -> None:
    path = video_of(tmp_path / "dissolve.mp4", mixed(25, dissolved))
    for segment in segments_of(path, SceneChangeSampler(every_s=0.4)):
        for pick in segment.picks:
            assert not in_the_change(pick, 50 / RATE, 75 / RATE)


def in_the_change(pick: Pick, start_s: float, end_s: float) -> bool:
    slack_s = 3 / RATE  # little is mixed at its ends
    return start_s + slack_s < pick.time_s < end_s - slack_s


@pytest.mark.parametrize(
    "options", [{"threshold": 0.0}, {"threshold": 1.0}, {"min_scene_s": -1}, {"every_s": 0}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SceneChangeSampler(**options)
