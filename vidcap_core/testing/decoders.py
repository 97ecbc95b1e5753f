"""What every decoder has to do, as tests: inherit from `DecoderTests` and name the decoder.

    class TestMyDecoder(DecoderTests):
        decoder = MyDecoder()
        refuses = frozenset({"av1.mkv"})

The videos have their numbers painted on their frames, so what a decoder gives is known to be right
or wrong. A kind of video that it cannot read right it has to refuse with a DecodeError.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ..errors import DecodeError
from ..isolation.pool import DecoderPool, Stop
from ..types import Frame, Pick
from .barcode import read_barcode
from .conformance import Conformance
from .kinds import KINDS, NEVER_REFUSED
from .videos import PaintedVideo, tiny_video

if TYPE_CHECKING:
    from ..plugin import Decoder
    from ..video import Video

_TOLERANCES_S = (0.0, 0.01, 0.2, 0.5, 1.3, 2.0, 100.0)
_TIMEOUT_S = 60.0
_every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def _rendered(folder: Path, kind: str) -> PaintedVideo:
    folder.mkdir(exist_ok=True)
    return tiny_video(folder / kind, **{"frames": 40} | dict(KINDS[kind]))


class DecoderTests(Conformance):
    """The tests. Each kind of video is read entirely right, or refused."""

    decoder: ClassVar[Decoder]
    refuses: ClassVar[frozenset[str]] = frozenset()
    """The kinds, as `KINDS` names them, that the decoder refuses. It must refuse all of these."""

    folder: Path
    """Where the videos are rendered."""

    @pytest.fixture(autouse=True)
    def _make_folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        # One for the whole session, whatever number of decoders is tested.
        self.folder = tmp_path_factory.getbasetemp() / "decoder_tests"

    def painted(self, kind: str) -> PaintedVideo:
        """A video of a kind and the truth about it. It is rendered once."""
        return _rendered(self.folder, kind)

    @contextmanager
    def opened(self, path: Path, *, isolated: bool = False) -> Iterator[Video]:
        """A video as the decoder opens it, in this process or in one of its own."""
        with (
            DecoderPool(self.decoder, isolated=isolated, timeout_s=_TIMEOUT_S) as pool,
            pool.open(path, Stop()) as video,
        ):
            yield video

    def refused_or_right(self, kind: str) -> AbstractContextManager[Any]:
        """Expect a DecodeError where `refuses` says so. A wrong frame before it fails all the same."""
        return pytest.raises(DecodeError) if kind in self.refuses else nullcontext()

    # Frames

    def test_it_names_only_kinds_there_are(self) -> None:
        assert self.refuses <= KINDS.keys()

    def test_it_reads_what_most_videos_are(self) -> None:
        assert not self.refuses & NEVER_REFUSED

    @_every_kind
    def test_exact_picks_give_the_frame_on_screen(self, kind: str) -> None:
        truth = self.painted(kind)
        asked_s = _asked_times(truth)
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            frames = list(video.frames([Pick(time_s) for time_s in asked_s]))
            _check_frames(truth, asked_s, frames)

    @_every_kind
    def test_what_was_listed_before_changes_no_frame(self, kind: str) -> None:
        truth = self.painted(kind)
        times_s, draw = _asked_times(truth), random.Random(kind)
        asked_s = sorted(draw.sample(times_s, min(len(truth.times_s) + 1, 12)))
        loose = [Pick(time_s, draw.choice(_TOLERANCES_S)) for time_s in sorted(draw.sample(times_s, 5) * 4)]
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            before = _shown(video, loose)
            assert len(list(video.packets())) == len(truth.times_s)
            _check_frames(truth, asked_s, list(video.frames([Pick(time_s) for time_s in asked_s])))
            assert _shown(video, loose) == before

    @_every_kind
    def test_single_picks_do_not_lean_on_their_neighbours(self, kind: str) -> None:
        truth = self.painted(kind)
        asked_s = random.Random(kind).sample(_asked_times(truth), min(len(truth.times_s) + 1, 6))
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            for time_s in asked_s:
                _check_frames(truth, [time_s], list(video.frames([Pick(time_s)])))

    @_every_kind
    def test_a_tolerance_is_kept(self, kind: str) -> None:
        truth, draw = self.painted(kind), random.Random(kind)
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            for _ in range(8):
                times_s = sorted(draw.uniform(truth.times_s[0] - 1, truth.end_s + 1) for _ in range(5))
                picks = [Pick(time_s, draw.choice(_TOLERANCES_S)) for time_s in times_s]
                for pick, frame in zip(picks, video.frames(picks), strict=True):
                    _check_choice(truth, pick, frame)

    @_every_kind
    def test_facts(self, kind: str) -> None:
        truth = self.painted(kind)
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            assert (video.width_px, video.height_px) == (truth.width_px, truth.height_px)
            assert video.start_s == pytest.approx(truth.times_s[0], abs=1e-6)
            assert video.end_s >= truth.times_s[-1]
            assert video.has_audio == KINDS[kind].get("audio", False)
            if "times_s" not in KINDS[kind]:
                assert video.end_s == pytest.approx(truth.end_s, abs=0.02)

    def test_picks_far_outside_are_answered(self) -> None:
        with self.opened(self.painted("pyramid.mp4").path) as video:
            assert _numbers(video, [Pick(-1e15), Pick(1e15)]) == [0, 39]
            assert list(video.frames([])) == []

    # Windows

    @_every_kind
    def test_a_window_shows_and_lists_what_is_inside(self, kind: str) -> None:
        truth, draw = self.painted(kind), random.Random(kind)
        with self.refused_or_right(kind), self.opened(truth.path) as whole:
            for _ in range(3):
                edges = sorted(draw.uniform(truth.times_s[0] - 1, truth.end_s + 1) for _ in range(2))
                part = whole.window(*edges)
                inside = [time_s for time_s in truth.times_s if part.start_s <= time_s <= part.end_s]
                assert [frame.time_s for frame in part.scan(width_px=32)] == inside
                assert sorted(packet.time_s for packet in part.packets()) == inside

    def test_a_keyframe_outside_the_window_is_not_taken(self) -> None:
        with self.opened(self.painted("plain.mp4").path) as whole:
            # The nearest keyframes, at 1 s and 2 s, lie outside.
            assert _numbers(whole.window(1.2, 1.8), [Pick(1.5, tolerance_s=1)]) == [15]

    # Looking

    @_every_kind
    def test_a_scan_sees_every_frame_upright_in_order(self, kind: str) -> None:
        truth = self.painted(kind)
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            frames = list(video.scan(width_px=truth.width_px))
            keys = [frame.time_s for frame in video.scan(keyframes_only=True)]
            assert tuple(frame.time_s for frame in frames) == truth.times_s
            assert keys == [truth.times_s[number] for number in truth.keyframes]
            assert {frame.luma.shape for frame in frames} == {(truth.height_px, truth.width_px)}
            seen = [read_barcode(frame.luma[..., None].repeat(3, axis=2)) for frame in frames]
            assert seen == list(range(len(frames)))

    def test_a_scan_takes_steps_and_sizes(self) -> None:
        with self.opened(self.painted("plain.mp4").path) as video:
            frames = list(video.scan(every_s=0.25, width_px=40))
        assert {frame.luma.shape for frame in frames} == {(24, 40)}
        assert all(later.time_s - earlier.time_s >= 0.25 for earlier, later in pairwise(frames))
        assert len(frames) == 14

    @_every_kind
    def test_packets_list_every_frame(self, kind: str) -> None:
        truth = self.painted(kind)
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            packets = sorted(video.packets(), key=lambda packet: packet.time_s)
            assert tuple(packet.time_s for packet in packets) == truth.times_s
            assert tuple(n for n, packet in enumerate(packets) if packet.is_key) == truth.keyframes
            assert all(0 < packet.size_bytes <= truth.path.stat().st_size for packet in packets)

    def test_iterators_may_be_under_way_together(self) -> None:
        truth = self.painted("pyramid.mp4")
        backwards_s = list(reversed(truth.times_s))
        with self.opened(truth.path) as video:
            together = zip(video.scan(width_px=truth.width_px), video.packets(), backwards_s, strict=True)
            for number, (luma, packet, asked_s) in enumerate(together):
                assert _numbers(video, [Pick(asked_s)]) == [truth.frame_at(asked_s)]
                assert luma.time_s == truth.times_s[number]
                assert read_barcode(luma.luma[..., None].repeat(3, axis=2)) == number
                assert packet.time_s in truth.times_s

    # Images

    @_every_kind
    def test_images_are_upright_and_never_enlarged(self, kind: str) -> None:
        truth = self.painted(kind)
        picks = [Pick(time_s, why=f"at {time_s}") for time_s in truth.times_s[::7]]
        with self.refused_or_right(kind), self.opened(truth.path) as video:
            for max_side_px in (80, 4096):
                scale = min(max_side_px / max(truth.width_px, truth.height_px), 1)
                for pick, image in zip(picks, video.images(picks, max_side_px), strict=True):
                    assert image.width_px == pytest.approx(truth.width_px * scale, abs=0.51)
                    assert image.height_px == pytest.approx(truth.height_px * scale, abs=0.51)
                    assert _number_of_jpeg(image.data) == truth.frame_at(pick.time_s)
                    assert (image.asked_s, image.time_s, image.why) == (pick.time_s, pick.time_s, pick.why)

    # A process of its own

    def test_one_locked_process_reads_them_all(self) -> None:
        with DecoderPool(self.decoder, isolated=True, timeout_s=_TIMEOUT_S) as pool:
            for kind in KINDS:
                truth = self.painted(kind)
                asked_s = truth.times_s[::9]
                with self.refused_or_right(kind), pool.open(truth.path, Stop()) as video:
                    _check_frames(truth, asked_s, list(video.frames([Pick(time_s) for time_s in asked_s])))
                    (image,) = video.images([Pick(asked_s[-1])], 80)
                    assert _number_of_jpeg(image.data) == truth.frame_at(asked_s[-1])
                    assert len(list(video.scan(width_px=32))) == len(list(video.packets()))

    # What is no video, or half of one

    @pytest.mark.parametrize("isolated", [False, True])
    def test_what_is_no_video_is_refused(self, tmp_path: Path, isolated: bool) -> None:
        path = tmp_path / "no_video.mp4"
        for data in (b"", b"no video\n" * 500, random.Random(1).randbytes(20_000)):
            path.write_bytes(data)
            with pytest.raises(DecodeError), self.opened(path, isolated=isolated):
                pass

    def test_a_file_that_was_cut_is_refused_or_read_right_as_far_as_it_goes(self, tmp_path: Path) -> None:
        with DecoderPool(self.decoder, isolated=True, timeout_s=_TIMEOUT_S) as pool:
            for kind in ("plain.mp4", "front.mp4", "plain.mkv", "plain.ts", "fragmented.mp4"):
                truth, cut = self.painted(kind), tmp_path / kind
                data = truth.path.read_bytes()
                for kept in (0.02, 0.3, 0.6, 0.95):
                    cut.write_bytes(data[: int(len(data) * kept)])
                    _check_cut(pool, truth, cut)


def _check_cut(pool: DecoderPool, truth: PaintedVideo, cut: Path) -> None:
    try:
        with pool.open(cut, Stop()) as video:
            frames = list(video.frames([Pick(video.start_s), Pick(video.start_s + 0.55)]))
    except DecodeError:
        return
    for frame in frames:
        assert frame.time_s in truth.times_s
        assert frame.damaged or read_barcode(frame.pixels) == truth.times_s.index(frame.time_s)


def _asked_times(video: PaintedVideo) -> list[float]:
    """Before, at and after each frame's time, and beyond both ends."""
    ends = [video.times_s[0] - 5, video.end_s, video.end_s + 0.5, video.end_s + 1000]
    near = [time_s + offset for time_s in video.times_s for offset in (-0.002, 0.0, 0.002)]
    between = [(one + other) / 2 for one, other in pairwise(video.times_s)]
    return sorted(ends + near + between)


