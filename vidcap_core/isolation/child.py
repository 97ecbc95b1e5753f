"""The decoder's process: `python -m vidcap_core.isolation.child`. It reads calls, it writes replies.

Calls are `open`, `start`, `next` and `close`; each has one reply. Iterators of the video are pulled
by number, so that several can be under way; any call may name some that are not wanted any more.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, BinaryIO

from ..errors import DecodeError
from ..types import Frame, Image, LumaFrame, Packet, Pick, Transcript
from ..video import Video
from . import sandbox, wire

_MAX_CALL_BYTES = 1 << 24
_PATIENCE_S = 0.1
"""A reply is not kept back for longer, so that a slow video is not taken for one that hangs."""

_Reply = tuple[dict[str, Any], bytes]
_Replies = Generator[_Reply, None, None]


class DescriptorFile(io.RawIOBase):
    """A file that is read through a descriptor, which never shares its offset with anyone."""

    def __init__(self, descriptor: int, path: str | None = None) -> None:
        self._descriptor = descriptor
        self._offset = 0
        self.path = path
        self.size_bytes = os.fstat(descriptor).st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        data = os.pread(self._descriptor, size, self._offset)
        self._offset += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._offset = offset + (0, self._offset, self.size_bytes)[whence]
        return self._offset

    def tell(self) -> int:
        return self._offset

    def need(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Do nothing: the file is here."""

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


class PathFile(io.FileIO):
    """A file that is opened by its path, where descriptors cannot be passed on."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path: str | None = path
        self.size_bytes = os.fstat(self.fileno()).st_size

    def need(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Do nothing: the file is here."""


class Server:
    """Answers calls about one video at a time."""

    def __init__(
        self, opener: Callable[..., Any], options: dict[str, Any], descriptors: socket.socket | None
    ) -> None:
        self._opener = opener
        self._options = options
        self._descriptors = descriptors
        self._video: Video | None = None
        self._open = ExitStack()
        self._streams: dict[int, _Replies] = {}

    def open(self, path: str | None) -> _Reply:
        """Open a video: by its descriptor, which is on its way, or by its path."""
        file = self._open.enter_context(self._receive_file(path))
        self._video = video = self._open.enter_context(self._opener(file, **self._options))
        names = "start_s", "end_s", "width_px", "height_px", "frame_rate", "codec", "has_audio"
        return {name: getattr(video, name) for name in names}, b""

    def _receive_file(self, path: str | None) -> Any:
        if self._descriptors is None:
            return PathFile(str(path))
        _, descriptors, *_ = socket.recv_fds(self._descriptors, 1, 1)
        return DescriptorFile(descriptors[0], path)

    def start(self, stream: int, method: str, span_s: tuple[float, float], args: dict[str, Any]) -> _Reply:
        """Begin an iterator over a window of the video."""
        if self._video is None:
            raise DecodeError("no video is open")
        if "picks" in args:
            args["picks"] = [Pick(*pick) for pick in args["picks"]]
        self._streams[stream] = _REPLIES[method](getattr(self._video.window(*span_s), method)(**args))
        return {}, b""

    def next(self, stream: int) -> _Reply:
        """The next item of an iterator."""
        return next(self._streams[stream], ({"end": True}, b""))

    def stop(self, stream: int) -> None:
        """End an iterator: it is read no further."""
        started = self._streams.pop(stream, None)
        if started is not None:
            started.close()

    def close(self) -> _Reply:
        """Close the video."""
        for stream in list(self._streams):
            self.stop(stream)
        self._video = None
        self._open.close()
        return {}, b""


def _images(images: Iterator[Image]) -> _Replies:
    for image in images:
        yield (
            {
                "time_s": image.time_s,
                "width_px": image.width_px,
                "height_px": image.height_px,
                "media_type": image.media_type,
                "damaged": image.damaged,
                "is_neighbour": image.is_neighbour,
            },
            image.data,
        )


def _frames(frames: Iterator[Frame]) -> _Replies:
    for frame in frames:
        head = {
            "time_s": frame.time_s,
            "shape": frame.pixels.shape,
            "damaged": frame.damaged,
            "is_neighbour": frame.is_neighbour,
        }
        yield head, frame.pixels.tobytes()


