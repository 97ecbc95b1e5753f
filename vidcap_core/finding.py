"""Find: from URIs to the videos that they stand for. Sync; folders and playlists are read as needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Self

from .blaming import blaming
from .chosen import Chosen
from .errors import SourceError, VidcapError
from .types import Failure


class Videos(Iterator[str | Failure]):
    """The videos that URIs stand for, in order; a URI that stands for none is a Failure.

    `Pipeline.run` takes it as it is: no source is asked twice.
    """

    def __init__(self, uris: Iterable[str], chosen: Chosen) -> None:
        self._chosen = chosen
        self._found: Iterator[str | Failure] = chain.from_iterable(map(self._expanded, uris))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str | Failure:
        return next(self._found)

    def ahead(self, count: int) -> list[str | Failure]:
        """The next ones, without taking them."""
        found = list(islice(self._found, count))
        self._found = chain(found, self._found)
        return found

    def begins_with(self, uri: str) -> bool:
        """Whether a URI stands for itself, not for many; also where its faults keep that from being told."""
        first = self.ahead(1)
        return first == [uri] or any(isinstance(found, Failure) for found in first)

    def _expanded(self, uri: str) -> Iterator[str | Failure]:
        is_empty = True
        try:
            source = self._chosen.source(uri)
            with blaming(source):
                for one in source.expand(uri):
                    is_empty = False
                    yield str(one)
            if is_empty:
                raise SourceError("it stands for no video at all")
        except VidcapError as error:
            yield Failure(uri, "source", error)
