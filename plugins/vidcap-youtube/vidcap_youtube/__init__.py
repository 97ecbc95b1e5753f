"""YouTube, and the other sites that yt-dlp knows, for vidcap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidcap_core import hookimpl

if TYPE_CHECKING:
    from vidcap_core import Source

    from .source import YouTube as YouTube

__all__ = ["YouTube"]


@hookimpl
def vidcap_sources() -> list[type[Source]]:
    """Offer `youtube`."""
    from .source import YouTube

    return [YouTube]


def __getattr__(name: str) -> Any:
    # The child imports this package too, and needs nothing of what the plugin is made of.
    if name != "YouTube":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .source import YouTube

    return YouTube
