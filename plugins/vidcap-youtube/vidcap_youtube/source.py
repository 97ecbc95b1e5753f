"""The source: YouTube, and every other site that yt-dlp knows."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr

from vidcap_core import Chapter, Claim, Media, SettingsError, Source, SourceError, Transcript, Want

from .process import Child, started
from .refusals import refused

_HOSTS = ("youtube.com", "youtu.be", "youtube-nocookie.com")
_SEARCH = re.compile(r"ytsearch(date)?([1-9][0-9]*|all)?:.", re.I)
_ITEM = re.compile(r"vidcap_item=([1-9][0-9]{0,6})")
_VIDEO = "video"
_ENVIRONMENT = "environment"
_DETAILS = {"extractor": "site", "uploader": "uploader", "upload_date": "upload_date", "page": "page"}
_IDENTITY = {"extractor": "site", "id": "id", "format_id": "format", "timestamp": "published"}


class YouTube(Source):
    """Fetch videos from YouTube and the other sites that yt-dlp knows."""

    name = "youtube"
    cookies_file: Path | None = Field(
        default=None, description="Cookies of a browser, in Netscape's format, for what needs a login."
    )
    proxy: SecretStr | None = Field(
        default=None,
        description="URL of a proxy, or `environment` for what HTTPS_PROXY says; by default none.",
    )
    max_file_bytes: PositiveInt = Field(default=2 << 30, description="A larger video is refused.")
    timeout_s: PositiveFloat = Field(default=1800.0, description="How long fetching a video may take.")
    max_videos: PositiveInt | None = Field(
        default=None, description="Videos to take of a playlist, a channel or a search; by default all."
    )
    translated_captions: bool = Field(
        default=False, description="Also take automatic captions that the site has translated."
    )
    plugins: bool = Field(default=False, description="Let yt-dlp load the plugins that are installed for it.")

    def claims(self, uri: str) -> Claim:
        """Claim YouTube's own addresses and searches; any other page may hold a video."""
        if _SEARCH.match(uri):
            return Claim.YES
        if not (host := _host(uri)):
            return Claim.NO
        is_own = any(host == own or host.endswith("." + own) for own in _HOSTS)
        return Claim.YES if is_own else Claim.MAYBE

    def expand(self, uri: str) -> Iterator[str]:
        """Yield the videos of a playlist, a channel, a search or a page, one after the other."""
        _check(uri, may_search=True)
        if _is_one_video(uri):
            yield uri
            return
        with _temporary() as folder, self._child(folder) as child:
            child.tell(self._job(uri, folder, Want(), work="list"))
            yield from islice(self._listed(child), self.max_videos)

    @contextmanager
    def open(self, uri: str, want: Want) -> Iterator[Media]:
        """Fetch one video, in the smallest format that will do, for as long as it is needed."""
        _check(uri, may_search=False)
        with _temporary() as folder:
            with self._child(folder) as child:
                child.tell(self._job(uri, folder, want, work="fetch"))
                told = self._fetched(child, want)
            yield _media(uri, folder, told)

    def _child(self, folder: Path) -> AbstractContextManager[Child]:
        return started(folder, plugins=self.plugins, proxies=self._proxy() == _ENVIRONMENT)

    def _proxy(self) -> str:
        return self.proxy.get_secret_value() if self.proxy else ""

    def _job(self, uri: str, folder: Path, want: Want, *, work: str) -> dict[str, Any]:
        item = _ITEM.fullmatch(urlsplit(uri).fragment)
        proxy = self._proxy()
        return {
            "work": work,
            "uri": uri.partition("#")[0] if item else uri,
            "item": item and item[1],
            "long_side_px": want.long_side_px,
            "languages": want.languages,
            "translated": self.translated_captions,
            "max_file_bytes": self.max_file_bytes,
            "proxy": None if proxy == _ENVIRONMENT else proxy,
            "cookies": self._cookies(folder),
        }

    def _cookies(self, folder: Path) -> str | None:
        """A copy: yt-dlp writes back what sites have set."""
        if self.cookies_file is None:
            return None
        try:
            return str(shutil.copyfile(self.cookies_file, folder / "cookies.txt"))
        except OSError as error:
            raise SettingsError(f"cookies_file cannot be read: {error.strerror}") from error

    def _listed(self, child: Child) -> Iterator[str]:
        while True:
            child.tell({})
            message = _unless_refused(child.listen(self.timeout_s))
            if message["kind"] == "end":
                return
            yield str(message["uri"])

    def _fetched(self, child: Child, want: Want) -> dict[str, Any]:
        ends_s = time.monotonic() + self.timeout_s
        done, total = 0, None
        while True:
            left_s = ends_s - time.monotonic()
            message = _unless_refused(child.listen(left_s, partial(want.on_bytes, done, total)))
            if message["kind"] == "video":
                want.on_bytes(done, total)
                return message
            done, total = int(message["done"]), message["total"]


