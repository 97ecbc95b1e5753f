"""The command `vidcap doctor`: looks whether everything works here, by trying it."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import layers
from ..blaming import blaming
from ..captioners.offline import REMEDY, Offline
from ..chosen import CHOOSE, Chosen, choose
from ..errors import SettingsError, VidcapError
from ..isolation.pool import DecoderPool, Stop
from ..layers import FILE
from ..plugin import Captioner, Decoder
from ..registry import Registry, near_misses
from ..settings import PYPROJECT, Settings
from ..types import Pick
from ..writers import to_json
from .choosing import load
from .listing import key_of, masked, put, wrapped
from .order import Order

_PARTS = ("vidcap", "av", "numpy", "openai", "pluggy", "pydantic", "yt-dlp", "decord")
_FORMATS = {
    "H.264": ("h264.mp4", "libx264"),
    "HEVC": ("hevc.mp4", "libx265"),
    "VP9": ("vp9.webm", "libvpx-vp9"),
    "AV1": ("av1.mp4", "libsvtav1"),
    "MPEG-4": ("mpeg4.avi", "mpeg4"),
    "GIF": ("picture.gif", "gif"),
}
_TIMEOUT_S = 20.0
_FIRST_WORDS = 60
_LOCK = (
    "from vidcap_core.isolation.sandbox import give_up_access; print(give_up_access(may_read_files=False))"
)


def run(order: Order, *, as_json: bool) -> int:
    """Look at everything; returns 0 where a caption could be made, else the first problem's code."""
    settings, registry = load(order)
    problems: list[VidcapError] = []
    found: dict[str, Any] = {
        "python": f"{platform.python_version()} on {platform.platform()}",
        "parts": _parts(),
        "settings_files": _settings_files(),
        "decoders": _decoders(settings, registry, problems),
        "locked": _locked(),
        "keys": _keys(settings),
        "captioner": _captioner(settings, registry, problems),
        "broken": registry.broken,
    }
    if "youtube" in registry.kind("sources"):
        found["javascript"] = next(filter(None, map(shutil.which, ("deno", "node"))), None)
    found["problems"] = [str(problem) for problem in problems]
    put(to_json(found) if as_json else "\n".join(_lines(found)))
    return problems[0].exit_code if problems else 0


def _parts() -> dict[str, str]:
    parts = {}
    for name in _PARTS:
        try:
            parts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    import av

    return parts | {"FFmpeg": str(av.ffmpeg_version_info)}


def _settings_files() -> list[str]:
    return [layer.origin for layer in (layers.project(FILE, PYPROJECT), layers.user()) if layer.values]


def _decoders(settings: Settings, registry: Registry, problems: list[VidcapError]) -> dict[str, Any]:
    """What each decoder reads, in a process like those of a run."""
    read: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="vidcap-") as folder:
        videos = _rendered(Path(folder))
        for name, (installed, *_) in sorted(registry.kind("decoders").items()):
            try:
                decoder = settings.build("decoders", name, installed.plugin)
                read[name] = _reads(decoder, videos)  # type: ignore[arg-type]  # it is of this kind
            except VidcapError as error:
                read[name] = {"any": _first_words(error)}
    chosen = settings.plugin_name("decoders", settings.decoder)
    if chosen in read and "yes" not in read[chosen].values():
        problems.append(SettingsError(f"the decoder {chosen!r} reads nothing here: choose another one"))
    return read


def _rendered(folder: Path) -> dict[str, Path | None]:
    """A video of each format; None where FFmpeg has no encoder for it here."""
    import av

    from ..testing import tiny_video

    os.environ.setdefault("SVT_LOG", "1")  # or the AV1 encoder tells its whole life
    videos: dict[str, Path | None] = {}
    for name, (file, codec) in _FORMATS.items():
        there = codec in av.codecs_available
        videos[name] = tiny_video(folder / file, frames=3, codec=codec).path if there else None
    return videos


def _reads(decoder: Decoder, videos: dict[str, Path | None]) -> dict[str, str]:
    with DecoderPool(decoder, isolated=True, timeout_s=_TIMEOUT_S) as pool:
        return {name: _read(pool, decoder, path) for name, path in videos.items()}


def _read(pool: DecoderPool, decoder: Decoder, path: Path | None) -> str:
    if path is None:
        return "not tried: no encoder here"
    try:
        with blaming(decoder), pool.open(path, Stop()) as video:
            taken = list(video.images([Pick(video.start_s)], 64))
    except VidcapError as error:
        return _first_words(error)
    return "yes" if len(taken) == 1 else "gave no picture"


