"""The parent's end of the process that runs yt-dlp: JSON lines there and back, and a deadline."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidcap_core import SourceError

_log = logging.getLogger("vidcap")

_KEPT_ENVIRONMENT = (
    "PATH",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_MAX_LINE_BYTES = 1 << 20
_POLL_S = 0.2


class Child:
    """One process of yt-dlp, which does one job and ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        # Bounded: what a site lists is read no faster than it is wanted.
        self._lines: queue.Queue[bytes] = queue.Queue(maxsize=4)
        self._is_over = False
        self._reader = threading.Thread(target=self._read, name="vidcap-youtube", daemon=True)
        self._reader.start()

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        with contextlib.suppress(OSError):  # it has ended: what it said last tells why
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def listen(self, timeout_s: float, on_wait: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """The next message; `on_wait` is called several times a second meanwhile. Raises SourceError."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            on_wait()
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise SourceError("fetching it took too long: raise timeout_s, or try again later")
            with contextlib.suppress(queue.Empty):
                return _message(self._lines.get(timeout=min(_POLL_S, left_s)))

    def end(self) -> None:
        """Kill it, with whatever it has started."""
        self._is_over = True
        if sys.platform == "win32":
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what could not be sent any more
                if pipe is not None:
                    pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        line = b"begin"
        while line and not self._is_over:
            line = self._process.stdout.readline(_MAX_LINE_BYTES)
            while not self._is_over:
                with contextlib.suppress(queue.Full):
                    self._lines.put(line, timeout=_POLL_S)
                    break


@contextmanager
def started(folder: Path, *, plugins: bool, proxies: bool) -> Iterator[Child]:
    """Start a process that works in `folder` and knows neither keys nor the user's home."""
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    if proxies:
        environment |= {name: value for name, value in os.environ.items() if name.lower() in _PROXIES}
    if not plugins:
        environment["YTDLP_NO_PLUGINS"] = "1"
    # Settings, caches and .netrc are looked for at home: there are none in the folder.
    environment |= dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), str(folder))
    environment["PYTHONPATH"] = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vidcap_youtube.child"],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if _log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise SourceError(f"no process can be started for yt-dlp: {error.strerror}") from error
    child = Child(process)
    try:
        yield child
    finally:
        child.end()


def _message(line: bytes) -> dict[str, Any]:
    if not line:
        raise SourceError("yt-dlp's process ended without a word; --debug shows what it said")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError("yt-dlp's process sent what is no message") from error
    if not isinstance(message, dict):
        raise SourceError("yt-dlp's process sent what is no message")
    return message
