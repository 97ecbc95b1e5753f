"""What a shell completes: the names of plugins, nicknames, tasks and profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def complete(kind: str, *, several: bool = False) -> Callable[[str], list[str]]:
    """A completer of names: of a kind of plugins, of `tasks` or of `profiles`.

    With `several`, commas part them, and the last one is completed. Nothing is imported before somebody
    presses the key.
    """

    def names(incomplete: str) -> list[str]:
        from ..errors import VidcapError
        from ..settings import Settings

        before, comma, last = incomplete.rpartition(",") if several else ("", "", incomplete)
        try:
            settings = Settings.load()
            known = {*_built_in(kind, settings.plugins), *getattr(settings, kind)}
        except VidcapError:
            return []  # a shell has no place for an error
        return sorted(f"{before}{comma}{name}" for name in known if name.startswith(last))

    return names


def _built_in(kind: str, allowed: tuple[str, ...] | None) -> Iterable[str]:
    from ..registry import KINDS, Registry
    from ..tasks import TASKS

    if kind in KINDS:
        return Registry.load(allowed).kind(kind)
    return TASKS if kind == "tasks" else ()
