"""What is said in a video: which of its transcripts is taken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import SettingsError, SourceError, VidcapError
from .sources.sidecar import language_of
from .subtitles import read_file
from .types import Media, Transcript

if TYPE_CHECKING:
    from .settings import Settings
    from .video import Video

_log = logging.getLogger("vidcap")


def transcript_of(
    media: Media, video: Video, settings: Settings, tell: Callable[[str], object] = _log.warning
) -> Transcript | None:
    """The transcript that goes with the frames, by `settings.transcript`. Raises SettingsError.

    People's own words come first: the uploader's, a file beside the video, a track inside it. Only
    then what a machine heard.
    """
    if settings.transcript == "none":
        return None
    if settings.transcript != "auto":
        return _from_file(settings.transcript)
    given = media.transcript if media.transcript and media.transcript.cues else None
    if given and given.origin != "auto":
        return given
    return _embedded(video, settings.languages, tell) or given


def _from_file(name: str) -> Transcript:
    path = Path(name)
    try:
        return Transcript(read_file(path), language_of(path), "sidecar")
    except SourceError as error:
        raise SettingsError(
            f"{error}\nsetting 'transcript' takes 'auto', 'none' or the path of an SRT or WebVTT file"
        ) from error


def _embedded(video: Video, languages: Sequence[str], tell: Callable[[str], object]) -> Transcript | None:
    try:
        return video.transcript(languages)
    except VidcapError as error:
        # The pictures may be fine. Where they are not, they will say so themselves.
        tell(f"the text track inside the video is left out: {error}")
        return None
