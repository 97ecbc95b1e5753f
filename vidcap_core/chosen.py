"""From names to plugins: what a run is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from .errors import PluginError, SettingsError, SourceError
from .plugin import Captioner, Claim, Decoder, Plugin, Sampler, Source
from .registry import KINDS, Registry, near_misses
from .settings import Settings
from .types import Limits

DEFAULT_CAPTIONER, DEFAULT_KEY = "inference", "INFERENCE_API_KEY"
CHOOSE = (
    f"no captioner is chosen: export {DEFAULT_KEY}=… for the default one, name one with"
    " `captioner` (openai, offline, …), or give the `base_url` and `model` of any OpenAI-compatible server"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The plugins and settings of a run. Frozen and picklable: it can be sent to other machines."""

    settings: Settings
    sources: tuple[Source, ...]
    decoder: Decoder
    sampler: Sampler
    captioner: Captioner | None
    """None where nothing is going to be asked."""
    captioner_name: str = ""
    """What the captioner was chosen by, a nickname perhaps."""
    notices: tuple[str, ...] = field(default=())

    @property
    def limits(self) -> Limits:
        """What one request can hold."""
        return self.captioner.limits if self.captioner else Limits()

    def source(self, uri: str) -> Source:
        """The source whose claim to a URI is the strongest. Raises SourceError, SettingsError."""
        if self.settings.source is not None:
            return self.sources[0]
        claims = [(source.claims(uri), source) for source in self.sources]
        strongest = max((claim for claim, _ in claims), default=Claim.NO)
        if strongest is Claim.NO:
            names = ", ".join(source.name for source in self.sources)
            raise SourceError(f"no installed source reads such a URI; installed: {names}")
        claimants = [source for claim, source in claims if claim is strongest]
        if len(claimants) > 1:
            names = " and ".join(f"{source.name} ({type(source).__module__})" for source in claimants)
            raise SettingsError(f"{names} both claim this URI: choose one with --source")
        return claimants[0]


@dataclass(frozen=True, slots=True)
class Given:
    """Plugins that were handed over ready made, as objects. They go before the settings' names."""

    source: Source | None = None
    decoder: Decoder | None = None
    sampler: Sampler | None = None
    captioner: Captioner | None = None


def choose(
    settings: Settings,
    registry: Registry,
    given: Given = Given(),
    *,
    asks: bool = True,
    offline_will_do: bool = False,
) -> Chosen:
    """Find and build what the settings name. Raises SettingsError, PluginError.

    `asks` False leaves the captioner out where none is named. With `offline_will_do` the offline
    captioner is taken where no captioner is named and there is no key for the default one.
    """
    notices = list(_check_tables(settings, registry))
    name, captioner = "", given.captioner
    if captioner is not None:
        name = captioner.name
    elif found := _captioner_name(settings, asks=asks, offline_will_do=offline_will_do):
        name, captioner = found, _built(settings, registry, "captioners", found)
    return Chosen(
        settings=settings,
        sources=(given.source,) if given.source else _sources(settings, registry),
        decoder=given.decoder or _built(settings, registry, "decoders", settings.decoder),
        sampler=given.sampler or _built(settings, registry, "samplers", settings.sampler),
        captioner=captioner,
        captioner_name=name,
        notices=tuple(notices),
    )


def _captioner_name(settings: Settings, *, asks: bool, offline_will_do: bool) -> str | None:
    # Nobody's frames or money go anywhere unasked: one key alone selects a provider by itself.
    if settings.captioner is not None:
        return settings.captioner
    if os.environ.get(DEFAULT_KEY):
        return DEFAULT_CAPTIONER
    if offline_will_do:
        return "offline"
    if asks:
        raise SettingsError(CHOOSE)
    return None


def _built(settings: Settings, registry: Registry, kind: str, name: str) -> Any:
    table = settings.options(kind, name)
    try:
        plugin = registry.find(kind, settings.plugin_name(kind, name))
    except SettingsError:
        nicknames = getattr(settings, kind)
        if table or not (hint := near_misses(name, nicknames)):
            raise
        raise SettingsError(f"no {kind[:-1]} named {name!r}{hint}") from None
    return settings.build(kind, name, plugin)


def _sources(settings: Settings, registry: Registry) -> tuple[Source, ...]:
    if settings.source is not None:
        return (_built(settings, registry, "sources", settings.source),)
    built = []
    for name, installed in registry.kind("sources").items():
        for one in installed:
            source = settings.build("sources", name, one.plugin, chosen=False)
            if source is not None:
                built.append(cast("Source", source))
    return tuple(built)


def _check_tables(settings: Settings, registry: Registry) -> Iterator[str]:
    """Refuse wrong options also where they are not chosen now; note tables that look misspelt."""
    for kind in KINDS:
        known = registry.kind(kind)
        for name, table in getattr(settings, kind).items():
            installed = known.get(settings.plugin_name(kind, name), [])
            if installed:
                settings.build(kind, name, installed[0].plugin, chosen=False)
            elif "use" not in table and (hint := near_misses(name, known)):
                yield f"the table {kind}.{name} names no installed {kind[:-1]}{hint}"


def plugin_record(plugin: Plugin, name: str | None = None) -> dict[str, Any]:
    """A plugin with its options, for the provenance of a result."""
    return {"name": name or plugin.name, "plugin": plugin.name, "options": plugin.options()}


def foreign(error: Exception, plugin: Plugin) -> PluginError:
    """What a plugin raised that it should not have."""
    said = f"{type(error).__name__}: {error}"[:500]
    return PluginError(f"{plugin.name!r} failed: {said}; --debug shows where")
