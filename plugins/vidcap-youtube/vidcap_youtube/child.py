"""The process that runs yt-dlp: `python -m vidcap_youtube.child`. One job in, messages out.

It reads a job and writes `progress`, then `video` or `error`. Of a list it writes an `entry` for
every line that it reads, then `end`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import yt_dlp  # type: ignore[import-untyped] # it ships no types
from yt_dlp.utils import UnsupportedError  # type: ignore[import-untyped]

from . import captions, formats
from .listing import listed

VIDEO, CAPTIONS = "video", "captions"
_EVERY_S = 0.1
_MAX_CAPTIONS_BYTES = 8 << 20
_MAX_MEMORY_BYTES = 4 << 30
_MAX_CHAPTERS = 1000
_MAX_TEXT = 1000
_TOLD = ("id", "extractor", "format_id", "duration", "uploader", "upload_date", "timestamp", "language")


class Refused(Exception):
    """What the parent shall hear, in words of yt-dlp or in ours."""


class Log:
    """Keeps what yt-dlp warns of, for it may be why it fails afterwards."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        sys.stderr.write(message + "\n")

    def warning(self, message: str) -> None:
        self.warnings = [*self.warnings[-20:], message[:_MAX_TEXT]]
        self.debug(message)

    error = debug


class Wire:
    """Lines of JSON to the parent and from it."""

    def __init__(self, calls: IO[bytes], replies: IO[bytes]) -> None:
        self._calls, self._replies = calls, replies

    def send(self, **message: Any) -> None:
        self._replies.write(json.dumps(message).encode() + b"\n")
        self._replies.flush()

    def receive(self) -> dict[str, Any]:
        line = self._calls.readline()
        if not line:
            sys.exit(0)
        message: dict[str, Any] = json.loads(line)
        return message


class Meter:
    """Tells how far the download is, and stops one that is too large."""

    def __init__(self, wire: Wire, max_bytes: int) -> None:
        self._wire, self.max_bytes = wire, max_bytes
        self._told_s = 0.0

    def __call__(self, status: Mapping[str, Any]) -> None:
        done, total = int(status.get("downloaded_bytes") or 0), status.get("total_bytes")
        if max(done, int(total or 0)) > self.max_bytes:
            raise Refused(f"File too large: more than {self.max_bytes} bytes")
        if time.monotonic() - self._told_s > _EVERY_S or status.get("status") == "finished":
            self._told_s = time.monotonic()
            self._wire.send(kind="progress", done=done, total=total and int(total))


def options(job: Mapping[str, Any], log: Log, meter: Meter) -> dict[str, Any]:
    """All that yt-dlp is ever told: nothing of a user's reaches it but what stands here."""
    return {
        "format": lambda context: filter(None, [formats.choose(context, job["long_side_px"])]),
        "logger": log,
        "progress_hooks": [meter],
        "proxy": job["proxy"],
        "cookiefile": job["cookies"],
        "playlist_items": job["item"] or "1:2",  # two are enough to know that it is a list
        "noplaylist": True,
        "extract_flat": job["work"] == "list",
        "lazy_playlist": True,
        "hls_prefer_native": True,
        "ffmpeg_location": "no-ffmpeg",  # a program that opens what a playlist names, unasked
        "fixup": "never",
        "js_runtimes": {"deno": {}, "node": {}},
        "skip_unavailable_fragments": False,
        "cachedir": False,
        "usenetrc": False,
        "enable_file_urls": False,
        "allow_unplayable_formats": False,
        "default_search": "error",
        "socket_timeout": 20,
        "retries": 2,
        "fragment_retries": 2,
        "extractor_retries": 1,
        "file_access_retries": 0,
        "updatetime": False,
        "overwrites": True,
        "quiet": True,
        "noprogress": True,
        "color": {"stdout": "never", "stderr": "never"},
    }


def fetch(ydl: Any, job: Mapping[str, Any], wire: Wire, meter: Meter) -> None:
    """Extract and download one video, and its subtitles."""
    info = ydl.extract_info(job["uri"], download=False)
    if info and info.get("_type") in ("playlist", "multi_video"):
        info = _only(list(info.get("entries") or ()))
    if not info:
        raise Refused("No video could be found")
    if info.get("live_status") in ("is_live", "is_upcoming") or info.get("is_live"):
        raise Refused("This is a live stream")
    if not formats.is_usable(info):
        raise Refused("Requested format is not available")
    told = _told(info)
    if track := captions.choose(info, job["languages"], translated=job["translated"]):
        told |= _fetch_captions(ydl, track, meter)
    meter.max_bytes = job["max_file_bytes"]
    succeeded, _ = ydl.dl(VIDEO, info)
    if not succeeded or not Path(VIDEO).is_file():
        raise Refused("Did not get any data")
    wire.send(kind="video", **told)


def _only(entries: list[Any]) -> Any:
    if len(entries) > 1:
        raise Refused("it is a list")
    return next(iter(entries), None)


def _fetch_captions(ydl: Any, track: captions.Track, meter: Meter) -> dict[str, Any]:
    name = f"{CAPTIONS}.{track.entry['ext']}"
    meter.max_bytes = _MAX_CAPTIONS_BYTES
    try:
        if data := track.entry.get("data"):
            Path(name).write_text(str(data)[:_MAX_CAPTIONS_BYTES], encoding="utf-8")
        else:
            ydl.dl(name, dict(track.entry), subtitle=True)
    except Exception as error:  # noqa: BLE001 - whatever it is: the pictures can do without
        return {"no_captions": str(error)[:_MAX_TEXT]}
    return {"captions": name, "captions_language": track.language, "captions_origin": track.origin}


def _told(info: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: _short(info.get(name)) for name in _TOLD}
    chapters = [
        [chapter.get("start_time"), chapter.get("end_time"), _short(chapter.get("title"))]
        for chapter in (info.get("chapters") or ())[:_MAX_CHAPTERS]
    ]
    title = info.get("fulltitle") or info.get("title")
    return told | {"title": _short(title), "page": _short(info.get("webpage_url")), "chapters": chapters}


def _short(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float)) else str(value)[:_MAX_TEXT]


def _work(job: dict[str, Any], wire: Wire) -> None:
    log, meter = Log(), Meter(wire, job["max_file_bytes"])
    try:
        with yt_dlp.YoutubeDL(options(job, log, meter)) as ydl:
            if job["work"] == "fetch":
                fetch(ydl, job, wire, meter)
                return
            for uri in listed(ydl, job["uri"], job["uri"]):
                wire.receive()
                wire.send(kind="entry", uri=uri[: 8 * _MAX_TEXT])
            wire.receive()
            wire.send(kind="end")
    except UnsupportedError:
        wire.send(kind="error", message="Unsupported URL", warnings=log.warnings)
    except Exception as error:  # noqa: BLE001 - whatever an extractor raises is told to the parent
        wire.send(kind="error", message=str(error)[: 4 * _MAX_TEXT], warnings=log.warnings)


def _limit(max_file_bytes: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    # Not the address space: JavaScript engines reserve far more of it than they use.
    limits = (
        (resource.RLIMIT_FSIZE, max_file_bytes),
        (resource.RLIMIT_DATA, _MAX_MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, limit in limits:
        _, most = resource.getrlimit(kind)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(kind, (limit, limit))


def main() -> None:
    """Do the one job."""
    from vidcap_core.isolation.sandbox import die_with_parent

    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        die_with_parent()
    wire = Wire(calls, replies)
    job = wire.receive()
    _limit(max(job["max_file_bytes"], _MAX_CAPTIONS_BYTES))
    _work(job, wire)


if __name__ == "__main__":
    main()
