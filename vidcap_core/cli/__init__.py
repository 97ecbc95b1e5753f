"""The command `vidcap`. Commands import what they need when they run: `--help` stays quick."""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as given
from .groups import Commands
from .order import Order, SceneFormat

app = typer.Typer(
    name="vidcap",
    help="Turn videos into words with vision-language models.",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from ..version import __version__

        typer.echo(f"vidcap {__version__}")
        raise typer.Exit


def _end_with(module: str, call: Callable[[Any], int], *, debug: bool) -> None:
    """Import a command's module, run it, and end with its exit code."""
    from .guard import guarded

    def run() -> int:
        # What is imported stays: to look for garbage among it is a tenth of the start.
        gc.disable()
        imported = import_module(f".{module}", __package__)
        gc.enable()
        return call(imported)

    raise typer.Exit(guarded(run, debug=debug))


def _run(order: Order) -> None:
    _end_with("captioning", lambda module: module.run(order), debug=order.debug)


@app.callback()
def _vidcap(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
@given.taking(given.ASKING)
def caption(uris: given.Uris, **options: Any) -> None:
    """Caption videos: one concise caption each."""
    _run(Order(uris, **options))


@app.command()
@given.taking(given.ASKING)
def describe(uris: given.Uris, **options: Any) -> None:
    """Describe videos: one detailed paragraph each."""
    _run(Order(uris, task="describe", **options))


@app.command()
@given.taking({name: option for name, option in given.ASKING.items() if name != "prompt"})
def ask(uris: given.Uris, question: given.Question, **options: Any) -> None:
    """Ask videos a question; the answer names its times."""
    _run(Order(uris, task="ask", prompt=question, **options))


@app.command()
@given.taking(given.ASKING)
def run(task: given.TaskName, uris: given.Uris, **options: Any) -> None:
    """Run any task: by name, or by --prompt and --schema."""
    _run(Order(uris, task=task, **options))


@app.command()
@given.taking(given.CHOOSING)
def frames(uris: given.Uris, out: given.Folder, **options: Any) -> None:
    """Write the frames that would be sent, as JPEGs."""
    order = Order(uris, out=out, **options)
    _end_with("framing", lambda module: module.run(order), debug=order.debug)


@app.command()
@given.taking(given.COMPARING)
def compare(
    uri: given.Uri,
    samplers: given.Samplers = None,
    says: given.Says = False,
    out: given.Page = Path("compare.html"),
    as_json: given.AsJson = False,
    **options: Any,
) -> None:
    """Compare samplers side by side on one video."""
    names = tuple(filter(None, map(str.strip, samplers.split(",")))) if samplers is not None else None
    order = Order([uri], samplers=names, out=out, **options)
    _end_with("comparing", lambda module: module.run(order, says=says, as_json=as_json), debug=order.debug)


@app.command()
@given.taking(given.SCENES)
def scenes(
    uris: given.Uris,
    sampler: given.SceneSampler = "scene_change",
    output_format: given.SceneFormatOption = SceneFormat.TEXT,
    out: given.Out = None,
    strip: given.Strip = None,
    **options: Any,
) -> None:
    """List the scenes of videos: where each begins, and why."""
    order = Order(uris, sampler=sampler, out=out, **options)
    _end_with("scening", lambda module: module.run(order, output_format, strip), debug=order.debug)


@app.command()
def plugins(
    kind: given.Kind = None,
    as_json: given.AsJson = False,
    profile: given.Profile = None,
    assignments: given.Assignments = None,
    debug: given.Debug = False,
) -> None:
    """List the plugins, their options, and what is broken."""
    order = Order([], profile=profile, assignments=assignments)
    _end_with("listing", lambda module: module.plugins(order, kind, as_json=as_json), debug=debug)


@app.command()
def settings(
    as_json: given.AsJson = False,
    profile: given.Profile = None,
    assignments: given.Assignments = None,
    debug: given.Debug = False,
) -> None:
    """Show every setting, and where its value came from."""
    order = Order([], profile=profile, assignments=assignments)
    _end_with("listing", lambda module: module.settings(order, as_json=as_json), debug=debug)


@app.command()
def doctor(
    captioner: given.Captioner = None,
    model: given.Model = None,
    base_url: given.BaseUrl = None,
    as_json: given.AsJson = False,
    profile: given.Profile = None,
    assignments: given.Assignments = None,
    debug: given.Debug = False,
) -> None:
    """Look whether everything works here."""
    order = Order(
        [], captioner=captioner, model=model, base_url=base_url, profile=profile, assignments=assignments
    )
    _end_with("doctor", lambda module: module.run(order, as_json=as_json), debug=debug)


@app.command(name="new-plugin")
def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it will be chosen by, e.g. first_last.")],
    kind: Annotated[str, typer.Option(help="source, decoder, sampler or captioner.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to put its folder.")] = Path(),
    debug: given.Debug = False,
) -> None:
    """Write the package of a new plugin."""
    _end_with("listing", lambda module: module.new_plugin(name, kind, out), debug=debug)


def main() -> None:
    """Run the command line."""
    app(prog_name="vidcap")
