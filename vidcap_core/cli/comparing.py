"""The command `vidcap compare`: samplers side by side on one video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..chosen import choose, ready
from ..comparing import Comparison
from ..errors import AccessError, SettingsError
from ..reports.html import is_own_page
from ..text import for_terminal
from ..vidcap import Vidcap
from ..writers import to_json
from .choosing import load, settings_of
from .files import claim_folder, write_whole
from .order import Order
from .tally import FAILED
from .terminal import Display, say, tell


def run(order: Order, *, says: bool, as_json: bool) -> int:
    """Write the page of a comparison and print its figures; returns the exit code."""
    out = order.out or Path("compare.html")
    _claim(out)
    settings, registry = load(replace(order, samplers=order.samplers or ()))
    if order.samplers is None:
        order = replace(order, samplers=tuple(ready(settings, registry, "samplers")))
    # What the settings choose is not compared, and need not be there.
    settings = settings_of(replace(order, sampler=next(iter(order.samplers or ()), None)), registry)
    chosen = choose(settings, registry, asks=says)
    display = Display(quiet=order.quiet)
    if not order.quiet:
        for notice in chosen.notices:
            say(notice)
    with Vidcap.of(chosen, display) as vidcap, display.shown():
        compared = vidcap.compare(order.uris[0], order.samplers, order.task if says else None)
    write_whole(out, compared.html())
    print(to_json(compared) if as_json else for_terminal(compared.text), flush=True)  # noqa: T201
    if not order.quiet:
        tell(f"the frames, their times and why they were taken: {out}")
    return _exit_code(compared)


def _claim(out: Path) -> None:
    """See that the page can be written, before anything is done. Raises SettingsError, OSError."""
    if out.is_dir():
        raise SettingsError(f"--out {out} is a folder: name a file")
    if out.exists():
        with out.open("rb") as file:
            if not is_own_page(file.read(1000)):
                raise SettingsError(f"{out} is no page of vidcap's: name another file with --out")
    claim_folder(out.absolute().parent)


def _exit_code(compared: Comparison) -> int:
    codes = [row.error.exit_code for row in compared.samplers if row.error is not None]
    if not codes:
        return 0
    if AccessError.exit_code in codes:
        return AccessError.exit_code
    return codes[0] if len(codes) == len(compared.samplers) and len(set(codes)) == 1 else FAILED
