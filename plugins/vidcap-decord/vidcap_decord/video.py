"""Opens a video with decord and takes frames from it. Runs in the decoder's process.

decord finds a frame by its number, counted from a keyframe it seeks to. Where the container lands
elsewhere it gives another frame without a word, and it says nothing of where the video starts. So
PyAV, which vidcap has anyway, lists the packets, and where the two disagree the video is refused.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from vidcap_core.decoders.pyav_video import PyAVVideo
from vidcap_core.decoders.pyav_video import open_video as open_with_pyav
from vidcap_core.errors import DecodeError
from vidcap_core.types import Frame, LumaFrame, Packet, Pick
from vidcap_core.video import SeekableFile, Video

try:
    import decord  # type: ignore[import-untyped]  # it ships no types
    from decord._ffi.base import DECORDError, DECORDLimitReachedError  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError(
        f"decord cannot be imported ({error}): it has wheels for x86-64 alone;"
        ' try pip install "vidcap[decord]", or choose --decoder pyav'
    ) from error

if TYPE_CHECKING:
    from vidcap_core.types import Transcript

    Pixels = NDArray[np.uint8]

decord.logging.set_level(decord.logging.QUIET)

_BATCH_BYTES = 64 << 20
"""How much the pictures of one call may take. One picture is taken at a time where it is larger."""
_REMEDY = "choose --decoder pyav"
_ROUNDING_S = 1e-8
"""What a time may have lost when it was made from ticks."""
_CHECK_SIDE_PX = 32
_MAX_DIFFERENCE = 12.0
"""Between the same picture from two decoders, in levels of 255: they differ in how they see colours."""


@contextmanager
def open_video(file: SeekableFile) -> Iterator[DecordVideo]:
    """Open a video; raises DecodeError where decord cannot read it, or not surely right."""
    # PyAV comes first: it opens no playlist and no image bomb, decord would.
    with open_with_pyav(file) as listed:
        yield DecordVideo(file, listed)


class DecordVideo(Video):
    """A video opened with decord; what the container says of it comes from PyAV."""

    def __init__(self, file: SeekableFile, listed: PyAVVideo) -> None:
        self._listed = listed
        self.start_s, self.end_s = listed.start_s, listed.end_s
        self.width_px, self.height_px = listed.width_px, listed.height_px
        self.frame_rate, self.codec, self.has_audio = listed.frame_rate, listed.codec, listed.has_audio
        packets = sorted(listed.packets(), key=lambda packet: packet.time_s)
        self._times_s = [packet.time_s for packet in packets]
        self._keys = [number for number, packet in enumerate(packets) if packet.is_key]
        self._batch = max(_BATCH_BYTES // (3 * self.width_px * self.height_px), 1)
        with _refusing(f"decord cannot open this video ({self.codec})"):
            self._reader = decord.VideoReader(file.path, num_threads=1)
            self._check_times()
        self._check_pictures()

    def _check_times(self) -> None:
        """Raise where decord does not count the frames as the packets stand."""
        numbers = range(len(self._reader))
        if len(numbers) != len(self._times_s):
            raise _refusal(f"it counts {len(numbers)} frames where the file lists {len(self._times_s)}")
        seen_s = self._reader.get_frame_timestamp(list(numbers))[:, 0].astype(float)
        # Its times begin at 0, in single precision: the packets' are the ones to go by.
        listed_s = np.array(self._times_s) - self._times_s[0]
        if not np.allclose(seen_s - seen_s[0], listed_s, rtol=2e-7, atol=2e-4):
            raise _refusal("its times of the frames are not those in the file")
        if not self._keys or self._reader.get_key_indices() != self._keys:
            raise _refusal("it does not see the keyframes where they are")

    def _check_pictures(self) -> None:
        """Raise where the first, the middle or the last keyframe does not look as it does to PyAV."""
        keys = sorted({self._keys[at] for at in (0, len(self._keys) // 2, -1)})
        picks = [Pick(self._times_s[number]) for number in keys]
        for treatment in filter(None, self._listed.treatments(picks)):
            raise _refusal(f"its pictures need {treatment}, which decord does not do")
        for (_, pixels), frame in zip(self._pictures(keys), self._listed.frames(picks), strict=True):
            if pixels.shape != frame.pixels.shape:
                raise _refusal("it does not turn its pictures upright, or not to square pixels")
            difference = _small(pixels).astype(float) - _small(frame.pixels)
            if np.abs(difference).mean() > _MAX_DIFFERENCE:
                raise _refusal("it gives another picture than the one asked for")

    def _pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
        """(number, uint8[height, width, 3]) for each of some numbers of frames."""
        for begin in range(0, len(numbers), self._batch):
            some = numbers[begin : begin + self._batch]
            with _refusing(f"decord cannot decode the video at {self._times_s[some[0]]:.2f} s"):
                pictures = self._reader.get_batch(some).asnumpy()
            yield from zip(some, pictures, strict=True)

    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        """For each pick, in order, the frame on screen at its time, or a keyframe in its tolerance."""
        numbers = [self._choose(pick) for pick in picks]
        for pick, (number, pixels) in zip(picks, self._pictures(numbers), strict=True):
            yield Frame(pick.time_s, self._times_s[number], pixels)

    def _choose(self, pick: Pick) -> int:
        """The number of the frame for a pick."""
        on_screen = max(bisect_right(self._times_s, pick.time_s + _ROUNDING_S) - 1, 0)
        at = bisect_right(self._keys, on_screen)
        near = [key for key in self._keys[max(at - 1, 0) : at + 1] if self._is_near(key, pick)]
        return near[0] if near else on_screen

    def _is_near(self, number: int, pick: Pick) -> bool:
        time_s = self._times_s[number]
        return self.start_s <= time_s <= self.end_s and abs(time_s - pick.time_s) <= pick.tolerance_s

    def scan(
        self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False
    ) -> Iterator[LumaFrame]:
        """Small grey pictures in order of time, at least `every_s` apart."""
        height_px = max(round(self.height_px * width_px / self.width_px), 1)
        numbers = self._keys if keyframes_only else range(len(self._times_s))
        for number, pixels in self._pictures(self._due(numbers, every_s)):
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            grey = frame.reformat(width_px, height_px, format="gray", interpolation=Interpolation.AREA)
            yield LumaFrame(self._times_s[number], grey.to_ndarray().astype(np.uint8, copy=False))

    def _due(self, numbers: Sequence[int], every_s: float) -> list[int]:
        """Those of some ascending frames that lie in the span, at least `every_s` apart."""
        chosen, due_s = list[int](), self.start_s
        for number in numbers:
            if due_s <= self._times_s[number] <= self.end_s:
                chosen.append(number)
                due_s = self._times_s[number] + every_s - _ROUNDING_S
        return chosen

    def packets(self) -> Iterator[Packet]:
        """The compressed frames in order of decoding. decord knows no sizes: PyAV lists them."""
        return self._listed.window(self.start_s, self.end_s).packets()

    def transcript(self, languages: Sequence[str] = ()) -> Transcript | None:
        """The text track inside the file. decord reads none: it is PyAV's."""
        return self._listed.window(self.start_s, self.end_s).transcript(languages)


def _small(pixels: Pixels) -> Pixels:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    small = frame.reformat(_CHECK_SIDE_PX, _CHECK_SIDE_PX, interpolation=Interpolation.AREA)
    return small.to_ndarray().astype(np.uint8, copy=False)


def _refusal(why: str) -> DecodeError:
    return DecodeError(f"decord would read this video wrong: {why}; {_REMEDY}")


@contextmanager
def _refusing(what: str) -> Iterator[Any]:
    """Say what decord could not do in place of its own errors, which tell lines of its source."""
    try:
        yield
    except (DECORDError, DECORDLimitReachedError, RuntimeError, AssertionError, UnicodeError) as error:
        raise DecodeError(f"{what}; {_REMEDY}") from error
