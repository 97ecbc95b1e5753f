"""Videos are opened here: each by a process of its own that is used again, or in this process."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..errors import DecodeError, SourceError
from .child import PathFile
from .parent import Child, ChildVideo

if TYPE_CHECKING:
    from ..plugin import Decoder
    from ..video import Video

_VIDEOS_A_CHILD = 200
"""Then a new one: libraries leak, and what one file has done to a process ends with it."""
_LOOK_S = 0.1


class Stop:
    """Ends work that a worker thread does: `set` it, and the decoder that it waits for is killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: list[Child] = []
        self.is_set = False

    def set(self) -> None:
        """Stop what is under way; what comes later fails at once."""
        with self._lock:
            self.is_set = True
            for child in self._children:
                child.kill("stopped")

    @contextmanager
    def kills(self, child: Child) -> Iterator[None]:
        """Let `set` end this child as long as the context lasts."""
        with self._lock:
            self.check()
            self._children.append(child)
        try:
            yield
        finally:
            with self._lock:
                self._children.remove(child)

    def check(self) -> None:
        """Raise DecodeError where it is set."""
        if self.is_set:
            raise DecodeError("stopped")


class DecoderPool:
    """Warm children of one decoder, as many as there are threads that open videos at once."""

    def __init__(self, decoder: Decoder, *, isolated: bool, timeout_s: float) -> None:
        self._decoder = decoder
        self._isolated = isolated
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._closed = threading.Event()
        self._watch: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process."""
        self._closed.set()
        with self._lock:
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.kill("closed")  # its own thread gives it back
        for child in idle:
            child.close()
        if self._watch:
            self._watch.join()

    @contextmanager
    def open(self, path: Path, stop: Stop) -> Iterator[Video]:
        """Open a video on this machine. Raises SourceError, DecodeError."""
        stop.check()
        _check_is_file(path)
        with self._open_in_child(path, stop) if self._isolated else self._open_here(path) as video:
            yield video

    @contextmanager
    def _open_here(self, path: Path) -> Iterator[Video]:
        with _openable():
            file = PathFile(str(path))
        with file, self._decoder.open(file) as video:
            yield video

    @contextmanager
    def _open_in_child(self, path: Path, stop: Stop) -> Iterator[Video]:
        child = self._take()
        try:
            with stop.kills(child):
                child.start()
                try:
                    with _openable():
                        facts = child.open(path)
                    yield ChildVideo(child, facts)
                finally:
                    child.close_video()
        finally:
            self._give_back(child)

    def _take(self) -> Child:
        with self._lock:
            child = self._idle.pop() if self._idle else None
        if child is None or not child.is_usable:
            if child:
                child.close()
            child = Child(self._decoder, self._timeout_s)
        with self._lock:
            if not self._closed.is_set():
                self._busy.add(child)
                self._start_watch()
                return child
        child.close()
        raise DecodeError("the decoders are closed")

    def _start_watch(self) -> None:
        if self._watch is None:
            self._watch = threading.Thread(target=self._kill_the_overdue, name="vidcap-watch", daemon=True)
            self._watch.start()

    def _give_back(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
            if child.is_usable and child.videos < _VIDEOS_A_CHILD and not self._closed.is_set():
                self._idle.append(child)
                return
        child.close()

    def _kill_the_overdue(self) -> None:
        limit = f"{self._timeout_s:g} s"
        while not self._closed.wait(_LOOK_S):
            with self._lock:
                for child in self._busy:
                    if child.overdue:
                        child.kill(f"the decoder took longer than {limit}; `decoder_timeout_s` is the limit")


@contextmanager
def _openable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(f"the file cannot be opened: {error.strerror}") from error


def _check_is_file(path: Path) -> None:
    with _openable():
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        # To open a pipe that nobody writes to would take forever.
        raise SourceError("this is no file but a folder, a pipe or a device")
