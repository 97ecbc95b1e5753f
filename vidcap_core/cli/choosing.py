"""From what the command line asks for to settings and plugins."""

from __future__ import annotations

from typing import Any

from ..errors import SettingsError
from ..layers import merge, nested, parse_assignment
from ..registry import Registry
from ..settings import Settings
from ..vidcap import load_settings
from .order import Order


def load(order: Order) -> tuple[Settings, Registry]:
    """The settings that an order makes, and the plugins that they allow. Raises SettingsError."""
    arguments = _arguments(order)
    registry = Registry.load(Settings.load(arguments).plugins)
    return settings_of(order, registry), registry


def settings_of(order: Order, registry: Registry) -> Settings:
    """The settings that an order makes. Raises SettingsError."""
    arguments = _arguments(order)
    if order.frames is not None or order.every_s is not None:
        merge(arguments, _sampler_options(order, Settings.load(arguments), registry))
    return load_settings(arguments, model=order.model, base_url=order.base_url)


def _arguments(order: Order) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for assignment in order.assignments or ():
        merge(arguments, parse_assignment(assignment))
    flags = {
        "profile": order.profile,
        "captioner": order.captioner,
        "sampler": order.sampler,
        "decoder": order.decoder,
        "source": order.source,
        "max_frames": order.frames,
        "start_s": order.start_s,
        "end_s": order.end_s,
        "transcript": order.transcript,
        "languages": order.language.split(",") if order.language else None,
    }
    return merge(arguments, {name: value for name, value in flags.items() if value is not None})


def _sampler_options(order: Order, settings: Settings, registry: Registry) -> dict[str, Any]:
    """`--frames` and `--every` as options of the sampler that is chosen, or of those to be compared."""
    names = (settings.sampler,) if order.samplers is None else order.samplers
    options: dict[str, Any] = {}
    for name in names:
        merge(options, _options_of(name, order, settings, registry))
    return options


def _options_of(name: str, order: Order, settings: Settings, registry: Registry) -> dict[str, Any]:
    plugin_name = settings.plugin_name("samplers", name)
    twins = registry.kind("samplers").get(plugin_name)  # which of them is meant is asked of who takes it
    known = (twins[0].plugin if twins else registry.find("samplers", plugin_name)).model_fields
    options: dict[str, Any] = {}
    if order.frames is not None and "count" in known:
        options["count"] = order.frames
    if order.every_s is not None:
        if "every_s" not in known:
            raise SettingsError(f"--every is for the sampler fixed_interval; {name} has no every_s")
        options["every_s"] = order.every_s
    return nested(["samplers", name], options)
