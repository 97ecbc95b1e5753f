"""Sync callers reach the async line through here: an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_END = object()


class Portal:
    """Runs coroutines from any thread, whether a loop runs there or not."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vidcap-loop", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine. Interrupted, by Ctrl-C say, cancel it and wait for its end."""
        done: Future[T] = Future()
        started: Future[asyncio.Task[None]] = Future()

        async def run() -> None:
            try:
                done.set_result(await coroutine)
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                done.set_exception(CancelledError() if isinstance(error, asyncio.CancelledError) else error)

        self._loop.call_soon_threadsafe(lambda: started.set_result(self._loop.create_task(run())))
        try:
            return done.result()
        except BaseException:
            if not done.done():
                task = started.result()
                self._loop.call_soon_threadsafe(task.cancel)
                with suppress(BaseException):
                    done.result()
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """The items of an async generator; closed early, it is closed too, after the step under way."""
        try:
            while (item := self.run(_next(items))) is not _END:
                yield item  # type: ignore[misc]  # _END is no item
        finally:
            self.run(items.aclose())


async def _next(items: AsyncGenerator[T, None]) -> T | object:
    return await anext(items, _END)
