"""Commands that other distributions add, by entry points of the group `vidcap.commands`.

`ray = "vidcap_ray.cli:app"` is a command `vidcap ray`: a Typer app, or a click command. The list of
commands names it without importing it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

GROUP = "vidcap.commands"


class Commands(TyperGroup):
    """vidcap's own commands, then those of other distributions. A broken one harms nobody else."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted(name for name in _added() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        added = _added().get(cmd_name)
        if own is not None or not added:
            return own
        return TyperCommand(cmd_name, help=f"From {' and '.join(sorted(map(_origin, added)))}.")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # Only who calls a command imports it: the list of commands shows where it comes from.
        if args and super().get_command(ctx, args[0]) is None and (added := _added().get(args[0])):
            return args[0], _loaded(added), args[1:]
        return super().resolve_command(ctx, args)


def _added() -> dict[str, list[EntryPoint]]:
    added: dict[str, list[EntryPoint]] = {}
    for one in entry_points(group=GROUP):
        added.setdefault(one.name, []).append(one)
    return added


def _loaded(added: list[EntryPoint]) -> Any:
    name = added[0].name
    if len(added) > 1:
        _fail(f"two distributions add a command {name!r}: {' and '.join(sorted(map(_origin, added)))}")
    try:
        app = added[0].load()
        return typer.main.get_command(app) if isinstance(app, typer.Typer) else app
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may do anything, sys.exit included
        _fail(f"the command {name!r} of {_origin(added[0])} is broken: {type(error).__name__}: {error}")


def _fail(message: str) -> NoReturn:
    typer.echo(f"vidcap: {message}", err=True)
    raise typer.Exit(4)


def _origin(one: EntryPoint) -> str:
    return f"{one.dist.name} {one.dist.version}" if one.dist else one.value
