"""What a decoder's process gives up before it sees the first untrusted byte."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
import threading
import time

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same numbers on every architecture
_PR_SET_NO_NEW_PRIVS = 38
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FS_RIGHTS_BY_ABI = (13, 14, 15, 15, 16)
"""How many of the file system rights each version of Landlock knows, see linux/landlock.h."""


def limit_resources(memory_bytes: int) -> None:
    """Cap the memory, and let no file be written. Does nothing on Windows."""
    if sys.platform == "win32":
        return
    import resource

    limits = (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    )
    for kind, limit in limits:
        # A system may not know the limit, or have a lower one already: what it has is kept.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def give_up_access(*, may_read_files: bool) -> bool:
    """Deny this process files, TCP and signals to others by Landlock. True where the kernel has it.

    What is open stays open. Only threads started later inherit the denial.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return False
    rights = (1 << _FS_RIGHTS_BY_ABI[min(abi, len(_FS_RIGHTS_BY_ABI)) - 1]) - 1
    if may_read_files:
        rights &= ~(_READ_FILE | _READ_DIR)
    ruleset = struct.pack("=Q", rights)
    if abi >= 4:
        ruleset += struct.pack("=Q", 0b11)  # TCP: bind, connect
    if abi >= 6:
        ruleset += struct.pack("=Q", 0b11)  # what lies outside: abstract sockets, signals to processes
    descriptor = libc.syscall(_CREATE_RULESET, ruleset, len(ruleset), 0)
    if descriptor < 0:
        return False
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, descriptor, 0) == 0)
    finally:
        os.close(descriptor)


def die_with_parent() -> None:
    """End this process soon after its parent, however that one ended.

    An end of file on the pipe would tell too, but a process that is decoding does not read it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
