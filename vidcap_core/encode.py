"""Frames become images: resized and encoded once. Runs in the decoder's process."""

from __future__ import annotations

import numpy as np
import simplejpeg
from av import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from .image_size import fitted
from .types import Frame, Image, Pick

_QUALITY = 92
"""Small text survives; what the image is, is evidence."""


def encode(frame: Frame, pick: Pick, max_side_px: int) -> Image:
    """A JPEG of a frame, its longer side `max_side_px` at most, never enlarged."""
    pixels = _shrink(frame.pixels, max_side_px)
    height_px, width_px = pixels.shape[:2]
    data = simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="420")
    return Image(
        asked_s=frame.asked_s,
        time_s=frame.time_s,
        data=data,
        width_px=width_px,
        height_px=height_px,
        why=pick.why,
        damaged=frame.damaged,
        is_neighbour=frame.is_neighbour,
    )


def _shrink(pixels: NDArray[np.uint8], max_side_px: int) -> NDArray[np.uint8]:
    height_px, width_px = pixels.shape[:2]
    size = fitted(width_px, height_px, max_side_px)
    if size == (width_px, height_px):
        return pixels
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    # Area averaging: the others alias small text when an image is shrunk by much.
    shrunk = frame.reformat(*size, interpolation=Interpolation.AREA).to_ndarray()
    return shrunk.astype(np.uint8, copy=False)
