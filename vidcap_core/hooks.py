"""The hooks. Each returns plugin classes; nothing is built when plugins are discovered.

A plugin is a module that implements some of them, marked with `hookimpl`, and is named by an entry
point of the group `vidcap`:

    from vidcap_core import hookimpl

    @hookimpl
    def vidcap_samplers():
        return [MySampler]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .plugin import Captioner, Decoder, Sampler, Source

hookspec = pluggy.HookspecMarker("vidcap")
hookimpl = pluggy.HookimplMarker("vidcap")


@hookspec
def vidcap_sources() -> Iterable[type[Source]]:
    """Where videos come from."""
    return ()


@hookspec
def vidcap_decoders() -> Iterable[type[Decoder]]:
    """What reads frames out of a file."""
    return ()


@hookspec
def vidcap_samplers() -> Iterable[type[Sampler]]:
    """What chooses the moments that stand for a video."""
    return ()


@hookspec
def vidcap_captioners() -> Iterable[type[Captioner]]:
    """The models that answer."""
    return ()
