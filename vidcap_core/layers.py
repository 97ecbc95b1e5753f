"""Where settings come from: tables of values that are laid over each other, each with its origin."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import SettingsError

PREFIX = "VIDCAP_"
FILE = Path("vidcap.toml")
DEFAULT = "default"
"""The origin of what nobody has said."""
_KUBERNETES = re.compile(r"VIDCAP_(SERVICE_(HOST|PORT)|PORT)(_[A-Z0-9_]+)?")
"""What Kubernetes sets in every pod beside a service that is called vidcap."""
_TOOL_TABLE = re.compile(rb"""tool["']?\s*\.\s*["']?vidcap""")


class Text(str):
    """A value that came as text: it is tried as that first, then as the JSON or TOML it may hold."""

    __slots__ = ()

    def parsed(self) -> Any:
        """The JSON or TOML in it; where it holds neither, the text."""
        # ValueError is also what both raise for a number of thousands of digits.
        try:
            return json.loads(self)
        except (ValueError, RecursionError):
            pass
        try:
            document = tomllib.loads(f"value = {self}")
        except (ValueError, RecursionError):
            return str(self)
        # A line break in the text would begin other values, and those would be lost.
        return document["value"] if document.keys() == {"value"} else str(self)


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of one origin."""

    origin: str
    values: Mapping[str, Any]
    file: Path | None = None
    """Where they stand, be it as a profile's: what is written there may serve other machines too."""

    def table(self, *path: str) -> Mapping[str, Any]:
        """The table at a path; an empty one where there is none."""
        value: Any = self.values
        for name in path:
            value = value.get(name, {})
            value = value.parsed() if isinstance(value, Text) else value
            if not isinstance(value, Mapping):
                return {}
        found: Mapping[str, Any] = value
        return found

    def holds(self, path: tuple[str, ...]) -> bool:
        """Whether it says anything of a value, be it as a part of one that is given as a whole."""
        value: Any = self.values
        for name in path:
            if isinstance(value, Text):
                value = value.parsed()
            if not isinstance(value, Mapping):
                return True
            if name not in value:
                return False
            value = value[name]
        return True


def environment(variables: Mapping[str, str]) -> list[Layer]:
    """A layer for each variable that is a setting's, those first that say more precisely what is meant."""
    found = {
        name: name[len(PREFIX) :].lower().split("__")
        for name, text in variables.items()
        if name.upper().startswith(PREFIX) and text and not _KUBERNETES.fullmatch(name)
    }
    precise_first = sorted(found, key=lambda name: (-len(found[name]), name))
    return [Layer(name, nested(found[name], Text(variables[name]))) for name in precise_first]


def variable(path: Sequence[str]) -> str:
    """The variable of a value: `VIDCAP_SAMPLERS__UNIFORM__COUNT`."""
    return PREFIX + "__".join(path).upper()


def project(file: Path, pyproject: Path) -> Layer:
    """The values of a file or, where there is none, of `[tool.vidcap]`. Raises SettingsError."""
    values = _read(file)
    return _file(pyproject, _tool_table(pyproject)) if values is None else _file(file, values)


def toml(path: Path) -> Layer:
    """The values of a file; none where there is no such file. Raises SettingsError."""
    return _file(path, _read(path) or {})


def user() -> Layer:
    """The values of the user's own file. Raises SettingsError."""
    path = user_file()
    try:
        path.stat()
    except OSError:
        # A service has no home, or one that it may not enter: there is nothing to read then.
        return _file(path, {})
    return toml(path)


def user_file() -> Path:
    """Where the user's own file stands on this system."""
    import platformdirs

    return platformdirs.user_config_path("vidcap", appauthor=False) / "vidcap.toml"


def _file(path: Path, values: dict[str, Any]) -> Layer:
    return Layer(str(path), values, path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        # utf-8-sig: some editors put a mark before the first line.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is no TOML that can be read: {error}") from None


def _tool_table(path: Path) -> dict[str, Any]:
    """`[tool.vidcap]`; a file that says nothing of vidcap may be as broken as it likes."""
    try:
        tool = (_read(path) or {}).get("tool")
    except SettingsError:
        if _mentions_vidcap(path):
            raise
        return {}
    table = tool.get("vidcap", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise SettingsError(f"tool.vidcap in {path} is no table: write [tool.vidcap] and the settings below")
    return table


def _mentions_vidcap(path: Path) -> bool:
    try:
        return bool(_TOOL_TABLE.search(path.read_bytes()))
    except OSError:
        return False


def parse_assignment(text: str) -> dict[str, Any]:
    """`samplers.uniform.count=5` as nested tables. Raises SettingsError."""
    path, equals, value = text.partition("=")
    names = path.strip().split(".")
    if not equals or not all(names):
        # Without repeating it: it may be a key.
        raise SettingsError("--set takes name=value, e.g. --set samplers.uniform.count=5")
    return nested(names, Text(value)) if value else {}


def nested(names: list[str], value: Any) -> dict[str, Any]:
    """Tables within tables around a value."""
    for name in reversed(names):
        value = {name: value}
    tables: dict[str, Any] = value
    return tables


def origin(read: Sequence[Layer], path: tuple[str, ...]) -> str:
    """Where a value came from; DEFAULT where nobody has said anything of it."""
    return next((layer.origin for layer in read if layer.holds(path)), DEFAULT)


def laid(layers: Sequence[Layer]) -> dict[str, Any]:
    """Lay the layers over each other, the strongest of them being the first."""
    values: dict[str, Any] = {}
    for layer in reversed(layers):
        merge(values, layer.values)
    return values


def merge(into: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others, table by table, in place; tables in `values` stay as they are."""
    for name, value in values.items():
        below, above = into.get(name), value
        # Text that meets a table is read: as a whole, the one would hide all that the other says.
        if isinstance(above, Mapping) and isinstance(below, Text):
            below = below.parsed()
        elif isinstance(below, Mapping) and isinstance(above, Text):
            above = above.parsed()
        if isinstance(above, Mapping):
            into[name] = merge(dict(below) if isinstance(below, Mapping) else {}, above)
        else:
            into[name] = value
    return into
