"""Shows a video to one of PySceneDetect's detectors, picture by picture.

PySceneDetect's own decoders open a path. Here the pictures come from the decoder that was chosen, with
their own times, so that windows and variable frame rates are right.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg

from vidcap_core import Image, Packet, Pick, PluginError, Video

try:
    import cv2
    from scenedetect import FrameTimecode
    from scenedetect.common import Timecode
    from scenedetect.scene_manager import DEFAULT_MIN_WIDTH as SIDE_PX
except ImportError as error:
    why = str(error).partition("\n")[0]
    raise PluginError(
        f'PySceneDetect cannot be imported ({why}): pip install "vidcap[scenedetect]"; have one of'
        " scenedetect and scenedetect-headless, and one of opencv-python and opencv-python-headless"
    ) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scenedetect import SceneDetector

_TICK_S = Fraction(1, 1_000_000)
_FEWEST, _MOST = 250, 20_000
"""Pictures of one call: what is decoded together stays together, but a call holds no endless list."""


def boundaries(video: Video, detector: SceneDetector) -> list[float]:
    """When the scenes after the first one begin, in seconds, ascending: times of frames.

    The detector sees every frame, upright and in colour, its longer side `SIDE_PX`: the size that
    PySceneDetect makes them by itself. Raises DecodeError.
    """
    packets = sorted(video.packets(), key=attrgetter("time_s"))
    if len(packets) < 2:
        return []
    rate = video.frame_rate or len(packets) / video.duration_s
    cuts = list[FrameTimecode]()
    size_px: tuple[int, int] | None = None
    for picks in _batches(packets):
        for image in video.images(picks, SIDE_PX):
            # A video may change its size on the way, and a detector compares pixel by pixel.
            size_px = size_px or (image.width_px, image.height_px)
            # The time asked for: where a frame is damaged, the picture may be a neighbour's.
            ticks = round((image.asked_s - video.start_s) / _TICK_S)
            position = FrameTimecode(Timecode(ticks, _TICK_S), rate)
            cuts += detector.process_frame(position, _pixels(image, size_px))
    cuts += detector.post_process(position)
    times_s = [packet.time_s for packet in packets]
    found = {_frame_at(video.start_s + cut.seconds, times_s) for cut in cuts}
    return sorted(time_s for time_s in found if video.start_s < time_s < video.end_s)


def _pixels(image: Image, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8[height, width, 3], BGR, of a (width, height)."""
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(image.data, "BGR")
    if (image.width_px, image.height_px) != size_px:
        pixels = cv2.resize(pixels, size_px, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return pixels


def _batches(packets: Sequence[Packet]) -> Iterator[list[Pick]]:
    picks: list[Pick] = []
    for packet in packets:
        if len(picks) >= (_FEWEST if packet.is_key else _MOST):
            yield picks
            picks = []
        picks.append(Pick(packet.time_s))
    yield picks


def _frame_at(time_s: float, times_s: Sequence[float]) -> float:
    """The time of the first frame from there on: a boundary between two frames belongs to neither."""
    return times_s[min(bisect_left(times_s, time_s - float(_TICK_S)), len(times_s) - 1)]
