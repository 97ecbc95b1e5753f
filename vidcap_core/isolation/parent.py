"""The parent's end: a decoder's process, and the video that it has open."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import logging
import math
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import languages as bcp47
from ..errors import DecodeError, PluginError
from ..subtitles import MAX_CHARS, MAX_CUE_CHARS, MAX_CUES
from ..text import one_line
from ..types import Cue, Frame, Image, LumaFrame, Packet, Pick, Transcript
from ..video import Video
from . import wire

if TYPE_CHECKING:
    from ..plugin import Decoder

_log = logging.getLogger("vidcap")

_MEMORY_BYTES = 4 << 30
_MAX_SIDE_PX = 16_384
_MAX_BODY_BYTES = 8192 * 4608 * 3
"""A reply holds one picture at most, of the largest size that is decoded."""
_HEADER_BYTES = 1 << 16
_MAX_TIME_S = 1e9
_MAX_CUE_BYTES = 6 * MAX_CUE_CHARS + 100
"""As JSON writes it: \\u and four digits at worst."""
_MAX_ITEMS = 1 << 24
"""Three days at 60 frames a second. An iterator that goes on is one that never ends."""
_KEPT_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Child:
    """One decoder's process. All calls come from one thread at a time; `kill` from any."""

    def __init__(self, decoder: Decoder, timeout_s: float) -> None:
        self.videos = 0
        self.stream_ids = itertools.count()
        self.unwanted: deque[int] = deque()
        """Iterators to end, told with the next call. A generator is ended by the garbage collector
        too, at any moment and in any thread, in the middle of a call even."""
        self.deadline_s = math.inf
        """When `overdue` is true, on the monotonic clock."""
        self.cpu_s = 0.0
        """CPU time so far, as the process tells it with each reply."""
        self._timeout_s = timeout_s
        self._decoder = decoder
        self._why_killed = ""
        self._lock = threading.Lock()
        self._ready = False
        self._is_open = False
        self._descriptors, theirs = _descriptor_sockets()
        self._socket_number = theirs.fileno() if theirs else None
        try:
            self._process = _spawn(theirs)
        except OSError as error:
            if self._descriptors:
                self._descriptors.close()
            raise DecodeError(f"no process can be started for the decoder: {error}") from error
        finally:
            if theirs:
                theirs.close()

    def start(self) -> None:
        """Let it import what it needs and lock itself up; nothing where it has."""
        if self._ready:
            return
        setup = {
            "opener": self._decoder.opener,
            "imports": self._decoder.imports,
            "options": self._decoder.options(),
            "needs_path": self._decoder.needs_path,
            "memory_bytes": _MEMORY_BYTES,
            "socket": self._socket_number,
        }
        self.call(setup)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def overdue(self) -> bool:
        """Whether a reply has been awaited for longer than it may take."""
        return time.monotonic() > self.deadline_s

    def open(self, path: Path) -> dict[str, Any]:
        """Open a video there; returns its facts. Raises OSError where the file cannot be opened."""
        by_path = self._decoder.needs_path or self._descriptors is None
        if self._descriptors is not None:
            # It is looked at again once it is open: a pipe put in its place would block its reader.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.EINVAL, "it is no regular file")
                socket.send_fds(self._descriptors, [b"f"], [descriptor])
            finally:
                os.close(descriptor)
        self.videos += 1
        self._is_open = True
        return self.call({"call": "open", "path": str(path.absolute()) if by_path else None})[0]

    def close_video(self) -> None:
        """Let go of the video. Where that fails the process is no more good, but no work is lost."""
        if self.is_usable:
            try:
                self.call({"call": "close"})
            except (DecodeError, PluginError) as error:
                self.kill(f"it could not close a video: {error}")
        else:
            self.kill("left in the middle of a call")
        self._is_open = False

    def has_open(self, video: int) -> bool:
        """Whether this is the video that is open, by its number."""
        return self._is_open and self.videos == video

    def call(self, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """One call and its reply. Raises DecodeError, or PluginError for a decoder's own fault."""
        stops = [self.unwanted.popleft() for _ in range(len(self.unwanted))]
        with self._lock:
            # An interrupt may leave a call without its reply, and then nothing can be asked any more.
            was_ready, self._ready = self._ready, False
            reply, body = self._ask(head | {"stops": stops})
            self._ready = was_ready or "error" not in reply
        if "error" in reply:
            self._raise(reply)
        return reply, body

    def _ask(self, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        self.deadline_s = time.monotonic() + self._timeout_s
        try:
            wire.send(self._process.stdin, head)  # type: ignore[arg-type]  # it is a pipe
            reply, body = wire.receive(self._process.stdout, _MAX_BODY_BYTES)  # type: ignore[arg-type]
        except (wire.WireError, OSError) as error:
            self._fail(error)
        finally:
            self.deadline_s = math.inf
        self.cpu_s = _time({"cpu_s": self.cpu_s} | reply, "cpu_s")
        return reply, body

    def _raise(self, reply: dict[str, Any]) -> NoReturn:
        _log.debug("decoder's process: %s", reply.get("traceback"))
        message = str(reply.get("message"))[:1000]
        if reply["error"] == "decode":
            raise DecodeError(message)
        hint = "--debug shows where"
        if reply.get("no_access") and self._ready:
            hint = "its process opens no files once it has begun: `imports` lists the modules it needs"
        raise PluginError(f"decoder {self._decoder.name!r} failed: {message}; {hint}")

    def _fail(self, error: Exception) -> NoReturn:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        why = self._why_killed or f"decoder {self._decoder.name!r} {_last_words(self._process.poll())}"
        self.kill(why)
        raise DecodeError(why) from error

    def kill(self, why: str) -> None:
        """End the process at once; a call that waits for it fails and says why."""
        if self._process.poll() is None:
            self._why_killed = self._why_killed or why
            self._process.kill()

    @property
    def is_usable(self) -> bool:
        """Whether it can take a call."""
        # One that was killed looks alive for a moment still.
        return self._ready and not self._why_killed and self._process.poll() is None

    def close(self) -> None:
        """End the process and wait for it."""
        if self._descriptors is not None:
            self._descriptors.close()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # it is a pipe
        self._process.wait()


def _last_words(code: int | None) -> str:
    """Why a process that was not killed from here does not answer."""
    if code is None:
        return "broke its protocol and was stopped; the file may be hostile"
    if code == -9:
        return "was killed, for want of memory perhaps"
    if code < 0 or code >= 0xC0000000:  # Windows says so
        return f"crashed ({_signal_name(code)}); the file may be damaged or hostile"
    return f"ended by itself (code {code})"


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"code {code:#x}"


def _descriptor_sockets() -> tuple[socket.socket | None, socket.socket | None]:
    """Two ends over which open files are handed on; none on Windows, which knows no such thing."""
    return (None, None) if sys.platform == "win32" else socket.socketpair()


def _spawn(theirs: socket.socket | None) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    # What this process can import, the child can: a path that was added at run time included.
    environment["PYTHONPATH"] = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    environment["OPENBLAS_NUM_THREADS"] = "1"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "vidcap_core.isolation.child"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if _log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),) if theirs else (),
    )


