"""The options of the command line, each described once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from ..text import seconds
from .completion import complete
from .order import Format, Order, SceneFormat


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from None


_HELP_TIME = "Look from this time on: 90, 1:30."

Uris = Annotated[list[str], typer.Argument(metavar="URI...", help="Files, folders, patterns or addresses.")]
TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK", help="caption, describe, ask, or one of yours.", autocompletion=complete("tasks")
    ),
]
Question = Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask, in quotation marks.")]
Prompt = Annotated[str | None, typer.Option(metavar="TEXT|@FILE", help="Ask this instead.")]
Schema = Annotated[
    Path | None, typer.Option(metavar="FILE", help="JSON Schema of the answer, in place of the task's own.")
]
Captioner = Annotated[
    str | None,
    typer.Option(help="Captioner: inference, openai, offline, …", autocompletion=complete("captioners")),
]
Model = Annotated[str | None, typer.Option(help="Model, as the captioner's endpoint names it.")]
BaseUrl = Annotated[
    str | None, typer.Option(help="Any OpenAI-compatible endpoint, e.g. http://localhost:8000/v1.")
]
Sampler = Annotated[
    str | None,
    typer.Option(help="Sampler: fixed_interval, uniform, …", autocompletion=complete("samplers")),
]
Samplers = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="The samplers to compare: uniform,scene_change. [default: all that need no options]",
        autocompletion=complete("samplers", several=True),
    ),
]
SceneSampler = Annotated[
    str,
    typer.Option(
        "--sampler", help="The sampler whose segments are scenes.", autocompletion=complete("samplers")
    ),
]
SceneFormatOption = Annotated[SceneFormat, typer.Option("--format", help="How to list them.")]
Strip = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw a picture of every scene; for many videos name a folder."),
]
Says = Annotated[bool, typer.Option("--caption", help="Ask the model too, about the frames of each.")]
Page = Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write.")]
Uri = Annotated[str, typer.Argument(metavar="URI", help="A file or an address.")]
Frames = Annotated[int | None, typer.Option(min=1, help="Frames to send, at most.")]
Every = Annotated[float | None, typer.Option("--every", help="Seconds between frames (fixed_interval).")]
Start = Annotated[float | None, typer.Option("--from", metavar="TIME", parser=_seconds, help=_HELP_TIME)]
End = Annotated[
    float | None, typer.Option("--to", metavar="TIME", parser=_seconds, help="Look up to this time.")
]
Decoder = Annotated[
    str | None, typer.Option(help="Decoder: pyav, decord, …", autocompletion=complete("decoders"))
]
Source = Annotated[
    str | None,
    typer.Option(help="Source, where several claim a URI.", autocompletion=complete("sources")),
]
Transcript = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Subtitles of the video, .srt or .vtt; `none`: without any."),
]
Language = Annotated[
    str | None, typer.Option(metavar="CODES", help="Languages wanted of a transcript, the best first: en,de.")
]
Profile = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A profile of the settings.", autocompletion=complete("profiles")),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting: samplers.uniform.count=5."),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print.")]
Out = Annotated[Path | None, typer.Option(help="Write to this file, or for many videos into this folder.")]
Folder = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write to.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Tell what happens, errors with their origin.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the request as JSON and send nothing.")]
Kind = Annotated[
    str | None, typer.Argument(metavar="[KIND]", help="sources, decoders, samplers or captioners.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_ALWAYS = {"profile": Profile, "assignments": Assignments, "quiet": Quiet, "debug": Debug}
_CHOICES = {
    "captioner": Captioner,
    "model": Model,
    "base_url": BaseUrl,
    "sampler": Sampler,
    "frames": Frames,
    "every_s": Every,
    "start_s": Start,
    "end_s": End,
    "decoder": Decoder,
    "source": Source,
}
_ANSWERS = {
    "transcript": Transcript,
    "language": Language,
    "prompt": Prompt,
    "schema": Schema,
    "format": OutputFormat,
    "out": Out,
    "dry_run": DryRun,
}
ASKING: dict[str, Any] = {**_CHOICES, **_ANSWERS, **_ALWAYS}
"""The options of a question about videos, by the field of an Order that each one fills."""
CHOOSING: dict[str, Any] = {**_CHOICES, **_ALWAYS}
"""Those that say what a run is made of."""
COMPARING = {name: one for name, one in CHOOSING.items() if name not in ("sampler", "every_s")}
"""Those that are alike for all samplers."""
SCENES: dict[str, Any] = {
    name: _CHOICES[name] for name in ("start_s", "end_s", "decoder", "source")
} | _ALWAYS
"""Those of a command that asks no model."""


def taking(options: dict[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options as its keywords, beside the parameters that it names itself."""
    defaults = {field.name: field.default for field in fields(Order)}

    def give(command: Callable[..., None]) -> Callable[..., None]:
        own = [
            p
            for p in inspect.signature(command, eval_str=True).parameters.values()
            if p.kind != p.VAR_KEYWORD
        ]
        named = {parameter.name for parameter in own}
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=option)
            for name, option in options.items()
            if name not in named
        ]
        command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        return command

    return give
