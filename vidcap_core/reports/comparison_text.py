"""A comparison as text: a table, and what the model says of each sampler's frames."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from ..text import clock, one_line
from ..types import Result
from ..writers import result_text

if TYPE_CHECKING:
    from ..comparing import Compared, Comparison

HEAD = ("frames", "largest gap", "image tokens", "bytes", "choosing", "taking")
"""What is told of a sampler; the last two are CPU time."""
ASKED_HEAD = ("tokens in", "tokens out", "cost")
UNKNOWN = "not known"


def comparison_text(compared: Comparison) -> str:
    """A table, and below it what the model says where it was asked, and what failed."""
    asked = ASKED_HEAD if any(row.result for row in compared.samplers) else ()
    rows = [
        ("sampler", *HEAD, *asked),
        *((row.label, *_cells(row, len(asked))) for row in compared.samplers),
    ]
    told = [f"\n{one_line(row.label)}: {_said(row)}" for row in compared.samplers if row.result or row.error]
    return "\n".join([*_table(rows), *told])


def figures(row: Compared) -> tuple[str, ...]:
    """What is told of a sampler, in words, by HEAD; one word where it took nothing."""
    if row.coverage is None:
        return ("failed",)
    proposed, sent = row.coverage.asked, row.coverage.sent
    return (
        str(sent) if sent == proposed else f"{sent} of {proposed}",
        clock(row.coverage.largest_gap_s),
        UNKNOWN if row.image_tokens is None else f"{row.image_tokens:,}",
        size(row.image_bytes),
        f"{row.choosing_cpu_s:.2f} s",
        f"{row.taking_cpu_s:.2f} s",
    )


def _said(row: Compared) -> str:
    if row.error is not None or row.result is None:
        return f"{type(row.error).__name__}: {row.error}"
    return result_text(row.result)


def _cells(row: Compared, asked: int) -> tuple[str, ...]:
    if row.coverage is None:
        return figures(row)
    return (*figures(row), *(asked_figures(row.result) if row.result else ("",) * asked))


def asked_figures(result: Result) -> tuple[str, ...]:
    """What an answer cost, in words, by ASKED_HEAD."""
    counts = result.usage.input_tokens, result.usage.output_tokens
    tokens = [UNKNOWN if count is None else f"{count:,}" for count in counts]
    return (*tokens, dollars(result.usage.cost_usd))


def dollars(cost_usd: Decimal | None) -> str:
    """An amount as people write it."""
    return UNKNOWN if cost_usd is None else f"${cost_usd:.4f}"


def size(size_bytes: int) -> str:
    """A number of bytes as people write it."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows in columns, the first one to the left; a row of two is a label and a remark."""
    widths = [max(map(len, column)) for column in zip(*(row for row in rows if len(row) > 2), strict=True)]
    widest = max(len(row[0]) for row in rows)

    def line(label: str, *cells: str) -> str:
        shown = cells if len(cells) == 1 else map(str.rjust, cells, widths[1:])
        return "  ".join([label.ljust(widest), *shown])

    return [line(*row) for row in rows]
