"""Values are made into models; what is wrong with some is said in words for who wrote them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from . import layers
from .errors import SettingsError
from .layers import DEFAULT, FILE, Layer, Text
from .registry import near_misses

M = TypeVar("M", bound=BaseModel)


def settled(build: Callable[[dict[str, Any]], M], values: dict[str, Any]) -> M:
    """Build; where text will not do, read it as JSON or TOML and build again."""
    try:
        return build(values)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False, include_context=False):
            values = _reread(values, fault["loc"])
        return build(values)


def _reread(value: Any, path: tuple[Any, ...]) -> Any:
    """The value with the text at a path, or on the way to it, read as what it may hold."""
    if isinstance(value, Text):
        return value.parsed()
    if isinstance(value, dict) and path and path[0] in value:
        return value | {path[0]: _reread(value[path[0]], path[1:])}
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with some values, in words for who wrote them.

    Never the value itself: it may be a key in the wrong place.
    """

    error: ValidationError
    model: type[BaseModel]
    what: str
    layers: tuple[Layer, ...]
    above: tuple[str, ...] = ()
    """The tables that the values stand in."""

    def explained(self) -> SettingsError:
        """Say for each fault which value is wrong, where it came from and what was perhaps meant."""
        faults = self.error.errors(include_input=False, include_url=False, include_context=False)
        return SettingsError(
            "\n".join(self._line(fault["type"], fault["loc"], fault["msg"]) for fault in faults)
        )

    def _line(self, kind: str, where: tuple[Any, ...], said: str) -> str:
        path = (*self.above, *(str(step) for step in where if step != "[key]"))
        dotted = ".".join(path)
        if kind == "missing":
            variable = layers.variable(path)
            return f"{self.what} {dotted!r} must be set: in {FILE}, with --set {dotted}=… or {variable}=…"
        if kind in ("extra_forbidden", "unexpected_keyword_argument"):
            known = _fields(self.model, where[:-1])
            hint = near_misses(path[-1], known) or f"; known: {', '.join(known)}"
            return f"unknown {self.what} {dotted!r}{self._place(path)}{hint}"
        said = said.removeprefix("Value error, ")
        return f"{self.what} {dotted!r}{self._place(path)}: {said}" if path else said

    def _place(self, path: tuple[str, ...]) -> str:
        # The way to a fault may go on where that to a value ends: into a list, into a union.
        while path and (origin := layers.origin(self.layers, path)) == DEFAULT:
            path = path[:-1]
        return f" (from {origin})" if path else ""


def _fields(model: Any, path: tuple[Any, ...]) -> list[str]:
    """The names that are known in a model, or in a model or a dataclass within it."""
    for step in path:
        fields = getattr(model, "model_fields", {})
        table = get_args(model)[1:] if get_origin(model) is dict else ()
        model = fields[step].annotation if step in fields else table[0] if table else None
    if dataclasses.is_dataclass(model):
        return [field.name for field in dataclasses.fields(model)]
    return list(getattr(model, "model_fields", ()))
