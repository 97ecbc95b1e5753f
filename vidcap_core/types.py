"""What flows along the line: frozen data, units in every name. No pydantic, no numpy at import."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .errors import VidcapError


class ByteRanges(Protocol):
    """A remote file that is read by ranges: sync, thread-safe, concurrent inside."""

    size_bytes: int

    def read(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        """The bytes of each (start, end) range, end exclusive, in the order asked."""
        ...


def _unheard(done_bytes: int, total_bytes: int | None) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Want:
    """What a run needs of a video, so that a source can choose a format."""

    long_side_px: int | None = None
    """The longer side of the largest image that will be made; None: whatever there is."""
    start_s: float | None = None
    end_s: float | None = None
    languages: tuple[str, ...] = ()
    """Languages wanted of a transcript, BCP 47, the best first."""
    on_bytes: Callable[[int, int | None], None] = field(default=_unheard, compare=False, repr=False)
    """To be called with the bytes fetched and their total, None where that is not known.

    A source that fetches calls it several times a second, also while it waits: it raises where the
    run has been stopped, and the source then cleans up and lets the error pass.
    """


@dataclass(frozen=True, slots=True)
class Cue:
    """A line of a transcript."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said in a video, with its times."""

    cues: tuple[Cue, ...]
    language: str | None
    """BCP 47; None where it is not known."""
    origin: Literal["uploader", "auto", "sidecar", "embedded", "asr", "summary"]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named part of a video, as its publisher cut it."""

    start_s: float
    end_s: float
    title: str


@dataclass(frozen=True, slots=True)
class Media:
    """A video that a source has made readable. It lives until the outcome is there."""

    uri: str
    location: Path | ByteRanges
    title: str | None = None
    """As its publisher named it. A file name is not a title."""
    duration_s: float | None = None
    transcript: Transcript | None = None
    chapters: tuple[Chapter, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else the source knows, ready for JSON."""
    notices: tuple[str, ...] = ()
    """What a person should know of it, a transcript that could not be read say."""
    identity: Mapping[str, str | int] = field(default_factory=dict)
    """What tells these very bytes from others: etag, version, size and time, or a hash."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A moment that a sampler wants a frame of."""

    time_s: float
    tolerance_s: float = 0.0
    """How far from `time_s` the frame may lie, so that a cheap keyframe can be taken."""
    worth: float = 1.0
    """Which picks to keep where not all fit the budget: the higher ones."""
    why: str = ""
    """Why this moment, for people: it stands in the evidence of the result."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of the video and the moments that stand for it."""

    start_s: float
    end_s: float
    picks: tuple[Pick, ...]


@dataclass(frozen=True, slots=True)
class Packet:
    """A compressed frame, as the container lists it; nothing is decoded to know this."""

    time_s: float
    size_bytes: int
    is_key: bool


@dataclass(frozen=True, slots=True, eq=False)
class LumaFrame:
    """A small grey picture for samplers that must look."""

    time_s: float
    luma: NDArray[np.uint8]
    """uint8[height, width], upright."""
    damaged: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded picture."""

    asked_s: float
    time_s: float
    """The frame's own presentation time."""
    pixels: NDArray[np.uint8]
    """uint8[height, width, 3], RGB, upright, square pixels."""
    damaged: bool = False
    """Whether the frame that was asked for is. Without `is_neighbour`, this one may look wrong."""
    is_neighbour: bool = False
    """Whether a sound picture from near by stands in for the damaged one."""


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded picture, ready to be sent."""

    asked_s: float
    time_s: float
    data: bytes = field(repr=False)
    width_px: int
    height_px: int
    why: str = ""
    media_type: str = "image/jpeg"
    damaged: bool = False
    """Whether the frame that was asked for is."""
    is_neighbour: bool = False
    """Whether a sound picture from near by stands in for the damaged one."""

    @property
    def sha256(self) -> str:
        """Hash of `data`, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    def data_uri(self) -> str:
        """`data:image/jpeg;base64,…`, as OpenAI-compatible endpoints take images."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


Rung = Literal["json_schema", "prompt"]
"""A way to ask for structured output: enforced by the endpoint, or only asked for in words."""


_COUNTS = (
    "max_images",
    "max_body_bytes",
    "max_image_tokens",
    "side_px",
    "tokens_per_image",
    "tile_px",
    "max_tiles",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint and its model take, and what they see best.

    `fit` says how the model's encoder sees an image. `squash`: as a square of `side_px`, whatever
    its shape, so both sides should have that much. `tiles` and `patches`: in its own shape, with
    nothing gained beyond a long side of `side_px`.
    """

    max_images: int | None = None
    """Images in one request; None: not known."""
    max_body_bytes: int | None = None
    """Size of one request; None: not known."""
    max_image_tokens: int | None = None
    """Tokens that the images of one request may take together; None: no limit of their own."""
    fit: Literal["squash", "tiles", "patches"] = "tiles"
    side_px: int = 1024
    tokens_per_image: int | None = None
    """Tokens that every image takes, whatever its size; None: not known, or none."""
    tokens_per_tile: float | None = None
    """Tokens for each square of `tile_px` that it takes to cover an image."""
    tile_px: int = 512
    max_tiles: int | None = None
    """A larger image is shrunk by the model until it has so many."""
    rungs: tuple[Rung, ...] = ("json_schema",)
    """How the endpoint can be asked for structured output, the best first. The first is used."""
    source: str = ""
    """Where these figures come from."""
    checked: str = ""
    """The month they were looked up, YYYY-MM."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.tokens_per_tile is not None and not 0 < self.tokens_per_tile < math.inf:
            raise ValueError("tokens_per_tile must be a number above 0")
        if self.max_image_tokens and not (self.tokens_per_image or self.tokens_per_tile):
            raise ValueError("max_image_tokens needs tokens_per_image or tokens_per_tile to count by")
        if not self.rungs:
            raise ValueError("rungs must name at least one way to ask")

    # pydantic reads this when the class is a plugin's option; nothing is imported for it.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model. All a captioner sees; it can be pickled and sent to another machine."""

    id: str
    """Hash of what is asked: equal requests have equal ids."""
    system: str
    parts: tuple[str | Image, ...]
    """Text and images, interleaved, each image preceded by a text with its time."""
    facts: Mapping[str, Any]
    """What is known of the video itself: duration_s, width_px, height_px, has_audio."""
    answer_schema: Mapping[str, Any]
    """JSON Schema of the answer, in the strict form."""
    rung: Rung = "json_schema"
    max_output_tokens: int = 1024

    @property
    def images(self) -> tuple[Image, ...]:
        """The images among the parts, in order."""
        return tuple(part for part in self.parts if isinstance(part, Image))


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request cost. None is unknown, never zero."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
            _sum(self.cost_usd, other.cost_usd),
        )


