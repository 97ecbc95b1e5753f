"""The command `vidcap scenes`: where one scene ends and the next begins."""

from __future__ import annotations

from pathlib import Path

from ..chosen import choose
from ..errors import SettingsError, VidcapError
from ..finding import Videos
from ..scene_list import Scenes
from ..text import for_terminal, one_line
from ..vidcap import Vidcap
from ..writers import to_json
from .choosing import load
from .files import Names, check_folder, claim_folder, spare_inputs, write_whole
from .order import Order, SceneFormat
from .output import Output
from .tally import Tally
from .terminal import Display

_JPEG = (".jpg", ".jpeg")


def run(order: Order, output_format: SceneFormat, strip: Path | None) -> int:
    """List the scenes of the videos; returns the exit code."""
    settings, registry = load(order)
    chosen = choose(settings, registry, asks=False)
    videos = Videos(order.uris, chosen)
    single = len(order.uris) == 1 and videos.begins_with(order.uris[0])
    spare_inputs(order.uris, order.out, strip)
    output = _SceneOutput(output_format, order.out, single=single)
    strips = _Strips(strip, single=single) if strip else None
    tally = Tally(quiet=order.quiet)
    tally.note(*chosen.notices)
    display = Display(quiet=order.quiet)
    with Vidcap.of(chosen, display) as vidcap, display.shown(), output:
        for uri in tally.among(videos):
            try:
                found = vidcap.scenes(uri, chosen.sampler, images=strips is not None)
            except VidcapError as error:
                tally.fail(uri, error)
                continue
            tally.videos += 1
            with display.paused():
                output.write(found)
                tally.note(*(f"{one_line(uri)}: {notice}" for notice in found.notices))
            if strips:
                strips.write(found)
    return tally.exit_code


class _SceneOutput(Output):
    def __init__(self, output_format: SceneFormat, out: Path | None, *, single: bool) -> None:
        suffix = ".txt" if output_format is SceneFormat.TEXT else f".{output_format}"
        super().__init__(out, suffix, single=single, is_list=output_format is SceneFormat.JSON)
        self._format = output_format
        self._has_head = False

    def write(self, found: Scenes) -> None:
        self.put(found.uri, self._text(found))

    def _text(self, found: Scenes) -> str:
        if self._format is SceneFormat.JSON:
            return to_json(found.to_dict())
        if self._format is SceneFormat.TEXT:
            return self.titled(found.uri, for_terminal(found.text))
        head, self._has_head = not (self.is_shared and self._has_head), True
        return found.csv(head=head).rstrip("\n")


class _Strips:
    """Pictures of scenes: one file, or for many videos a folder with a file for each."""

    def __init__(self, place: Path, *, single: bool) -> None:
        self._single = single
        self._place = place
        self._names = Names()
        if not single:
            check_folder("--strip", place)
        elif place.is_dir() or place.suffix.lower() not in _JPEG:
            raise SettingsError(f"--strip {place} must be a file that ends in .jpg")
        claim_folder(place.absolute().parent if single else place)

    def write(self, found: Scenes) -> None:
        name = f"{self._names.new(found.uri)}.jpg"
        write_whole(self._place if self._single else self._place / name, found.strip())
