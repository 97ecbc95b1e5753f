"""The face of vidcap in Python, sync and async."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast, overload

from pydantic import BaseModel

from .chosen import DEFAULT_CAPTIONER, Chosen, Given, built, choose, ready
from .errors import SettingsError
from .finding import Videos
from .layers import merge
from .pipeline import OnProgress, Pipeline
from .plugin import Captioner, Decoder, Plugin, Sampler, Source
from .portal import CLOSED, OWN_THREAD, Items, Portal
from .registry import KINDS, Registry
from .sampling import Sampled
from .scene_list import Scenes
from .settings import Settings
from .task_choice import choose_task
from .tasks import CAPTION, Task, asked
from .types import Failure, Image, Media, Result, Work

if TYPE_CHECKING:
    from .comparing import Comparison

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Uri: TypeAlias = str | os.PathLike[str]

SCENES = "scene_change"
"""The sampler that lists scenes where no other one is named."""
_CUSTOM = "openai_compatible"


class Vidcap:
    """Captions videos, and answers questions about them, with one choice of plugins and settings.

        with Vidcap(captioner="openai", sampler=UniformSampler(count=8)) as vidcap:
            print(vidcap.caption("talk.mp4").text)

    Plugins are given by name or as objects. Every other setting is a keyword too, and goes before
    `VIDCAP_*` variables and `vidcap.toml`, which are read as on the command line. `model` and
    `base_url` are options of the captioner: a `base_url` alone means any OpenAI-compatible server.

    Methods may be called from any thread, and inside a running event loop. Decoders stay warm
    until `close`, which happens by itself at the latest when the object goes. `on_progress` is
    called from several threads, the event loop's among them: it must be quick.
    """

    def __init__(
        self,
        *,
        captioner: str | Captioner | None = None,
        sampler: str | Sampler | None = None,
        decoder: str | Decoder | None = None,
        source: str | Source | None = None,
        model: str | None = None,
        base_url: str | None = None,
        on_progress: OnProgress = lambda progress: None,
        **settings: Any,
    ) -> None:
        kinds = {"captioner": captioner, "sampler": sampler, "decoder": decoder, "source": source}
        names = {kind: plugin for kind, plugin in kinds.items() if isinstance(plugin, str)}
        objects = {kind: plugin for kind, plugin in kinds.items() if plugin is not None and kind not in names}
        for kind, plugin in objects.items():
            _check_object(kind, plugin)
        if "captioner" in objects and (model or base_url):
            raise SettingsError("the captioner is given as an object: give it its model and base_url itself")
        loaded = load_settings({**settings, **names}, model=model, base_url=base_url)
        self._registry = Registry.load(loaded.plugins)
        given: dict[str, Any] = objects
        chosen = choose(loaded, self._registry, Given(**given), asks=False)
        self._start(Pipeline(chosen, on_progress))

    @classmethod
    def of(cls, chosen: Chosen, on_progress: OnProgress = lambda progress: None) -> Self:
        """Make one of plugins that are chosen already."""
        vidcap = cls.__new__(cls)
        vidcap._start(Pipeline(chosen, on_progress))
        return vidcap

    def _start(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._portals: list[Portal] = []
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._closed = weakref.finalize(self, _close, pipeline, self._portals, self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the decoders' processes and the threads."""
        self._closed()

    @property
    def chosen(self) -> Chosen:
        """The plugins and settings in use."""
        return self._pipeline.chosen

    def caption(self, uri: Uri) -> Result:
        """Caption one video. Raises VidcapError."""
        return self._portal.run(self.acaption(uri))

    async def acaption(self, uri: Uri) -> Result:
        """Caption one video. Raises VidcapError."""
        return await self._one(uri, self.task("caption"))

    def describe(self, uri: Uri) -> Result:
        """Describe one video in a detailed paragraph. Raises VidcapError."""
        return self._portal.run(self.adescribe(uri))

    async def adescribe(self, uri: Uri) -> Result:
        """Describe one video in a detailed paragraph. Raises VidcapError."""
        return await self._one(uri, self.task("describe"))

    @overload
    def ask(self, uri: Uri, question: str) -> Result: ...
    @overload
    def ask(self, uri: Uri, question: str, answer: type[M]) -> M: ...
    def ask(self, uri: Uri, question: str, answer: type[M] | None = None) -> Result | M:
        """Answer a question about one video. Raises VidcapError.

        The result's value has the `answer` and `times_s`, the times of frames that show it. With a
        pydantic model as `answer`, the answer is asked for and returned as one of those.
        """
        return self._portal.run(self._ask(uri, question, answer))

    @overload
    async def aask(self, uri: Uri, question: str) -> Result: ...
    @overload
    async def aask(self, uri: Uri, question: str, answer: type[M]) -> M: ...
    async def aask(self, uri: Uri, question: str, answer: type[M] | None = None) -> Result | M:
        """Answer a question about one video, as `ask` does. Raises VidcapError."""
        return await self._ask(uri, question, answer)

    async def _ask(self, uri: Uri, question: str, answer: type[M] | None) -> Result | M:
        result = await self._one(uri, asked(question, answer))
        if answer is None:
            return result
        value: M = result.value
        return value

    async def _one(self, uri: Uri, task: Task) -> Result:
        """The result of one video. Raises VidcapError."""
        self._check_open()
        outcome: Videos | Result | Failure = await self._pipeline.only(os.fspath(uri))
        if isinstance(outcome, Videos):
            async with aclosing(self._outcomes(outcome, task, keep_images=True)) as outcomes:
                outcome = await anext(outcomes)
        if isinstance(outcome, Failure):
            outcome.error.args = (f"{outcome.uri}: {outcome.error}",)
            raise outcome.error
        return outcome

    def task(self, name: str, *, prompt: str | None = None) -> Task:
        """The task of that name, vidcap's own or one of the settings. Raises SettingsError.

        With a `prompt`, that is asked instead; `@FILE` reads it from a file.
        """
        return choose_task(name, self.chosen.settings, prompt=prompt)

    def run(
        self, uris: Iterable[Uri] | Uri, task: Task | str = CAPTION, *, keep_images: bool = False
    ) -> Items[Result | Failure]:
        """An outcome for every video, in order; folders and patterns stand for their videos.

        An iterator: leave the loop early, or `close` it, and what is under way is stopped. Results
        come without their `images`, unless `keep_images` says that there is room for them.
        """
        return Items(self._portal, self.arun(uris, task, keep_images=keep_images))

    def arun(
        self, uris: Iterable[Uri] | Uri, task: Task | str = CAPTION, *, keep_images: bool = False
    ) -> AsyncGenerator[Result | Failure, None]:
        """An outcome for every video, in order; folders and patterns stand for their videos."""
        self._check_open()
        many: Iterable[Uri] = [uris] if isinstance(uris, (str, os.PathLike)) else uris
        videos = Videos((os.fspath(uri) for uri in many), self.chosen)
        return self._outcomes(videos, self._task(task), keep_images=keep_images)

    def _run(self, videos: Videos, task: Task) -> Items[Result | Failure]:
        """As `run`; for vidcap's own commands, which look ahead: no source is asked twice."""
        return Items(self._portal, self._outcomes(videos, task, keep_images=False))

    def _outcomes(
        self, videos: Videos, task: Task, *, keep_images: bool
    ) -> AsyncGenerator[Result | Failure, None]:
        self._check_open()
        return self._held(self._pipeline.run(videos, task, keep_images=keep_images))

    def _task(self, task: Task | str) -> Task:
        return task if isinstance(task, Task) else self.task(task)

    async def _held(self, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        # As long as somebody iterates this must not go: its finalizer ends the decoders.
        async with aclosing(items):
            async for item in items:
                yield item

    def frames(self, uri: Uri) -> Iterator[Image]:
        """The frames that would be sent of one video. Raises VidcapError."""
        self._check_open()
        return iter(self.sampled(uri)[1].images)

    async def aframes(self, uri: Uri) -> AsyncGenerator[Image, None]:
        """The frames that would be sent of one video. Raises VidcapError."""
        self._check_open()
        _, sampled = await self._pipeline.sampled(os.fspath(uri))
        for image in sampled.images:
            yield image

    def sampled(self, uri: Uri) -> tuple[Media, Sampled]:
        """One video as its source and its decoder tell of it, with all that would be shown of it."""
        self._check_open()
        return self._portal.run(self._pipeline.sampled(os.fspath(uri)))

    def scenes(self, uri: Uri, sampler: str | Sampler = SCENES, *, images: bool = False) -> Scenes:
        """The scenes of one video: all segments of a sampler that finds them. Raises VidcapError.

        No model is asked and no budget thins them. With `images`, one picture of each is taken.
        """
        return self._portal.run(self.ascenes(uri, sampler, images=images))

    async def ascenes(self, uri: Uri, sampler: str | Sampler = SCENES, *, images: bool = False) -> Scenes:
        """The scenes of one video, as `scenes` tells. Raises VidcapError."""
        self._check_open()
        line = self._pipeline.with_sampler(self._sampler(sampler))
        return await line.scenes(os.fspath(uri), with_images=images)

    def compare(
        self, uri: Uri, samplers: Iterable[str | Sampler] | None = None, task: Task | str | None = None
    ) -> Comparison:
        """Samplers side by side on one video: frames, coverage, tokens, CPU time, and a page to look at.

        Without `samplers`, all that are installed and need no options. With a `task` the model is
        asked about the frames of each, until it refuses all further requests. A sampler that fails is
        a row with its error; VidcapError is raised where the video cannot be read, and where a name is
        unknown.
        """
        return self._portal.run(self.acompare(uri, samplers, task))

    async def acompare(
        self, uri: Uri, samplers: Iterable[str | Sampler] | None = None, task: Task | str | None = None
    ) -> Comparison:
        """Samplers side by side on one video, as `compare` tells. Raises VidcapError."""
        from .comparing import compare

        self._check_open()
        if samplers is None:
            samplers = ready(self.chosen.settings, self._registry, "samplers")
        given = list(samplers)
        if not given:
            raise SettingsError("there is no sampler to compare: name some")
        named = [(one if isinstance(one, str) else one.name, self._sampler(one)) for one in given]
        asked = None if task is None else self._task(task)
        return await compare(self._pipeline, await self._only(uri), named, asked)

    async def _only(self, uri: Uri) -> str:
        found = await self._pipeline.only(os.fspath(uri))
        if isinstance(found, Failure):
            raise found.error
        return str(next(found))

    def _sampler(self, sampler: str | Sampler) -> Sampler:
        if isinstance(sampler, str):
            return cast("Sampler", built(self.chosen.settings, self._registry, "samplers", sampler))
        _check_object("sampler", sampler)
        return sampler

    @cached_property
    def _registry(self) -> Registry:
        return Registry.load(self.chosen.settings.plugins)

    def prepare(self, uri: Uri, task: Task | str = CAPTION) -> Work:
        """All that would be asked about one video; nothing is sent. Raises VidcapError."""
        self._check_open()
        return self._portal.run(self._pipeline.prepare(os.fspath(uri), self._task(task)))

    def _check_open(self) -> None:
        if not self._closed.alive:
            raise RuntimeError(CLOSED)
        if os.getpid() != self._process:
            raise RuntimeError("a Vidcap does not survive a fork: make one in this process")

    @property
    def _portal(self) -> Portal:
        with self._lock:
            self._check_open()
            if not self._portals:
                self._portals.append(Portal())
            return self._portals[0]


def _check_object(kind: str, plugin: object) -> None:
    wanted: type[Plugin] = KINDS[kind + "s"]
    if not isinstance(plugin, wanted):
        given = f"the class {plugin.__name__}" if isinstance(plugin, type) else repr(plugin)
        raise SettingsError(f"{kind} must be a name or a {wanted.__name__} object, not {given}")
    if not plugin.name:
        raise SettingsError(f'{type(plugin).__qualname__} has no name: write name = "…" into the class')


def load_settings(arguments: dict[str, Any], *, model: str | None, base_url: str | None) -> Settings:
    """Read the settings, with `model` and `base_url` as options of the captioner they are for.

    An address that is given by itself is nobody's but the user's: the key of a provider that a
    file chooses is not sent there.
    """
    if base_url is not None and arguments.get("captioner") is None:
        arguments = {**arguments, "captioner": _CUSTOM}
    settings = Settings.load(arguments)
    given = {"model": model, "base_url": base_url}
    options = {name: value for name, value in given.items() if value is not None}
    if not options:
        return settings
    captioner = settings.captioner or DEFAULT_CAPTIONER
    if base_url is not None and not (model or settings.options("captioners", captioner).get("model")):
        raise SettingsError(f"which model of {base_url}? Give it with --model (in Python model=…)")
    return Settings.load(merge({"captioners": {captioner: options}}, arguments))


def _close(pipeline: Pipeline, portals: list[Portal], process: int) -> None:
    if os.getpid() != process:
        return  # a fork has no threads to end, and the decoders are another's
    if threading.current_thread().name.startswith(OWN_THREAD):
        # Garbage is collected in any thread, and one of vidcap's own cannot wait for its end.
        threading.Thread(target=_close, args=(pipeline, portals, process)).start()
        return
    try:
        for portal in portals:
            portal.close()
    finally:  # also where a second Ctrl-C ends the waiting
        pipeline.close()
