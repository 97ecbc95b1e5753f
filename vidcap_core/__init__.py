"""Turn videos into words with vision-language models.

    from vidcap_core import Vidcap

    print(Vidcap().caption("talk.mp4").text)

Every public name is found here. Nothing is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asking import Patience as Patience
    from .asking import ask as ask
    from .captioners.offline import Offline as Offline
    from .captioners.openai_compatible import OpenAICompatible as OpenAICompatible
    from .chosen import Chosen as Chosen
    from .chosen import choose as choose
    from .comparing import Compared as Compared
    from .comparing import Comparison as Comparison
    from .decoders.pyav import PyAVDecoder as PyAVDecoder
    from .errors import AccessError as AccessError
    from .errors import DecodeError as DecodeError
    from .errors import InvalidAnswerError as InvalidAnswerError
    from .errors import PluginError as PluginError
    from .errors import ProviderError as ProviderError
    from .errors import SettingsError as SettingsError
    from .errors import SourceError as SourceError
    from .errors import UnsupportedRung as UnsupportedRung
    from .errors import VidcapError as VidcapError
    from .hooks import hookimpl as hookimpl
    from .looking.scenes import Scene as Scene
    from .looking.scenes import scenes as scenes
    from .pipeline import Progress as Progress
    from .plugin import Captioner as Captioner
    from .plugin import Claim as Claim
    from .plugin import Decoder as Decoder
    from .plugin import Plugin as Plugin
    from .plugin import Sampler as Sampler
    from .plugin import Session as Session
    from .plugin import Source as Source
    from .preparation import prepare as prepare
    from .reading import read as read
    from .registry import Registry as Registry
    from .samplers.adaptive import AdaptiveSampler as AdaptiveSampler
    from .samplers.even import FixedIntervalSampler as FixedIntervalSampler
    from .samplers.even import UniformSampler as UniformSampler
    from .samplers.keyframes import KeyframesSampler as KeyframesSampler
    from .samplers.scene_change import SceneChangeSampler as SceneChangeSampler
    from .samplers.scene_change import picks_of_scene as picks_of_scene
    from .sampling import Sampled as Sampled
    from .sampling import Shown as Shown
    from .scene_list import Scenes as Scenes
    from .settings import Settings as Settings
    from .sources.local import LocalSource as LocalSource
    from .task_choice import choose_task as choose_task
    from .tasks import ASK as ASK
    from .tasks import CAPTION as CAPTION
    from .tasks import DESCRIBE as DESCRIBE
    from .tasks import TASKS as TASKS
    from .tasks import Task as Task
    from .tasks import asked as asked
    from .text import clock as clock
    from .types import Answer as Answer
    from .types import ByteRanges as ByteRanges
    from .types import Chapter as Chapter
    from .types import Coverage as Coverage
    from .types import Cue as Cue
    from .types import Evidence as Evidence
    from .types import Failure as Failure
    from .types import Frame as Frame
    from .types import Image as Image
    from .types import Item as Item
    from .types import Limits as Limits
    from .types import LumaFrame as LumaFrame
    from .types import Media as Media
    from .types import Packet as Packet
    from .types import Pick as Pick
    from .types import Request as Request
    from .types import Result as Result
    from .types import Segment as Segment
    from .types import Timings as Timings
    from .types import Transcript as Transcript
    from .types import Usage as Usage
    from .types import Want as Want
    from .types import Work as Work
    from .version import __version__ as __version__
    from .vidcap import Vidcap as Vidcap
    from .video import SeekableFile as SeekableFile
    from .video import Video as Video

_HOMES = {
    "asking": ("Patience", "ask"),
    "captioners.offline": ("Offline",),
    "captioners.openai_compatible": ("OpenAICompatible",),
    "chosen": ("Chosen", "choose"),
    "comparing": ("Compared", "Comparison"),
    "decoders.pyav": ("PyAVDecoder",),
    "errors": (
        "AccessError",
        "DecodeError",
        "InvalidAnswerError",
        "PluginError",
        "ProviderError",
        "SettingsError",
        "SourceError",
        "UnsupportedRung",
        "VidcapError",
    ),
    "hooks": ("hookimpl",),
    "looking.scenes": ("Scene", "scenes"),
    "pipeline": ("Progress",),
    "plugin": ("Captioner", "Claim", "Decoder", "Plugin", "Sampler", "Session", "Source"),
    "preparation": ("prepare",),
    "reading": ("read",),
    "registry": ("Registry",),
    "samplers.adaptive": ("AdaptiveSampler",),
    "samplers.even": ("FixedIntervalSampler", "UniformSampler"),
    "samplers.keyframes": ("KeyframesSampler",),
    "samplers.scene_change": ("SceneChangeSampler", "picks_of_scene"),
    "sampling": ("Sampled", "Shown"),
    "scene_list": ("Scenes",),
    "settings": ("Settings",),
    "sources.local": ("LocalSource",),
    "task_choice": ("choose_task",),
    "tasks": ("ASK", "CAPTION", "DESCRIBE", "TASKS", "Task", "asked"),
    "text": ("clock",),
    "types": (
        "Answer",
        "ByteRanges",
        "Chapter",
        "Coverage",
        "Cue",
        "Evidence",
        "Failure",
        "Frame",
        "Image",
        "Item",
        "Limits",
        "LumaFrame",
        "Media",
        "Packet",
        "Pick",
        "Request",
        "Result",
        "Segment",
        "Timings",
        "Transcript",
        "Usage",
        "Want",
        "Work",
    ),
    "version": ("__version__",),
    "vidcap": ("Vidcap",),
    "video": ("SeekableFile", "Video"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
