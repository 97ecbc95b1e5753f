"""Whatever ends a command becomes an exit code and a line or two that say what to do."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Callable

from ..errors import VidcapError
from .terminal import redacted, say

BUG, DISK, INTERRUPTED, TERMINATED, PIPE_CLOSED = 1, 7, 130, 143, 141

_log = logging.getLogger("vidcap")


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as Ctrl-C: what is under way is stopped and cleaned up, then the process ends."""


def _terminate(*_: object) -> None:
    raise _Terminated


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run a command; returns its exit code, whatever happens in it."""
    _listen(debug=debug)
    _write_anything()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = command()
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        # All is cleaned up; what a plugin still does holds up nobody who asks again.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        say("stopped")
        return TERMINATED if isinstance(interrupt, _Terminated) else INTERRUPTED
    except Exception as error:  # noqa: BLE001 - no traceback for a user
        _log.debug("ended by", exc_info=error)
        return _told(error)
    return code


def _told(error: Exception) -> int:
    """Say what happened and what to do; returns the exit code."""
    match error:
        case BrokenPipeError():  # whoever read our output has gone
            _give_up_output()
            return PIPE_CLOSED
        case VidcapError():
            say(str(error))
            return error.exit_code
        case OSError():
            _give_up_output()
            say(_disk(error))
            return DISK
    say(f"a bug in vidcap: {type(error).__name__}: {error}")
    say("please report it, with what --debug prints")
    return BUG


def _give_up_output() -> None:
    """Forget what could not be written: Python would try once more at the end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_anything() -> None:
    """No caption in Chinese fails for want of a letter in the terminal's or the pipe's encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _disk(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else " the output"
    full = "; make room and run it again" if error.errno == errno.ENOSPC else ""
    return f"cannot write{where}: {error.strerror or error}{full}"


class _Redacted(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _listen(*, debug: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacted("%(asctime)s %(name)s: %(message)s"))
    _log.handlers = [handler]
    _log.setLevel(logging.DEBUG if debug else logging.WARNING)
    _log.propagate = False