def _sum(one: Any, other: Any) -> Any:
    # An unknown part makes the total unknown: a sum of what happens to be known would be too low.
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True)
class Answer:
    """What a captioner said."""

    text: str
    model: str
    """As the provider resolved it."""
    usage: Usage = Usage()
    finish: Literal["stop", "length", "filtered", "refused"] = "stop"
    requests: int = 1
    """How many requests were sent for it, repairs and retries included."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A frame that was sent."""

    asked_s: float
    time_s: float
    why: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Item:
    """What a task says of one span."""

    start_s: float
    end_s: float
    value: Any
    """The task's answer model, filled and validated; None where there is an error."""
    error: VidcapError | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well the frames sent cover the span that was asked for."""

    start_s: float
    end_s: float
    largest_gap_s: float
    """The longest stretch without an asked time, the edges of the span included."""
    asked: int
    """Frames the sampler proposed."""
    sent: int
    """Frames that were sent."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall time of each step."""

    prepare_s: float = 0.0
    ask_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """A prepared video: everything that has to be asked, and what `read` needs to know beside."""

    uri: str
    title: str | None
    duration_s: float
    task: str
    requests: tuple[Request, ...]
    spans: tuple[tuple[float, float], ...]
    """For each request the (start_s, end_s) it is about."""
    coverage: Coverage
    made_by: Mapping[str, Any]
    prepare_s: float
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a task says of one video, with its evidence."""

    uri: str
    title: str | None
    duration_s: float
    task: str
    items: tuple[Item, ...]
    coverage: Coverage
    usage: Usage
    requests: int
    """Requests that were sent for it, repairs and retries included."""
    timings: Timings
    made_by: Mapping[str, Any]
    """What made it: plugins with their options, model, hashes of prompt and file, vidcap's version."""
    notices: tuple[str, ...] = ()
    images: tuple[Image, ...] = field(default=(), repr=False, compare=False)
    """The frames that were sent. Not written down; results of `run` come without them."""

    @property
    def text(self) -> str:
        """The answers as text, each with its span where there are several.

        An answer of one text is that text, any other is `key: value` on indented lines.
        """
        from .writers import result_text

        return result_text(self)

    @property
    def value(self) -> Any:
        """The value of the only item. Raises its error, or ValueError where there are several."""
        if len(self.items) != 1:
            raise ValueError(f"there are {len(self.items)} items: look at each item's value")
        if self.items[0].error is not None:
            raise self.items[0].error
        return self.items[0].value

    def _repr_html_(self) -> str:
        from .reports.notebook import result_html

        return result_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        from .writers import to_plain

        plain: dict[str, Any] = to_plain(self)
        return plain


@dataclass(frozen=True, slots=True)
class Failure:
    """A video of which nothing could be made, and why."""

    uri: str
    stage: Literal["source", "decode", "sample", "ask"]
    error: VidcapError

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        from .writers import to_plain

        plain: dict[str, Any] = to_plain(self)
        return plain
