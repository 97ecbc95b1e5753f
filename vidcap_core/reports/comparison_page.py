"""The page of a comparison: a table, a timeline with a lane for each sampler, all frames with their why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..comparing import Compared, Comparison
from ..text import clock
from ..types import Image, Item, Result
from ..writers import item_text
from .comparison_text import ASKED_HEAD, HEAD, asked_figures, figures
from .html import Html, element, page
from .illustrations import Illustrations, short, shown_why
from .timeline import failure, label, timeline

_CAPTION = (
    "Largest gap: the longest stretch without a frame. Choosing and taking: CPU time, the decoder's included."
)
_LONGEST_TITLE = 200


def comparison_page(compared: Comparison) -> str:
    """One page without scripts, its pictures inside. Frames that several samplers took stand in it once."""
    frames = Illustrations.of(image for row in compared.samplers for image in row.images)
    name = short(compared.title or Path(compared.uri).name or compared.uri, _LONGEST_TITLE)
    return page(
        f"{name}: samplers compared",
        frames.store(),
        element("header", element("h1", name), element("p", _facts(compared), class_="facts")),
        element(
            "main",
            _table(compared),
            element(
                "section",
                element("h2", "When each looked"),
                element("a", "Skip the timeline", href="#s0", class_="skip"),
                timeline(compared.samplers, compared.facts["start_s"], compared.facts["end_s"], frames),
            ),
            _answers(compared),
            [_sampler(number, row, frames) for number, row in enumerate(compared.samplers)],
        ),
        element("footer", _footer(compared)),
    )


def _facts(compared: Comparison) -> list[Html]:
    facts = compared.facts
    words = [
        f"{clock(float(facts['start_s']))} to {clock(float(facts['end_s']))}",
        f"{facts['width_px']} × {facts['height_px']} px",
        f"{len(compared.samplers)} samplers",
        f"at most {compared.max_frames} frames each",
    ]
    return [element("span", word) for word in words]


def _table(compared: Comparison) -> Html:
    asked = any(row.result for row in compared.samplers)
    head = ("sampler", *HEAD, *(ASKED_HEAD if asked else ()))
    columns = len(head) - 1
    rows = [_table_row(number, row, compared, columns) for number, row in enumerate(compared.samplers)]
    table = element(
        "table",
        element("caption", _CAPTION),
        element("thead", element("tr", [element("th", name, scope="col") for name in head])),
        element("tbody", rows),
    )
    return element("section", table, class_="scroll", tabindex=0, role="region", aria_label="Figures")


def _table_row(number: int, row: Compared, compared: Comparison, columns: int) -> Html:
    head = element("th", element("a", label(row), href=f"#s{number}"), scope="row")
    if row.coverage is None:
        return element(
            "tr", head, element("td", failure(row), colspan=columns, class_="failed"), class_="bad"
        )
    cells = [*figures(row), *(asked_figures(row.result) if row.result else ())]
    bars = _shares(row, compared)
    shown = [_cell(cell, bars[place] if place < len(bars) else 0.0) for place, cell in enumerate(cells)]
    rest = [element("td")] * (columns - len(cells))
    return element("tr", head, shown, rest)


def _cell(text: str, share: float) -> Html:
    bar = element("span", class_="bar", style=f"width:{share * 100:.1f}%") if share else None
    return element("td", element("span", text), bar)


def _shares(row: Compared, compared: Comparison) -> list[float]:
    """How each figure compares with the largest one of its column, by HEAD."""

    def figures_of(one: Compared) -> list[float]:
        gap_s = one.coverage.largest_gap_s if one.coverage else 0.0
        tokens = float(one.image_tokens or 0)
        return [len(one.images), gap_s, tokens, one.image_bytes, one.choosing_cpu_s, one.taking_cpu_s]

    most = [max(column) for column in zip(*map(figures_of, compared.samplers), strict=True)]
    return [own / top if top > 0 else 0.0 for own, top in zip(figures_of(row), most, strict=True)]


def _sampler(number: int, row: Compared, frames: Illustrations) -> Html:
    head = element("h2", row.label, id=f"s{number}")
    if row.coverage is None:
        return element("section", head, element("p", failure(row), class_="failed"), class_="sampler")
    told = dict(zip(HEAD, figures(row), strict=True))
    summary = f"{told['frames']} frames, {told['bytes']}, largest gap {told['largest gap']}"
    sheet = [_frame(f"f{number}-{place}", image, frames) for place, image in enumerate(row.images)]
    return element(
        "section",
        head,
        element("p", failure(row), class_="failed") if row.error else None,
        [element("p", notice, class_="notice") for notice in row.notices],
        element("details", element("summary", summary), element("div", sheet, class_="sheet"), open=True),
        class_="sampler",
    )


def _frame(target: str, image: Image, frames: Illustrations) -> Html:
    why = element("span", shown_why(image), class_="why")
    legend = element(
        "figcaption",
        element("i", class_=f"swatch {frames.colour(image)}"),
        element("b", clock(image.time_s)),
        " ",
        why,
    )
    return element("figure", frames.picture(image), legend, id=target, tabindex=-1)


def _answers(compared: Comparison) -> Html | None:
    """What the model says of each sampler's frames, side by side."""
    said = [
        element("div", element("h3", row.label), [_item(item, row.result) for item in row.result.items])
        for row in compared.samplers
        if row.result is not None
    ]
    if not said:
        return None
    return element("section", element("h2", "What the model says"), element("div", said, class_="answers"))


def _item(item: Item, result: Result) -> Html:
    several = len(result.items) > 1
    span = element("b", f"{clock(item.start_s)}–{clock(item.end_s)} ") if several else None
    said = f"{type(item.error).__name__}: {item.error}" if item.error else item_text(item)
    return element("p", span, said, class_="failed" if item.error else None)


def _footer(compared: Comparison) -> Iterable[str]:
    by = compared.made_by
    captioner = f", captioner {by['captioner']}" if by["captioner"] else ""
    yield f"vidcap {by['vidcap']}, decoder {by['decoder']['name']}{captioner}. "
    yield "Pictures are small copies of what would be sent. "
    if any(row.image_tokens is not None for row in compared.samplers):
        yield "Image tokens are estimated by the rule in the captioner's limits."
    else:
        yield "Image tokens are not known without a captioner whose limits have a rule for them."
