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


class SceneFormat(enum.StrEnum):
    """How scenes are listed."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


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
    samplers: tuple[str, ...] | None = None
    """Those to compare; none named: all."""
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
