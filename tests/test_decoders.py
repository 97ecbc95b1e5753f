"""What every decoder has to do, asked of the built-in one; and whether the questions catch a wrong one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import pytest
from pydantic import ValidationError

from vidcap_core import Decoder, Frame, Pick, PyAVDecoder
from vidcap_core.decoders.pyav_video import PyAVVideo
from vidcap_core.testing.decoders import DecoderTests
from vidcap_core.video import SeekableFile


class TestPyAV(DecoderTests):
    decoder = PyAVDecoder()


def test_there_are_not_more_workers_than_any_machine_has_use_for() -> None:
    with pytest.raises(ValidationError, match="workers"):
        PyAVDecoder(workers=1000)


class LateVideo(PyAVVideo):
    """Gives the frame after the right one, and the right one's time."""

    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        later = [replace(pick, time_s=pick.time_s + 0.1) for pick in picks]
        for pick, right, wrong in zip(picks, super().frames(picks), super().frames(later), strict=True):
            yield replace(right, asked_s=pick.time_s, pixels=wrong.pixels)


@contextmanager
def open_late(file: SeekableFile) -> Iterator[LateVideo]:
    yield LateVideo(file)


class LateDecoder(Decoder):
    name = "late"
    opener: ClassVar[str] = f"{__name__}:open_late"


class OfLate(DecoderTests):
    decoder = LateDecoder()
    refuses = frozenset({"plain.mkv"})


@pytest.fixture
def of_late(tmp_path_factory: pytest.TempPathFactory) -> OfLate:
    tests = OfLate()
    tests.folder = tmp_path_factory.getbasetemp() / "decoder_tests"
    return tests


def test_a_wrong_frame_with_the_right_time_is_caught(of_late: OfLate) -> None:
    with pytest.raises(AssertionError):
        of_late.test_exact_picks_give_the_frame_on_screen("plain.mp4")
    with pytest.raises(AssertionError):
        of_late.test_iterators_may_be_under_way_together()


def test_a_kind_said_to_be_refused_has_to_be(of_late: OfLate) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        of_late.test_facts("plain.mkv")


def test_a_wrong_frame_is_none_the_better_for_a_refusal_announced(of_late: OfLate) -> None:
    with pytest.raises(AssertionError):
        of_late.test_exact_picks_give_the_frame_on_screen("plain.mkv")
