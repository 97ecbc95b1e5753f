"""The places at which one file is read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain

from ..video import SeekableFile
from .pyav_cursor import Cursor
from .pyav_file import SharedFile
from .pyav_table import SampleTable


class Cursors:
    """The places at which a file is read, and what its index tells."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = SharedFile(file)
        self._lock = threading.Lock()
        self._idle: dict[bool, list[Cursor]] = {False: [], True: []}
        self._known: SampleTable | None = None

    def opened(self, *, looking: bool = False) -> Cursor:
        """A new one, for the caller to close."""
        return Cursor(self._file, looking=looking)

    @contextmanager
    def one(self, *, looking: bool = False) -> Iterator[Cursor]:
        """One that nobody else uses."""
        # Iterators may be suspended while others run, so each takes a cursor of its own. One that
        # is free is used again, for opening a long file reads its whole index.
        idle = self._idle[looking]
        with self._lock:
            cursor = idle.pop() if idle else None
        cursor = cursor or self.opened(looking=looking)
        cursor.known = self._known
        try:
            yield cursor
        finally:
            idle.append(cursor)

    @cached_property
    def table(self) -> SampleTable | None:
        """Every packet, where the index tells."""
        with self.one() as cursor:
            self._known = cursor.table()
        return self._known

    def close(self) -> None:
        """Close those that are not in use."""
        for cursor in chain(*self._idle.values()):
            cursor.container.close()
