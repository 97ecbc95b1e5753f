"""The plugin. What it does is in `video`, which runs in the decoder's process."""

from __future__ import annotations

from typing import ClassVar

from vidcap_core import Decoder
from vidcap_core.decoders.pyav import PyAVDecoder


class DecordDecoder(Decoder):
    """decord: pictures by their number. What it is not sure to read right it refuses."""

    name = "decord"
    opener: ClassVar[str] = "vidcap_decord.video:open_video"
    # `video` comes first, for it says what to do where decord is missing.
    imports: ClassVar[tuple[str, ...]] = (*PyAVDecoder.imports, "vidcap_decord.video", "decord", "numpy")
    needs_path: ClassVar[bool] = True
