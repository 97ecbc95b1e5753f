"""The plugin kinds. A plugin is a frozen pydantic model: its fields are its settings."""

from __future__ import annotations

import enum
import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, ClassVar, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from .errors import PluginError
from .types import Answer, Limits, Media, Request, Segment, Want
from .video import SeekableFile, Video

NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
"""Names of plugins and nicknames: lower case, for environment variables fold to it."""

_RESERVED_FIELDS = frozenset({"schema", "json", "copy", "use", "name"})


class Plugin(BaseModel, ABC):
    """Base of every plugin.

    `FixedIntervalSampler(every_s=5)` in Python, `[samplers.fixed_interval] every_s = 5` in TOML
    and `VIDCAP_SAMPLERS__FIXED_INTERVAL__EVERY_S=5` in the environment are one constructor and
    one validation. Heavy imports stand inside methods.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        validate_default=True,
        # A refused value is not repeated: people paste keys where the name of a variable belongs.
        hide_input_in_errors=True,
    )

    name: ClassVar[str] = ""
    """What the plugin is chosen by."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.name and not NAME_PATTERN.fullmatch(cls.name):
            raise PluginError(
                f"{cls.__module__}.{cls.__qualname__}: name {cls.name!r} must be lower-case words"
                " joined by single underscores"
            )
        for field in cls.model_fields:
            if field in _RESERVED_FIELDS or field.startswith("model_"):
                raise PluginError(
                    f"{cls.__module__}.{cls.__qualname__}: an option cannot be called {field!r}"
                )

    def replace(self, **options: Any) -> Self:
        """A copy with other options, validated anew; nothing that the first one cached is kept."""
        return type(self).model_validate(
            {field: getattr(self, field) for field in self.model_fields_set} | options
        )

    def options(self) -> dict[str, Any]:
        """The options as plain data, defaults included."""
        return self.model_dump(mode="json")


class Claim(enum.IntEnum):
    """How sure a source is that a URI is its own; the strongest claim wins."""

    NO = 0
    MAYBE = 1
    YES = 2


class Source(Plugin):
    """Where videos come from."""

    @abstractmethod
    def claims(self, uri: str) -> Claim:
        """Whether this URI is this source's, judged by its looks alone: no I/O."""

    def expand(self, uri: str) -> Iterator[str]:
        """The videos that a folder, a playlist or a prefix stands for, lazily; else the URI itself."""
        yield uri

    @abstractmethod
    def open(self, uri: str, want: Want) -> AbstractContextManager[Media]:
        """Make one video readable until the context ends. Raises SourceError."""


class Decoder(Plugin):
    """Reads frames out of a file.

    The work happens in a child process that has neither keys nor pydantic: `opener` names a
    function there, "module:function", that is called with a file and the options as keywords and
    returns a context manager of a Video. It may raise DecodeError.
    """

    opener: ClassVar[str]
    imports: ClassVar[tuple[str, ...]] = ()
    """Modules the opener needs: imported before the child gives up its access to the file system."""
    needs_path: ClassVar[bool] = False
    """True for a library that cannot read from a file object: its child may open files."""

    def open(self, file: SeekableFile) -> AbstractContextManager[Video]:
        """Open a video in this process."""
        module, _, function = self.opener.partition(":")
        opened: AbstractContextManager[Video] = getattr(importlib.import_module(module), function)(
            file, **self.options()
        )
        return opened


class Sampler(Plugin):
    """Chooses the moments that stand for a video."""

    @abstractmethod
    def segments(self, video: Video) -> Iterable[Segment]:
        """Spans of [video.start_s, video.end_s], ascending and disjoint, with their picks.

        Called on a worker thread of the parent process. May look at `video.packets()` and
        `video.scan()`, and may yield while a scan is under way.
        """


class Session(Protocol):
    """What a captioner holds for the length of a run, and what requests are put to."""

    async def answer(self, request: Request) -> Answer:
        """Ask the model once. Raises ProviderError; never retries, never sleeps."""
        ...


class Captioner(Plugin):
    """A model that answers requests. By itself it is its own session."""

    limits: Limits = Field(default=Limits(), description="What one request to the model can hold.")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Hold what a run needs, a connection pool say: entered once, in the run's loop.

        Nothing bound to a loop is kept on the plugin: it belongs to the session.
        """
        yield self

    async def models(self) -> tuple[str, ...] | None:
        """Name the models its endpoint lists; None where it does not tell. Raises ProviderError."""
        return None

    @abstractmethod
    async def answer(self, request: Request) -> Answer:
        """Ask the model once. Raises ProviderError; never retries, never sleeps."""
