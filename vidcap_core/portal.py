"""Sync callers reach the async line through here: an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

CLOSED = "this Vidcap is closed"
OWN_THREAD = "vidcap"
"""What the names of vidcap's own threads begin with."""

_END = object()


class Portal:
    """Runs coroutines from any thread, whether a loop runs there or not."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._calls: set[_Call[Any]] = set()
        self.open: weakref.WeakSet[Items[Any]] = weakref.WeakSet()
        self._thread = threading.Thread(target=self._serve, name=f"{OWN_THREAD}-loop", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._until_closed())
        finally:
            for call in list(self._calls):
                call.fail(RuntimeError(CLOSED))

    async def _until_closed(self) -> None:
        await self._closing.wait()
        # asyncio itself would close all async generators at once, also those that others stand on.
        for call in list(self._calls):
            call.cancel()
        for items in list(self.open):
            await items.shut()

    def close(self) -> None:
        """Cancel what is under way, end the loop and wait for its thread."""
        with suppress(RuntimeError):  # it is closed already
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine. Interrupted, by Ctrl-C say, cancel it and wait for its end.

        A second interrupt ends the waiting: what is under way may be stuck in a plugin.
        """
        call = _Call(coroutine)
        try:
            self._start(call)
            return call.result.result()
        except BaseException:
            if not call.ended.is_set():
                with suppress(RuntimeError):  # the loop is closed, and so the call has ended
                    self._loop.call_soon_threadsafe(call.cancel)
                    call.ended.wait()
            raise
        finally:
            self._calls.discard(call)

    def _start(self, call: _Call[Any]) -> None:
        if threading.current_thread() is self._thread:
            call.fail(RuntimeError("called from vidcap's own thread, which would wait for itself"))
            return
        # First noted, then started: whatever happens to the loop, the call comes to an end.
        self._calls.add(call)
        try:
            self._loop.call_soon_threadsafe(call.start)
        except RuntimeError:
            call.fail(RuntimeError(CLOSED))


class _Call(Generic[T]):
    """A coroutine, from another thread's sight."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.result: Future[T] = Future()
        self.ended = threading.Event()
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None

    def start(self) -> None:
        """Begin, in the loop's thread."""
        if not self.ended.is_set():
            self._task = asyncio.get_running_loop().create_task(self._coroutine)
            self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Let it end early, in the loop's thread."""
        if self._task is None:
            self.fail(RuntimeError("cancelled"))
        else:
            self._task.cancel()

    def fail(self, error: BaseException) -> None:
        """End it without a result, where it has not ended."""
        if not self.ended.is_set():
            if self._task is None:
                self._coroutine.close()  # else it would be missed when it goes
            self.result.set_exception(error)
            self.ended.set()

    def _end(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.fail(RuntimeError(CLOSED))
        elif error := task.exception():
            self.fail(error)
        elif not self.ended.is_set():
            self.result.set_result(task.result())
            self.ended.set()


class Items(Generic[T]):
    """The items of an async generator, for a sync loop. Dropped early, it is closed in the background."""

    def __init__(self, portal: Portal, items: AsyncGenerator[T, None]) -> None:
        self._portal = portal
        self._items = items
        # Closing waits for a step under way: one that was interrupted twice, or another thread's.
        self._turn = asyncio.Lock()
        portal.open.add(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item = self._portal.run(self._step())
        if item is _END:
            raise StopIteration
        return item  # type: ignore[return-value]  # _END is no item

    def close(self) -> None:
        """Stop what is under way and wait for its end."""
        self._portal.run(self.shut())

    async def _step(self) -> T | object:
        async with self._turn:
            return await anext(self._items, _END)

    async def shut(self) -> None:
        """The same, in the portal's loop."""
        async with self._turn:
            await self._items.aclose()