def _first_words(error: VidcapError) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _FIRST_WORDS else f"{text[: _FIRST_WORDS - 1]}…"


def _locked() -> bool:
    """Whether a process can be locked up here: another one tries, for there is no way back."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    tried = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-P", "-c", _LOCK], env=environment, capture_output=True, timeout=_TIMEOUT_S
    )
    return tried.stdout.strip() == b"True"


def _keys(settings: Settings) -> dict[str, dict[str, Any]]:
    tables = sorted(settings.captioners.items())
    return {name: key for name, table in tables if (key := key_of(table))}


def _captioner(settings: Settings, registry: Registry, problems: list[VidcapError]) -> dict[str, Any]:
    """What would answer, and whether it is there. Nothing is sent but the wish for a list of models."""
    try:
        chosen = choose(settings, registry, asks=False)
        captioner = chosen.captioner
        if captioner is None or isinstance(captioner, Offline):
            return {"name": chosen.captioner_name or None, "says": CHOOSE if captioner is None else REMEDY}
        return _endpoint(chosen, captioner, problems)
    except VidcapError as error:
        problems.append(error)
        return {"name": settings.captioner, "says": str(error)}


def _endpoint(chosen: Chosen, captioner: Captioner, problems: list[VidcapError]) -> dict[str, Any]:
    model = str(getattr(captioner, "model", ""))
    base_url = masked("base_url", str(getattr(captioner, "base_url", "")))
    told: dict[str, Any] = {"name": chosen.captioner_name, "base_url": base_url, "model": model}
    try:
        with blaming(captioner):
            listed = asyncio.run(captioner.models())
    except VidcapError as error:
        problems.append(error)
        # A status is the word of somebody who is there; without a key nobody was asked.
        there = None if isinstance(error, SettingsError) else getattr(error, "status", None) is not None
        return told | {"reachable": there, "listed": None, "says": str(error)}
    return told | {"reachable": True, "listed": _lists(listed, model), "says": _hint(listed, model)}


def _lists(listed: tuple[str, ...] | None, model: str) -> bool | None:
    """Whether a model is listed, as it is or as `models/…` or `…:latest`; None where that is not told."""
    if listed is None:
        return None
    return any(one in (model, f"models/{model}", f"{model}:latest") for one in listed)


def _hint(listed: tuple[str, ...] | None, model: str) -> str:
    if _lists(listed, model) is not False:
        return ""
    return f"the endpoint does not list {model!r}{near_misses(model, (listed or ())[:2000])}"


def _lines(found: dict[str, Any]) -> list[str]:
    def row(name: str, text: str) -> str:
        return wrapped(f"{name:<12} {text}", hanging=" " * 13)

    lines = [row("python", found["python"])]
    lines += [row(name, version) for name, version in found["parts"].items()]
    lines.append(row("settings", ", ".join(found["settings_files"]) or "no file"))
    for name, formats in found["decoders"].items():
        lines += [row(name, f"{one}: {said}") for one, said in formats.items()]
    lock = "locked by Landlock" if found["locked"] else "not locked: this system has no Landlock"
    lines.append(row("processes", f"decoders' are {lock}"))
    if "javascript" in found:
        lines.append(row("javascript", found["javascript"] or "none: install deno, youtube needs it"))
    for name, key in found["keys"].items():
        lines.append(row(name, f"{key['variable']} is {'set' if key['set'] else 'not set'}"))
    lines += [row("captioner", text) for text in _captioner_words(found["captioner"])]
    lines += [row("broken", f"{origin}: {reason}") for origin, reason in found["broken"].items()]
    return lines + [row("PROBLEM", problem) for problem in found["problems"]]


def _captioner_words(told: dict[str, Any]) -> list[str]:
    words = [told["name"] or "none"]
    if "reachable" in told:
        told_in_words = {True: "yes", False: "no", None: "not told"}
        reachable = "not asked" if told["reachable"] is None else told_in_words[told["reachable"]]
        words = [f"{told['name']}, {told['model']} at {told['base_url'] or 'this machine'}"]
        words.append(f"reachable: {reachable}; model listed: {told_in_words[told['listed']]}")
    # A problem is told once, at the end.
    is_problem = told.get("reachable", True) is not True or told.get("listed", True) is None
    return words + ([told["says"]] if told["says"] and not is_problem else [])
