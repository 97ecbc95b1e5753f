"""What the command line asks for. Light: it is read before anything else is imported."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path


class Format(enum.StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for."""

    uris: list[str]
    captioner: str | None
    model: str | None
    base_url: str | None
    sampler: str | None
    frames: int | None
    every_s: float | None
    start_s: float | None
    end_s: float | None
    decoder: str | None
    source: str | None
    assignments: list[str]
    format: Format
    out: Path | None
    quiet: bool
    dry_run: bool
