"""Transcripts inside files, and which of several is taken, on videos with real text tracks."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from vidcap_core.decoders.pyav import PyAVDecoder
from vidcap_core.errors import DecodeError, SettingsError
from vidcap_core.isolation.pool import DecoderPool, Stop
from vidcap_core.settings import Settings
from vidcap_core.subtitles import parse
from vidcap_core.transcripts import transcript_of
from vidcap_core.types import Cue, Media, Transcript
from vidcap_core.video import Video

ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
MEDIA = Path(__file__).parents[2] / "shared" / "media"


@dataclass(frozen=True)
class Track:
    """A text track to be rendered: cues are (start_ms, length_ms, text)."""

    codec: str
    cues: Sequence[tuple[int, int, str]]
    language: str = "eng"
    disposition: int = 0


def packed(codec: str, number: int, text: str) -> bytes:
    data = text.encode()
    if codec == "mov_text":
        return len(data).to_bytes(2, "big") + data
    return f"{number},0,Default,,0,0,0,,{text}".encode() if codec == "ass" else data


def render(path: Path, *tracks: Track, seconds: int = 4) -> Path:
    """A grey video of two frames a second with text tracks."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=2)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.gop_size = 4
        packets: list[Any] = []
        for track in tracks:
            stream: Any = container.add_stream(track.codec)
            stream.metadata["language"] = track.language
            stream.codec_context.subtitle_header = ASS_HEADER
            stream.time_base = Fraction(1, 1000)
            stream.disposition = Disposition(track.disposition)
            for number, (start_ms, length_ms, text) in enumerate(track.cues):
                packet = av.Packet(packed(track.codec, number, text))
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = start_ms
                packet.duration = length_ms
                packets.append(packet)
        container.start_encoding()
        packets.sort(key=lambda packet: packet.pts)
        for number in range(seconds * 2):
            while packets and packets[0].pts <= number * 500:
                container.mux(packets.pop(0))
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8))
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux([*video.encode(None), *packets])
    return path


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30) as warm:
        yield warm


Read = Callable[..., Transcript | None]


@pytest.fixture
def read(pool: DecoderPool) -> Read:
    """Reads a file's text track in the decoder's process, and checks that it is the same here."""
    here = DecoderPool(PyAVDecoder(), isolated=False, timeout_s=30)

    def read(
        path: Path, *languages: str, start_s: float | None = None, end_s: float | None = None
    ) -> Transcript | None:
        with pool.open(path, Stop()) as there, here.open(path, Stop()) as video:
            found = there.window(start_s, end_s).transcript(languages)
            assert found == video.window(start_s, end_s).transcript(languages)
            return found

    return read


PLAIN = [(500, 1000, "one"), (2000, 1500, "two")]
CUES = (Cue(0.5, 1.5, "one"), Cue(2.0, 3.5, "two"))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mov_text"), ("a.mkv", "subrip"), ("a.mkv", "webvtt"), ("a.mkv", "ass")]
)
def test_every_kind_of_track(tmp_path: Path, read: Read, name: str, codec: str) -> None:
    path = render(tmp_path / name, Track(codec, PLAIN, "ger"))
    assert read(path) == Transcript(CUES, "de", "embedded")


@pytest.mark.parametrize(
    ("codec", "text", "plain"),
    [
        ("subrip", "<i>so</i>\n{\\an8}it is", "so\nit is"),
        ("webvtt", "<v Ann>it &amp; is", "Ann: it & is"),
        ("ass", "{\\i1}so{\\i0}\\Nit\\his", "so\nit is"),
        ("ass", "commas, too, are kept", "commas, too, are kept"),
    ],
)
def test_the_words_alone(tmp_path: Path, read: Read, codec: str, text: str, plain: str) -> None:
    found = read(render(tmp_path / "a.mkv", Track(codec, [(0, 1000, text)])))
    assert found
    assert [cue.text for cue in found.cues] == [plain]


def test_drawings_and_empty_cues_say_nothing(tmp_path: Path, read: Read) -> None:
    path = render(tmp_path / "a.mkv", Track("ass", [(0, 500, "{\\p1}m 0 0 l 9 9{\\p0}"), (600, 100, " ")]))
    assert read(path) is None


def test_which_track(tmp_path: Path, read: Read) -> None:
    path = render(
        tmp_path / "a.mkv",
        Track("subrip", [(0, 900, "forced")], "eng", Disposition.forced.value | Disposition.default.value),
        Track("subrip", [(0, 900, "english")], "eng"),
        Track("subrip", [(0, 900, "french")], "fre", Disposition.default.value),
        Track("subrip", [(0, 900, "brazilian")], "pt-BR"),
    )

    def taken(*languages: str) -> str:
        found = read(path, *languages)
        return found.cues[0].text if found else ""

    assert taken() == "french"
    assert taken("en") == taken("it", "en-GB") == "english"
    assert taken("pt") == "brazilian"
    assert taken("it") == "french"


def test_no_track(tmp_path: Path, read: Read) -> None:
    assert read(render(tmp_path / "a.mkv")) is None


def test_a_window(tmp_path: Path, read: Read) -> None:
    cues = [(n * 1000, 900, f"cue {n}") for n in range(200)]
    for name, codec in (("a.mkv", "subrip"), ("a.mp4", "mov_text")):
        path = render(tmp_path / name, Track(codec, cues), seconds=200)
        found = read(path, start_s=150.5, end_s=152.0)
        assert found
        assert [cue.text for cue in found.cues] == ["cue 150", "cue 151"]
        assert (whole := read(path)) and len(whole.cues) == 200  # noqa: PT018


