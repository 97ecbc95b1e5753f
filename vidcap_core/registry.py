"""Finds the installed plugins. What is broken harms only who chooses it."""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from . import hooks
from .errors import PluginError, SettingsError
from .plugin import Captioner, Decoder, Plugin, Sampler, Source

_log = logging.getLogger("vidcap")
_LONGEST_REASON = 500

KINDS: dict[str, type[Plugin]] = {
    "sources": Source,
    "decoders": Decoder,
    "samplers": Sampler,
    "captioners": Captioner,
}
"""Each kind by the name of its settings table; its hook is `vidcap_` and that name."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin class and where it comes from."""

    plugin: type[Plugin]
    origin: str
    """The entry point, and the distribution with its version."""


class Registry:
    """The plugins of some entry points, each loaded by itself."""

    def __init__(self, found: Iterable[EntryPoint]) -> None:
        self.broken: dict[str, str] = {}
        """Why an entry point is of no use, by its origin."""
        self._manager = pluggy.PluginManager("vidcap")
        self._manager.add_hookspecs(hooks)
        self._kinds: dict[str, dict[str, list[Installed]]] = {}
        for entry_point in found:
            self._load(entry_point)

    @classmethod
    def load(cls) -> Registry:
        """Find what is installed."""
        return cls(entry_points(group="vidcap"))

    def _load(self, entry_point: EntryPoint) -> None:
        # Not pluggy's own loader, which stops at the first plugin that fails.
        origin = _origin(entry_point)
        try:
            module: ModuleType = entry_point.load()
            self._manager.register(module, origin)
            # Without these a misspelt or unmarked hook is silently never called.
            self._manager.check_pending()
            _check_marks(module, self._manager)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may do anything, sys.exit included
            self._break(origin, error)
            if self._manager.has_plugin(origin):
                self._manager.unregister(name=origin)

    def _break(self, origin: str, error: BaseException) -> None:
        _log.debug("plugin %s is broken", origin, exc_info=error)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        self.broken[origin] = reason[:_LONGEST_REASON]

    def kind(self, kind: str) -> dict[str, list[Installed]]:
        """The plugins of a kind by name; more than one of a name is an error for who chooses it."""
        if kind not in self._kinds:
            installed: dict[str, list[Installed]] = {}
            for one in self._installed(kind):
                installed.setdefault(one.plugin.name, []).append(one)
            self._kinds[kind] = installed
        return self._kinds[kind]

    def _installed(self, kind: str) -> list[Installed]:
        installed = []
        for implementation in getattr(self._manager.hook, f"vidcap_{kind}").get_hookimpls():
            origin = implementation.plugin_name
            try:
                classes = list(implementation.function())
                for plugin in classes:
                    _check(plugin, kind)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - as above
                self._break(origin, error)
            else:
                installed += [Installed(plugin, origin) for plugin in classes]
        return installed

    def find(self, kind: str, name: str, nicknames: Iterable[str] = ()) -> type[Plugin]:
        """The plugin of that name. Raises SettingsError, or PluginError for a duplicate.

        `nicknames` are what else could have been meant.
        """
        found = self.kind(kind).get(name, [])
        if len(found) > 1:
            origins = " and ".join(sorted(one.origin for one in found))
            raise PluginError(f"two {kind} are named {name!r}: {origins}; uninstall one of them")
        if found:
            return found[0].plugin
        raise SettingsError(f"no {kind[:-1]} named {name!r}{self._hint(kind, name, nicknames)}")

    def _hint(self, kind: str, name: str, nicknames: Iterable[str]) -> str:
        known = sorted({*self.kind(kind), *nicknames})
        hint = near_misses(name, known) or f"; there is {', '.join(known) or 'none'}"
        for origin, reason in self.broken.items():
            hint += f"\nbroken: {origin}: {reason}"
        return hint


def near_misses(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _origin(entry_point: EntryPoint) -> str:
    dist = entry_point.dist
    return f"{entry_point.name} ({dist.name} {dist.version})" if dist else entry_point.name


def _check_marks(module: Any, manager: pluggy.PluginManager) -> None:
    marked = {caller.name for caller in manager.get_hookcallers(module) or ()}
    hooks_there = [f"vidcap_{kind}" for kind in KINDS]
    for hook in hooks_there:
        if hook not in marked and hasattr(module, hook):
            raise PluginError(f"{hook} lacks @hookimpl")
    if not marked:
        raise PluginError(f"it has no hook: there is {', '.join(hooks_there)}")


def _check(plugin: Any, kind: str) -> None:
    base = KINDS[kind]
    if not (isinstance(plugin, type) and issubclass(plugin, base)):
        raise PluginError(f"vidcap_{kind} returned {plugin!r}, which is no subclass of {base.__name__}")
    if not plugin.name:
        raise PluginError(f"{plugin.__qualname__} has no name")
    if inspect.isabstract(plugin):
        missing = ", ".join(sorted(plugin.__abstractmethods__))
        raise PluginError(f"{plugin.__qualname__} lacks {missing}")
