"""Settings: what is chosen, by name, and the options of everything that can be chosen.

Layers, the strongest first: arguments, `VIDCAP_*`, `vidcap.toml`, `providers.toml`, defaults. Each
value's origin is known. What is misspelt is an error: nothing is silently ignored.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .errors import SettingsError
from .registry import near_misses

Tables = dict[str, dict[str, Any]]
M = TypeVar("M", bound=BaseModel)

PREFIX = "VIDCAP_"
FILE = Path("vidcap.toml")
_PROVIDERS = Path(__file__).with_name("providers.toml")


class Text(str):
    """A value that came as text: it is tried as that first, then as the JSON or TOML it may hold."""

    __slots__ = ()


class Settings(BaseSettings):
    """What a run is made of, by name. `Settings.load()` reads every layer."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    source: str | None = Field(
        default=None, description="Source to use; by default the one that claims the URI."
    )
    decoder: str = Field(default="pyav", description="Decoder to use.")
    sampler: str = Field(default="fixed_interval", description="Sampler to use.")
    captioner: str | None = Field(
        default=None, description="Captioner to use; by default `inference` where INFERENCE_API_KEY is set."
    )
    max_frames: PositiveInt = Field(default=16, description="Most frames to send of one video.")
    start_s: float | None = Field(default=None, description="Look at the video from this time on.")
    end_s: float | None = Field(default=None, description="Look at the video up to this time.")
    max_output_tokens: PositiveInt = Field(default=1024, description="Most tokens an answer may have.")
    concurrency: PositiveInt = Field(
        default=8, description="Videos under way at once; most of them wait for the model."
    )
    processes: PositiveInt = Field(
        default_factory=lambda: os.cpu_count() or 1,
        description="Videos decoded at once; by default one a core.",
    )
    retries: NonNegativeInt = Field(
        default=4, description="Times a request is sent again that may succeed later."
    )
    longest_wait_s: PositiveFloat = Field(
        default=60.0, description="Longest wait an endpoint may ask for before its request counts as failed."
    )
    isolation: Literal["process", "none"] = Field(
        default="process",
        description="Where videos are decoded: in a locked-up process, or, to debug, in this one.",
    )
    decoder_timeout_s: PositiveFloat = Field(
        default=120.0, description="Longest time for one reply of the decoder's process."
    )
    sources: Tables = Field(default_factory=dict, description="Options of sources, a table each.")
    decoders: Tables = Field(default_factory=dict, description="Options of decoders, a table each.")
    samplers: Tables = Field(default_factory=dict, description="Options of samplers, a table each.")
    captioners: Tables = Field(
        default_factory=dict, description="Options of captioners and nicknames, a table each."
    )

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(
                f"the part to look at ends ({self.end_s:g} s) before it starts ({self.start_s:g} s)"
            )
        return self

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, arguments: Mapping[str, Any] | None = None) -> Settings:
        """Read every layer; `arguments` is the strongest. Raises SettingsError."""
        layers = (
            Layer("an argument", dict(arguments or {})),
            Layer("the environment", _environment(os.environ)),
            Layer(str(FILE), _toml(FILE)),
            Layer(_PROVIDERS.name, _toml(_PROVIDERS)),
        )
        try:
            settings = _settled(cls._from, layers)
        except ValidationError as error:
            raise _explained(error, cls, "setting", (), origins(layers)) from None
        settings._origins.update(origins(layers))
        return settings

    @classmethod
    def _from(cls, layers: tuple[Layer, ...]) -> Settings:
        token = _reading.set(layers)
        try:
            return cls()
        finally:
            _reading.reset(token)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read our layers in place of pydantic-settings' own, which ignore what is misspelt."""
        return tuple(_LayerSource(settings_cls, layer) for layer in _reading.get())

    def origin(self, *path: str) -> str:
        """Where a value came from: an argument, a variable, a file; `default` where nowhere."""
        return self._origins.get(".".join(path), "default")

    def options(self, kind: str, name: str) -> dict[str, Any]:
        """The table of a plugin or nickname, `use` included."""
        table: dict[str, Any] = getattr(self, kind).get(name, {})
        return dict(table)

    def plugin_name(self, kind: str, name: str) -> str:
        """The plugin that a name stands for: a nickname's `use`, else itself."""
        return str(self.options(kind, name).get("use", name))

    def build(self, kind: str, name: str, plugin: type[M], *, chosen: bool = True) -> M | None:
        """Make a plugin with the options of its table, or of its nickname's. Raises SettingsError.

        Of one that is not chosen, None where options are still missing: only wrong ones are errors.
        """
        options = {option: value for option, value in self.options(kind, name).items() if option != "use"}
        try:
            return _settled(lambda layers: plugin.model_validate(layers[0].values), (Layer("", options),))
        except ValidationError as error:
            if not chosen and all(fault["type"] == "missing" for fault in error.errors(include_input=False)):
                return None
            raise _explained(error, plugin, "option", (kind, name), self._origins) from None


