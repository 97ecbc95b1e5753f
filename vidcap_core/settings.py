"""Settings: what is chosen, by name, and the options of everything that can be chosen.

Layers, the strongest first: arguments, `VIDCAP_*`, the profile, `vidcap.toml` or `[tool.vidcap]`, the
user's own file, `providers.toml`, defaults. Each value's origin is known. What is misspelt is an
error: nothing is silently ignored.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
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

from . import layers, profiles
from .faults import Faults, settled
from .layers import FILE, Layer
from .plugin import NAME_PATTERN
from .registry import KINDS
from .text import seconds

ARGUMENT = "an argument"
"""The origin of what is given on the command line or in Python."""
PYPROJECT = Path("pyproject.toml")
_PROVIDERS = Path(__file__).with_name("providers.toml")

M = TypeVar("M", bound=BaseModel)


def _check_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError("is no name: write lower-case words joined by single underscores")
    return name


def _split(value: Any) -> Any:
    """Words with commas between them; a list in brackets is read as one later."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def _time(value: Any) -> Any:
    return seconds(value) if isinstance(value, str) and ":" in value else value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
Time = Annotated[float | None, BeforeValidator(_time)]
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
        default=None,
        description="Captioner to use; by default `inference` where `INFERENCE_API_KEY` is set,"
        " else `offline` for a single video on the command line.",
    )
    max_frames: PositiveInt = Field(default=16, description="Most frames to send of one video.")
    start_s: Time = Field(
        default=None, description='Look from this time on: 90 or "1:30"; by default the beginning.'
    )
    end_s: Time = Field(default=None, description='Look up to this time: 90 or "1:30"; by default the end.')
    languages: Words = Field(
        default=(), description="Languages wanted of a transcript, the best first: en, pt-BR; by default any."
    )
    transcript: str = Field(
        default="auto",
        description="`auto`: what comes with the video; `none`; or a .srt or .vtt file of one video.",
    )
    max_output_tokens: PositiveInt = Field(default=1024, description="Most tokens an answer may have.")
    concurrency: PositiveInt = Field(
        default=8, description="Videos under way at once, and requests to the model."
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
    profile: str | None = Field(default=None, description="Profile to use; by default none.")
    plugins: Words | None = Field(
        default=None, description="Entry points to load, vidcap's own aside: a,b; by default all."
    )
    sources: Tables = Field(default_factory=dict, description="Options of sources, a table each.")
    decoders: Tables = Field(default_factory=dict, description="Options of decoders, a table each.")
    samplers: Tables = Field(default_factory=dict, description="Options of samplers, a table each.")
    captioners: Tables = Field(
        default_factory=dict, description="Options of captioners and nicknames, a table each."
    )
    profiles: Tables = Field(
        default_factory=dict, description="Settings that are chosen together, a table each profile."
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
        strong = (Layer(ARGUMENT, arguments or {}), *layers.environment(os.environ))
        files = (layers.project(FILE, PYPROJECT), layers.user())
        providers = dataclasses.replace(layers.toml(_PROVIDERS), origin=_PROVIDERS.name)
        written = (*strong, *files)
        profile = profiles.layers_of(written, profiles.chosen_of(written))
        read = (*strong, *profile, *files, providers)
        settings = cls._settled(layers.laid(read), read)
        profiles.check(written)
        for name in settings.profiles:
            table = layers.laid(profiles.layers_of(written, name))
            cls._settled(table, written, ("profiles", name))
        settings._layers = read
        return settings

    @classmethod
    def _settled(cls, values: dict[str, Any], read: tuple[Layer, ...], above: tuple[str, ...] = ()) -> Self:
        try:
            return settled(cls._of, values)
        except ValidationError as error:
            raise Faults(error, cls, "setting", read, above).explained() from None

    def under(self, profile: str) -> Settings:
        """The tables of plugins that a profile holds, with what the files say of them besides."""
        files = tuple(layer for layer in self._layers if layer.file)
        own = profiles.layers_of(self._layers, profile)
        whole, mentioned = (Layer("", layers.laid(some)) for some in ((*own, *files), own))
        tables = {kind: {name: whole.table(kind)[name] for name in mentioned.table(kind)} for kind in KINDS}
        read = (*own, *files)
        settings = self._settled(tables, read)
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
        return layers.origin(self._layers, path)

    def file(self, *path: str) -> Path | None:
        """The file that a value stands in, be it as a profile's; None where it came from elsewhere."""
        return next((layer.file for layer in self._layers if layer.holds(path)), None)

    def is_shipped(self, kind: str, name: str) -> bool:
        """Whether a table is vidcap's own, and nobody else says anything of it."""
        return self.file(kind, name) == _PROVIDERS

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
            return settled(plugin.model_validate, options)
        except ValidationError as error:
            if not chosen and all(fault["type"] == "missing" for fault in error.errors(include_input=False)):
                return None
            raise Faults(error, plugin, "option", self._layers, (kind, name)).explained() from None


_laid: ContextVar[Mapping[str, Any]] = ContextVar("_laid", default={})  # noqa: B039 - never changed


class _Laid(PydanticBaseSettingsSource):
    """The layers, laid over each other."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _laid.get().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(_laid.get())
