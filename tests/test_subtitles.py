"""Subtitle files as people, players and sites write them, and as nobody should."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidcap_core import languages, subtitles
from vidcap_core.errors import SourceError
from vidcap_core.subtitles import MAX_CUE_CHARS, parse, read_file
from vidcap_core.types import Cue

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nyou\nall\n"
TWO = (Cue(1.0, 2.5, "Hello"), Cue(3.0, 4.0, "you\nall"))

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.470 align:start position:0%
\x20
hello<00:00:00.480><c> and</c><00:00:00.800><c> welcome</c>

00:00:02.470 --> 00:00:02.480 align:start position:0%
hello and welcome
\x20

00:00:02.480 --> 00:00:04.000 align:start position:0%
hello and welcome
to<00:00:02.600><c> the</c><c> show</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
to the show
\x20

00:00:04.010 --> 00:00:06.000 align:start position:0%
to the show
everyone

"""
ROLLED_OUT = (
    Cue(0.16, 2.48, "hello and welcome"),
    Cue(2.48, 4.01, "to the show"),
    Cue(4.01, 6.0, "everyone"),
)


def one(text: str) -> str:
    (cue,) = parse(f"00:01,0 --> 00:02,0\n{text}")
    return cue.text


@pytest.mark.parametrize(
    "text",
    [
        SRT,
        SRT.replace("\n", "\r\n"),
        SRT.replace("\n", "\r"),
        "\ufeff" + SRT,
        SRT.replace(",", "."),
        SRT.replace("00:00:0", "00:0"),
        SRT.replace("00:00:0", "0:0:0"),
        SRT.replace("1\n", "\n\n1\n", 1),
        SRT.replace("\n\n", "\n"),
        SRT.replace("Hello", "\nHello\n"),
        "WEBVTT - title\n\n" + SRT.replace(",", "."),
        "WEBVTT\n\n" + SRT.replace(",", ".").replace("\n00:00:03", " an id\n00:00:03"),
        "WEBVTT\n\n" + SRT.replace(",", ".").replace("02.500", "02.500 line:0 position:20%"),
        "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:x\n\n" + SRT,
        "WEBVTT\n\nNOTE\n00:00:00.000 --> 00:00:09.000\nnot this\n\n" + SRT,
    ],
)
def test_both_formats_as_they_are_written(text: str) -> None:
    assert parse(text) == TWO


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<i>so</i> <b>it</b> <font color='red'>is</font>", "so it is"),
        ("<v Ann Lee>yes</v>", "Ann Lee: yes"),
        ("<v.loud Bob>no", "Bob: no"),
        ("<c.yellow>a</c><00:00:01.500> b", "a b"),
        (r"{\an8}{\pos(3,4)}up {here}", "up {here}"),
        ("Tom &amp; Jerry &lt;3 &#39;s", "Tom & Jerry <3 's"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("a\x00b\u202ec", "a b c"),
        ("&#" + "9" * 1900 + ";x", ";x"),
        ("  a \t b  \n\n  c ", "a b\nc"),
        ("go --> there", "go --> there"),
    ],
)
def test_the_words_alone_are_left(text: str, plain: str) -> None:
    assert one(text) == plain


def test_what_cannot_be_is_dropped() -> None:
    text = "".join(
        f"{times}\nbad\n\n"
        for times in (
            "-00:00:01,000 --> 00:00:02,000",
            "00:00:05,000 --> 00:00:02,000",
            "9999:00:00,000 --> 9999:00:01,000",
            "00:00:01,000 -->",
            "1 --> 2",
        )
    )
    assert parse(text + SRT) == TWO


def test_cues_come_in_order_of_time() -> None:
    text = "0:05,0 --> 0:06,0\nb\n\n0:01,0 --> 0:02,0\na\n"
    assert [cue.text for cue in parse(text)] == ["a", "b"]


def test_captions_that_roll_up_say_everything_once() -> None:
    assert parse(ROLLING) == ROLLED_OUT


def test_also_where_a_converter_took_the_marks() -> None:
    bare = ROLLING.replace("<c>", "").replace("</c>", "")
    for mark in ("<00:00:00.480>", "<00:00:00.800>", "<00:00:02.600>"):
        bare = bare.replace(mark, "")
    assert parse(bare) == ROLLED_OUT


