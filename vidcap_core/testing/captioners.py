"""What every captioner has to do, as tests to inherit."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import SkipTest, mock

from .conformance import PluginTests, require
from .videos import tiny_video

if TYPE_CHECKING:
    from ..plugin import Captioner, Plugin
    from ..types import Answer, Image, Request

_AT_ONCE = 4
_PATIENCE_S = 5.0
"""For sockets whose other end closes a moment later."""


class CaptionerTests(PluginTests):
    """The tests of a captioner: set the attributes, in the class or in a fixture that is used by itself.

    class TestMine(CaptionerTests):
        @pytest.fixture(autouse=True)
        def servers(self) -> Iterator[None]:
            with Server() as up, Server(fails=True) as down:
                self.captioner, self.failing = Mine(url=up.url), Mine(url=down.url)
                yield  # until the test is over
    """

    captioner: Captioner
    """One that answers."""
    failing: Captioner | None = None
    """One whose endpoint fails every time; None where there is no endpoint."""

    @property
    def plugin(self) -> Plugin:
        return self.captioner

    def tried(self) -> int | None:
        """How many requests the endpoint of `failing` has seen; None where nobody counts."""
        return None

    def test_says_what_a_request_can_hold(self) -> None:
        from ..types import Limits

        limits = self.captioner.limits
        require(isinstance(limits, Limits), f"its limits are {type(limits).__name__}, not Limits")

    def test_answers_what_fits(self) -> None:
        for images in (1, 3):
            for rung in self.captioner.limits.rungs:
                request = dataclasses.replace(_request(images), rung=rung)
                (answer,) = self._answers(request)
                _check(answer, request)

    def test_answers_other_fields_or_says_why_not(self) -> None:
        from ..errors import ProviderError, SettingsError
        from ..types import Answer

        schema = dict(_SCHEMA, properties={"title": {"type": "string"}, "tags": _TEXTS})
        schema["required"] = ["title", "tags"]
        try:
            (answer,) = self._answers(dataclasses.replace(_request(1), answer_schema=schema))
        except (ProviderError, SettingsError) as error:
            require(str(error).strip(), "its refusal says nothing: say what to do next")
        else:
            require(isinstance(answer, Answer), f"it gave {type(answer).__name__}, not an Answer")

    def test_is_entered_again_in_another_loop(self) -> None:
        for _ in range(2):
            (answer,) = self._answers(_request(1))
            _check(answer, _request(1))

    def test_answers_several_at_once(self) -> None:
        requests = [_request(1 + number % 2) for number in range(_AT_ONCE)]
        for request, answer in zip(requests, self._answers(*requests), strict=True):
            _check(answer, request)

    def test_does_not_change_the_request(self) -> None:
        request, before = _request(2), repr(_request(2))
        self._answers(request)
        require(repr(request) == before, "it changed the request, which is sent again after a failure")

    def test_a_failure_is_a_provider_error(self) -> None:
        from ..errors import ProviderError

        error = self._failure()
        require(isinstance(error, ProviderError), f"it raised {error!r}, which is no ProviderError")
        require(str(error).strip(), "its ProviderError says nothing: say what to do next")

    def test_does_not_try_again_by_itself(self) -> None:
        before = self.tried()
        with _naps() as naps:
            self._failure()
        require(not naps, f"it slept {naps} s: to wait is the core's")
        if before is not None:
            tries = (self.tried() or 0) - before
            require(tries == 1, f"it sent {tries} requests for one question: to try again is the core's")

    def test_leaves_nothing_open(self) -> None:
        self._answers(_request(1))  # what is loaded once stays
        before = _open_things()
        self._answers(_request(1), _request(2))
        deadline_s = time.monotonic() + _PATIENCE_S
        while _open_things() > before and time.monotonic() < deadline_s:
            time.sleep(0.01)
        require(_open_things() <= before, f"files and threads left: {_open_things()}, before {before}")

    def _answers(self, *requests: Request, captioner: Captioner | None = None) -> list[Answer]:
        """Answers out of one session, in a loop of its own."""

        async def ask() -> list[Answer]:
            async with (captioner or self.captioner).session() as session:
                return await asyncio.gather(*map(session.answer, requests))

        return asyncio.run(ask())

    def _failure(self) -> Exception:
        if self.failing is None:
            raise SkipTest("no failing endpoint is declared")
        try:
            self._answers(_request(1), captioner=self.failing)
        except Exception as error:  # noqa: BLE001 - which it is, is what is tested
            return error
        raise AssertionError("its failing endpoint answered")


_TEXTS = {"type": "array", "items": {"type": "string"}}
_SCHEMA = {
    "type": "object",
    "properties": {"caption": {"type": "string"}},
    "required": ["caption"],
    "additionalProperties": False,
}


def _check(answer: Any, request: Request) -> None:
    from ..asking import check
    from ..tasks import CAPTION
    from ..types import Answer, Usage

    require(isinstance(answer, Answer), f"it gave {type(answer).__name__}, not an Answer")
    require(isinstance(answer.usage, Usage), f"its usage is {answer.usage!r}: what is unknown is Usage()")
    require(answer.model, "its answer does not name the model")
    check(answer, CAPTION, request)


def _request(images: int) -> Request:
    """A question for a caption, with so many images of a painted video."""
    from ..composing import identified
    from ..tasks import CAPTION
    from ..types import Request

    shown: list[str | Image] = []
    for number, image in enumerate(_images()[:images], 1):
        shown += [f"Frame {number} of {images}, at 0:0{number}:", image]
    facts = {"duration_s": 5.0, "start_s": 0.0, "end_s": 5.0, "width_px": 160, "height_px": 96}
    return identified(
        Request(
            id="",
            system=CAPTION.instructions,
            parts=(*shown, CAPTION.question),
            facts=facts | {"has_audio": False},
            answer_schema=_SCHEMA,
        )
    )


@cache
def _images() -> tuple[Image, ...]:
    from ..decoders.pyav import PyAVDecoder
    from ..isolation.pool import DecoderPool, Stop
    from ..types import Pick

    with (
        TemporaryDirectory() as folder,
        DecoderPool(PyAVDecoder(), isolated=False, timeout_s=60.0) as pool,
        pool.open(tiny_video(Path(folder) / "clip.mp4").path, Stop()) as video,
    ):
        return tuple(video.images([Pick(1.0), Pick(2.0), Pick(3.0)], 160))


@contextmanager
def _naps() -> Iterator[list[float]]:
    """Note the seconds that this thread sleeps."""
    naps: list[float] = []
    thread, really, blocking = threading.get_ident(), asyncio.sleep, time.sleep

    async def sleep(delay: float, result: Any = None) -> Any:
        if delay > 0:  # without a delay it only lets others run
            naps.append(delay)
        return await really(delay, result)

    def block(delay: float) -> None:
        if threading.get_ident() == thread:
            naps.append(delay)
        blocking(delay)

    with mock.patch.object(asyncio, "sleep", sleep), mock.patch.object(time, "sleep", block):
        yield naps


def _open_things() -> tuple[int, int]:
    """How many files and sockets, and how many threads; 0 files where the system does not tell."""
    gc.collect()
    files = Path("/dev/fd")
    return len(list(files.iterdir())) if files.is_dir() else 0, threading.active_count()
