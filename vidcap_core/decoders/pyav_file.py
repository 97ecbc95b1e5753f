"""Opens a container: only the file it is given, and of its streams only the video."""

from __future__ import annotations

import threading

import av
import av.error
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from ..errors import DecodeError
from ..video import SeekableFile

av.logging.set_level(av.logging.PANIC)

MAX_PIXELS = 8192 * 4608
"""Above 8K. A picture that claims more is refused before memory is taken for it."""

# FFmpeg opens nothing by itself: no playlist, no concat script, no image sequence, no device. With
# its defaults a file can make it read other files and reach other hosts.
_OPTIONS = {
    "format_whitelist": "mov,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,gif,mp3,wav,flac,aac",
    "protocol_whitelist": "file",
    # For the streams: some are decoded already to learn what they are.
    "max_pixels": str(MAX_PIXELS),
}
_READ_BYTES = 1 << 17
_MANIFESTS = {
    b"#extm3u": "an HLS playlist",
    b"ffconcat": "an ffconcat script",
    b"<?xml": "an XML document, a DASH manifest perhaps",
    b"<mpd": "a DASH manifest",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
}


class SharedFile:
    """A file that several read at once, each at a place of its own, in threads of their own perhaps."""

    def __init__(self, file: SeekableFile) -> None:
        self.size_bytes = file.size_bytes
        self._file = file
        self._lock = threading.Lock()

    def place(self) -> Place:
        """A place of one's own, at the start."""
        return Place(self)

    def read_at(self, offset: int, size: int) -> bytes:
        """What stands at an offset; all that follows where `size` is negative."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)


class Place:
    """A place in a file, as a file object: FFmpeg goes on where it read last."""

    def __init__(self, file: SharedFile) -> None:
        self._file = file
        self._offset = 0
        self.size_bytes = file.size_bytes

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read_at(self._offset, size)
        self._offset += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._offset = offset + (0, self._offset, self.size_bytes)[whence]
        return self._offset

    def tell(self) -> int:
        return self._offset


def open_container(file: Place) -> InputContainer:
    """Open what FFmpeg knows as a video or sound file. Raises DecodeError."""
    head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        raise DecodeError("this file is empty")
    for magic, name in _MANIFESTS.items():
        if head.startswith(magic):
            raise DecodeError(f"this is {name}, not a video; give the video itself")
    file.seek(0)
    try:
        container = av.open(file, "r", metadata_errors="replace", options=_OPTIONS, buffer_size=_READ_BYTES)
    except (av.error.FFmpegError, UnicodeDecodeError) as error:
        raise DecodeError("this file is no video that vidcap can read, or a damaged one") from error
    assert isinstance(container, InputContainer)  # noqa: S101 - mode "r" opens no other
    return container


def best_video(container: InputContainer) -> VideoStream:
    """The stream to show; all others are left unread. Raises DecodeError where there is none."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        what = "only audio" if container.streams.audio else "no video stream"
        raise DecodeError(f"this file holds {what}: there is no picture to caption")
    if stream.codec_context is None:  # PyAV's types do not know of this
        raise DecodeError("this video's codec is one that FFmpeg cannot decode")
    for other in container.streams:
        if other.index != stream.index:
            # Or every seek costs a stray read of the audio beside it.
            other.discard = Discard.all
    return stream
