"""What parent and child say to each other: u32 head length, u32 body length, JSON head, bytes body."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

PACKET = struct.Struct("<dI?")
"""How a Packet travels: time_s, size_bytes, is_key."""
PACKETS_A_REPLY = 4096
LUMA_BYTES_A_REPLY = 1 << 18
"""Small grey pictures of one shape travel together, up to this or a single one that is larger."""
CUES_A_REPLY = 1024
"""Cues travel as JSON: a list of [start_s, end_s, text]."""

_LENGTHS = struct.Struct(">II")
_MAX_HEAD_BYTES = 1 << 22
"""Room for tens of thousands of picks."""


class WireError(Exception):
    """The other side is gone, or does not keep to the format."""


def pack(head: dict[str, Any], body: bytes = b"") -> bytes:
    """All that stands before the body of a message. Raises TypeError or ValueError."""
    # NaN is no JSON: better to fail where it was made.
    encoded = json.dumps(head, allow_nan=False).encode()
    return _LENGTHS.pack(len(encoded), len(body)) + encoded


def send(stream: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    """Write one message."""
    stream.write(pack(head, body))
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO, max_body_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Read one message, no longer than it may be. Raises WireError."""
    head_bytes, body_bytes = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if head_bytes > _MAX_HEAD_BYTES or body_bytes > max_body_bytes:
        raise WireError(f"a message of {head_bytes} + {body_bytes} bytes is too long")
    try:
        head = json.loads(_exactly(stream, head_bytes))
    except (ValueError, RecursionError) as error:
        raise WireError("a message is not JSON") from error
    if not isinstance(head, dict):
        raise WireError("a message is not an object")
    return head, _exactly(stream, body_bytes)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise WireError("the other side is gone")
    return data
