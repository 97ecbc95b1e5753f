"""Results as subtitles: what players read, and what comes back when they are parsed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vidcap_core.cue_writers import srt, vtt
from vidcap_core.errors import ProviderError
from vidcap_core.subtitles import parse
from vidcap_core.types import Coverage, Item, Result, Timings, Usage


def result(*items: tuple[float, float, str]) -> Result:
    made = tuple(Item(start_s, end_s, {"caption": text}, None, ()) for start_s, end_s, text in items)
    return Result(
        uri="a.mp4",
        title=None,
        duration_s=9.0,
        task="caption",
        items=(*made, Item(0.0, 1.0, None, ProviderError("down"), ())),
        coverage=Coverage(0.0, 9.0, 1.0, 1, 1),
        usage=Usage(),
        requests=1,
        timings=Timings(),
        made_by={},
    )


def test_srt() -> None:
    assert srt(result((0.0, 1.5, "A dog."), (3661.2, 3662.0, "It\n\nruns."))) == (
        "1\n00:00:00,000 --> 00:00:01,500\nA dog.\n\n2\n01:01:01,200 --> 01:01:02,000\nIt\nruns.\n"
    )


def test_vtt() -> None:
    assert vtt(result((0.0, 1.5, "<b> & -->"))) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n&lt;b&gt; &amp; --&gt;\n"
    )


def test_nothing_to_show() -> None:
    assert (srt(result()), vtt(result())) == ("", "WEBVTT\n")


def test_srt_without_an_escape_is_harmless() -> None:
    text = "1\n00:00:00,000 --> 00:00:09,000\n<b>bold</b> {\\an8}"
    (cue,) = parse(srt(result((0.0, 1.0, text))))
    assert cue.end_s == 1.0
    assert cue.text == "1\n00:00:00,000 → 00:00:09,000\n< b>bold< /b> { \\an8}"


def test_what_lasts_no_time_and_what_comes_before_0() -> None:
    (cue,) = parse(vtt(result((-1.0, -1.0, "x"))))
    assert (cue.start_s, cue.end_s) == (0.0, 0.001)


MILLISECONDS = st.integers(0, 400_000_000)
WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs")), max_size=40)
SPANS = st.lists(st.tuples(MILLISECONDS, st.integers(1, 10_000), st.lists(WORDS, max_size=3)), max_size=8)


def items(spans: Any) -> list[tuple[float, float, str]]:
    # A word of its own each, for captions that go on where the last ended look like a roll-up.
    return sorted(
        (start_ms / 1000, (start_ms + length_ms) / 1000, "\n".join((f"item{number}", *filter(None, lines))))
        for number, (start_ms, length_ms, lines) in enumerate(spans)
    )


@given(SPANS)
def test_vtt_comes_back_as_it_was(spans: Any) -> None:
    given_items = items(spans)
    read = parse(vtt(result(*given_items)))
    assert [(cue.start_s, cue.end_s, cue.text) for cue in read] == given_items


UNMARKED = st.text(st.sampled_from("aé→9-~.:#}"), max_size=40)


@given(st.lists(st.tuples(MILLISECONDS, st.integers(1, 10_000), st.lists(UNMARKED, max_size=3)), max_size=8))
def test_srt_comes_back_where_it_holds_no_markup(spans: Any) -> None:
    given_items = items(spans)
    read = parse(srt(result(*given_items)))
    assert [(cue.start_s, cue.end_s, cue.text) for cue in read] == given_items


@given(st.lists(st.text(), max_size=5))
def test_no_text_breaks_the_times(texts: list[str]) -> None:
    made = result(*((float(n), n + 0.5, f"item{n} {text}") for n, text in enumerate(texts)))
    for written in (srt(made), vtt(made)):
        assert [(cue.start_s, cue.end_s) for cue in parse(written)] == [
            (float(n), n + 0.5) for n in range(len(texts))
        ]
