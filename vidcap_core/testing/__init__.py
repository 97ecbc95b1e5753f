"""For the tests of plugins: what each kind has to do, videos with known frames, a misbehaving endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .barcode import read_barcode
from .captioners import CaptionerTests
from .conformance import deviates
from .endpoint import Endpoint, Fault, RecordedRequest, example_answer
from .samplers import SamplerTests
from .sources import SourceTests
from .videos import COLOURS, PaintedVideo, colour_video, tiny_video

if TYPE_CHECKING:
    from .decoders import DecoderTests

__all__ = [
    "COLOURS",
    "CaptionerTests",
    "DecoderTests",
    "Endpoint",
    "Fault",
    "PaintedVideo",
    "RecordedRequest",
    "SamplerTests",
    "SourceTests",
    "colour_video",
    "deviates",
    "example_answer",
    "read_barcode",
    "tiny_video",
]


def __getattr__(name: str) -> Any:
    if name != "DecoderTests":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .decoders import DecoderTests  # it needs pytest, which who only wants a video may not have

    return DecoderTests
