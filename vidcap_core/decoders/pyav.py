"""The default decoder: FFmpeg through PyAV."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from ..plugin import Decoder


class PyAVDecoder(Decoder):
    """FFmpeg through PyAV: frame-exact, and cheap where a keyframe lies within the tolerance."""

    name = "pyav"
    workers: PositiveInt = Field(
        default=1,
        le=16,
        description="Decoders that make images of different groups of pictures of one video side by side:"
        " as many cores are used, and as many times the memory. Not for many videos at once, which have a"
        " process each.",
    )
    opener: ClassVar[str] = "vidcap_core.decoders.pyav_video:open_video"
    imports: ClassVar[tuple[str, ...]] = (
        "vidcap_core.decoders.pyav_video",
        # PyAV imports these when it meets such a stream, and then it is too late.
        "av.audio.stream",
        "av.subtitles.stream",
        "av.subtitles.codeccontext",
    )
