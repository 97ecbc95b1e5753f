"""Where results go: to stdout, to a file, or to a folder with a file for each video."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from ..cue_writers import srt, vtt
from ..errors import SettingsError
from ..text import for_terminal, one_line
from ..types import Failure, Result
from ..writers import to_json
from .files import Names, check_folder, claim_folder, write_whole
from .order import Format

# In a folder `talk.srt` is what people wrote, and what is found beside `talk.mp4` as its transcript.
_SUFFIXES = {one: f".{one}" for one in Format} | {
    Format.TEXT: ".txt",
    Format.SRT: ".vidcap.srt",
    Format.VTT: ".vidcap.vtt",
}
_SUBTITLES = {Format.SRT: srt, Format.VTT: vtt}


class Output:
    """Puts a text for each video where it is wanted. Raises OSError, at once where nothing can be written."""

    def __init__(self, out: Path | None, suffix: str, *, single: bool, is_list: bool = False) -> None:
        self._suffix = suffix
        self._file = out if out and single and not out.is_dir() else None
        self._folder = out if out and not self._file else None
        self.is_shared = not (single or self._folder)
        """Whether the texts of many videos follow each other."""
        self._is_list = is_list and self.is_shared
        self._names = Names()
        self._written = 0
        self._claim()

    def _claim(self) -> None:
        # Before anything is paid for.
        if self._folder:
            check_folder("--out", self._folder)
        folder = self._folder or (self._file.absolute().parent if self._file else None)
        if folder:
            claim_folder(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_list:
            print("[]" if not self._written else "\n]")  # noqa: T201

    def put(self, uri: str, text: str) -> None:
        """Write the text of one video."""
        if self._folder:
            write_whole(self._folder / (self._names.new(uri) + self._suffix), text + "\n")
        elif self._file:
            write_whole(self._file, text + "\n")
        elif self._is_list:
            print("," if self._written else "[", text, sep="\n", end="", flush=True)  # noqa: T201
        else:
            print(text, flush=True)  # noqa: T201
        self._written += 1

    def titled(self, uri: str, text: str) -> str:
        """A text for people, below its video's name where others follow."""
        return f"{one_line(uri)}\n{text}\n" if self.is_shared else text


class ResultOutput(Output):
    """Writes results as they come."""

    def __init__(self, output_format: Format, out: Path | None, *, single: bool) -> None:
        super().__init__(out, _SUFFIXES[output_format], single=single, is_list=output_format is Format.JSON)
        self._format = output_format
        if output_format in _SUBTITLES and self.is_shared:
            raise SettingsError(
                f"--format {output_format} writes a file for each video: name a folder with --out"
            )

    def write(self, outcome: Result | Failure) -> None:
        """Write one outcome. As text or subtitles a failure is no result: it is told on stderr."""
        if self._format in (Format.JSON, Format.JSONL):
            self.put(outcome.uri, to_json(outcome, indent=2 if self._format is Format.JSON else None))
        elif isinstance(outcome, Result):
            self.put(outcome.uri, self._text(outcome))

    def _text(self, result: Result) -> str:
        if self._format in _SUBTITLES:
            return _SUBTITLES[self._format](result).rstrip("\n")
        return self.titled(result.uri, for_terminal(result.text))
