"""What is said in a video: which of its transcripts is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .types import Media, Transcript

if TYPE_CHECKING:
    from .settings import Settings
    from .video import Video


def transcript_of(media: Media, video: Video, settings: Settings) -> Transcript | None:
    """The transcript that goes with the frames, by `settings.transcript`. Raises SettingsError."""
    return None if settings.transcript == "none" else media.transcript
