"""The line as a whole: prepare on worker threads, ask in the event loop, read. One async implementation."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any, Literal, Self, TypeVar

from .asking import Patience, ask
from .blaming import blaming
from .chosen import CHOOSE, Chosen
from .errors import AccessError, DecodeError, SettingsError, SourceError, VidcapError
from .finding import Videos
from .isolation.pool import Stop
from .plugin import Sampler, Session
from .portal import CLOSED, OWN_THREAD
from .preparation import decoder_pool, opened, prepare_media
from .reading import read
from .sampling import Sampled, sample
from .scene_list import Scenes, scenes
from .tasks import CAPTION, Task
from .types import Answer, Failure, Media, Request, Result, Work

T = TypeVar("T")
F = TypeVar("F", bound=asyncio.Future[Any])
Stage = Literal["source", "decode", "sample", "ask"]

_END = object()
_KEPT = 4
"""Outcomes that may wait for their turn, for each video under way."""
_THREAD = f"{OWN_THREAD}-work"


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """Where a video stands.

    `done` of `total` counts bytes while the step is `fetch`, seconds of the video while a sampler
    looks at it, frames while they are taken. A sampler may look several times, each time from the
    start. A total of 0 is one that is not known.
    """

    uri: str
    step: Literal["open", "fetch", "look", "frames", "ask", "done"]
    done: float = 0
    total: float = 0


OnProgress = Callable[[Progress], None]


class Pipeline:
    """Runs tasks with one choice of plugins; its decoders stay warm until it is closed.

    It can be used from several event loops, for it keeps nothing that belongs to one.
    """

    def __init__(self, chosen: Chosen, on_progress: OnProgress = lambda progress: None) -> None:
        self.chosen = chosen
        self._on_progress = on_progress
        self._pool = decoder_pool(chosen)
        settings = chosen.settings
        # Not the loop's default one: blocked samplers would fill it, and name look-ups wait in it.
        self._decoding = ThreadPoolExecutor(settings.processes, _THREAD)
        # What waits for disks and networks: it must not wait for a decoder, nor keep one waiting.
        self._waiting = ThreadPoolExecutor(settings.concurrency + 32, _THREAD)
        self._patience = Patience(settings.retries, settings.longest_wait_s)

    def close(self) -> None:
        """End the decoders and the threads."""
        self._pool.close()
        self._decoding.shutdown()
        self._waiting.shutdown()

    async def run(
        self, uris: Iterable[str] | Videos, task: Task, *, keep_images: bool = False
    ) -> AsyncGenerator[Result | Failure, None]:
        """An outcome for every video, in order, several under way at once.

        Without `keep_images` results come without theirs: those of many videos fill the memory.

        `uris` is read on a worker thread, and no further ahead than four times as many as may be
        under way: what overtakes a slower video waits for its turn. Raises AccessError where the
        endpoint refuses all further requests, after what was answered by then; SettingsError where
        it cannot be asked at all. Ends early, and leaves nothing behind, when it is closed.
        """
        # A task group around a yield would cancel whoever iterates, see PEP 789.
        outcomes: deque[asyncio.Task[Result | Failure]] = deque()
        finding: deque[asyncio.Task[str | Failure | object]] = deque()
        listed = uris if isinstance(uris, Videos) else Videos(uris, self.chosen)
        is_listed = False
        most, most_kept = self.chosen.settings.concurrency, self.chosen.settings.concurrency * _KEPT
        room = asyncio.Semaphore(most)
        async with self.session() as session:
            try:
                while outcomes or not is_listed:
                    if outcomes and outcomes[0].done():
                        yield outcomes.popleft().result()
                        continue
                    under_way = [outcome for outcome in outcomes if not outcome.done()]
                    # What is done waits for its turn, and keeps the others from nothing, up to a bound.
                    has_room = len(under_way) < most and len(outcomes) < most_kept
                    if has_room and not (finding or is_listed):
                        found = self._in_thread(self._waiting, next, listed, _END)
                        finding.append(asyncio.create_task(found))
                    await asyncio.wait([*finding, *under_way], return_when=asyncio.FIRST_COMPLETED)
                    if finding and finding[0].done():
                        one = finding.popleft().result()
                        is_listed = one is _END
                        if not is_listed:
                            coming = self._outcome(one, task, session, room, keep_images=keep_images)
                            outcomes.append(asyncio.create_task(coming))
            except AccessError:
                # No more requests; but what was answered is paid for.
                for outcome in outcomes:
                    if outcome.done() and not outcome.exception():
                        yield outcome.result()
                raise
            finally:
                await _cancelled([*finding, *outcomes])

    async def only(self, uri: str) -> Videos | Failure:
        """The one video that a URI stands for. Raises SettingsError where it stands for several."""
        videos = Videos([uri], self.chosen)
        first, *others = await self._in_thread(self._waiting, videos.ahead, 2)
        if others:
            raise SettingsError(f"{uri} is more than one video: use run() for many")
        return first if isinstance(first, Failure) else videos

    async def prepare(self, uri: str, task: Task) -> Work:
        """All that would be asked about one video. Raises VidcapError."""
        async with self.opened(uri) as media:
            return await self._decoded(prepare_media, media, task)

    async def sampled(self, uri: str) -> tuple[Media, Sampled]:
        """What would be shown of one video, the images among it. Raises VidcapError."""
        async with self.opened(uri) as media:
            return media, await self.taken(media, CAPTION)

    async def taken(self, media: Media, task: Task) -> Sampled:
        """What would be shown of an opened video. Raises VidcapError."""
        return await self._decoded(sample, media, task)

    async def scenes(self, uri: str, *, with_images: bool) -> Scenes:
        """All segments that the sampler proposes, whatever the budget. Raises VidcapError."""
        async with self.opened(uri) as media:
            return await self._decoded(scenes, media, with_images)

    def with_sampler(self, sampler: Sampler) -> Self:
        """The same with another sampler, on this one's decoders and threads: close only this one."""
        other = copy.copy(self)
        other.chosen = dataclasses.replace(self.chosen, sampler=sampler)
        return other

    async def _outcome(
        self, found: Any, task: Task, session: Session, room: asyncio.Semaphore, *, keep_images: bool
    ) -> Result | Failure:
        outcome = found if isinstance(found, Failure) else await self._result(found, task, session, room)
        if isinstance(outcome, Result) and not keep_images:
            outcome = dataclasses.replace(outcome, images=())
        self._on_progress(Progress(outcome.uri, "done"))
        return outcome

    async def _result(
        self, uri: str, task: Task, session: Session, room: asyncio.Semaphore
    ) -> Result | Failure:
        stage: Stage = "source"
        result = None
        try:
            # The media lives until the outcome: another look at it needs no second download.
            async with self.opened(uri) as media:
                stage = "sample"
                work = await self._decoded(prepare_media, media, task)
                stage = "ask"
                result = await self.said(work, task, session, room)
        except AccessError:
            raise
        except VidcapError as error:
            if result is None:
                return Failure(uri, _stage(error, stage), error)
            # The answer is paid for: that its source could not clean up does not undo it.
            result = dataclasses.replace(result, notices=(*result.notices, str(error)))
        errors = [item.error for item in result.items if item.error]
        return Failure(uri, "ask", errors[0]) if len(errors) == len(result.items) else result

    async def said(self, work: Work, task: Task, session: Session, room: asyncio.Semaphore) -> Result:
        """What the model says; what fails stands in the items. Raises AccessError."""
        self._on_progress(Progress(work.uri, "ask"))
        started_s = time.perf_counter()
        answers = await self._answers(work.requests, task, session, room)
        return read(work, answers, task, ask_s=time.perf_counter() - started_s)

    async def _answers(
        self, requests: Iterable[Request], task: Task, session: Session, room: asyncio.Semaphore
    ) -> list[Answer | VidcapError]:
        """The answers about one video, in order; all videos together put `concurrency` requests at once."""

        async def answer(request: Request) -> Answer | VidcapError:
            async with room:
                return await self._answer(request, task, session)

        asking = [asyncio.create_task(answer(request)) for request in requests]
        try:
            return await asyncio.gather(*asking)
        finally:
            await _cancelled(asking)

    async def _answer(self, request: Request, task: Task, session: Session) -> Answer | VidcapError:
        try:
            return await ask(request, task, session, self._patience)
        except AccessError:
            raise
        except VidcapError as error:
            return error

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """The captioner, entered once for all that is asked. Raises SettingsError where there is none."""
        captioner = self.chosen.captioner
        if captioner is None:
            raise SettingsError(CHOOSE)
        async with AsyncExitStack() as stack:
            with blaming(captioner):
                session = await stack.enter_async_context(captioner.session())
            yield session

    @asynccontextmanager
    async def opened(self, uri: str) -> AsyncIterator[Media]:
        """A video, made readable by its source on a worker thread. Raises VidcapError."""
        stop = Stop()

        def on_bytes(done: int, total: int | None) -> None:
            stop.check()
            self._on_progress(Progress(uri, "fetch", done, total or 0))

        self._on_progress(Progress(uri, "open"))
        resources = ExitStack()
        media = opened(uri, self.chosen, on_bytes)
        try:
            yield await self._in_thread(self._waiting, resources.enter_context, media, stop=stop)
        finally:
            await _outlasted(_submitted(self._waiting, resources.close))

    async def _decoded(self, function: Callable[..., T], media: Media, *args: Any) -> T:
        def on_step(step: Literal["look", "frames"], done: float, total: float) -> None:
            self._on_progress(Progress(media.uri, step, done, total))

        stop = Stop()
        job = function, media, self.chosen, *args, self._pool, stop, on_step
        return await self._in_thread(self._decoding, *job, stop=stop)

    async def _in_thread(
        self, threads: Executor, function: Callable[..., T], *args: Any, stop: Stop | None = None
    ) -> T:
        """Run on a worker thread. Cancelled, it stops what is under way there and waits for its end."""
        job = _submitted(threads, function, *args)
        future = _read(asyncio.wrap_future(job))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if stop is not None:
                stop.set()
            if not job.cancel():
                await _ended([future])
            raise


def _submitted(threads: Executor, function: Callable[..., T], *args: Any) -> Future[T]:
    try:
        return threads.submit(function, *args)
    except RuntimeError:
        raise RuntimeError(CLOSED) from None


async def _outlasted(job: Future[T]) -> T:
    """The result of a job that is waited for even if who waits is cancelled."""
    future = _read(asyncio.wrap_future(job))
    await _ended([future])
    return future.result()


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        _read(task).cancel()
    await _ended(tasks)


def _read(future: F) -> F:
    """Where nobody asks any more what came of it, that is meant: asyncio would log it."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


async def _ended(futures: list[Any]) -> None:
    """Wait for the end of all, and only then obey a cancellation."""
    cancelled = None
    while pending := [future for future in futures if not future.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _stage(error: VidcapError, otherwise: Stage) -> Stage:
    if isinstance(error, SourceError):
        return "source"
    return "decode" if isinstance(error, DecodeError) else otherwise