def _check(uri: str, *, may_search: bool) -> None:
    if _SEARCH.match(uri):
        if not may_search:
            raise SourceError("a search stands for many videos: use run(), or the address of one of them")
    elif not _host(uri):
        raise SourceError("only http:// and https:// addresses are fetched")


def _host(uri: str) -> str:
    """The host of an http(s) address; empty where it is none."""
    try:
        parts = urlsplit(uri)
        return (parts.hostname or "") if parts.scheme.lower() in ("http", "https") else ""
    except ValueError:  # brackets that hold no address
        return ""


def _is_one_video(uri: str) -> bool:
    """Whether a look at the address tells: YouTube need not be asked twice about most of them."""
    parts, host = urlsplit(uri), _host(uri)
    if _ITEM.fullmatch(parts.fragment) or host == "youtu.be":
        return True
    is_youtube = host.removeprefix("www.").removeprefix("m.") == "youtube.com"
    is_short = parts.path.startswith(("/shorts/", "/embed/"))
    return is_youtube and (is_short or (parts.path == "/watch" and "v" in parse_qs(parts.query)))


@contextmanager
def _temporary() -> Iterator[Path]:
    with TemporaryDirectory(prefix="vidcap-youtube-") as folder:
        yield Path(folder)


def _unless_refused(message: dict[str, Any]) -> dict[str, Any]:
    if message["kind"] == "error":
        raise refused(str(message["message"]), [str(warning) for warning in message["warnings"]])
    return message


def _media(uri: str, folder: Path, told: dict[str, Any]) -> Media:
    path = folder / _VIDEO
    with path.open("rb") as file:
        head = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    if head[:1] in (b"", b"<", b"{", b"#"):
        raise SourceError("the site sent a page instead of a video: a login may be needed (cookies_file)")
    details = {name: told[key] for key, name in _DETAILS.items() if told.get(key) is not None}
    notices: tuple[str, ...] = ()
    try:
        transcript = _transcript(folder, told)
    except SourceError as error:  # the pictures can do without, but it shall be known
        transcript, notices = None, (str(error),)
    identity = {name: told[key] for key, name in _IDENTITY.items() if told.get(key) is not None}
    return Media(
        uri=uri,
        location=path,
        title=told["title"],
        duration_s=_seconds(told["duration"]),
        transcript=transcript,
        chapters=tuple(_chapters(told["chapters"])),
        details=details,
        notices=notices,
        identity=identity | {"size_bytes": path.stat().st_size},
    )


def _transcript(folder: Path, told: dict[str, Any]) -> Transcript | None:
    if why := told.get("no_captions"):
        raise refused(str(why))
    if not told.get("captions"):
        return None
    from vidcap_core.subtitles import read_file

    cues = read_file(folder / str(told["captions"]))
    return Transcript(cues, told["captions_language"], told["captions_origin"]) if cues else None


def _chapters(listed: list[Any]) -> Iterator[Chapter]:
    for start, end, title in listed:
        start_s, end_s = _seconds(start), _seconds(end)
        if start_s is not None and end_s is not None and start_s < end_s:
            yield Chapter(start_s, end_s, str(title or ""))


def _seconds(value: Any) -> float | None:
    is_time = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    return float(value) if is_time else None
