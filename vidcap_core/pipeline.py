"""The line as a whole: prepare on worker threads, ask in the event loop, read. One async implementation."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from .asking import Patience, ask
from .chosen import CHOOSE, Chosen, foreign
from .errors import AccessError, DecodeError, ProviderError, SettingsError, SourceError, VidcapError
from .isolation.pool import Stop
from .plugin import Session
from .preparation import decoder_pool, prepare_media, sample, want
from .reading import read
from .tasks import Task
from .types import Answer, Failure, Image, Media, Request, Result, Work

T = TypeVar("T")

_END = object()


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a video stands. `done` of `total` counts frames while the step is `frames`."""

    uri: str
    step: Literal["open", "frames", "ask", "done"]
    done: int = 0
    total: int = 0


OnProgress = Callable[[Progress], None]


class Pipeline:
    """Runs tasks with one choice of plugins; its decoders stay warm until it is closed.

    It can be used from several event loops, for it keeps nothing that belongs to one.
    """

    def __init__(self, chosen: Chosen, on_progress: OnProgress = lambda progress: None) -> None:
        self.chosen = chosen
        self._on_progress = on_progress
        self._pool = decoder_pool(chosen)
        # Not the loop's default one: blocked samplers would fill it, and name look-ups wait in it.
        self._threads = ThreadPoolExecutor(chosen.settings.processes, thread_name_prefix="vidcap")
        settings = chosen.settings
        self._patience = Patience(settings.retries, settings.longest_wait_s)

    def close(self) -> None:
        """End the decoders and the threads."""
        self._pool.close()
        self._threads.shutdown()

    async def run(self, uris: Iterable[str], task: Task) -> AsyncGenerator[Result | Failure, None]:
        """An outcome for every video, in order, several under way at once.

        Raises AccessError where the endpoint refuses all further requests, SettingsError where it
        cannot be asked at all. Ends early, and leaves nothing behind, when it is closed.
        """
        if self.chosen.captioner is None:
            raise SettingsError(CHOOSE)
        under_way: deque[asyncio.Task[Result | Failure]] = deque()
        async with self.chosen.captioner.session() as session:
            # A task group around a yield would cancel whoever iterates, see PEP 789.
            try:
                async for uri in self._expanded(uris):
                    under_way.append(asyncio.create_task(self._outcome(uri, task, session)))
                    if len(under_way) >= self.chosen.settings.concurrency:
                        yield await under_way.popleft()
                while under_way:
                    yield await under_way.popleft()
            finally:
                for waiting in under_way:
                    waiting.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    async def prepare(self, uri: str, task: Task) -> Work:
        """All that would be asked about one video. Raises VidcapError."""
        stop = Stop()
        with ExitStack() as resources:
            return await self._in_thread(stop, self._prepare, uri, task, resources, stop)

    async def images(self, uri: str) -> tuple[Image, ...]:
        """The images that would be sent of one video. Raises VidcapError."""
        stop = Stop()
        with ExitStack() as resources:
            return await self._in_thread(stop, self._sample, uri, resources, stop)

    async def _expanded(self, uris: Iterable[str]) -> AsyncIterator[str | Failure]:
        for uri in uris:
            try:
                expanded = iter(self.chosen.source(uri).expand(uri))
                # `next` with a default: a StopIteration cannot pass through a future.
                while (one := await self._in_thread(Stop(), next, expanded, _END)) is not _END:
                    yield str(one)
            except VidcapError as error:
                yield Failure(uri, _stage(error), error)

    async def _outcome(self, uri: str | Failure, task: Task, session: Session) -> Result | Failure:
        if isinstance(uri, Failure):
            return uri
        try:
            return await self._result(uri, task, session)
        except AccessError:
            raise
        except VidcapError as error:
            return Failure(uri, _stage(error), error)
        finally:
            self._on_progress(Progress(uri, "done"))

    async def _result(self, uri: str, task: Task, session: Session) -> Result:
        stop, resources = Stop(), ExitStack()
        try:
            work = await self._in_thread(stop, self._prepare, uri, task, resources, stop)
            self._on_progress(Progress(uri, "ask"))
            started_s = time.perf_counter()
            answers = [await self._answer(request, task, session) for request in work.requests]
            result = read(work, answers, task, ask_s=time.perf_counter() - started_s)
        finally:
            # The media lives until the outcome: another look at it needs no second download.
            await self._in_thread(Stop(), resources.close)
        if all(item.error for item in result.items):
            raise result.items[0].error or AssertionError
        return result

    async def _answer(self, request: Request, task: Task, session: Session) -> Answer | VidcapError:
        try:
            return await ask(request, task, session, self._patience)
        except AccessError:
            raise
        except VidcapError as error:
            return error

    def _prepare(self, uri: str, task: Task, resources: ExitStack, stop: Stop) -> Work:
        media = self._opened(uri, resources)
        return prepare_media(media, self.chosen, task, self._pool, stop, self._on_image(uri))

    def _sample(self, uri: str, resources: ExitStack, stop: Stop) -> tuple[Image, ...]:
        media = self._opened(uri, resources)
        return sample(media, self.chosen, self._pool, stop, self._on_image(uri)).images

    def _opened(self, uri: str, resources: ExitStack) -> Media:
        self._on_progress(Progress(uri, "open"))
        source = self.chosen.source(uri)
        try:
            return resources.enter_context(source.open(uri, want(self.chosen)))
        except VidcapError:
            raise
        except Exception as error:
            raise foreign(error, source) from error

    def _on_image(self, uri: str) -> Callable[[int, int], None]:
        return lambda done, total: self._on_progress(Progress(uri, "frames", done, total))

    async def _in_thread(self, stop: Stop, function: Callable[..., T], *args: Any) -> T:
        """Run on a worker thread. Cancelled, it stops what is under way there and waits for its end."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            while not (future.cancel() or future.done()):
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # it is known why; unread it would be logged
            raise


def _stage(error: VidcapError) -> Literal["source", "decode", "sample", "ask"]:
    if isinstance(error, SourceError):
        return "source"
    if isinstance(error, DecodeError):
        return "decode"
    return "ask" if isinstance(error, ProviderError) else "sample"
