"""Whatever ends a command becomes an exit code and a line or two that say what to do."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Callable

from ..errors import VidcapError
from .terminal import redacted, say

BUG, DISK, INTERRUPTED, TERMINATED, PIPE_CLOSED = 1, 7, 130, 143, 141

_log = logging.getLogger("vidcap")


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run a command; returns its exit code, whatever happens in it."""
    _listen(debug=debug)
    # As Ctrl-C does: what is under way is stopped and cleaned up, then the process ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        code = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except VidcapError as error:
        _log.debug("ended by", exc_info=error)
        say(str(error))
        return error.exit_code
    except OSError as error:
        _log.debug("ended by", exc_info=error)
        say(_disk(error))
        return DISK
    except Exception as error:  # noqa: BLE001 - no traceback for a user
        _log.debug("ended by", exc_info=error)
        say(f"a bug in vidcap: {type(error).__name__}: {error}")
        say("Please report it with what --debug prints: https://github.com/vidcap/vidcap/issues")
        return BUG
    return code


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
