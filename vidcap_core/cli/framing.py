"""The command `vidcap frames`: what would be sent, to be looked at."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from ..chosen import Chosen, choose
from ..errors import SettingsError, VidcapError
from ..finding import Videos
from ..preparation import with_options
from ..reports.contact_sheet import contact_sheet
from ..sampling import Sampled
from ..text import one_line
from ..types import Image, Media
from ..version import __version__
from ..vidcap import Vidcap
from ..writers import to_json, to_plain
from .choosing import load
from .files import Names, write_whole
from .order import Order
from .tally import Tally
from .terminal import Display, tell

_LIST, _SHEET = "frames.json", "contact-sheet.jpg"
_FRAME = re.compile(r"frame-\d{3,}-(\d+h)?\d+m\d\d\.\d\ds\.jpg")


def run(order: Order) -> int:
    """Write the frames of the videos; returns the exit code."""
    started_s = time.perf_counter()
    out = order.out or Path()
    settings, registry = load(order)
    chosen = choose(settings, registry, asks=False)
    videos = Videos(order.uris, chosen)
    single = len(order.uris) == 1 and videos.begins_with(order.uris[0])
    folders = _Folders(out, single=single)
    tally = Tally(quiet=order.quiet)
    tally.note(*chosen.notices)
    display = Display(quiet=order.quiet)
    written = frames = 0
    with Vidcap.of(chosen, display) as vidcap, display.shown():
        for uri in tally.among(videos):
            try:
                folder = folders.claim(uri)
                media, sampled = vidcap.sampled(uri)
            except VidcapError as error:
                tally.fail(uri, error)
                continue
            _write(folder, media, sampled, chosen)
            written, frames, tally.videos = written + 1, frames + len(sampled.images), tally.videos + 1
            with display.paused():
                tally.note(*(f"{one_line(uri)}: {notice}" for notice in sampled.notices))
    if written and not order.quiet:
        of = "" if single else f" of {written} video{'s' * (written != 1)}"
        took_s = time.perf_counter() - started_s
        tell(f"{frames} frame{'s' * (frames != 1)}{of} in {out}, {took_s:.1f} s")
    return tally.exit_code


class _Folders:
    """The folder of each video: DIR itself for a single one, else one below it."""

    def __init__(self, out: Path, *, single: bool) -> None:
        self._out = out
        self._single = single
        self._names = Names()
        if out.exists() and not out.is_dir():
            raise SettingsError(f"--out {out} is a file: name a folder")

    def claim(self, uri: str) -> Path:
        """Make the folder of a video. Raises SettingsError where it holds what is not vidcap's."""
        folder = self._out if self._single else self._out / self._names.new(uri)
        if folder.is_dir() and any(folder.iterdir()) and _former(folder) is None:
            raise SettingsError(
                f"{folder} is not empty, and no {_LIST} of vidcap is in it: name a new or an empty folder;"
                " only the frames of a former run are replaced"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _former(folder: Path) -> set[str] | None:
    """Names of the frames that a former run wrote; None where there was none."""
    try:
        listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        files = {str(frame["file"]) for frame in listed["frames"]}
        _ = listed["made_by"]["vidcap"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return {name for name in files if _FRAME.fullmatch(name)}


def _write(folder: Path, media: Media, sampled: Sampled, chosen: Chosen) -> None:
    images = sampled.images
    former = _former(folder) or set()
    digits = max(3, len(str(len(images))))
    named = {f"frame-{n:0{digits}}-{_file_time(i.time_s)}.jpg": i for n, i in enumerate(images, 1)}
    for name, image in named.items():
        write_whole(folder / name, image.data)
    title = media.title or Path(media.uri).name or media.uri
    write_whole(folder / _SHEET, contact_sheet(title, sampled.facts, images))
    # Last: what it lists is there.
    write_whole(folder / _LIST, f"{to_json(_listed(media, sampled, chosen, named))}\n".encode())
    for name in former - named.keys():
        (folder / name).unlink(missing_ok=True)


def _listed(media: Media, sampled: Sampled, chosen: Chosen, named: dict[str, Image]) -> dict[str, Any]:
    return {
        "uri": media.uri,
        "title": media.title,
        **sampled.facts,
        "coverage": sampled.coverage,
        "frames": [{"file": name, **to_plain(image)} for name, image in named.items()],
        "made_by": {
            "vidcap": __version__,
            "identity": dict(media.identity),
            "source": chosen.source(media.uri).name,
            "decoder": with_options(chosen.decoder),
            "sampler": with_options(chosen.sampler),
        },
        "notices": list(sampled.notices),
    }


def _file_time(time_s: float) -> str:
    minutes, rest = divmod(round(max(time_s, 0) * 100), 6000)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h{minutes:02}m" if hours else f"{minutes}m") + f"{rest / 100:05.2f}s"
