"""Text that goes into a prompt or to a person: times as people write them, and foreign text made harmless."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f"
    # Line separators, invisible spaces, and what reverses the writing; the joiners that Persian,
    # Hindi and emoji are written with stay.
    r"\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    # Lone surrogates, which nothing can write, and tags, which hide words from people only.
    r"\ud800-\udfff\U000e0000-\U000e007f]+"
)
_TIME = re.compile(r"[0-9]{1,9}(:[0-5]?[0-9]){0,2}(\.[0-9]+)?")
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "“": '"', "”": '"'})
"""Models have special tokens of many makes, `<|im_end|>`, `[INST]`, `]~b]`: none is left without these."""


def clock(time_s: float) -> str:
    """A time as people write it: 0:04.5, 12:03, 1:02:03.25."""
    hundredths = round(abs(time_s) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / 100:05.2f}".rstrip("0").rstrip(".")
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{'-' if time_s < 0 and hundredths else ''}{head}:{seconds}"


def seconds(text: str) -> float:
    """A time as people write it, in seconds: 90, 1:30, 1:02:03.5. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError("is no time: write 90, 1:30 or 1:02:03.5")
    time_s = 0.0
    for part in text.split(":"):
        time_s = time_s * 60 + float(part)
    return time_s


def as_data(text: str, most_chars: int) -> str:
    """Foreign text on one line, capped and in quotation marks, with no special token left in it.

    A title that holds `<image>` or `<|im_start|>` crashes servers, or speaks in the system's name.
    """
    plain = _CONTROL.sub(" ", text).translate(_HARMLESS).strip()
    return f"“{plain if len(plain) <= most_chars else plain[: most_chars - 1] + '…'}”"


def for_terminal(text: str) -> str:
    """Text without control characters, which could rewrite the screen or hide what is said."""
    return "\n".join(map(one_line, text.split("\n")))


def one_line(text: str) -> str:
    """The same, on one line: names of files may hold anything."""
    return _CONTROL.sub(lambda match: " " * len(match.group()), text)
