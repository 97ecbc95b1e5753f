"""What a process costs: CPU seconds, wall seconds and peak memory. For Linux.

Imports little, for the processes that are measured import it as well.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MB = 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a process and of all that it started and waited for."""

    cpu_s: float
    """User and system time."""
    wall_s: float
    said: dict[str, Any]
    """The JSON that it printed last."""


class RunError(Exception):
    """A process that failed, in its own last words."""


def cost_of(script: str, *arguments: str, folder: Path, timeout_s: float = 900.0) -> Cost:
    """Run a script that stands beside this one, in a fresh interpreter and in a folder. Raises RunError."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began_s = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=_environment(), stdout=out, stderr=errors)
        killer = threading.Timer(timeout_s, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began_s
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RunError(_last_words(errors.read().decode(errors="replace"), process.returncode))
        said = json.loads(out.read().splitlines()[-1])
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, said)


def peak_mb() -> float:
    """The most memory that this process has had, its own pages and those it shares."""
    # `ru_maxrss` of a process that was started by a larger one is that one's.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / _MB for line in lines if line.startswith("VmHWM:"))


def largest_child_mb() -> float:
    """The most memory that one of the processes had which this one started, and which have ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / _MB


def _environment() -> dict[str, str]:
    """Without settings of vidcap's, which would change what is measured, and with compiled modules kept."""
    left_out = ("VIDCAP_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def _last_words(errors: str, code: int) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1][-120:] if lines else f"ended with code {code}"
