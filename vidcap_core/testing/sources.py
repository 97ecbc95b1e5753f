"""What every source has to do, as tests to inherit."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import SkipTest, mock

from .conformance import PluginTests, require

if TYPE_CHECKING:
    from ..plugin import Plugin, Source
    from ..types import Media

_WATCHED = ("open", "os.listdir", "os.scandir", "socket.", "subprocess.", "urllib.", "sqlite3.")
_UNAUDITED = ("stat", "lstat", "access")


class SourceTests(PluginTests):
    """The tests of a source: set the attributes, in the class or in a fixture that is used by itself.

    class TestZipped(SourceTests):
        source = Zipped()

        @pytest.fixture(autouse=True)
        def archive(self, tmp_path: Path) -> None:
            ...
            self.uri, self.missing = f"zip://{path}!one.mp4", f"zip://{path}!none.mp4"
    """

    source: Source
    uri: str
    """One video that can be read."""
    missing: str
    """Looks like the source's own, and is not there."""
    many: str | None = None
    """Stands for several videos; None where nothing does."""
    expanded: int = 0
    """How many videos `many` stands for."""
    foreign: tuple[str, ...] = ("nobodys-scheme://host/video.mp4",)
    """Must not be claimed with YES."""

    @property
    def plugin(self) -> Plugin:
        return self.source

    def test_claims_what_is_its_own(self) -> None:
        from ..plugin import Claim

        for uri in filter(None, (self.uri, self.missing, self.many)):
            claim = self.source.claims(uri)
            require(isinstance(claim, Claim), f"claims({uri!r}) gave {claim!r}, which is no Claim")
            require(claim is not Claim.NO, f"it does not claim {uri!r}")
            require(self.source.claims(uri) is claim, f"it claims {uri!r} differently the second time")

    def test_leaves_to_others_what_is_theirs(self) -> None:
        from ..plugin import Claim

        for uri in self.foreign:
            require(self.source.claims(uri) is not Claim.YES, f"it claims {uri!r} with YES")

    def test_claims_by_looks_alone(self) -> None:
        for uri in filter(None, (self.uri, self.missing, self.many, *self.foreign)):
            self.source.claims(uri)  # what it imports late is there by the second time
            with _looking_on() as done:
                self.source.claims(uri)
            require(not done, f"claims({uri!r}) looked further than at the URI: {', '.join(done)}")

    def test_one_video_stands_for_itself(self) -> None:
        found = list(self.source.expand(self.uri))
        require(len(found) == 1, f"{self.uri!r} expands to {found}: one video stands for one")
        self._check_own(found)

    def test_expands_lazily(self) -> None:
        many = self._many()
        with _looking_on() as done:
            found = self.source.expand(many)
        require(isinstance(found, Iterator), "expand gives an iterator: a playlist may have no end")
        require(not done, f"expand({many!r}) looked before its first video was asked for: {', '.join(done)}")

    def test_expands_to_what_it_can_open(self) -> None:
        found = list(self.source.expand(self._many()))
        require(len(found) == self.expanded, f"{self.many!r} expands to {found}, not to {self.expanded}")
        self._check_own(found)
        with _temporary_files(), self._open(found[0]) as media:
            _check_readable(media)

    def test_opens_what_can_be_decoded(self) -> None:
        from ..decoders.pyav import PyAVDecoder
        from ..isolation.pool import DecoderPool, Stop
        from ..types import Pick

        pool = DecoderPool(PyAVDecoder(), isolated=True, timeout_s=60.0)
        with _temporary_files(), pool, self._open(self.uri) as media:
            path = _check_readable(media)
            with pool.open(path, Stop()) as video:
                images = list(video.images([Pick(video.start_s)], 64))
        require(len(images) == 1, "no frame could be taken of what it opened")

    def test_tells_what_it_opened(self) -> None:
        with _temporary_files(), self._open(self.uri) as media:
            for name in ("identity", "details"):
                told = dict(getattr(media, name))
                back = json.loads(json.dumps(told, allow_nan=False))
                require(back == told, f"its {name} is not ready for JSON: {told}")
        plain = all(isinstance(value, str | int) for value in media.identity.values())
        require(plain, f"its identity holds more than texts and whole numbers: {media.identity}")

    def test_leaves_nothing_behind(self) -> None:
        with _temporary_files() as left:
            with self._open(self.uri) as media:
                _check_readable(media)
            require(not left(), f"it left temporary files behind: {left()}")

    def test_can_be_opened_twice_at_once(self) -> None:
        with _temporary_files() as left:
            with self._open(self.uri) as first:
                with self._open(self.uri) as second:
                    _check_readable(second)
                _check_readable(first)
            require(not left(), f"it left temporary files behind: {left()}")

    def test_can_be_left_on_another_thread(self) -> None:
        with _temporary_files() as left, ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            context = self._open(self.uri)
            _check_readable(one.submit(context.__enter__).result())
            other.submit(context.__exit__, None, None, None).result()
            require(not left(), f"it left temporary files behind: {left()}")

    def test_what_is_missing_is_a_source_error(self) -> None:
        from ..errors import SourceError

        with _temporary_files() as left:
            try:
                with self._open(self.missing):
                    raise AssertionError(f"{self.missing!r} could be opened")
            except SourceError as error:
                require(str(error).strip(), "its SourceError says nothing: say what to do next")
            require(not left(), f"it left temporary files behind: {left()}")

    def test_stops_when_told_to(self) -> None:
        calls: list[tuple[int, int | None]] = []

        def stop(done_bytes: int, total_bytes: int | None) -> None:
            calls.append((done_bytes, total_bytes))
            raise _Stopped

        with _temporary_files() as left:
            try:
                with self._open(self.uri, on_bytes=stop):
                    require(not calls, "want.on_bytes raised, and it went on")
            except _Stopped:
                pass
            require(not left(), f"it was stopped and left temporary files behind: {left()}")

    def _many(self) -> str:
        if self.many is None:
            raise SkipTest("no URI stands for several videos")
        return self.many

    def _check_own(self, found: list[str]) -> None:
        from ..plugin import Claim

        for uri in found:
            require(isinstance(uri, str), f"expand gave {uri!r}, which is no text")
            require(self.source.claims(uri) is not Claim.NO, f"expand gave {uri!r}, which it does not claim")

    def _open(self, uri: str, **wanted: Any) -> Any:
        from ..types import Want

        return self.source.open(uri, Want(long_side_px=320, **wanted))