def test_pictures_go_on_undisturbed(tmp_path: Path, pool: DecoderPool) -> None:
    path = render(tmp_path / "a.mkv", Track("subrip", PLAIN))
    with pool.open(path, Stop()) as video:
        times = [packet.time_s for packet in video.packets()]
        seen = []
        for frame in video.scan():
            seen.append(frame.time_s)
            assert video.transcript() == Transcript(CUES, "en", "embedded")
        assert seen == times


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mov_text"), ("a.mkv", "subrip"), ("a.mkv", "ass")])
def test_damaged_files_give_sane_cues_or_a_decode_error(tmp_path: Path, name: str, codec: str) -> None:
    whole = render(tmp_path / name, Track(codec, [(n * 100, 90, f"cue {n}") for n in range(40)])).read_bytes()
    dice, outcomes = random.Random(1), set[bool | None]()
    here = DecoderPool(PyAVDecoder(), isolated=False, timeout_s=30)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 5, 30))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path = tmp_path / f"damaged_{name}"
        path.write_bytes(damaged[: dice.choice((len(damaged), dice.randrange(1, len(damaged))))])
        try:
            with here.open(path, Stop()) as video:
                found = video.transcript()
                for cue in found.cues if found else ():
                    assert video.start_s < cue.end_s
                    assert cue.start_s < video.end_s
                    assert cue.text
                outcomes.add(bool(found))
        except DecodeError:
            outcomes.add(None)
    assert outcomes >= {True, None}


GROUND_TRUTH = [
    "d_speech_subs_chapters.mp4",
    "d_speech_subs_2tracks.mkv",
    "sample_with_srt.mkv",
    "nasa_13013.mp4",
]


@pytest.mark.skipif(not (MEDIA / "manifest.json").exists(), reason="the shared videos are not here")
@pytest.mark.parametrize("name", GROUND_TRUTH)
def test_real_videos(read: Read, name: str) -> None:
    manifest = json.loads((MEDIA / "manifest.json").read_text())
    (entry,) = [item for item in manifest["items"] if item["file"] == f"media/{name}"]
    truth = parse(
        "\n\n".join(f"{start} --> {end}\n{text}" for start, end, text in entry["subtitles"][0]["cues"])
    )
    found = read(MEDIA / "media" / name, "en")
    assert found
    assert found.language == "en"
    shown = [cue for cue in truth if cue.text in {given.text for given in found.cues}]
    assert shown == list(truth[: len(found.cues)])
    for ours, theirs in zip(found.cues, shown, strict=True):
        assert ours.text == theirs.text
        assert ours.start_s == pytest.approx(theirs.start_s, abs=0.02)  # the manifest's rebase the file
        assert ours.end_s == pytest.approx(theirs.end_s, abs=0.02)


# Which is taken


class Speaking(Video):
    """A video of which only the text track matters."""

    def __init__(self, embedded: Transcript | Exception | None) -> None:
        self.embedded = embedded

    def transcript(self, languages: Sequence[str] = ()) -> Transcript | None:
        if isinstance(self.embedded, Exception):
            raise self.embedded
        return self.embedded

    def frames(self, picks: Any) -> Any:
        raise NotImplementedError

    def scan(self, every_s: float = 0.0, width_px: int = 160, keyframes_only: bool = False) -> Any:
        raise NotImplementedError

    def packets(self) -> Any:
        raise NotImplementedError


def said(origin: Any) -> Transcript:
    return Transcript((Cue(0.0, 1.0, origin),), "en", origin)


def taken(given: Transcript | None, embedded: Any, chosen: str = "auto") -> str | None:
    media = Media("a.mp4", Path("a.mp4"), transcript=given)
    found = transcript_of(media, Speaking(embedded), Settings.load({"transcript": chosen}))
    return found.cues[0].text if found else None


def test_what_people_wrote_comes_first() -> None:
    assert taken(said("uploader"), said("embedded")) == "uploader"
    assert taken(said("sidecar"), said("embedded")) == "sidecar"
    assert taken(said("auto"), said("embedded")) == "embedded"
    assert taken(said("auto"), None) == "auto"
    assert taken(Transcript((), "en", "uploader"), said("embedded")) == "embedded"
    assert taken(None, None) is None
    assert taken(said("uploader"), said("embedded"), "none") is None


def test_a_track_that_is_damaged_costs_no_video(caplog: pytest.LogCaptureFixture) -> None:
    assert taken(said("auto"), DecodeError("cue 7 is odd")) == "auto"
    assert "the text track inside the video is left out: cue 7 is odd" in caplog.text


def test_a_file_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "talk.pt-BR.SDH.vtt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nOi\n")
    found = transcript_of(
        Media("a.mp4", Path("a.mp4")), Speaking(None), Settings.load({"transcript": str(path)})
    )
    assert found == Transcript((Cue(1.0, 2.0, "Oi"),), "pt-BR", "sidecar")


def test_a_file_that_is_named_and_will_not_do(tmp_path: Path) -> None:
    empty = tmp_path / "empty.srt"
    empty.write_text("")
    for name, told in ((str(empty), "holds no cue"), ("atuo", "No such file")):
        with pytest.raises(SettingsError, match=told) as caught:
            taken(said("uploader"), None, name)
        assert "'auto', 'none' or the path" in str(caught.value)
