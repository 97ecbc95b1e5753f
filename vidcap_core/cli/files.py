"""What every command that writes files needs: names for videos' files, and files that are whole."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import SettingsError

_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST_STEM_BYTES = 100


class Names:
    """Names of files and folders, one for each video, no two alike on any file system."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def new(self, uri: str) -> str:
        """A name that tells which video it is for, without a suffix."""
        stem = _UNSAFE.sub("_", Path(uri).stem).lstrip(".").encode()[:_LONGEST_STEM_BYTES]
        name = stem_text = stem.decode(errors="ignore") or "video"
        number = 1
        while name.lower() in self._given:
            number += 1
            name = f"{stem_text}-{number}"
        self._given.add(name.lower())
        return name


def claim_folder(folder: Path) -> None:
    """Make a folder and see that it can be written to, before anything is paid for. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()


def check_folder(option: str, folder: Path) -> None:
    """See that the files of many videos can have a folder of that name. Raises SettingsError."""
    if folder.is_dir():
        return
    if folder.exists():
        raise SettingsError(f"{option} {folder} is a file: for many videos name a folder")
    if folder.suffix:
        raise SettingsError(
            f"{option} {folder} looks like a file: for many videos name a folder, or make this one first"
        )


def spare_inputs(uris: Iterable[str], *written: Path | None) -> None:
    """See that no file to be written is a video to be read. Raises SettingsError."""
    for file in filter(None, written):
        if any(_is_file(file, uri) for uri in uris):
            raise SettingsError(f"{file} is the video itself: name another file to write")


def _is_file(file: Path, uri: str) -> bool:
    try:
        return file.is_file() and file.samefile(uri)
    except (OSError, ValueError):  # an address, or what is no path at all
        return False


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file, text as UTF-8, so that it is there whole or not at all. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name[:50]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        # mkstemp's own mode is for secrets.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
