"""The decoder decord for vidcap."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Not from vidcap_core.plugin: the decoder's process imports this package too, and has no pydantic.
from vidcap_core.hooks import hookimpl

if TYPE_CHECKING:
    from vidcap_core import Decoder


@hookimpl
def vidcap_decoders() -> list[type[Decoder]]:
    """Offer `decord`."""
    from .decoder import DecordDecoder

    return [DecordDecoder]