class ChildVideo(Video):
    """A video that a child has open. What the child says is checked: it may have been taken over."""

    def __init__(self, child: Child, facts: dict[str, Any]) -> None:
        self._child = child
        self._number = child.videos
        self.start_s, self.end_s = _time(facts, "start_s"), _time(facts, "end_s")
        self.width_px, self.height_px = _side(facts.get("width_px")), _side(facts.get("height_px"))
        self.frame_rate = None if facts.get("frame_rate") is None else _time(facts, "frame_rate")
        self.codec = str(facts.get("codec"))[:40]
        self.has_audio = bool(facts.get("has_audio"))
        if self.end_s < self.start_s:
            raise DecodeError("the decoder says that the video ends before it starts")

    @property
    def cpu_s(self) -> float:  # type: ignore[override]  # nobody sets it
        """CPU time of the decoder's process so far, as it tells itself."""
        return self._child.cpu_s

    def images(self, picks: Sequence[Pick], max_side_px: int) -> Iterator[Image]:
        """The frames of `picks`, resized and encoded over there."""
        for pick, (head, data) in self._for_picks("images", picks, max_side_px=max_side_px):
            width_px, height_px = _side(head.get("width_px")), _side(head.get("height_px"))
            if max(width_px, height_px) > max_side_px or len(data) > 3 * width_px * height_px + _HEADER_BYTES:
                raise DecodeError("the decoder sent a larger picture than it was asked for")
            if not data.startswith(b"\xff\xd8"):
                raise DecodeError("the decoder sent something that is no JPEG")
            yield Image(
                asked_s=pick.time_s,
                time_s=_time(head, "time_s"),
                data=data,
                width_px=width_px,
                height_px=height_px,
                why=pick.why,
                damaged=bool(head.get("damaged")),
                is_neighbour=bool(head.get("is_neighbour")),
            )

    def frames(self, picks: Sequence[Pick]) -> Iterator[Frame]:
        """For each pick the frame on screen at its time, or a keyframe in its tolerance."""
        for pick, (head, data) in self._for_picks("frames", picks):
            pixels, time_s = _pixels(head, data, 3), _time(head, "time_s")
            damaged, is_neighbour = bool(head.get("damaged")), bool(head.get("is_neighbour"))
            yield Frame(pick.time_s, time_s, pixels, damaged, is_neighbour)

    def _for_picks(
        self, method: str, picks: Sequence[Pick], **args: Any
    ) -> Iterator[tuple[Pick, tuple[dict[str, Any], bytes]]]:
        asked = [(pick.time_s, pick.tolerance_s) for pick in picks]
        given = self._stream(method, picks=asked, **args)
        for pick in picks:
            reply = next(given, None)
            if reply is None:
                raise DecodeError("the decoder gave fewer pictures than asked for")
            yield pick, reply

    def scan(
        self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False
    ) -> Iterator[LumaFrame]:
        """Small grey pictures in order of time."""
        args = {"every_s": every_s, "width_px": width_px, "keyframes_only": keyframes_only}
        for head, data in self._stream("scan", **args):
            yield from _luma_frames(head, data)

    def packets(self) -> Iterator[Packet]:
        """The compressed frames in order of decoding."""
        for _, data in self._stream("packets"):
            if len(data) > wire.PACKET.size * wire.PACKETS_A_REPLY:
                raise DecodeError("the decoder sent more packets than asked for")
            yield from map(_packet, _unpacked(data))

    def transcript(self, languages: Sequence[str] = ()) -> Transcript | None:
        """The text track that suits best, its cues within the span."""
        cues: list[Cue] = []
        language, chars = None, 0
        for head, data in self._stream("transcript", languages=list(languages)):
            batch = _cues(data)
            cues += batch
            chars += sum(len(cue.text) for cue in batch)
            if len(cues) > MAX_CUES or chars > MAX_CHARS or not batch:
                raise DecodeError("the decoder sent a longer transcript than it may be")
            language = bcp47.tag(str(head.get("language"))[:40])
        return Transcript(tuple(cues), language, "embedded") if cues else None

    def _stream(self, method: str, **args: Any) -> Iterator[tuple[dict[str, Any], bytes]]:
        stream = next(self._child.stream_ids)
        span_s = self.start_s, self.end_s
        self._call({"call": "start", "stream": stream, "method": method, "span_s": span_s, "args": args})
        try:
            for _ in range(_MAX_ITEMS):
                head, body = self._call({"call": "next", "stream": stream})
                if "end" in head:
                    return
                yield head, body
        finally:
            self._child.unwanted.append(stream)
        raise DecodeError("the decoder does not come to an end; the file may be hostile")

    def _call(self, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        if not self._child.has_open(self._number):
            # Its process may have another video open, whose pictures this one's would then be.
            raise ValueError("this video is closed")
        return self._child.call(head)


def _time(head: dict[str, Any], name: str) -> float:
    value = head.get(name)
    if not isinstance(value, (int, float)) or not -_MAX_TIME_S < value < _MAX_TIME_S:  # NaN is not
        raise DecodeError(f"the decoder gave {name} as {str(value)[:40]}")
    return float(value)


def _side(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value <= _MAX_SIDE_PX:
        raise DecodeError(f"the decoder gave a picture a side of {str(value)[:40]} px")
    return value


def _pixels(head: dict[str, Any], data: bytes, dimensions: int) -> Any:
    import numpy as np

    shape = head.get("shape")
    if not isinstance(shape, list) or len(shape) != dimensions or shape[2:] not in ([], [3]):
        raise DecodeError(f"the decoder gave a picture the shape {str(shape)[:40]}")
    if math.prod(map(_side, shape)) != len(data):
        raise DecodeError(f"the decoder sent {len(data)} bytes for a picture of {shape}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _luma_frames(head: dict[str, Any], data: bytes) -> list[LumaFrame]:
    times_s, damaged = head.get("times_s"), head.get("damaged")
    if not isinstance(times_s, list) or not isinstance(damaged, list) or len(times_s) != len(damaged):
        raise DecodeError("the decoder gave grey pictures without their times")
    if not times_s or (len(times_s) > 1 and len(data) > wire.LUMA_BYTES_A_REPLY):
        raise DecodeError("the decoder sent none or more grey pictures than asked for")
    if len(data) % len(times_s):
        raise DecodeError("the decoder sent half a picture")
    size_bytes = len(data) // len(times_s)
    return [
        LumaFrame(
            _time({"time_s": time_s}, "time_s"),
            _pixels(head, data[at * size_bytes : (at + 1) * size_bytes], 2),
            bool(damaged[at]),
        )
        for at, time_s in enumerate(times_s)
    ]


def _unpacked(data: bytes) -> Iterator[tuple[float, int, bool]]:
    try:
        return wire.PACKET.iter_unpack(data)
    except struct.error as error:
        raise DecodeError("the decoder sent half a packet") from error


def _cues(data: bytes) -> list[Cue]:
    if len(data) > wire.CUES_A_REPLY * _MAX_CUE_BYTES:
        raise DecodeError("the decoder sent more cues than asked for")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DecodeError("the decoder sent cues that are no JSON") from error
    if not isinstance(found, list):
        raise DecodeError("the decoder sent something that is no list of cues")
    return [_cue(fields) for fields in found]


def _cue(fields: Any) -> Cue:
    if not isinstance(fields, list) or len(fields) != 3:
        raise DecodeError(f"the decoder gave a cue as {str(fields)[:40]}")
    start_s, end_s = (_time({"a cue's time": time_s}, "a cue's time") for time_s in fields[:2])
    text = fields[2]
    if not isinstance(text, str) or len(text) > MAX_CUE_CHARS or end_s < start_s:
        raise DecodeError(f"the decoder gave a cue as {str(fields)[:40]}")
    return Cue(start_s, end_s, "\n".join(map(one_line, text.split("\n"))))


def _packet(fields: tuple[float, int, bool]) -> Packet:
    if not abs(fields[0]) < _MAX_TIME_S:  # NaN is not
        raise DecodeError(f"the decoder gave a packet the time {fields[0]}")
    return Packet(*fields)
