"""The commands `vidcap plugins`, `vidcap settings` and `vidcap new-plugin`."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from ..chosen import DEFAULT_CAPTIONER, DEFAULT_KEY, choose
from ..errors import SettingsError
from ..plugin import Plugin
from ..registry import EXTRAS, KINDS, Registry, near_misses, remedy
from ..settings import Settings
from ..text import for_terminal, one_line
from ..writers import to_json, to_plain
from .choosing import load
from .order import Order
from .terminal import redacted, say

_SECRET = re.compile(r"(?i)(key|token|secret|password|passwd)(?!frame)[^.]*(?<!_env)$")
"""In the last part of a name. Rather too much is hidden than too little."""
_USER = re.compile(r"://\S*@")
_BARE_USER = re.compile(r"^\S*@")
_QUALIFIER = re.compile(r"\b(\w+\.)+(?=\w)")
_PLAINER = (
    (r"Annotated\[(\w+), [^]]*\]", r"\1"),
    (r"Optional\[(\w+)\]", r"\1 | None"),
    (r"Literal\[([^]]*)\]", r"\1"),
)
"""How Python writes types, and how people read them."""
_MOST_COLUMNS = 110


def plugins(order: Order, kind: str | None, *, as_json: bool) -> int:
    """Print what is installed; returns the exit code."""
    kinds = [_kind(kind)] if kind else list(KINDS)
    settings, registry = load(order)
    listed = {one: _listed(one, settings, registry) for one in kinds}
    if as_json:
        put(to_json({**listed, "broken": registry.broken, "left_out": registry.left_out}))
        return 0
    for one, found in listed.items():
        put(one)
        for entry in found:
            put("\n".join(_entry_lines(entry)))
        for name, extra in EXTRAS.get(one, {}).items():
            if name not in registry.kind(one):
                put(f"  {name}, not installed: {remedy(extra)}")
        put("")
    for origin, reason in registry.broken.items():
        put(wrapped(f"broken: {origin}: {reason}"))
    if registry.left_out:
        put(wrapped(f"left out by the setting 'plugins': {', '.join(registry.left_out)}"))
    put(wrapped("* is what would be used now; [kind.name] tables and --set kind.name.option=… give options"))
    return 0


def put(text: str) -> None:
    """Print for people and programs: no control characters, no value of a secret's variable."""
    print(for_terminal(redacted(text)))  # noqa: T201


def _kind(name: str) -> str:
    for kind in KINDS:
        if name in (kind, kind[:-1]):
            return kind
    known = f"; there is {', '.join(KINDS)}"
    raise SettingsError(f"no kind {name!r}{near_misses(name, KINDS) or known}")


def _listed(kind: str, settings: Settings, registry: Registry) -> list[dict[str, Any]]:
    chosen = _chosen(kind, settings)
    entries = [
        {
            "name": name,
            "chosen": name == chosen,
            "from": one.origin,
            "duplicate": len(found) > 1,
            "says": " ".join((one.plugin.__doc__ or "").split("\n\n")[0].split()),
            "options": list(_options(one.plugin)),
        }
        for name, found in sorted(registry.kind(kind).items())
        for one in found
    ]
    for name, table in sorted(getattr(settings, kind).items()):
        if "use" in table:
            entries.append(_nickname(name, table, chosen))
    return entries


def _nickname(name: str, table: Mapping[str, Any], chosen: str | None) -> dict[str, Any]:
    return {"name": name, "chosen": name == chosen, "use": str(table["use"]), "key": key_of(table)}


def key_of(table: Mapping[str, Any]) -> dict[str, Any] | None:
    """The variable that a nickname's key stands in, and whether it is set; None where it needs none."""
    variable = str(table.get("api_key_env") or "")
    return {"variable": variable, "set": bool(os.environ.get(variable, "").strip())} if variable else None


def _chosen(kind: str, settings: Settings) -> str | None:
    chosen: str | None = getattr(settings, kind[:-1])
    if kind == "captioners" and chosen is None and os.environ.get(DEFAULT_KEY):
        return DEFAULT_CAPTIONER
    return chosen


def _options(plugin: type[Plugin]) -> Iterator[dict[str, Any]]:
    for name, field in plugin.model_fields.items():
        if dataclasses.is_dataclass(field.annotation) and field.default is not PydanticUndefined:
            hints = get_type_hints(field.annotation)
            for inner in dataclasses.fields(field.annotation):
                value = getattr(field.default, inner.name)
                yield _option(f"{name}.{inner.name}", hints[inner.name], value, field.description)
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        yield _option(name, field.annotation, default, field.description)


def _option(name: str, annotation: Any, default: Any, description: str | None) -> dict[str, Any]:
    required = default is PydanticUndefined
    option = {"name": name, "type": _type(annotation), "required": required, "says": description or ""}
    return option if required else option | {"default": masked(name, to_plain(default))}


