"""Finds the installed plugins. What is broken harms only who chooses it."""

from __future__ import annotations

import difflib
import inspect
import logging
import time
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

EXTRAS = {
    "sources": {"youtube": "youtube"},
    "decoders": {"decord": "decord"},
    "samplers": {"scene_change_psd": "scenedetect"},
}
"""The extra of vidcap that brings a plugin, by kind and name."""
_OWN = "vidcap_core.builtin"


def remedy(extra: str) -> str:
    """How an extra is installed."""
    return f'pip install "vidcap[{extra}]"'


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
        self.left_out: tuple[str, ...] = ()
        """Entry points that are installed and were not asked for."""
        self._manager = pluggy.PluginManager("vidcap")
        self._manager.add_hookspecs(hooks)
        self._kinds: dict[str, dict[str, list[Installed]]] = {}
        for entry_point in found:
            self._load(entry_point)

    @classmethod
    def load(cls, only: Iterable[str] | None = None) -> Registry:
        """Find what is installed; of others than vidcap itself, `only` these entry points.

        Raises SettingsError where there is none of such a name.
        """
        found = list(entry_points(group="vidcap"))
        if only is None:
            return cls(found)
        wanted, known = set(only), {one.name for one in found}
        for name in sorted(wanted - known):
            hint = near_misses(name, known) or f"; there is {', '.join(sorted(known))}"
            raise SettingsError(f"setting 'plugins': no entry point named {name!r} is installed{hint}")
        taken = [one for one in found if one.name in wanted or one.value == _OWN]
        registry = cls(taken)
        registry.left_out = tuple(_origin(one) for one in found if one not in taken)
        return registry

    def _load(self, entry_point: EntryPoint) -> None:
        # Not pluggy's own loader, which stops at the first plugin that fails.
        origin, started_s = _origin(entry_point), time.perf_counter()
        try:
            module: ModuleType = entry_point.load()
            _log.debug("plugin %s took %.2f s to import", origin, time.perf_counter() - started_s)
            # Without these a misspelt or unmarked hook is silently never called.
            _check_spelling(module, self._manager)
            self._manager.register(module, origin)
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
        if extra := EXTRAS.get(kind, {}).get(name):
            raise SettingsError(f"the {kind[:-1]} {name!r} is not installed: {remedy(extra)}{self.of_no_use}")
        raise SettingsError(f"no {kind[:-1]} named {name!r}{self._hint(kind, name, nicknames)}")

    def _hint(self, kind: str, name: str, nicknames: Iterable[str]) -> str:
        known = sorted({*self.kind(kind), *nicknames})
        hint = near_misses(name, [*known, *EXTRAS.get(kind, ())])
        return (hint or f"; there is {', '.join(known) or 'none'}") + self.of_no_use

    @property
    def of_no_use(self) -> str:
        """What may have offered what is not there, a line each."""
        lines = [f"\nbroken: {origin}: {reason}" for origin, reason in self.broken.items()]
        lines += [f"\nleft out by the setting 'plugins': {', '.join(self.left_out)}"] * bool(self.left_out)
        return "".join(lines)


def near_misses(name: str, known: Iterable[str], prefix: str = "") -> str:
    """`; did you mean …?`, or nothing. A prefix that all have is only told, not compared."""
    near = difflib.get_close_matches(name.removeprefix(prefix), list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(prefix + one) for one in near)}?" if near else ""


def _origin(entry_point: EntryPoint) -> str:
    dist = entry_point.dist
    return f"{entry_point.name} ({dist.name} {dist.version})" if dist else entry_point.name


def _check_spelling(module: Any, manager: pluggy.PluginManager) -> None:
    hooks_there = {f"vidcap_{kind}" for kind in KINDS}
    for name in dir(module):
        marks = manager.parse_hookimpl_opts(module, name)
        if marks and not marks["optionalhook"] and name not in hooks_there:
            raise PluginError(f"unknown hook {name!r}{near_misses(name, KINDS, 'vidcap_')}")


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
