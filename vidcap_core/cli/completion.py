"""What a shell completes: the names of plugins, nicknames and tasks."""

from __future__ import annotations

from collections.abc import Callable


def complete(kind: str) -> Callable[[str], list[str]]:
    """A completer of the names of a kind. Nothing is imported before somebody presses the key."""

    def names(incomplete: str) -> list[str]:
        from ..errors import VidcapError
        from ..registry import Registry
        from ..settings import Settings

        try:
            settings = Settings.load()
            known = {*Registry.load(settings.plugins).kind(kind), *getattr(settings, kind)}
        except VidcapError:
            return []  # a shell has no place for an error
        return sorted(name for name in known if name.startswith(incomplete))

    return names


def tasks(incomplete: str) -> list[str]:
    """The names of tasks."""
    from ..errors import VidcapError
    from ..settings import Settings
    from ..tasks import TASKS

    try:
        known = {*TASKS, *Settings.load().tasks}
    except VidcapError:
        return []
    return sorted(name for name in known if name.startswith(incomplete))
