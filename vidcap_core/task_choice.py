"""From a name to a task: vidcap's own, those of the settings, and what a command line makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .answers import Shape
from .errors import SettingsError
from .registry import near_misses
from .settings import Settings, TaskTable
from .tasks import FRAMING, TASKS, Task, Text

_LARGEST_FILE_BYTES = 1 << 20


def choose_task(
    name: str, settings: Settings, *, prompt: str | None = None, schema: Path | None = None
) -> Task:
    """The task of that name, with a prompt and a schema file in place of its own. Raises SettingsError.

    A table `[tasks.NAME]` changes one of vidcap's tasks, or makes a new one, as a prompt does.
    """
    table, base = settings.tasks.get(name), TASKS.get(name)
    if base is None and table is None and prompt is None:
        known = [*TASKS, *settings.tasks]
        hint = near_misses(name, known) or f"; known: {', '.join(known)}"
        raise SettingsError(
            f"no task named {name!r}{hint}\na new one needs a prompt (--prompt, tasks.{name}.prompt)"
        )
    task = base or Task(name=name, instructions=FRAMING, question="", answer=Text)
    if table is not None:
        task = _tabled(task, table, _folder(settings, name))
    if prompt is not None:
        task = _asking(task, _read_prompt(prompt, None))
    if schema is not None:
        task = replace(task, answer=_read_schema(schema), cites=None)
    if not task.question:
        needs = "a question" if name == "ask" else "a prompt"
        raise SettingsError(f"task {name!r} needs {needs}: give it with --prompt, or in tasks.{name}.prompt")
    return task


def _tabled(task: Task, table: TaskTable, folder: Path | None) -> Task:
    if table.prompt is not None:
        task = _asking(task, _read_prompt(table.prompt, folder))
    if table.answer_schema is not None:
        shape = table.answer_schema
        answer = shape if isinstance(shape, Mapping) else _read_schema(_inside(folder, shape))
        task = replace(task, answer=answer, cites=None)
    given = table.model_fields_set & {"scope", "window_s"}
    return replace(task, **{field: getattr(table, field) for field in given})


def _asking(task: Task, question: str) -> Task:
    # What `ask` is told of citing stays; instructions for a caption would contradict another prompt.
    return replace(task, question=question, instructions=FRAMING if task.question else task.instructions)


def _folder(settings: Settings, name: str) -> Path | None:
    """Files that a settings file names lie beside it."""
    file = settings.file("tasks", name)
    return file.parent if file else None


def _inside(folder: Path | None, name: str) -> Path:
    """A file that settings name lies in their folder: they may come with somebody else's repository."""
    if folder is None:
        return Path(name)
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SettingsError(f"{name} lies outside of {folder.resolve()}, where its settings are")
    return path


def _read_prompt(prompt: str, folder: Path | None) -> str:
    text = _text_of(_inside(folder, prompt[1:])) if prompt.startswith("@") else prompt
    if not text.strip():
        raise SettingsError("the prompt is empty")
    return text.strip()


def _read_schema(path: Path) -> Shape:
    try:
        schema: Any = json.loads(_text_of(path))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is no JSON: {error}") from None
    shape: Shape = schema
    return shape


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE_BYTES + 1)
        if len(data) > _LARGEST_FILE_BYTES:
            raise SettingsError(f"{path} is larger than {_LARGEST_FILE_BYTES:,} bytes: is it the right file?")
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise SettingsError(f"{path} cannot be read: {why}") from None