class Layer:
    """Values of one origin."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        self.name = name
        self.values = values

    def reread(self, path: tuple[Any, ...]) -> Layer:
        """Read the text at a path, or on the way to it, as the JSON or TOML that it may hold."""
        return Layer(self.name, _reread(self.values, path))


_reading: ContextVar[tuple[Layer, ...]] = ContextVar("_reading", default=())


class _LayerSource(PydanticBaseSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], layer: Layer) -> None:
        super().__init__(settings_cls)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._layer.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._layer.values


def origins(layers: tuple[Layer, ...]) -> dict[str, str]:
    """For each value, by its dotted path, where it comes from."""
    found: dict[str, str] = {}
    for layer in layers:
        for path in _leaves(layer.values):
            found.setdefault(".".join(path), layer.name)
    return found


def parse_assignment(text: str) -> dict[str, Any]:
    """`samplers.uniform.count=5` as nested tables. Raises SettingsError."""
    path, equals, value = text.partition("=")
    names = path.strip().split(".")
    if not equals or not all(names):
        raise SettingsError(f"--set {text}: write it as name=value, e.g. --set samplers.uniform.count=5")
    return nested(names, Text(value)) if value else {}


def nested(names: list[str], value: Any) -> dict[str, Any]:
    """Tables within tables around a value."""
    for name in reversed(names):
        value = {name: value}
    tables: dict[str, Any] = value
    return tables


def merge(into: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others, table by table, in place."""
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value
    return into


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if variable.upper().startswith(PREFIX) and text:
            merge(values, nested(variable[len(PREFIX) :].lower().split("__"), Text(text)))
    return values


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None


def _leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)


def _settled(build: Callable[[tuple[Layer, ...]], M], layers: tuple[Layer, ...]) -> M:
    """Build; where text will not do, read it as JSON or TOML and build again."""
    try:
        return build(layers)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            layers = tuple(layer.reread(fault["loc"]) for layer in layers)
        return build(layers)


def _reread(value: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(value, Text):
        return _parsed(value)
    if isinstance(value, dict) and path and path[0] in value:
        return value | {path[0]: _reread(value[path[0]], path[1:])}
    return value


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _explained(
    error: ValidationError,
    model: type[BaseModel],
    what: str,
    above: tuple[str, ...],
    origin: Mapping[str, str],
) -> SettingsError:
    """Say for each fault which value is wrong, where it came from and what was perhaps meant.

    Never the value itself: it may be a key in the wrong place.
    """
    lines = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        path = (*above, *map(str, fault["loc"]))
        dotted = ".".join(path)
        source = origin.get(dotted) or next(
            (o for p, o in origin.items() if p.startswith(f"{dotted}.")), None
        )
        if source == "the environment":
            source = PREFIX + "__".join(path).upper()
        place = f" (from {source})" if source else ""
        if fault["type"] == "extra_forbidden":
            known = model.model_fields if len(fault["loc"]) == 1 else ()
            hint = near_misses(str(fault["loc"][-1]), known) or f"; known: {', '.join(known)}"
            lines.append(f"unknown {what} {dotted!r}{place}{hint}")
        elif fault["type"] == "missing":
            variable = PREFIX + "__".join(path).upper()
            lines.append(f"{what} {dotted!r} must be set: in {FILE}, with --set {dotted}=… or {variable}=…")
        else:
            said = fault["msg"].removeprefix("Value error, ")
            lines.append(f"{what} {dotted!r}{place}: {said}" if dotted else said)
    return SettingsError("\n".join(lines))