def _type(annotation: Any) -> str:
    text = annotation.__name__ if type(annotation) is type else str(annotation)
    text = _QUALIFIER.sub("", text).replace("NoneType", "None")
    for pattern, plain in _PLAINER:
        text = re.sub(pattern, plain, text)
    return text


def _entry_lines(entry: dict[str, Any]) -> Iterator[str]:
    mark = "*" if entry["chosen"] else " "
    if "use" in entry:
        key = entry["key"]
        told = f", {key['variable']} is {'' if key['set'] else 'not '}set" if key else ""
        yield wrapped(f"{mark} {entry['name']} -> {entry['use']}{told}")
        return
    twice = "  DUPLICATE: uninstall one of them" if entry["duplicate"] else ""
    yield wrapped(f"{mark} {entry['name']}  {entry['from']}{twice}")
    yield wrapped(entry["says"], "    ")
    said = ""
    for option in entry["options"]:
        default = "required" if option["required"] else to_json(option["default"], indent=None)
        yield wrapped(f"{option['name']}: {option['type']} = {default}", "      ")
        if option["says"] != said:
            yield wrapped(said := option["says"], "        ")


def wrapped(text: str, indent: str = "", hanging: str = "    ") -> str:
    """Text that fits the terminal, its lines indented, all but the first by `hanging` more."""
    columns = min(shutil.get_terminal_size().columns, _MOST_COLUMNS) - 1
    return textwrap.fill(
        one_line(text),
        max(columns, 40),
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def settings(order: Order, *, as_json: bool) -> int:
    """Print every effective value with its origin; returns the exit code."""
    read, registry = load(order)
    for notice in choose(read, registry, asks=False).notices:  # it refuses what is misspelt
        say(notice)
    values = [
        {"name": ".".join(path), "value": masked(".".join(path), value), "origin": read.origin(*path)}
        for path, value in _effective(read, registry)
    ]
    # What somebody has said comes first, what vidcap knows of providers last.
    values.sort(key=lambda one: {"default": 1, "providers.toml": 2}.get(one["origin"], 0))
    if as_json:
        put(to_json({"settings": values, "profiles": sorted(read.profiles)}))
        return 0
    for one in values:
        value = to_json(one["value"], indent=None)
        put(wrapped(f"{one['name']} = {value}  ({one['origin']})"))
    put(f"\nprofiles: {', '.join(sorted(read.profiles)) or 'none'}")
    return 0


def _effective(read: Settings, registry: Registry) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in type(read).model_fields:
        value = getattr(read, name)
        if name in KINDS:
            names = sorted({*value, *registry.kind(name)})
            for plugin in names:
                yield from _flat((name, plugin), _plugin_options(name, plugin, read, registry))
        elif name in ("tasks", "profiles"):
            yield from _flat((name,), {one: to_plain(table) for one, table in value.items()})
        else:
            yield (name,), to_plain(value)


def _plugin_options(kind: str, name: str, read: Settings, registry: Registry) -> dict[str, Any]:
    """The options as they are in effect; as written where there is no such plugin or some are missing."""
    written = {option: to_plain(value) for option, value in read.options(kind, name).items()}
    found = registry.kind(kind).get(read.plugin_name(kind, name))
    if not found:
        return written
    built: Plugin | None = read.build(kind, name, found[0].plugin, chosen=False)
    if built is None:
        return {
            option["name"]: option["default"] for option in _options(found[0].plugin) if "default" in option
        }
    use = {"use": written["use"]} if "use" in written else {}
    return use | {option: _plain(getattr(built, option)) for option in type(built).model_fields}


def _plain(value: Any) -> Any:
    return "…" if isinstance(value, SecretStr) else to_plain(value)


def _flat(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value and not _SECRET.search(path[-1]):
        for name, one in value.items():
            yield from _flat((*path, str(name)), one)
    elif value != {}:
        yield path, value


def masked(name: str, value: Any) -> Any:
    """A value fit to be shown: none of a secret's name, no user and password in an address."""
    if value not in (None, "") and not isinstance(value, (bool, int, float)) and _SECRET.search(name):
        return "…"
    if isinstance(value, Mapping):
        return {key: masked(str(key), one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(name, one) for one in value]
    if not isinstance(value, str):
        return value
    bare = "proxy" in name.lower() and "://" not in value
    return _BARE_USER.sub("…@", value) if bare else _USER.sub("://…@", value)


def new_plugin(name: str, kind: str, out: Path) -> int:
    """Write the package of a new plugin and say what comes next; returns the exit code."""
    from ..scaffolding import write_package

    folder = write_package(name, _kind(kind)[:-1], out)
    put(f"{folder} is written. Next:")
    put(f"  pip install -e {folder}")
    put(f"  python -m pytest {folder}")
    put(f"  vidcap plugins {_kind(kind)}")
    return 0