def test_a_chorus_is_no_roll_up() -> None:
    text = "".join(f"00:0{n},0 --> 00:0{n + 1},0\nNa na na\n\n" for n in range(5))
    assert len(parse(text)) == 5


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    for cue in parse(f"{text}\n00:01,0 --> 00:02,0\n{text}"):
        assert 0 <= cue.start_s <= cue.end_s
        assert cue.text and "\n\n" not in cue.text  # noqa: PT018


HOSTILE: list[Callable[[int], str]] = [
    lambda n: "0:01,0 --> 0:02,0\n" + "<" * n,
    lambda n: "0:01,0 --> 0:02,0\n" + "<a" * n,
    lambda n: "0:01,0 --> 0:02,0\n" + "<v " * n,
    lambda n: "0:01,0 --> 0:02,0\n" + "{\\" * n,
    lambda n: "0:01,0 --> 0:02,0\n" + "&#9" * n,
    lambda n: "0:01,0 --> 0:02,0\n" + "\n" * n,
    lambda n: "0:01,0 --> 0:02,0\n" + "a\n" * n,
    lambda n: "0:01,0 --> 0:02,0\n" * n,
    lambda n: "WEBVTT\n\n" + "0:01,0 --> 0:02,0\na\n\n" * n,
    lambda n: "-->" * n,
    lambda n: "0" * n + " --> " + "0" * n,
    lambda n: "<00:00:" * n,
    lambda n: "0:01,0 --> 0:02,0\n<00:00:01.0>" + "a\nb\n" * n,
]


def steps(text: str) -> int:
    """Calls and lines that parsing takes, the functions written in C included."""
    count = 0

    def trace(frame: object, event: str, _: object) -> object:
        nonlocal count
        count += 1
        return trace

    def profile(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)  # type: ignore[arg-type]
    sys.setprofile(profile)
    try:
        parse(text)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_work_grows_no_faster_than_the_text(hostile: Callable[[int], str]) -> None:
    assert steps(hostile(2000)) <= 4.5 * steps(hostile(500)) + 1000


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_of_a_megabyte_is_parsed_and_capped(hostile: Callable[[int], str]) -> None:
    # A regular expression that backtracks would be here until tomorrow.
    cues = parse(hostile(200_000))
    assert len(cues) <= subtitles.MAX_CUES
    assert all(len(cue.text) <= MAX_CUE_CHARS for cue in cues)


# Files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(SRT.replace("Hello", "Œuvre née").encode(encoding))
    assert read_file(path)[0].text == "Œuvre née"


def test_files_that_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "no\ncue.srt"
    empty.write_text("nothing here")
    with pytest.raises(SourceError, match=r"'no cue.srt' holds no cue: it must be SRT or WebVTT"):
        read_file(empty)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_file(tmp_path / "missing.srt")
    with pytest.raises(SourceError, match="that is no path"):
        read_file(Path("a\0b"))
    with pytest.raises(SourceError, match=r"folder|directory"):
        read_file(tmp_path)
    monkeypatch.setattr(subtitles, "_MAX_BYTES", 10)
    with pytest.raises(SourceError, match="larger than"):
        read_file(empty)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.srt")
    with pytest.raises(SourceError, match="a pipe or a device"):
        read_file(tmp_path / "a.srt")


# Languages


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("eng", "en"),
        ("fre", "fr"),
        ("fra", "fr"),
        ("pt_br", "pt-BR"),
        ("zh-hans", "zh-Hans"),
        ("fil", "fil"),
        ("und", None),
        ("", None),
        (None, None),
        ("english please", None),
    ],
)
def test_tags(text: str | None, tag: str | None) -> None:
    assert languages.tag(text) == tag


@pytest.mark.parametrize(
    ("offered", "wanted", "place"),
    [
        (["de", "en-GB", "en"], ["en"], 2),
        (["de", "en-GB"], ["en"], 1),
        (["pt", "pt-PT"], ["pt-BR"], 0),
        (["de", "fr"], ["it", "fr", "de"], 1),
        (["eng", None], ["en-US"], 0),
        (["est"], ["e"], None),
        (["de"], ["den"], None),
        ([None], ["en"], None),
        (["de"], [], None),
    ],
)
def test_the_best_language(offered: list[str | None], wanted: list[str], place: int | None) -> None:
    assert languages.best(offered, wanted) == place
