"""vidcap's own plugins, found through the same entry points and hooks as everybody else's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .hooks import hookimpl

if TYPE_CHECKING:
    from .plugin import Captioner, Decoder, Sampler, Source


@hookimpl
def vidcap_sources() -> Iterable[type[Source]]:
    """Offer `local`."""
    from .sources.local import LocalSource

    return [LocalSource]


@hookimpl
def vidcap_decoders() -> Iterable[type[Decoder]]:
    """Offer `pyav`."""
    from .decoders.pyav import PyAVDecoder

    return [PyAVDecoder]


@hookimpl
def vidcap_samplers() -> Iterable[type[Sampler]]:
    """Offer `fixed_interval`, `uniform`, `keyframes`, `scene_change` and `adaptive`."""
    from .samplers.adaptive import AdaptiveSampler
    from .samplers.even import FixedIntervalSampler, UniformSampler
    from .samplers.keyframes import KeyframesSampler
    from .samplers.scene_change import SceneChangeSampler

    return [FixedIntervalSampler, UniformSampler, KeyframesSampler, SceneChangeSampler, AdaptiveSampler]


@hookimpl
def vidcap_captioners() -> Iterable[type[Captioner]]:
    """Offer `openai_compatible` and `offline`."""
    from .captioners.offline import Offline
    from .captioners.openai_compatible import OpenAICompatible

    return [OpenAICompatible, Offline]
