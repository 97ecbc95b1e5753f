"""Profiles: settings under a name, which are all chosen with one word."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import SettingsError
from .layers import Layer, laid
from .registry import near_misses

_NOT_INSIDE = ("profile", "profiles")


def chosen_of(read: Sequence[Layer]) -> str | None:
    """The name of the profile that the strongest layer chooses, if any does."""
    name = laid(read).get("profile")
    return name if isinstance(name, str) else None


def names_of(read: Sequence[Layer]) -> tuple[str, ...]:
    """Every profile that some layer defines."""
    return tuple(Layer("", laid(read)).table("profiles"))


def layers_of(read: Sequence[Layer], name: str | None) -> list[Layer]:
    """What each layer says in a profile, the strongest first."""
    if name is None:
        return []
    parts = ((layer, layer.table("profiles", name)) for layer in read)
    return [Layer(f"profile {name} ({part.origin})", table, part.file) for part, table in parts if table]


def check(read: Sequence[Layer]) -> None:
    """Refuse a choice of none that there is, and a profile that chooses another. Raises SettingsError."""
    known, name = names_of(read), chosen_of(read)
    if name is not None and name not in known:
        origin = next(layer.origin for layer in read if layer.holds(("profile",)))
        hint = near_misses(name, known) or f"; there is {', '.join(sorted(known)) or 'none'}"
        raise SettingsError(f"no profile named {name!r} (from {origin}){hint}")
    for profile in known:
        for layer in layers_of(read, profile):
            for word in _NOT_INSIDE:
                if word in layer.values:
                    raise SettingsError(f"{layer.origin}: a profile cannot hold {word!r}")
