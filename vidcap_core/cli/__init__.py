"""The command `vidcap`. Commands import what they need when they run: `--help` stays quick."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer

from .order import Format, Order

app = typer.Typer(
    name="vidcap",
    help="Turn videos into words with vision-language models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from ..version import __version__

        typer.echo(f"vidcap {__version__}")
        raise typer.Exit


def _seconds(text: str) -> float:
    """`90`, `1:30` or `1:02:03.5` in seconds."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < float("inf") for part in parts):
        raise typer.BadParameter(f"{text!r} is no time; write 90, 1:30 or 1:02:03.5")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + part
    return seconds


@app.callback()
def _vidcap(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def caption(
    uris: Annotated[list[str], typer.Argument(metavar="URI...", help="Files, folders or patterns.")],
    captioner: Annotated[str | None, typer.Option(help="Captioner: inference, openai, offline, …")] = None,
    model: Annotated[str | None, typer.Option(help="Model, as the captioner's endpoint names it.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Any OpenAI-compatible endpoint, e.g. http://localhost:8000/v1.")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="Sampler: fixed_interval, uniform, …")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames to send, at most.")] = None,
    every: Annotated[float | None, typer.Option(help="Seconds between frames (fixed_interval).")] = None,
    start: Annotated[
        float | None,
        typer.Option("--from", metavar="TIME", parser=_seconds, help="Look from this time on: 90, 1:30."),
    ] = None,
    end: Annotated[
        float | None, typer.Option("--to", metavar="TIME", parser=_seconds, help="Look up to this time.")
    ] = None,
    decoder: Annotated[str | None, typer.Option(help="Decoder: pyav, …")] = None,
    source: Annotated[str | None, typer.Option(help="Source, where several claim a URI.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting: samplers.uniform.count=5."),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file, or for many videos into this folder.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Tell what happens, errors with their origin.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request as JSON and send nothing.")
    ] = False,
) -> None:
    """Caption videos: one concise caption each."""
    from .guard import guarded

    def run() -> int:
        # What is imported stays: to look for garbage among it is a tenth of the start.
        gc.disable()
        from . import captioning

        gc.enable()
        return captioning.run(order)

    order = Order(
        uris=uris,
        captioner=captioner,
        model=model,
        base_url=base_url,
        sampler=sampler,
        frames=frames,
        every_s=every,
        start_s=start,
        end_s=end,
        decoder=decoder,
        source=source,
        assignments=assignments or [],
        format=output_format,
        out=out,
        quiet=quiet,
        dry_run=dry_run,
    )
    raise typer.Exit(guarded(run, debug=debug))


def main() -> None:
    """Run the command line."""
    app()
