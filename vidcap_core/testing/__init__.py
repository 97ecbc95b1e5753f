"""For the tests of plugins: videos with known frames, an endpoint that misbehaves on demand."""

from .barcode import read_barcode
from .endpoint import Endpoint, Fault, RecordedRequest, example_answer
from .videos import COLOURS, PaintedVideo, colour_video, tiny_video

__all__ = [
    "COLOURS",
    "Endpoint",
    "Fault",
    "PaintedVideo",
    "RecordedRequest",
    "colour_video",
    "example_answer",
    "read_barcode",
    "tiny_video",
]
