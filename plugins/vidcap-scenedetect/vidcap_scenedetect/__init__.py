"""PySceneDetect's detectors as a sampler for vidcap."""

from __future__ import annotations

from vidcap_core import Sampler, hookimpl


@hookimpl
def vidcap_samplers() -> list[type[Sampler]]:
    """Offer `scene_change_psd`."""
    from .sampler import PySceneDetectSampler

    return [PySceneDetectSampler]
