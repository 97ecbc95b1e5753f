"""Videos in zip archives: zip://clips.zip!one.mp4, or zip://clips.zip for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from vidcap_core import Claim, Media, Source, SourceError, Want, hookimpl


class Zipped(Source):
    """Read videos out of zip archives."""

    name = "zipped"
    suffixes: tuple[str, ...] = (".mp4", ".mkv", ".webm")

    def claims(self, uri: str) -> Claim:
        return Claim.YES if uri.startswith("zip://") else Claim.NO

    def expand(self, uri: str) -> Iterator[str]:
        if "!" in uri:
            yield uri
            return
        with opened(uri) as archive:
            names = [name for name in archive.namelist() if name.endswith(self.suffixes)]
        yield from (f"{uri}!{name}" for name in names)

    @contextmanager
    def open(self, uri: str, want: Want) -> Iterator[Media]:
        uri_of_archive, _, name = uri.partition("!")
        with opened(uri_of_archive) as archive, TemporaryDirectory() as folder:
            if name not in archive.namelist():
                raise SourceError(f"{uri_of_archive} holds no {name!r}")
            path = Path(archive.extract(name, folder))
            yield Media(uri=uri, location=path, identity={"crc32": archive.getinfo(name).CRC})


def opened(uri: str) -> ZipFile:
    """Open an archive. Raises SourceError."""
    try:
        return ZipFile(uri.removeprefix("zip://"))
    except (OSError, BadZipFile) as error:
        raise SourceError(f"{uri} cannot be opened: {error}") from error


@hookimpl
def vidcap_sources() -> list[type[Source]]:
    """Offer `zipped`."""
    return [Zipped]
