"""The frames of a page: each picture stored once, and the colours of why they were taken."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from ..text import clock
from ..types import Image
from .contact_sheet import thumbnail
from .html import Html, element

_THUMB_PX = 256
_COLOURS = 7
"""Kinds of why that have a colour of their own; the rarest share one more."""
_LONGEST_WHY, _LONGEST_KIND = 300, 60
_NUMBERS = re.compile(r"\d+([:.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Illustrations:
    """The pictures that a page shows, some of them several times."""

    images: Mapping[str, Image]
    """By hash."""
    ids: Mapping[str, str]
    """Names of the elements that hold them, by hash."""
    colours: Mapping[str, int]
    """Of the kinds of why, the commonest first."""

    @classmethod
    def of(cls, every: Iterable[Image]) -> Self:
        """Collect the pictures of all images."""
        every = list(every)
        images = {image.sha256: image for image in every}
        kinds = Counter(_kind(image) for image in every).most_common()
        return cls(
            images,
            {sha256: f"i{number}" for number, sha256 in enumerate(images)},
            {kind: min(place, _COLOURS) for place, (kind, _) in enumerate(kinds)},
        )

    def store(self) -> Html:
        """All pictures, small, for the top of the page."""
        images = [
            element(
                "image",
                id=self.ids[sha256],
                href=_data_uri(image),
                width=image.width_px,
                height=image.height_px,
            )
            for sha256, image in self.images.items()
        ]
        return element("svg", element("defs", images), class_="store", aria_hidden="true")

    def picture(self, image: Image) -> Html:
        """The picture of an image, from the store."""
        return element(
            "svg",
            element("use", href=f"#{self.ids[image.sha256]}"),
            class_="picture",
            viewBox=f"0 0 {image.width_px} {image.height_px}",
            role="img",
            aria_label=f"Frame at {clock(image.time_s)}",
        )

    def colour(self, image: Image) -> str:
        """The class of the colour of its why."""
        return f"c{self.colours[_kind(image)]}"

    def legend(self) -> list[Html]:
        """What each colour means."""
        meanings = ([kind for kind, own in self.colours.items() if own == c] for c in range(_COLOURS + 1))
        return [
            element("li", element("i", class_=f"swatch c{colour}"), _meaning(kinds))
            for colour, kinds in enumerate(meanings)
            if kinds
        ]


def shown_why(image: Image) -> str:
    """Why it was taken, cut where that is a novel."""
    return short(image.why, _LONGEST_WHY)


def short(text: str, most_chars: int) -> str:
    """A text that is no longer than it may be."""
    return text if len(text) <= most_chars else f"{text[: most_chars - 1]}…"


def _meaning(kinds: list[str]) -> str:
    return short(kinds[0], _LONGEST_KIND) if len(kinds) == 1 else f"{len(kinds)} other reasons"


def _kind(image: Image) -> str:
    """What whys have in common that tell the same of different times: `scene 3 of 12` is a `scene … of …`."""
    return _NUMBERS.sub("…", shown_why(image)) or "no reason given"


def _data_uri(image: Image) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail(image, _THUMB_PX)).decode('ascii')}"
