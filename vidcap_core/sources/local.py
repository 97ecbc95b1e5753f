"""Files on this machine: one by one, by folder, by pattern."""

from __future__ import annotations

import difflib
import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from ..errors import SourceError
from ..plugin import Claim, Source
from ..types import Media, Want
from .sidecar import transcript_beside

VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .flv .gif .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .vob .webm .wmv".split()  # noqa: SIM905 - a list would take a line for each
)
"""What counts as a video in a folder. A file that is named itself is opened whatever its name."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Two letters at least, for C: is a drive."""
_FILE_URI = re.compile(r"file:(?://(?P<host>[^/]*)|(?=/))", re.I)
_WILD = re.compile(r"[*?[]")
_NAMES_LOOKED_AT = 5000


class LocalSource(Source):
    """Files, folders and patterns such as `clips/**/*.mp4` on this machine."""

    name = "local"

    def claims(self, uri: str) -> Claim:
        """Claim all that has no scheme; a file's name may look as if it had one."""
        scheme = _SCHEME.match(uri)
        if scheme is None or _FILE_URI.match(uri):
            return Claim.YES
        return Claim.NO if uri.startswith("//", scheme.end()) else Claim.MAYBE

    def expand(self, uri: str) -> Iterator[str]:
        """Yield the videos of a folder, at any depth, or of a pattern, in order of their names.

        Hidden files and folders are passed over, and links to folders lead no deeper.
        """
        path = _path(uri)
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for some names
            yield from _found(
                filter(_is_wanted, _matches(path, ("**", "*"))), f"the folder {_shown(path)} holds no video"
            )
            return
        base, pattern = _parted(path)
        if pattern and _WILD.search(uri):
            yield from _found(_matches(base, pattern), f"nothing matches the pattern {_shown(path)}")
        else:
            yield uri

    @contextmanager
    def open(self, uri: str, want: Want) -> Iterator[Media]:
        """Look the file up, and its subtitles beside it; it is opened where it is decoded."""
        path = _path(uri)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceError(_missing(path)) from error
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot open it: {_reason(error)}") from error
        if not os.access(path, os.R_OK):
            raise SourceError("cannot open it: you may not read it")
        if not stat.S_ISREG(status.st_mode):
            # A pipe or a device would block whoever opens it.
            raise SourceError("it is a folder" if stat.S_ISDIR(status.st_mode) else "it is no regular file")
        identity: dict[str, str | int] = {"size_bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        transcript, notices = transcript_beside(path, want.languages)
        yield Media(uri=uri, location=path, transcript=transcript, notices=tuple(notices), identity=identity)


def _path(uri: str) -> Path:
    text = _uri_path(uri)
    if not text:
        raise SourceError("its name is empty")
    return Path(text)


def _uri_path(uri: str, windows: bool = os.name == "nt") -> str:
    """Give the path of a file: URI; anything else is a path already, whatever it looks like."""
    prefix = _FILE_URI.match(uri)
    if prefix is None:
        return uri
    host = prefix["host"] or "localhost"
    if host.lower() != "localhost":
        raise SourceError(f"{host!r} names another machine: write file:///path, or the path alone")
    # A ? and a # belong to the name: of the URL's other parts a file has none. Bytes that are not
    # UTF-8 become what Python makes of them in the names that it lists.
    path = unquote(uri[prefix.end() :], errors="surrogateescape")
    return path[1:] if windows and re.match(r"/[A-Za-z]:", path) else path


def _is_wanted(path: Path) -> bool:
    # A folder that comes here is one that could not be read.
    return path.suffix.lower() in VIDEO_SUFFIXES or path.is_dir()


def _parted(pattern: Path) -> tuple[Path, tuple[str, ...]]:
    """Part a pattern into the folder where the search begins, and what names below have to match.

    What is really called so is no wildcard: `[2024] trip/*.mp4` finds what it should.
    """
    base, parts = Path(pattern.anchor), pattern.parts[1 if pattern.anchor else 0 :]
    for place, part in enumerate(parts):
        if _WILD.search(part) and not os.path.lexists(base / part):
            rest = parts[place:]
            return base, (*rest, "*") if rest[-1] == "**" else rest
        base /= part
    return base, ()


def _matches(base: Path, pattern: tuple[str, ...]) -> Iterator[Path]:
    """Walk a folder in order of names and yield what matches and is no folder.

    `places` are the parts of the pattern that the next name may match: several at once after a
    `**`, so that each folder is read once. Nothing nests, however deep the folders do.
    """
    walk = [(iter(_entries(base)), base, _places({0}, pattern))]
    while walk:
        entries, folder, places = walk[-1]
        entry = next(entries, None)
        if entry is None:
            walk.pop()
            continue
        path, after = folder / entry.name, _places(_after(entry, places, pattern), pattern)
        if not _leads_on(entry):
            if len(pattern) in after:
                yield path
        elif after - {len(pattern)}:
            try:
                walk.append((iter(_entries(path)), path, after))
            except SourceError:
                yield path  # it becomes a failure of its own, instead of being passed over in silence


def _leads_on(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _after(entry: os.DirEntry[str], places: set[int], pattern: tuple[str, ...]) -> Iterator[int]:
    for place in places - {len(pattern)}:
        part = pattern[place]
        if entry.name.startswith(".") and not part.startswith("."):
            continue
        if part != "**":
            if fnmatch.fnmatch(entry.name, part):
                yield place + 1
        elif entry.is_dir(follow_symlinks=False):  # a link may lead back up
            yield place


def _places(places: Iterable[int], pattern: tuple[str, ...]) -> set[int]:
    """Add what follows a `**`, for that matches no folder at all as well."""
    found = set(places)
    for place, part in enumerate(pattern):
        if part == "**" and place in found:
            found.add(place + 1)
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read the folder {_shown(folder)}: {_reason(error)}") from error


def _found(paths: Iterator[Path], otherwise: str) -> Iterator[str]:
    path = None
    for path in paths:
        # A name that begins like a URL must not be taken for one.
        yield f".{os.sep}{path}" if _SCHEME.match(str(path)) else str(path)
    if path is None:
        raise SourceError(otherwise)


def _missing(path: Path) -> str:
    if not os.path.isdir(path.parent):  # noqa: PTH112 - Path.is_dir raises for some names
        return f"there is no such file, for there is no folder {_shown(path.parent)}"
    near = _near(path)
    return f"there is no such file; is it {' or '.join(near)}?" if near else "there is no such file"


def _near(path: Path) -> list[str]:
    """Names in the same folder that it might be, ready to be shown."""
    try:
        with os.scandir(path.parent) as entries:
            names = {entry.name.lower(): entry.name for entry in islice(entries, _NAMES_LOOKED_AT)}
    except OSError:
        return []  # only a hint is lost, and there is an error to report already
    near = difflib.get_close_matches(path.name.lower(), sorted(names), n=3, cutoff=0.7)
    return [_shown(names[name]) for name in near]


def _reason(error: OSError | ValueError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "that is no path"


def _shown(path: Path | str) -> str:
    # Names hold line breaks, escapes, and bytes that cannot be written.
    return ascii(str(path)) if not str(path).isprintable() else f"'{path}'"