def _check_frames(truth: PaintedVideo, asked_s: Sequence[float], frames: Sequence[Frame]) -> None:
    right = [truth.frame_at(time_s) for time_s in asked_s]
    assert [frame.asked_s for frame in frames] == list(asked_s)
    assert [read_barcode(frame.pixels) for frame in frames] == right
    assert [frame.time_s for frame in frames] == [truth.times_s[number] for number in right]
    assert {frame.pixels.shape for frame in frames} == {(truth.height_px, truth.width_px, 3)}
    assert not any(frame.damaged for frame in frames)


def _check_choice(truth: PaintedVideo, pick: Pick, frame: Frame) -> None:
    """The frame on screen, or any one in the tolerance: to look for a keyframe is allowed, not asked."""
    assert frame.time_s in truth.times_s
    assert read_barcode(frame.pixels) == truth.times_s.index(frame.time_s)
    on_screen_s = truth.times_s[truth.frame_at(pick.time_s)]
    assert frame.time_s == on_screen_s or abs(frame.time_s - pick.time_s) <= pick.tolerance_s


def _numbers(video: Video, picks: Sequence[Pick]) -> list[int]:
    return [read_barcode(frame.pixels) for frame in video.frames(picks)]


def _shown(video: Video, picks: Sequence[Pick]) -> list[tuple[float, int]]:
    return [(frame.time_s, read_barcode(frame.pixels)) for frame in video.frames(picks)]


def _number_of_jpeg(data: bytes) -> int:
    import numpy as np
    from PIL import Image as Picture

    with Picture.open(BytesIO(data)) as picture:
        return read_barcode(np.asarray(picture.convert("RGB")))