def _luma_frames(frames: Iterator[LumaFrame]) -> _Replies:
    for batch in _batches(frames):
        head = {
            "times_s": [frame.time_s for frame in batch],
            "damaged": [frame.damaged for frame in batch],
            "shape": batch[0].luma.shape,
        }
        yield head, b"".join(frame.luma.tobytes() for frame in batch)


def _batches(frames: Iterator[LumaFrame]) -> Iterator[list[LumaFrame]]:
    """Frames of one shape: as many as a reply holds, and no more than come quickly."""
    batch: list[LumaFrame] = []
    begun_s = time.monotonic()
    for frame in frames:
        if batch and frame.luma.shape != batch[0].luma.shape:
            yield batch
            batch = []
        batch.append(frame)
        is_full = (len(batch) + 1) * frame.luma.nbytes > wire.LUMA_BYTES_A_REPLY
        if is_full or time.monotonic() - begun_s > _PATIENCE_S:
            yield batch
            batch, begun_s = [], time.monotonic()
    if batch:
        yield batch


def _packets(packets: Iterator[Packet]) -> _Replies:
    while batch := list(islice(packets, wire.PACKETS_A_REPLY)):
        yield {}, b"".join(wire.PACKET.pack(p.time_s, p.size_bytes, p.is_key) for p in batch)


def _transcript(transcript: Transcript | None) -> _Replies:
    cues = iter(transcript.cues if transcript else ())
    while transcript and (batch := list(islice(cues, wire.CUES_A_REPLY))):
        body = json.dumps([(cue.start_s, cue.end_s, cue.text) for cue in batch], allow_nan=False)
        yield {"language": transcript.language}, body.encode()


_REPLIES: dict[str, Callable[[Any], _Replies]] = {
    "images": _images,
    "frames": _frames,
    "scan": _luma_frames,
    "packets": _packets,
    "transcript": _transcript,
}


def _serve(server: Server, calls: BinaryIO, replies: BinaryIO) -> None:
    while True:
        call, _ = wire.receive(calls, _MAX_CALL_BYTES)
        try:
            for stream in call.pop("stops", ()):
                server.stop(stream)
            head, body = getattr(server, call.pop("call"))(**call)
            _check_sendable(head, body)
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises is told to the parent
            head, body = _error(error), b""
        _send(replies, head, body)


def _send(replies: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    wire.send(replies, head | {"cpu_s": time.process_time()}, body)


def _check_sendable(head: dict[str, Any], body: bytes) -> None:
    try:
        wire.pack(head, body)
    except ValueError as error:
        raise DecodeError(f"the decoder gave a number that is none: {error}") from error


def _error(error: Exception) -> dict[str, Any]:
    typed = isinstance(error, (DecodeError, MemoryError))
    told = str(error) if isinstance(error, DecodeError) else f"{type(error).__name__}: {error}"
    return {
        "error": "decode" if typed else "plugin",
        "message": told[:1000],
        "no_access": isinstance(error, (ImportError, PermissionError)),
        "traceback": traceback.format_exc()[-8000:],
    }


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move the wire away from stdin and stdout, so that no library reads it or prints into it."""
    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return calls, replies


def main() -> None:
    """Serve calls until the parent is gone."""
    calls, replies = _take_over_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    setup, _ = wire.receive(calls, _MAX_CALL_BYTES)
    gc.disable()  # what is imported stays: to look for garbage among it is a tenth of the start
    try:
        for module in ("vidcap_core.encode", *setup["imports"]):
            importlib.import_module(module)
        module, _, function = setup["opener"].partition(":")
        opener = getattr(importlib.import_module(module), function)
    except Exception as error:  # noqa: BLE001 - the parent tells it as a plugin's error
        _send(replies, _error(error))
        return
    gc.freeze()
    gc.enable()
    descriptors = socket.socket(fileno=setup["socket"]) if setup["socket"] is not None else None
    sandbox.limit_resources(setup["memory_bytes"])
    # Where the file itself has to be opened here, reading must stay possible.
    locked = sandbox.give_up_access(may_read_files=setup["needs_path"] or descriptors is None)
    if sys.platform != "win32":
        sandbox.die_with_parent()
    _send(replies, {"locked": locked})
    _serve(Server(opener, setup["options"], descriptors), calls, replies)


if __name__ == "__main__":
    try:
        main()
    except wire.WireError:
        sys.exit(0)
