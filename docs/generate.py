"""Write the parts of the documentation that the code knows: `python docs/generate.py [--check]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo

from vidcap_core import Registry, Settings, hooks
from vidcap_core.cli import app
from vidcap_core.layers import variable
from vidcap_core.registry import KINDS
from vidcap_core.settings import TaskTable

DOCS = Path(__file__).parent
RUN = "python docs/generate.py"
_BLOCK = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
_WIDTH = 80


def settings() -> str:
    """Every setting, with its variable."""
    fields = Settings.model_fields.items()
    rows = ((f"`{name}`", *_default(field), f"`{variable([name])}`") for name, field in fields)
    return _table(("setting", "default", "meaning", "variable"), rows)


def plugins() -> str:
    """Every plugin that comes with vidcap, and each of its options."""
    return _table(("plugin", "option", "default", "meaning"), _options())


def tasks() -> str:
    """What the table of a task may hold."""
    fields = TaskTable.model_fields.items()
    rows = ((f"`{field.alias or name}`", *_default(field)) for name, field in fields)
    return _table(("option", "default", "meaning"), rows)


def hook_table() -> str:
    """Every hook, from its docstring."""
    rows = (
        (f"`vidcap_{kind}()`", f"`{base.__name__}`", _first_line(getattr(hooks, f"vidcap_{kind}")))
        for kind, base in KINDS.items()
    )
    return _table(("hook", "returns classes of", "what they are"), rows)


def commands() -> str:
    """What `--help` says of every command."""
    root = typer.main.get_command(app)
    shown = (f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps(root, None, "vidcap"))
    return "\n" + "\n".join(shown) + "\n"


GENERATED: dict[str, Callable[[], str]] = {
    "settings": settings,
    "plugins": plugins,
    "tasks": tasks,
    "hooks": hook_table,
    "commands": commands,
}


def _options() -> Iterator[tuple[str, ...]]:
    registry = Registry.load(only=())
    for kind in KINDS:
        for name, (installed, *_) in registry.kind(kind).items():
            plugin = f"{kind[:-1]} `{name}`"
            fields = installed.plugin.model_fields
            if not fields:
                yield plugin, "none", "", _first_line(installed.plugin)
            for option, field in fields.items():
                yield plugin, f"`{option}`", *_default(field)


def _default(field: FieldInfo) -> tuple[str, str]:
    """The default as a person says it, and what the setting means."""
    meaning, by_default, said = (field.description or "").partition("; by default ")
    if by_default:
        default = said.rstrip(".")
    elif field.is_required():
        default = "must be set"
    else:
        default = _plain(field.default)
    return default, f"{meaning.rstrip('.')}."


def _plain(value: Any) -> str:
    if isinstance(value, (bool, float)):
        return f"`{value:g}`" if isinstance(value, float) else f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, (int, str)) else ""


def _first_line(documented: Any) -> str:
    return (documented.__doc__ or "").partition("\n")[0]


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |\n" for line in lines)


def _helps(command: Any, above: Any, name: str) -> Iterator[tuple[str, str]]:
    width = {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    said = command.context_settings | width
    context = command.context_class(command, parent=above, info_name=name, **said)
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield context.command_path, text.strip()
    if hasattr(command, "list_commands"):
        for sub in command.list_commands(context):
            yield from _helps(command.get_command(context, sub), context, sub)


def fresh(text: str) -> str:
    """A page with every generated part as the code has it now."""
    return _BLOCK.sub(lambda found: found[1] + GENERATED[found[2]]() + found[3], text)


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which are stale; returns the exit code."""
    stale = []
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (now := fresh(text)) != text:
            stale.append(page.name)
            if "--check" not in arguments:
                page.write_text(now, encoding="utf-8")
    if "--check" not in arguments:
        return 0
    for name in stale:
        print(f"docs/{name} is stale: run {RUN}", file=sys.stderr)  # noqa: T201
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
