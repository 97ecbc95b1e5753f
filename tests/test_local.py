from __future__ import annotations

import builtins
import os
import re
import socket
import sys
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from vidcap_core.errors import SourceError
from vidcap_core.plugin import Claim
from vidcap_core.sources import sidecar
from vidcap_core.sources.local import LocalSource, _uri_path
from vidcap_core.sources.sidecar import language_of
from vidcap_core.types import Media, Transcript, Want

ODD_NAMES = [
    "plain.mp4",
    "no suffix",
    "[2024] trip.mp4",
    "[!a]*?.mp4",
    "-rf.mp4",
    "100%20real.mp4",
    "http:talk.mp4",
    "a: b.mp4",
    "two\nlines.mp4",
    "Ünï🎬.mp4",
    "~.mp4",
    "a#b?c&d.mp4",
    os.fsdecode(b"latin-\xe9.mp4"),
    " .mp4",
    "x" * 251 + ".mp4",
]
NEEDS_POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the tests stand in."""
    clips = tmp_path / "clips"
    clips.mkdir()
    monkeypatch.chdir(clips)
    return clips


def make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def expand(uri: str | Path) -> list[str]:
    return list(LocalSource().expand(str(uri)))


def opened(uri: str | Path) -> Media:
    with LocalSource().open(str(uri), Want()) as media:
        return media


def fault(uri: str | Path) -> str:
    """What open says is wrong; `expand` leaves it to say so."""
    assert expand(uri) == [str(uri)]
    with pytest.raises(SourceError) as caught:
        opened(uri)
    said = str(caught.value)
    assert said.isprintable()
    return said


class TestClaims:
    @pytest.mark.parametrize(
        ("uri", "claim"),
        [
            ("clip.mp4", Claim.YES),
            ("/srv/clip.mp4", Claim.YES),
            ("../clips/**/*.mp4", Claim.YES),
            ("C:\\clips\\a.mp4", Claim.YES),
            ("C:/clips/a.mp4", Claim.YES),
            ("\\\\server\\share\\a.mp4", Claim.YES),
            ("-", Claim.YES),
            ("a\0b", Claim.YES),
            ("", Claim.YES),
            ("file:///srv/a.mp4", Claim.YES),
            ("FILE://localhost/srv/a.mp4", Claim.YES),
            ("file:/srv/a.mp4", Claim.YES),
            ("file://server/a.mp4", Claim.YES),
            ("take 1: a.mp4", Claim.YES),
            ("take-1: a.mp4", Claim.MAYBE),
            ("data:video/mp4;base64,AA", Claim.MAYBE),
            ("https://example.com/a.mp4", Claim.NO),
            ("s3://bucket/a.mp4", Claim.NO),
            ("git+ssh://host/a.mp4", Claim.NO),
        ],
    )
    def test_claims(self, uri: str, claim: Claim) -> None:
        assert LocalSource().claims(uri) is claim

    def test_no_file_is_touched(self, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def touched(*_: object, **__: object) -> None:
            raise AssertionError("that is I/O")

        for name in ("stat", "lstat", "scandir", "listdir", "open", "access"):
            monkeypatch.setattr(os, name, touched)
        monkeypatch.setattr(builtins, "open", touched)
        for uri in ("a.mp4", str(clips), "**/*", "file:///a", "http:a", "a\0"):
            LocalSource().claims(uri)


@pytest.mark.usefixtures("clips")
class TestOneFile:
    @NEEDS_POSIX
    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_any_name_will_do(self, clips: Path, name: str) -> None:
        make(name)
        encoded = f"file://{quote(os.fsencode(clips / name))}"
        for uri in (name, f"./{name}", str(clips / name), encoded):
            assert expand(uri) == [uri]
            media = opened(uri)
            assert media.uri == uri
            assert isinstance(media.location, Path)
            assert media.location.samefile(clips / name)
        make("other.mkv")
        here = [name] if name.endswith(".mp4") else []
        assert expand(clips) == [str(clips / found) for found in sorted([*here, "other.mkv"])]

    def test_the_identity_tells_when_it_changes(self) -> None:
        make("a.mp4")
        before = opened("a.mp4").identity
        assert before == opened("a.mp4").identity
        assert before["size_bytes"] == 1
        os.utime("a.mp4", ns=(1, 1))
        assert opened("a.mp4").identity == {"size_bytes": 1, "modified_ns": 1}

    @NEEDS_POSIX
    def test_a_link_to_a_file(self) -> None:
        make("a.mp4")
        Path("link").symlink_to("a.mp4")
        assert opened("link").identity == opened("a.mp4").identity


class TestUris:
    @pytest.mark.parametrize(
        "prefix", ["file://", "file:", "FILE://", "file://localhost", "file://LOCALHOST"]
    )
    def test_they_are_percent_encoded(self, clips: Path, prefix: str) -> None:
        make("my clip%.mp4")
        uri = f"{prefix}{clips.as_posix()}/my%20clip%25.mp4"
        assert opened(uri).location == clips / "my clip%.mp4"

    def test_a_question_mark_or_a_hash_does_not_end_the_name(self, clips: Path) -> None:
        """The folder itself would be taken otherwise, with all that is in it."""
        make("a.mp4")
        assert "no such file" in fault(f"file://{clips}/#1.mp4")
        with pytest.raises(SourceError, match="nothing matches"):
            expand(f"file://{clips}/?v=1")

    def test_folders_and_patterns(self, clips: Path) -> None:
        make("a.mp4", "b/c.mp4")
        assert expand(f"file://{clips}/") == [str(clips / "a.mp4"), str(clips / "b" / "c.mp4")]
        assert expand(f"file://{clips}/*.mp4") == [str(clips / "a.mp4")]
        assert "no such file" in fault(f"file://{clips}/%2A.mp4")

    @pytest.mark.parametrize(
        "uri", ["file://server/a.mp4", "file://clips/a.mp4", "file://a.mp4", "file://.."]
    )
    def test_another_machine_is_refused(self, uri: str) -> None:
        for attempt in (expand, opened):
            with pytest.raises(SourceError, match=r"another machine: write file:///path"):
                attempt(uri)

    @pytest.mark.parametrize("uri", ["", "file://", "file://localhost"])
    def test_an_empty_name_is_not_this_folder(self, uri: str) -> None:
        for attempt in (expand, opened):
            with pytest.raises(SourceError, match="empty"):
                attempt(uri)

    @pytest.mark.parametrize(
        ("uri", "path"),
        [
            ("file:///C:/my%20clips/a.mp4", "C:/my clips/a.mp4"),
            ("C:\\clips\\a%20b.mp4", "C:\\clips\\a%20b.mp4"),
            ("file:///srv/a.mp4", "/srv/a.mp4"),
        ],
    )
    def test_drives(self, uri: str, path: str) -> None:
        assert _uri_path(uri, windows=True) == path

    def test_elsewhere_a_drive_is_a_folder(self) -> None:
        assert _uri_path("file:///C:/a.mp4", windows=False) == "/C:/a.mp4"


@pytest.mark.usefixtures("clips")
class TestFolders:
    def test_at_any_depth_in_order_of_names(self, clips: Path) -> None:
        make("b.mkv", "a.MP4", "c.webm", "b/2.mov", "b/1/x.ts", "notes.txt", "b/poster.jpg", "mp4")
        names = ["a.MP4", "b/1/x.ts", "b/2.mov", "b.mkv", "c.webm"]
        assert expand(clips) == [str(clips / name) for name in names]
        assert expand(".") == names
        assert expand("../clips/") == [f"../clips/{name}" for name in names]

    def test_hidden_ones_are_passed_over(self) -> None:
        make(".a.mp4", ".trash/b.mp4", "c/.d/e.mp4", "c/f.mp4")
        assert expand(".") == ["c/f.mp4"]
        make(".hidden/a.mp4")
        assert expand(".hidden") == [".hidden/a.mp4"]

    @NEEDS_POSIX
    def test_links_to_folders_lead_no_deeper(self, tmp_path: Path) -> None:
        make("a.mp4", "sub/b.mp4")
        for name in ("up.mp4", "sub/up", "sub/up2"):
            Path(name).symlink_to("..", target_is_directory=True)
        (tmp_path / "link").symlink_to("clips", target_is_directory=True)
        assert expand(".") == ["a.mp4", "sub/b.mp4"]
        assert expand("**/*.mp4") == ["a.mp4", "sub/b.mp4"]
        assert expand("../link") == ["../link/a.mp4", "../link/sub/b.mp4"]

    @NEEDS_POSIX
    def test_what_cannot_be_opened_is_not_passed_over(self) -> None:
        Path("broken.mp4").symlink_to("nowhere")
        os.mkfifo("pipe.mp4")
        assert expand(".") == ["broken.mp4", "pipe.mp4"]

    def test_it_is_lazy(self) -> None:
        make("a/1.mp4", "b/2.mp4")
        videos = LocalSource().expand(".")
        assert next(videos) == "a/1.mp4"
        make("b/3.mp4")
        assert list(videos) == ["b/2.mp4", "b/3.mp4"]

    def test_a_folder_that_cannot_be_read_becomes_a_failure_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def scandir(path: Path) -> Any:
            if path.name == "b":
                raise PermissionError(13, "Permission denied")
            return really(path)

        really = os.scandir
        monkeypatch.setattr(os, "scandir", scandir)
        make("a.mp4", "b/2.mp4", "c.mp4")
        assert expand(".") == ["a.mp4", "b", "c.mp4"]
        assert expand("*/*.mp4") == ["b"]
        with pytest.raises(SourceError, match="cannot read the folder 'b': Permission denied"):
            expand("b")

    @pytest.mark.skipif(AS_ROOT, reason="root may read everything")
    @NEEDS_POSIX
    def test_permissions(self) -> None:
        make("a.mp4", "b/2.mp4")
        Path("a.mp4").chmod(0)
        Path("b").chmod(0)
        assert expand(".") == ["a.mp4", "b"]
        for name in ("a.mp4", "b"):
            with pytest.raises(SourceError, match="you may not read it"):
                opened(name)
        assert fault("b/2.mp4") == "cannot open it: Permission denied"
        with pytest.raises(SourceError, match="cannot read the folder"):
            expand("b")

    @pytest.mark.parametrize("name", ["notes.txt", ".hidden.mp4", "sub/.x/y.mp4"])
    def test_a_folder_without_videos(self, name: str) -> None:
        make(name)
        with pytest.raises(SourceError, match=re.escape("the folder '.' holds no video")):
            expand(".")

    @NEEDS_POSIX
    def test_folders_within_folders_without_end(self) -> None:
        deepest = Path(*["d"] * 1200)
        for end in range(1, 1201, 100):
            Path(*deepest.parts[:end]).mkdir(parents=True)
        deepest.mkdir(parents=True)
        try:
            make(str(deepest / "a.mp4"))
            assert expand(".") == [str(deepest / "a.mp4")]
        finally:  # for pytest itself, which cannot remove so deep a folder
            (deepest / "a.mp4").unlink()
            os.removedirs(deepest)

    def test_a_name_that_looks_like_a_url_is_no_url(self) -> None:
        make("http:/host/a.mp4")
        (uri,) = expand(".")
        assert LocalSource().claims(uri) is Claim.YES
        assert opened(uri).location == Path("http:/host/a.mp4")


@pytest.mark.usefixtures("clips")
class TestPatterns:
    NAMES = ("1.mp4", "2.mkv", "a/3.mp4", "a/b/4.mp4", "a/b/5.txt", "c/b/6.mp4", ".h/7.mp4", "a/.8.mp4")

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("*.mp4", "1.mp4"),
            ("*", "1.mp4 2.mkv"),
            ("?.m[kp]*", "1.mp4 2.mkv"),
            ("[!1].*", "2.mkv"),
            ("*/*.mp4", "a/3.mp4"),
            ("a/*/*", "a/b/4.mp4 a/b/5.txt"),
            ("*/b/*.mp4", "a/b/4.mp4 c/b/6.mp4"),
            ("**/*.mp4", "1.mp4 a/3.mp4 a/b/4.mp4 c/b/6.mp4"),
            ("**", "1.mp4 2.mkv a/3.mp4 a/b/4.mp4 a/b/5.txt c/b/6.mp4"),
            ("*/**", "a/3.mp4 a/b/4.mp4 a/b/5.txt c/b/6.mp4"),
            ("**/b/**/*.mp4", "a/b/4.mp4 c/b/6.mp4"),
            ("**/**/6.mp4", "c/b/6.mp4"),
            ("./a/**/4.*", "a/b/4.mp4"),
            ("a/**/b/4.mp4", "a/b/4.mp4"),
            (".h/*", ".h/7.mp4"),
            (".*/*", ".h/7.mp4"),
            ("a/.*", "a/.8.mp4"),
        ],
    )
    def test_patterns(self, clips: Path, pattern: str, found: str) -> None:
        make(*self.NAMES)
        assert expand(pattern) == found.split()
        assert expand(clips / pattern) == [str(clips / name) for name in found.split()]

    @pytest.mark.parametrize("pattern", ["*.avi", "**/b", "a/*/*/*", "1.mp4/*", "[", "*/../*.avi", "x\n*"])
    def test_no_match(self, pattern: str) -> None:
        make(*self.NAMES)
        with pytest.raises(SourceError) as caught:
            expand(pattern)
        assert "nothing matches the pattern" in str(caught.value) or "Not a directory" in str(caught.value)
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("pattern", ["nowhere/*.mp4", "a\0b/*.mp4"])
    def test_a_pattern_in_no_folder(self, pattern: str) -> None:
        with pytest.raises(SourceError, match="cannot read the folder"):
            expand(pattern)

    def test_names_that_look_like_patterns_come_first(self) -> None:
        make("[ab].mp4", "a.mp4", "[2024] trip/c.mp4", "2/d.mp4")
        assert expand("[ab].mp4") == ["[ab].mp4"]
        assert expand("[2024] trip") == ["[2024] trip/c.mp4"]
        assert expand("[2024] trip/*.mp4") == ["[2024] trip/c.mp4"]
        assert expand("[2024]/*.mp4") == ["2/d.mp4"]
        assert fault("[2024] trip/d.mp4") == "there is no such file; is it 'c.mp4'?"

    @NEEDS_POSIX
    def test_a_link_that_is_named_is_followed(self) -> None:
        make("a/1.mp4")
        Path("link").symlink_to("a", target_is_directory=True)
        assert expand("link/*.mp4") == ["link/1.mp4"]
        assert expand("*/1.mp4") == ["a/1.mp4", "link/1.mp4"]

    def test_it_is_lazy(self) -> None:
        make("a/1.mp4", "b/2.mp4")
        videos = LocalSource().expand("**/*.mp4")
        assert list(islice(videos, 1)) == ["a/1.mp4"]
        make("b/3.mp4")
        assert list(videos) == ["b/2.mp4", "b/3.mp4"]


@pytest.mark.usefixtures("clips")
class TestFaults:
    def test_a_missing_file(self) -> None:
        assert fault("a.mp4") == "there is no such file"

    @pytest.mark.parametrize(
        ("asked", "there", "near"),
        [
            ("holidya.mp4", ["holiday.mp4", "work.mp4"], "is it 'holiday.mp4'?"),
            ("HOLIDAY.MP4", ["holiday.mp4"], "is it 'holiday.mp4'?"),
            ("my%20clip.mp4", ["my clip.mp4"], "is it 'my clip.mp4'?"),
            ("take1.mov", ["take1.mp4", "take2.mov", "x"], "is it 'take2.mov' or 'take1.mp4'?"),
            ("two lines.mp4", ["two\nlines.mp4"], r"is it 'two\nlines.mp4'?"),
        ],
    )
    def test_near_misses_are_named(self, asked: str, there: list[str], near: str) -> None:
        make(*(f"sub/{name}" for name in there))
        if not Path(f"sub/{asked}").exists():  # as it does where case makes no difference
            assert fault(f"sub/{asked}") == f"there is no such file; {near}"

    def test_a_missing_folder(self) -> None:
        assert fault("no/where/a.mp4") == "there is no such file, for there is no folder 'no/where'"

    def test_a_file_for_a_folder(self) -> None:
        make("a.mp4")
        assert "there is no folder 'a.mp4'" in fault("a.mp4/b.mp4")

    def test_a_nul_byte(self) -> None:
        assert fault("a\0b.mp4") == "cannot open it: that is no path"
        assert fault("file:///a%00b.mp4") == "cannot open it: that is no path"

    @NEEDS_POSIX
    @pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000])
    def test_a_name_that_is_too_long(self, name: str) -> None:
        assert fault(name) == "cannot open it: File name too long"

    @NEEDS_POSIX
    def test_a_link_to_itself(self) -> None:
        Path("a.mp4").symlink_to("a.mp4")
        assert fault("a.mp4").startswith("cannot open it: Too many levels of symbolic links")

    def test_a_folder(self, clips: Path) -> None:
        with pytest.raises(SourceError, match=r"^it is a folder$"):
            opened(clips)

    @NEEDS_POSIX
    @pytest.mark.timeout(10)
    def test_a_pipe_does_not_block(self) -> None:
        os.mkfifo("pipe.mp4")
        assert fault("pipe.mp4") == "it is no regular file"

    @NEEDS_POSIX
    def test_a_device_and_a_socket(self) -> None:
        assert fault("/dev/zero") == "it is no regular file"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("s.mp4")
            assert fault("s.mp4") == "it is no regular file"

    @pytest.mark.skipif(sys.platform != "linux", reason="only there /proc")
    def test_a_file_that_lies_about_its_size(self) -> None:
        assert opened("/proc/self/status").identity["size_bytes"] == 0


def test_a_link_to_itself_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    found = list(LocalSource().expand(str(tmp_path)))
    assert [Path(uri).name for uri in found] == ["a.mp4", "loop.mp4"]


def subtitles(*names: str) -> None:
    """Subtitle files that hold their own name."""
    for name in names:
        Path(name).write_text(f"00:00:01,000 --> 00:00:02,000\n{name}\n")


def beside(video: str, *languages: str) -> Transcript | None:
    with LocalSource().open(video, Want(languages=languages)) as media:
        assert not media.details
        return media.transcript


@pytest.mark.usefixtures("clips")
class TestSidecars:
    @pytest.mark.parametrize(
        ("names", "languages", "taken"),
        [
            ("clip.srt", "", "clip.srt"),
            ("clip.VTT", "", "clip.VTT"),
            ("clip.vtt clip.srt", "", "clip.srt"),
            ("clip.de.srt clip.en.srt", "", "clip.de.srt"),
            ("clip.de.srt clip.srt", "", "clip.srt"),
            ("clip.de.srt clip.srt", "de", "clip.de.srt"),
            ("clip.de.srt clip.srt", "fr", "clip.srt"),
            ("clip.de.srt clip.pt-BR.vtt", "fr pt", "clip.pt-BR.vtt"),
            ("clip.en.srt clip.en-GB.srt", "en-GB", "clip.en-GB.srt"),
            ("clip.eng.srt", "en", "clip.eng.srt"),
            ("clip.en.sdh.srt clip.en.srt", "en", "clip.en.srt"),
            ("clip.en.forced.srt clip.en-GB.srt", "en", "clip.en-GB.srt"),
            ("clip.en.forced.srt", "", "clip.en.forced.srt"),
            ("clip.hi.srt clip.ta.srt", "hi", "clip.hi.srt"),
            ("clip.en.hi.srt", "en", "clip.en.hi.srt"),
            ("clip.2.srt clip.part.srt clip.hd.srt clip2.srt other.srt clip.txt clip. clip", "", None),
        ],
    )
    def test_which_is_taken(self, names: str, languages: str, taken: str | None) -> None:
        make("clip.mp4")
        subtitles(*names.split())
        found = beside("clip.mp4", *languages.split())
        assert (found.cues[0].text if found else None) == taken
        if found:
            assert found.origin == "sidecar"

    def test_the_language_is_told(self) -> None:
        make("clip.mp4")
        subtitles("clip.pt_br.srt")
        assert (found := beside("clip.mp4")) and found.language == "pt-BR"  # noqa: PT018

    @pytest.mark.parametrize(
        ("name", "language"),
        [
            ("a.en.sdh.srt", "en"),
            ("a.hi.vtt", "hi"),
            ("a.en.hi.vtt", "en"),
            ("a.srt", None),
            ("my.talk.srt", None),
        ],
    )
    def test_the_language_of_a_name(self, name: str, language: str | None) -> None:
        assert language_of(Path(name)) == language

    def test_one_that_is_broken_costs_no_video(self) -> None:
        make("clip.mp4", "clip.srt")
        media = opened("clip.mp4")
        assert media.transcript is None
        (notice,) = media.notices
        assert notice.startswith("left out: the subtitle file 'clip.srt' holds no cue")

    @NEEDS_POSIX
    def test_what_is_no_file_is_none(self) -> None:
        make("clip.mp4")
        os.mkfifo("clip.srt")
        Path("clip.vtt").mkdir()
        Path("clip.en.srt").symlink_to("/dev/zero")
        Path("clip.de.srt").symlink_to("nowhere")
        assert beside("clip.mp4", "en", "de") is None

    def test_no_folder_is_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sidecar, "_NAMES_LOOKED_AT", 0)
        make("clip.mp4")
        subtitles("clip.srt", "clip.en.vtt")
        assert beside("clip.mp4", "en") == beside("clip.mp4", "eng")
        assert (found := beside("clip.mp4", "../x")) and found.cues[0].text == "clip.srt"  # noqa: PT018
