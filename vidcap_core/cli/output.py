"""Where results go: to stdout, to a file, or to a folder with a file for each video."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Self

from ..cue_writers import srt, vtt
from ..errors import SettingsError
from ..text import for_terminal, one_line
from ..types import Failure, Result
from ..writers import to_json
from .order import Format

# In a folder `talk.srt` is what people wrote, and what is found beside `talk.mp4` as its transcript.
_SUFFIXES = {one: f".{one}" for one in Format} | {
    Format.TEXT: ".txt",
    Format.SRT: ".vidcap.srt",
    Format.VTT: ".vidcap.vtt",
}
_SUBTITLES = {Format.SRT: srt, Format.VTT: vtt}
_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST_STEM = 100


class Output:
    """Writes outcomes as they come. Raises OSError, at once where nothing can be written."""

    def __init__(self, output_format: Format, out: Path | None, *, single: bool) -> None:
        self._format = output_format
        self._single = single
        self._file = out if out and single and not out.is_dir() else None
        self._folder = out if out and not self._file else None
        self._names: set[str] = set()
        self._written = 0
        self._claim()

    def _claim(self) -> None:
        # Before anything is paid for.
        if self._folder and self._folder.exists() and not self._folder.is_dir():
            raise SettingsError(f"--out {self._folder} is a file: for many videos name a folder")
        if self._format in _SUBTITLES and not (self._single or self._folder):
            raise SettingsError(
                f"--format {self._format} writes a file for each video: name a folder with --out"
            )
        folder = self._folder or (self._file.absolute().parent if self._file else None)
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_list:
            print("[]" if not self._written else "\n]")  # noqa: T201

    @property
    def _is_list(self) -> bool:
        return self._format is Format.JSON and not (self._single or self._folder)

    def write(self, outcome: Result | Failure) -> None:
        """Write one outcome. As text or subtitles a failure is no result: it is told on stderr."""
        text = self._text(outcome)
        if text is None:
            return
        if self._file or self._folder:
            _write_whole(self._file or self._new_path(outcome.uri), text + "\n")
        elif self._is_list:
            print("," if self._written else "[", text, sep="\n", end="", flush=True)  # noqa: T201
        else:
            print(text, flush=True)  # noqa: T201
        self._written += 1

    def _text(self, outcome: Result | Failure) -> str | None:
        if self._format in (Format.JSON, Format.JSONL):
            return to_json(outcome, indent=2 if self._format is Format.JSON else None)
        if isinstance(outcome, Failure):
            return None
        if self._format in _SUBTITLES:
            return _SUBTITLES[self._format](outcome).rstrip("\n")
        text = for_terminal(outcome.text)
        return text if self._single or self._folder else f"{one_line(outcome.uri)}\n{text}\n"

    def _new_path(self, uri: str) -> Path:
        assert self._folder is not None  # noqa: S101 - asked for only where there is one
        stem = _UNSAFE.sub("_", Path(uri).stem).lstrip(".").encode()[:_LONGEST_STEM].decode(errors="ignore")
        stem = stem or "video"
        name, number = stem, 1
        while name.lower() in self._names:
            number += 1
            name = f"{stem}-{number}"
        self._names.add(name.lower())
        return self._folder / (name + _SUFFIXES[self._format])


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name[:50]}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp's own mode is for secrets.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
