"""From a decoded frame to upright pixels. Runs in the decoder's process."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from av import VideoFrame
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from .pyav_fields import deinterlace, is_interlaced
from .pyav_hdr import is_hdr, to_sdr

_Pixels = NDArray[np.uint8]
_Level = TypeVar("_Level", np.uint8, np.uint16)

_PLANAR_8_BIT = frozenset(
    {"gray", "nv12", *(f"yuv{j}{kind}p" for j in ("", "j") for kind in (420, 422, 440, 444))}
)
"""Formats whose first plane is the luma, a byte a pixel."""

_ROWS_ENOUGH = 8
"""Averaged for one row of a small grey picture: more cost as much each and change next to nothing."""


def treatment(frame: VideoFrame) -> str:
    """What a frame needs before it can be shown: "tone mapping", "deinterlacing", or nothing."""
    if is_hdr(frame):
        return "tone mapping"
    return "deinterlacing" if is_interlaced(frame) else ""


class Pictures:
    """Makes pixels of frames, at one size and in one format: making a scaler costs more than using it."""

    def __init__(self) -> None:
        self._resizer, self._converter = VideoReformatter(), VideoReformatter()

    def rgb(self, frame: VideoFrame, width_px: int, height_px: int) -> _Pixels:
        """uint8[height, width, 3], upright, at a size given upright."""
        orientation = _orientation(frame)
        size_px = orientation.stored(width_px, height_px)
        if is_interlaced(frame):
            deinterlace(frame)
        if frame.format.name.startswith("yuv"):
            # Resized as it is stored: together with the change of colours it takes thrice as long.
            frame = self._resized(frame, *size_px)
        return orientation.apply(self._sdr(frame, size_px) if is_hdr(frame) else self._rgb(frame, size_px))

    def _rgb(self, frame: VideoFrame, size_px: tuple[int, int]) -> _Pixels:
        return _channels(_rows(self._converted(frame, size_px, "rgb24"), 3 * size_px[0]))

    def _sdr(self, frame: VideoFrame, size_px: tuple[int, int]) -> _Pixels:
        rgb = _rows(self._converted(frame, size_px, "rgb48le"), 6 * size_px[0])
        return to_sdr(_channels(rgb.view("<u2")), frame.color_trc)

    def luma(self, frame: VideoFrame, width_px: int, height_px: int) -> _Pixels:
        """uint8[height, width], upright, 0 black and 255 white, at a size given upright."""
        orientation = _orientation(frame)
        size_px = orientation.stored(width_px, height_px)
        if frame.format.name in _PLANAR_8_BIT:
            # Only the plane is scaled, and its levels are stretched when few pixels are left.
            rows = _rows(frame, frame.width)[:: max(frame.height // (_ROWS_ENOUGH * size_px[1]), 1)]
            plane = VideoFrame.from_numpy_buffer(rows, "gray")
            small = _rows(self._resized(plane, *size_px), size_px[0])
            return orientation.apply(small if _has_full_range(frame) else _stretch()[small])
        return orientation.apply(_rows(self._converted(frame, size_px, "gray"), size_px[0]))

    def _converted(self, frame: VideoFrame, size_px: tuple[int, int], pixel_format: str) -> VideoFrame:
        return self._converter.reformat(
            frame, *size_px, pixel_format, interpolation=Interpolation.AREA, threads=1
        )

    def _resized(self, frame: VideoFrame, width_px: int, height_px: int) -> VideoFrame:
        # Area averaging: the others alias small text when a picture is shrunk by much.
        # One thread: more buy wall time with CPU time.
        return self._resizer.reformat(frame, width_px, height_px, interpolation=Interpolation.AREA, threads=1)


def _rows(frame: VideoFrame, row_bytes: int) -> _Pixels:
    """uint8[height, row_bytes]: the first plane as it lies in memory, nothing copied."""
    plane = frame.planes[0]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, :row_bytes]


def _channels(rows: NDArray[_Level]) -> NDArray[_Level]:
    """[height, width, 3] of [height, 3 · width]."""
    return rows.reshape(rows.shape[0], -1, 3)


def _has_full_range(frame: VideoFrame) -> bool:
    return frame.color_range == ColorRange.JPEG or frame.format.name.startswith(("yuvj", "gray"))


@cache
def _stretch() -> _Pixels:
    """Levels 16 to 235, as video has them, to 0 to 255."""
    stretched: _Pixels = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
    return stretched


def shown_size(frame: VideoFrame, sample_aspect_ratio: float) -> tuple[int, int]:
    """(width, height) upright, with pixels made square."""
    width_px, height_px = max(round(frame.width * sample_aspect_ratio), 1), frame.height
    return _orientation(frame).stored(width_px, height_px)


@dataclass(frozen=True, slots=True)
class _Orientation:
    """How to bring a picture upright: transpose first, then mirror."""

    transposed: bool
    mirror_x: bool
    mirror_y: bool

    def stored(self, width_px: int, height_px: int) -> tuple[int, int]:
        """The (width, height) as it stands in the file of one given upright."""
        return (height_px, width_px) if self.transposed else (width_px, height_px)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The upright picture, contiguous."""
        upright = pixels.swapaxes(0, 1) if self.transposed else pixels
        upright = upright[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(upright)


def _orientation(frame: VideoFrame) -> _Orientation:
    """Read the display matrix: (x, y) is shown at (a·x + c·y, b·x + d·y), see libavutil/display.h."""
    # `frame.side_data` would be kept by the frame, and hold it: such a knot stays for long, pixels and all.
    side_data = SideDataContainer(frame)  # type: ignore[call-arg]  # its types leave it out
    matrix = next((data for data in side_data if data.type == SideDataType.DISPLAYMATRIX), None)
    if matrix is None:
        return _Orientation(False, False, False)
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if abs(b) > abs(a):
        return _Orientation(True, c < 0, b < 0)
    return _Orientation(False, a < 0, d < 0)
