"""What a plugin raises that it should not have becomes a PluginError that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from .errors import PluginError, VidcapError
from .plugin import Plugin

T = TypeVar("T")


@contextmanager
def blaming(plugin: Plugin) -> Iterator[None]:
    """Tell whatever a plugin raises that is no VidcapError as a PluginError."""
    try:
        yield
    except VidcapError:
        raise
    except Exception as error:
        raise foreign(error, plugin) from error
    except SystemExit as error:
        raise foreign(RuntimeError(f"it called sys.exit({error})"), plugin) from error


def blaming_each(given: Callable[[], Iterable[T]], plugin: Plugin) -> Iterator[T]:
    """The same for what a plugin gives item by item, from the call on; not for who takes them."""
    with blaming(plugin):
        items = iter(given())
    while True:
        with blaming(plugin):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


def foreign(error: BaseException, plugin: Plugin | type[Plugin]) -> PluginError:
    """What a plugin raised that it should not have."""
    said = f"{type(error).__name__}: {error}"[:500]
    return PluginError(f"{plugin.name!r} failed: {said}; --debug shows where")
