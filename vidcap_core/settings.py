"""Settings: what is chosen, by name, and the options of everything that can be chosen.

Layers, the strongest first: arguments, `VIDCAP_*`, `vidcap.toml`, `providers.toml`, defaults. Each
value's origin is known. What is misspelt is an error: nothing is silently ignored.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
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

from . import layers
from .errors import SettingsError
from .layers import Layer, Text
from .plugin import NAME_PATTERN
from .registry import near_misses

ARGUMENT, DEFAULT = "an argument", "default"
"""Origins that are no variable and no file."""
FILE = Path("vidcap.toml")
_PROVIDERS = Path(__file__).with_name("providers.toml")

M = TypeVar("M", bound=BaseModel)


def _check_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError("is no name: write lower-case words joined by single underscores")
    return name


Tables = dict[Annotated[str, AfterValidator(_check_name)], dict[str, Any]]


class TaskTable(BaseModel):
    """A task as the settings hold it: `[tasks.mood]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    prompt: str | None = Field(default=None, description="What to ask; `@FILE` reads it from a file.")
    answer_schema: str | dict[str, Any] | None = Field(
        default=None,
        alias="schema",
        description="JSON Schema of the answer, as a table or as the name of a file; by default one text.",
    )
    scope: Literal["video", "segment", "frame"] = Field(
        default="video", description="What one question is about."
    )
    window_s: PositiveFloat | None = Field(
        default=None, description="Segments are joined to windows of at most that length."
    )


class Settings(BaseSettings):
    """What a run is made of, by name. `Settings.load()` reads every layer."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True, hide_input_in_errors=True
    )

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
    languages: tuple[str, ...] = Field(
        default=(), description="Languages wanted of a transcript, the best first: en, pt-BR."
    )
    transcript: str = Field(
        default="auto",
        description="`auto`: what comes with the video; `none`; or a .srt or .vtt file of one video.",
    )
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
    tasks: dict[Annotated[str, AfterValidator(_check_name)], TaskTable] = Field(
        default_factory=dict, description="Tasks of your own, a table each."
    )

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(
                f"the part to look at ends ({self.end_s:g} s) before it starts ({self.start_s:g} s)"
            )
        return self

    _layers: tuple[Layer, ...] = PrivateAttr(default=())

    @classmethod
    def load(cls, arguments: Mapping[str, Any] | None = None) -> Settings:
        """Read every layer; `arguments` is the strongest. Raises SettingsError."""
        read = (
            Layer(ARGUMENT, arguments or {}),
            *layers.environment(os.environ),
            layers.toml(FILE),
            dataclasses.replace(layers.toml(_PROVIDERS), origin=_PROVIDERS.name),
        )
        try:
            settings = _settled(cls._of, layers.laid(read))
        except ValidationError as error:
            raise _Faults(error, cls, "setting", read).explained() from None
        settings._layers = read
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` has read; the other sources of pydantic-settings ignore what is misspelt."""
        return init_settings, _Laid(settings_cls)

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        token = _laid.set(values)
        try:
            return cls()
        finally:
            _laid.reset(token)

    def origin(self, *path: str) -> str:
        """Where a value came from: an argument, a variable, a file; `default` where nowhere."""
        return _origin(self._layers, path)

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
            return _settled(plugin.model_validate, options)
        except ValidationError as error:
            if not chosen and all(fault["type"] == "missing" for fault in error.errors(include_input=False)):
                return None
            raise _Faults(error, plugin, "option", self._layers, (kind, name)).explained() from None


_laid: ContextVar[Mapping[str, Any]] = ContextVar("_laid", default={})  # noqa: B039 - never changed


class _Laid(PydanticBaseSettingsSource):
    """The layers, laid over each other."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _laid.get().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(_laid.get())


def _origin(read: tuple[Layer, ...], path: tuple[str, ...]) -> str:
    return next((layer.origin for layer in read if layer.holds(path)), DEFAULT)


def _settled(build: Callable[[dict[str, Any]], M], values: dict[str, Any]) -> M:
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
class _Faults:
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
        while path and (origin := _origin(self.layers, path)) == DEFAULT:
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