class _Stopped(Exception):
    """What the core raises through a source is none of the errors that it knows."""


def _check_readable(media: Media) -> Path:
    from ..types import Media

    require(isinstance(media, Media), f"open gave {type(media).__name__}, not a Media")
    require(isinstance(media.location, Path), f"its location is {media.location!r}, not a Path")
    path = Path(str(media.location))
    require(path.is_file(), f"there is no file at its location, {path}")
    return path


@contextmanager
def _temporary_files() -> Iterator[Any]:
    """Give temporary files a folder of their own; calls of what it gives tell what lies there."""
    with tempfile.TemporaryDirectory() as folder:
        variables = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
        with mock.patch.dict(os.environ, variables), mock.patch.object(tempfile, "tempdir", folder):
            yield lambda: sorted(path.name for path in Path(folder).iterdir())


class _Onlooker(threading.local):
    """What the thread has done that reaches outside of Python; None while nobody looks."""

    done: list[str] | None = None

    def sees(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.done is not None and event.startswith(_WATCHED):
            self.done.append(f"{event}({', '.join(map(repr, arguments[:1]))})")


_onlooker = _Onlooker()
_hooked = False


@contextmanager
def _looking_on() -> Iterator[list[str]]:
    """Note what this thread opens, lists, looks up or connects to."""
    global _hooked
    if not _hooked:  # an audit hook stays for good: it sees what no patch would
        sys.addaudithook(_onlooker.sees)
        _hooked = True
    done: list[str] = []
    patches = {name: _noted(name, getattr(os, name)) for name in _UNAUDITED}
    with mock.patch.multiple(os, **patches):
        _onlooker.done = done
        try:
            yield done
        finally:
            _onlooker.done = None


def _noted(name: str, function: Any) -> Any:
    def noted(*arguments: Any, **options: Any) -> Any:
        _onlooker.sees("open." + name, arguments)
        return function(*arguments, **options)

    return noted
