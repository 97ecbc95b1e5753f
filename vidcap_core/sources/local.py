"""Files on this machine: one by one, by folder, by pattern."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import SourceError
from ..plugin import Claim, Source
from ..types import Media, Want

VIDEO_SUFFIXES = frozenset(
    [".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"]
)
"""What counts as a video in a folder. A file that is named itself is opened whatever its name."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Two letters at least, for C: is a drive."""
_PATTERN = re.compile(r"[*?[]")


class LocalSource(Source):
    """Files, folders and patterns such as `clips/**/*.mp4` on this machine."""

    name = "local"

    def claims(self, uri: str) -> Claim:
        """Claim all that has no scheme; a file's name may look as if it had one."""
        if uri.startswith("file://"):
            return Claim.YES
        scheme = _SCHEME.match(uri)
        if scheme is None:
            return Claim.YES
        return Claim.NO if uri.startswith("//", scheme.end()) else Claim.MAYBE

    def expand(self, uri: str) -> Iterator[str]:
        """Yield the videos of a folder, at any depth, or of a pattern, in order of their names."""
        path = _path(uri)
        if path.is_dir():
            yield from _found(_videos_below(path), f"the folder {path} holds no video")
        elif _PATTERN.search(uri) and not os.path.lexists(path):
            matches = sorted(glob.iglob(str(path), recursive=True))  # noqa: PTH207 - patterns may be absolute
            files = (match for match in matches if os.path.isfile(match))  # noqa: PTH113
            yield from _found(files, f"nothing matches the pattern {path}")
        else:
            yield uri

    @contextmanager
    def open(self, uri: str, want: Want) -> Iterator[Media]:
        """Look the file up; it is opened where it is decoded."""
        path = _path(uri)
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "that is no path"
            raise SourceError(f"cannot open it: {reason}") from error
        if not stat.S_ISREG(status.st_mode):
            # A pipe or a device would block whoever opens it.
            raise SourceError("it is a folder" if path.is_dir() else "it is no regular file")
        identity: dict[str, str | int] = {"size_bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        yield Media(uri=uri, location=path, identity=identity)


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path) if uri.startswith("file://") else uri)


def _videos_below(folder: Path) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _videos_below(Path(entry.path))
        elif Path(entry.name).suffix.lower() in VIDEO_SUFFIXES:
            yield entry.path


def _found(uris: Iterator[str], otherwise: str) -> Iterator[str]:
    none = True
    for uri in uris:
        none = False
        yield uri
    if none:
        raise SourceError(otherwise)
