"""A source for videos in zip archives: zip://clips.zip!one.mp4, or zip://clips.zip for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from vidcap_core import Claim, Media, Source, SourceError, Want, hookimpl

SCHEME = "zip://"


class Zipped(Source):
    """Read videos out of zip archives."""

    name = "zipped"
    suffixes: tuple[str, ...] = (".mp4", ".mkv", ".webm")

    def claims(self, uri: str) -> Claim:
        """Claim what begins with the scheme."""
        return Claim.YES if uri.startswith(SCHEME) else Claim.NO

    def expand(self, uri: str) -> Iterator[str]:
        """An archive stands for the videos in it."""
        archive, _, member = uri.removeprefix(SCHEME).partition("!")
        if member:
            yield uri
            return
        with _opened(archive) as opened:
            names = [name for name in opened.namelist() if name.endswith(self.suffixes)]
        yield from (f"{SCHEME}{archive}!{name}" for name in names)

    @contextmanager
    def open(self, uri: str, want: Want) -> Iterator[Media]:
        """Unpack one video for as long as it is needed."""
        archive, _, member = uri.removeprefix(SCHEME).partition("!")
        with _opened(archive) as opened, TemporaryDirectory() as folder:
            try:
                path = Path(opened.extract(member, folder))
            except KeyError:
                raise SourceError(f"{archive} holds no {member!r}") from None
            yield Media(uri=uri, location=path, identity={"crc32": opened.getinfo(member).CRC})


def _opened(archive: str) -> ZipFile:
    try:
        return ZipFile(archive)
    except (OSError, BadZipFile) as error:
        raise SourceError(f"{archive} cannot be opened: {error}") from error


@hookimpl
def vidcap_sources() -> list[type[Source]]:
    """Offer `zipped`."""
    return [Zipped]
