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
    SRT = "srt"
    VTT = "vtt"


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for."""

    uris: list[str]
    task: str = "caption"
    prompt: str | None = None
    schema: Path | None = None
    captioner: str | None = None
    model: str | None = None
    base_url: str | None = None
    sampler: str | None = None
    frames: int | None = None
    every_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    decoder: str | None = None
    source: str | None = None
    transcript: str | None = None
    language: str | None = None
    profile: str | None = None
    assignments: list[str] | None = None
    format: Format = Format.TEXT
    out: Path | None = None
    quiet: bool = False
    debug: bool = False
    dry_run: bool = False
