"""From names to plugins: what a run is made of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from .blaming import foreign
from .errors import PluginError, SettingsError, SourceError, VidcapError
from .plugin import Captioner, Claim, Decoder, Plugin, Sampler, Source
from .registry import EXTRAS, KINDS, Installed, Registry, near_misses, remedy
from .settings import ARGUMENT, Settings
from .types import Limits

DEFAULT_CAPTIONER, DEFAULT_KEY = "inference", "INFERENCE_API_KEY"
CHOOSE = (
    f"no captioner is chosen: export {DEFAULT_KEY}=… for the default one, choose one by its name"
    ' (--captioner openai, in Python captioner="openai"), or give the --base-url and --model of any'
    " OpenAI-compatible server"
)

_WEB, _WEB_SOURCE = re.compile("https?://", re.IGNORECASE), "youtube"


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
    source_is_named: bool = False
    """Whether the one source was asked for, and is used whatever a URI looks like."""
    unready: tuple[str, ...] = ()
    """Sources that cannot be asked, for they need options that are not set."""
    notices: tuple[str, ...] = ()
    of_no_use: str = ""
    """What is installed and may have read a URI that nobody claims: broken or left out, a line each."""

    @property
    def limits(self) -> Limits:
        """What one request can hold."""
        return self.captioner.limits if self.captioner else Limits()

    def source(self, uri: str) -> Source:
        """The source whose claim to a URI is the strongest. Raises SourceError, SettingsError."""
        if self.source_is_named:
            return self.sources[0]
        claims, faults = [], []
        for source in self.sources:
            try:
                claims.append((_claim(source, uri), source))
            except PluginError as error:
                faults.append(error)  # it harms only what nobody else claims
        strongest = max((claim for claim, _ in claims), default=Claim.NO)
        if faults and strongest is not Claim.YES:
            raise faults[0]
        if strongest is Claim.NO:
            raise self._unclaimed(uri)
        claimants = [source for claim, source in claims if claim is strongest]
        if len(claimants) > 1:
            names = " and ".join(f"{source.name} ({type(source).__module__})" for source in claimants)
            same = len({source.name for source in claimants}) == 1
            mend = "uninstall one of them" if same else "choose one with --source"
            raise SettingsError(f"{names} both claim this URI: {mend}")
        return claimants[0]

    def _unclaimed(self, uri: str) -> VidcapError:
        if _WEB.match(uri) and _WEB_SOURCE not in (*self._source_names, *self.unready):
            extra = EXTRAS["sources"][_WEB_SOURCE]
            return SettingsError(
                f"no installed source reads videos on the web: {remedy(extra)}{self.of_no_use}"
            )
        words = f"no installed source reads such a URI; {self._sources_in_words}"
        return SourceError(words + self.of_no_use)

    @property
    def _source_names(self) -> list[str]:
        return [source.name for source in self.sources]

    @property
    def _sources_in_words(self) -> str:
        words = f"installed: {', '.join(self._source_names) or 'none'}"
        return f"{words}; needs options first: {', '.join(self.unready)}" if self.unready else words


def _claim(source: Source, uri: str) -> Claim:
    try:
        claim = source.claims(uri)
    except Exception as error:
        raise foreign(error, source) from error
    if not isinstance(claim, Claim):
        raise PluginError(f"{source.name!r} claims {claim!r}, which is no Claim: NO, MAYBE or YES")
    return claim


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
    for profile in settings.profiles:
        if profile != settings.profile:
            notices += _check_tables(settings.under(profile), registry)
    name, captioner = "", given.captioner
    if captioner is not None:
        name = captioner.name
    elif found := _captioner_name(settings, asks=asks, offline_will_do=offline_will_do):
        name, captioner = found, built(settings, registry, "captioners", found)
    sources, unready = _sources(settings, registry, given.source)
    if captioner is not None and not isinstance(captioner.limits, Limits):
        raise PluginError(f"captioner {captioner.name!r}: its limits are no Limits")
    return Chosen(
        settings=settings,
        sources=tuple(sources),
        decoder=given.decoder or built(settings, registry, "decoders", settings.decoder),
        sampler=given.sampler or built(settings, registry, "samplers", settings.sampler),
        captioner=captioner,
        captioner_name=name,
        source_is_named=given.source is not None or settings.source is not None,
        unready=tuple(unready),
        notices=tuple(notices),
        of_no_use=registry.of_no_use,
    )


def _captioner_name(settings: Settings, *, asks: bool, offline_will_do: bool) -> str | None:
    # Nobody's frames or money go anywhere unasked: one key alone selects a provider by itself.
    if settings.captioner is not None:
        return settings.captioner
    if os.environ.get(DEFAULT_KEY):
        return DEFAULT_CAPTIONER
    # Who names a model does not want to do without one.
    if offline_will_do and settings.origin("captioners", DEFAULT_CAPTIONER, "model") != ARGUMENT:
        return "offline"
    if asks:
        raise SettingsError(CHOOSE)
    return None


def built(settings: Settings, registry: Registry, kind: str, name: str) -> Any:
    """The plugin that a name or nickname means, with its options. Raises SettingsError, PluginError."""
    plugin_name, nicknames = settings.plugin_name(kind, name), _nicknames(settings, kind)
    if plugin_name == name:
        installed_later = name in EXTRAS.get(kind, ())
        if settings.options(kind, name) and name not in registry.kind(kind) and not installed_later:
            raise SettingsError(
                f"no {kind[:-1]} named {name!r} is installed, and the table {kind}.{name} has no `use`:"
                f" if it is a nickname, write there whose ({', '.join(sorted(registry.kind(kind)))})"
            )
        return _make(settings, kind, name, registry.find(kind, name, nicknames))
    try:
        plugin = registry.find(kind, plugin_name)
    except SettingsError as error:
        path = (kind, name, "use")
        raise SettingsError(f"{'.'.join(path)} (from {settings.origin(*path)}): {error}") from None
    return _make(settings, kind, name, plugin)


def ready(settings: Settings, registry: Registry, kind: str) -> Iterator[str]:
    """Names and nicknames of all that can be built as things are: `vidcap plugins` tells of the others."""
    for name in dict.fromkeys((*registry.kind(kind), *_nicknames(settings, kind))):
        with suppress(VidcapError):
            built(settings, registry, kind, name)
            yield name


def _make(
    settings: Settings, kind: str, name: str, plugin: type[Plugin], *, chosen: bool = True
) -> Plugin | None:
    try:
        return settings.build(kind, name, plugin, chosen=chosen)
    except VidcapError:
        raise
    except Exception as error:
        raise foreign(error, plugin) from error


def _nicknames(settings: Settings, kind: str) -> set[str]:
    return {name for name, table in getattr(settings, kind).items() if "use" in table}


def _sources(settings: Settings, registry: Registry, given: Source | None) -> tuple[list[Source], list[str]]:
    """The sources that are asked for their claims, and the names of those that need options first."""
    if given is not None:
        return [given], []
    if settings.source is not None:
        return [built(settings, registry, "sources", settings.source)], []
    ready, unready = [], []
    for name, installed in registry.kind("sources").items():
        for one in installed:
            try:
                source = _make(settings, "sources", name, one.plugin, chosen=False)
            except VidcapError:
                source = None  # the user's options are checked already: it harms only who chooses it
            if source is None:
                unready.append(name)
            else:
                ready.append(cast("Source", source))
    return ready, unready


def _check_tables(settings: Settings, registry: Registry) -> Iterator[str]:
    """Refuse wrong options also where they are not chosen now; note a file's tables that look misspelt."""
    for kind in KINDS:
        given = [name for name in getattr(settings, kind) if not settings.is_shipped(kind, name)]
        # To know what is installed is to import it, a tenth of what it costs to take a few frames.
        known = registry.kind(kind) if given else {}
        for name in given:
            plugin_name = settings.plugin_name(kind, name)
            if plugin_name in known:
                _check_options(settings, kind, name, known[plugin_name])
            elif plugin_name in EXTRAS.get(kind, ()):
                continue  # spelt well, and not installed on this machine
            elif hint := near_misses(plugin_name, {*known, *_nicknames(settings, kind)} - {name}):
                words = f"the table {kind}.{name} is for no installed {kind[:-1]}{hint}"
                if settings.file(kind, name) is None:
                    # A file serves many machines; an argument or a variable is for this one.
                    raise SettingsError(f"{words} (from {settings.origin(kind, name)})")
                yield words


def _check_options(settings: Settings, kind: str, name: str, installed: list[Installed]) -> None:
    if len(installed) > 1:
        return  # which of them is meant is asked of who chooses it
    with suppress(PluginError):  # that harms only who chooses it
        _make(settings, kind, name, installed[0].plugin, chosen=False)
