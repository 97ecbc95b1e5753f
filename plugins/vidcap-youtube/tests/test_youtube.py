"""The source `youtube`, against real pages on loopback and stored facts in YouTube's own shape."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from vidcap_youtube import YouTube, captions, formats
from vidcap_youtube.refusals import refused

from vidcap_core import Claim, Result, SettingsError, SourceError, Vidcap, Want
from vidcap_core.testing import tiny_video

PAGE = '<title>A clip</title><video src="{}"><track kind=subtitles srclang=en src="clip.vtt"></video>'
VTT = "WEBVTT\n\n00:00.000 --> 00:02.000\nHello there.\n"
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nclip.ts\n#EXT-X-ENDLIST\n"
DOUBLE = """
import os

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError


class DoubleIE(InfoExtractor):
    _VALID_URL = r"(?P<base>http://127\\.0\\.0\\.1:\\d+)/double/(?P<id>[a-z]+)"

    def _real_extract(self, url):
        base, name = self._match_valid_url(url).group("base", "id")
        if name == "bot":
            raise ExtractorError("Sign in to confirm you\\u2019re not a bot. Use --cookies", expected=True)
        if name == "list":
            return self.playlist_result(self._entries(base), "list", "A list")
        live = {"live_status": "is_upcoming"} if name == "soon" else {}
        sizes = {"160": 144, "133": 240, "134": 360, "136": 720, "137": 1080}
        track = [{"ext": "json3", "url": base + "/no"}, {"ext": "vtt", "url": base + "/clip.vtt?v=1"}]
        away = [{"ext": "vtt", "url": base + "/gone.vtt"}]
        return {
            "id": name, "title": "Double", "duration": 5, "language": "en", "uploader": ",".join(os.environ),
            "formats": [
                {"format_id": "sb0", "ext": "mhtml", "protocol": "mhtml", "vcodec": "none", "url": base},
                {"format_id": "140", "ext": "m4a", "vcodec": "none", "acodec": "mp4a", "url": base + "/a"},
                *({"format_id": itag, "ext": "mp4", "vcodec": "avc1", "acodec": "none", "tbr": height,
                   "width": height * 16 // 9, "height": height, "url": f"{base}/clip.mp4?itag={itag}"}
                  for itag, height in sizes.items()),
            ],
            "subtitles": {"de": away},
            "automatic_captions": {
                "en-orig": track, "en": track, "fr": [{"ext": "vtt", "url": base + "/clip.vtt?tlang=fr"}]},
            "chapters": [{"start_time": 0, "end_time": 2, "title": "One"},
                         {"start_time": 2, "end_time": 5, "title": "Two"}],
            **live,
        }

    def _entries(self, base):
        for name in "abcdef":
            self._download_webpage(f"{base}/listed?{name}", name)
            yield self.url_result(f"{base}/double/{name}", DoubleIE)


class ChannelIE(InfoExtractor):
    _VALID_URL = r"(?P<base>http://127\\.0\\.0\\.1:\\d+)/channel/(?P<id>[a-z]+)"
    _RETURN_TYPE = "playlist"

    def _real_extract(self, url):
        base, name = self._match_valid_url(url).group("base", "id")
        tabs = [self.url_result(f"{base}/channel/{tab}", ChannelIE) for tab in ("videos", "shorts")]
        videos = [self.url_result(f"{base}/double/{name}", DoubleIE)]
        return self.playlist_result(tabs if name == "home" else videos, name)
"""


class Site:
    """A site on loopback: what it holds, and what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.asked = files, list[str]()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.is_over = False
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Send a file; `stall` never ends, `short` ends too soon, `drip` comes slowly."""
        self.asked.append(request.path)
        path = request.path.partition("?")[0].strip("/")
        if path not in self.files:
            return request.send_error(404)
        data = self.files[path]
        request.send_response(200)
        kinds = {"html": "text/html", "mp4": "video/mp4", "m3u8": "application/x-mpegURL", "vtt": "text/vtt"}
        request.send_header("Content-Type", kinds.get(path.rpartition(".")[2], "application/octet-stream"))
        way = path.removesuffix(".mp4")
        is_longer = way in ("stall", "short", "drip")
        request.send_header("Content-Length", str(len(data) + (1 << 20) * is_longer))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(data)
            while way in ("stall", "drip") and not self.is_over:
                time.sleep(0.02)
                if way == "drip":
                    try:
                        request.wfile.write(bytes(2000))
                    except OSError:
                        break
        return None

    def close(self) -> None:
        """End it."""
        self.is_over = True
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("site")
    return {name: tiny_video(folder / name).path.read_bytes() for name in ("clip.mp4", "clip.ts")}


@pytest.fixture
def site(video: dict[str, bytes]) -> Iterator[Site]:
    names = ("clip", "stall", "short", "drip", "login")
    pages = {f"{name}.html": PAGE.format(f"{name}.mp4").encode() for name in names}
    slow = {f"{name}.mp4": video["clip.mp4"] for name in ("stall", "short", "drip")}
    rest = {
        "clip.vtt": VTT.encode(),
        "clip.m3u8": HLS.encode(),
        "login.mp4": b"<!doctype html><form>",
        "text.html": b"<html><p>nothing here",
        "two.html": (PAGE.format("clip.mp4") + PAGE.format("clip.mp4?2")).encode(),
        "listed": b"one",
    }
    with closing(Site(video | pages | slow | rest)) as site:
        yield site


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> YouTube:
    """The source, with a site of our own known to its yt-dlp."""
    package = tmp_path / "double" / "yt_dlp_plugins" / "extractor"
    package.mkdir(parents=True)
    (package / "double.py").write_text(DOUBLE)
    monkeypatch.syspath_prepend(str(tmp_path / "double"))
    return YouTube(plugins=True)


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check that neither a process nor a file outlives the test."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    started = list[int]()
    popen = subprocess.Popen

    def recorded(*args: Any, **options: Any) -> Any:
        process = popen(*args, **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr("vidcap_youtube.process.subprocess.Popen", recorded)
    yield
    assert started
    assert not list(temporary.iterdir())
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, 0)


def fetch(source: YouTube, uri: str, **want: Any) -> Any:
    with source.open(uri, Want(**want)) as media:
        assert isinstance(media.location, Path)
        return media, media.location.read_bytes()


def test_a_page_is_captioned_with_its_subtitles(site: Site, nothing_left: None) -> None:
    with Vidcap(captioner="offline", source=YouTube()) as vidcap:
        outcome = next(vidcap.run(f"{site.base}/clip.html"))
    assert isinstance(outcome, Result), outcome
    assert outcome.title is not None
    assert outcome.title.startswith("A clip")
    assert outcome.made_by["source"]["name"] == "youtube"


def test_a_page_is_captioned_by_the_command(site: Site) -> None:
    command = [sys.executable, "-m", "vidcap_core", "caption", f"{site.base}/clip.html"]
    done = subprocess.run([*command, "--captioner", "offline", "--source", "youtube"], capture_output=True)
    assert (done.returncode, done.stderr.decode()) == (0, done.stderr.decode())
    assert done.stdout.strip()


def test_what_a_page_gives(site: Site, video: dict[str, bytes], nothing_left: None) -> None:
    told = list[tuple[int, int | None]]()
    uri = f"{site.base}/clip.html"
    media, data = fetch(YouTube(), uri, on_bytes=lambda done, total: told.append((done, total)))
    assert data == video["clip.mp4"]
    assert not media.location.exists()
    assert [cue.text for cue in media.transcript.cues] == ["Hello there."]
    assert (media.transcript.language, media.transcript.origin) == ("en", "uploader")
    assert media.identity["size_bytes"] == len(data)
    assert media.details["page"] == uri
    assert told[-1] == (len(data), len(data))


def test_segments_are_joined_without_ffmpeg(site: Site, video: dict[str, bytes]) -> None:
    assert fetch(YouTube(), f"{site.base}/clip.m3u8")[1] == video["clip.ts"]


def test_a_page_with_two_videos_stands_for_both(site: Site) -> None:
    uri = f"{site.base}/two.html"
    first, second = YouTube().expand(uri)
    assert {first, second} == {f"{uri}#vidcap_item=1", f"{uri}#vidcap_item=2"}
    fetch(YouTube(), second)
    assert site.asked[-1] == "/clip.mp4?2"
    with pytest.raises(SourceError, match="several videos"):
        fetch(YouTube(), uri)


@pytest.mark.parametrize(("side_px", "itag"), [(256, "160"), (512, "134"), (1024, "136"), (4000, "137")])
def test_the_smallest_format_that_serves_is_fetched(
    double: YouTube, site: Site, side_px: int, itag: str
) -> None:
    media, _ = fetch(double, f"{site.base}/double/a", long_side_px=side_px)
    assert [path for path in site.asked if "clip.mp4" in path] == [f"/clip.mp4?itag={itag}"]
    assert media.identity["format"] == itag
    assert (media.title, media.duration_s, [c.title for c in media.chapters]) == ("Double", 5, ["One", "Two"])
    assert (media.transcript.language, media.transcript.origin) == ("en", "auto")


def test_a_transcript_that_cannot_be_fetched_is_told(double: YouTube, site: Site) -> None:
    media, _ = fetch(double, f"{site.base}/double/a", languages=("de",))
    assert media.transcript is None
    assert "404" in media.notices[0]


def test_translated_captions_are_taken_only_where_asked_for(double: YouTube, site: Site) -> None:
    uri = f"{site.base}/double/a"
    assert fetch(double, uri, languages=("fr",))[0].transcript is None
    media, _ = fetch(double.replace(translated_captions=True), uri, languages=("fr",))
    assert media.transcript.language == "fr"


def test_a_playlist_is_read_as_far_as_it_is_wanted(double: YouTube, site: Site, nothing_left: None) -> None:
    with closing(double.expand(f"{site.base}/double/list")) as listed:  # type: ignore[type-var]
        assert list(islice(listed, 2)) == [f"{site.base}/double/a", f"{site.base}/double/b"]
        assert len([path for path in site.asked if path.startswith("/listed")]) <= 3
    assert len(list(double.expand(f"{site.base}/double/list"))) == 6
    assert len(list(double.replace(max_videos=4).expand(f"{site.base}/double/list"))) == 4


def test_a_channel_stands_for_the_videos_of_its_tabs(double: YouTube, site: Site) -> None:
    found = list(double.expand(f"{site.base}/channel/home"))
    assert found == [f"{site.base}/double/videos", f"{site.base}/double/shorts"]


def test_no_key_and_no_plugin_reaches_the_process(
    double: YouTube, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INFERENCE_API_KEY", "HTTPS_PROXY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "canary")
    seen = fetch(double, f"{site.base}/double/a")[0].details["uploader"].split(",")
    assert "PATH" in seen
    assert not {"INFERENCE_API_KEY", "HTTPS_PROXY", "SSH_AUTH_SOCK"} & set(seen)
    with pytest.raises(SourceError, match="404"):
        fetch(YouTube(), f"{site.base}/double/a")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing.html", "HTTP 404"),
        ("text.html", "no video on this page"),
        ("login.html", "page instead of a video"),
        ("short.html", "connection broke"),
        ("double/bot", "cookies_file"),
        ("double/soon", "live or still to come"),
    ],
)
def test_what_is_no_video_is_an_error(
    double: YouTube, site: Site, nothing_left: None, path: str, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        fetch(double, f"{site.base}/{path}")


def test_what_is_too_large_is_refused(site: Site, nothing_left: None) -> None:
    with pytest.raises(SourceError, match="max_file_bytes"):
        fetch(YouTube(max_file_bytes=5000), f"{site.base}/clip.html")


def test_a_site_that_stalls_is_given_up(site: Site, nothing_left: None) -> None:
    with pytest.raises(SourceError, match="timeout_s"):
        fetch(YouTube(timeout_s=2), f"{site.base}/stall.html")


class Stopped(Exception):
    """A run that was stopped."""


def _when_waiting(done: int) -> bool:
    return True


def _when_fetching(done: int) -> bool:
    return done > 20_000


@pytest.mark.parametrize("is_time", [_when_waiting, _when_fetching])
def test_a_run_that_is_stopped_leaves_nothing(
    site: Site, nothing_left: None, is_time: Callable[[int], bool]
) -> None:
    def on_bytes(done: int, total: int | None) -> None:
        if is_time(done):
            raise Stopped

    with pytest.raises(Stopped):
        fetch(YouTube(), f"{site.base}/drip.html", on_bytes=on_bytes)


def test_cookies_are_sent_and_never_written_back(site: Site, tmp_path: Path, nothing_left: None) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tabc\n")
    before = cookies.read_bytes()
    fetch(YouTube(cookies_file=cookies), f"{site.base}/clip.html")
    assert cookies.read_bytes() == before
    with pytest.raises(SettingsError, match="cookies_file"):
        fetch(YouTube(cookies_file=tmp_path / "none"), f"{site.base}/clip.html")


def test_a_proxy_is_used_and_its_password_is_told_to_nobody(site: Site) -> None:
    proxied = YouTube(proxy=SecretStr("http://me:secret@127.0.0.1:9"))
    assert "secret" not in f"{proxied!r} {proxied.options()}"
    with pytest.raises(SourceError) as caught:
        fetch(proxied, f"{site.base}/clip.html")
    assert not site.asked
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "claim"),
    [
        ("https://www.youtube.com/watch?v=abc", Claim.YES),
        ("https://youtu.be/abc", Claim.YES),
        ("HTTPS://M.YouTube.com/shorts/abc", Claim.YES),
        ("ytsearch5:cats", Claim.YES),
        ("https://notyoutube.com/a", Claim.MAYBE),
        ("https://youtube.com.evil.example/a", Claim.MAYBE),
        ("http://127.0.0.1/a.mp4", Claim.MAYBE),
        ("file:///etc/passwd", Claim.NO),
        ("data:video/mp4,x", Claim.NO),
        ("clip.mp4", Claim.NO),
        ("http://[", Claim.NO),
        ("ftp://youtube.com/a", Claim.NO),
    ],
)
def test_claims(uri: str, claim: Claim) -> None:
    assert YouTube().claims(uri) is claim
    if claim is Claim.NO:
        with pytest.raises(SourceError, match="http"):
            fetch(YouTube(), uri)


@pytest.mark.parametrize("uri", ["https://www.youtube.com/watch?v=abc&list=x", "https://youtu.be/abc"])
def test_a_video_on_youtube_is_known_by_its_address(uri: str) -> None:
    assert list(YouTube().expand(uri)) == [uri]


def test_yt_dlp_is_imported_in_the_child_alone() -> None:
    code = "import sys; from vidcap_youtube import YouTube; YouTube(); print('yt_dlp' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"False"


SIZES = st.one_of(st.none(), st.integers(1, 4000))
FORMATS = st.lists(
    st.fixed_dictionaries(
        {
            "url": st.just("https://example.org/v"),
            "ext": st.just("mp4"),
            "width": SIZES,
            "height": SIZES,
            "filesize": st.one_of(st.none(), st.integers(1, 10**9)),
            "vcodec": st.sampled_from(["none", "avc1", "vp9", None]),
            "acodec": st.sampled_from(["none", "mp4a", None]),
        }
    ),
    max_size=8,
)


@given(FORMATS, st.one_of(st.none(), st.integers(1, 4000)))
def test_the_format_chosen_is_the_smallest_that_serves(
    found: list[dict[str, Any]], side_px: int | None
) -> None:
    chosen = formats.choose({"formats": found}, side_px)
    usable = [one for one in found if one["vcodec"] != "none"]
    assert (chosen is None) == (not usable)
    sized = [one for one in usable if formats.long_side(one)]
    if chosen is None or not sized:
        return
    largest_px = max(map(formats.long_side, sized))
    enough_px = min(side_px or largest_px, largest_px)
    serving = [one for one in sized if formats.long_side(one) >= enough_px]
    assert chosen in serving
    assert formats.size_bytes(chosen) == min(map(formats.size_bytes, serving))


def one(name: str, height: int | None, **rest: Any) -> dict[str, Any]:
    url = {"format_id": name, "url": "https://example.org/v", "ext": "mp4", "vcodec": "avc1"}
    return url | {"height": height, "width": height and height * 16 // 9} | rest


@pytest.mark.parametrize(
    ("info", "chosen"),
    [
        ({"url": "https://example.org/v.mp4", "format_id": "only"}, "only"),
        ({"requested_formats": [one("v", 720), one("a", None, vcodec="none")]}, "v"),
        ({"formats": [one("sd", None), one("hd", None)]}, "hd"),
        (
            {"formats": [one("hls", 720, protocol="m3u8_native", filesize=1), one("file", 720, filesize=9)]},
            "file",
        ),
        ({"formats": [one("hls", 720, protocol="m3u8_native")]}, "hls"),
        (
            {"formats": [one("flv", 720, ext="flv", filesize=1), one("webm", 720, ext="webm", filesize=9)]},
            "webm",
        ),
        (
            {"formats": [one("hdr", 720, dynamic_range="HDR10", filesize=1), one("sdr", 720, filesize=9)]},
            "sdr",
        ),
        ({"formats": [one("drm", 720, has_drm=True)]}, None),
        ({"formats": [one("rtmp", 720, protocol="rtmp", url="rtmp://x/y")]}, None),
        ({"formats": [one("data", 720, url="data:video/mp4,x")]}, None),
        ({"formats": [one("file", 720, url="file:///etc/passwd", protocol="https")]}, None),
        ({"formats": [one("tall", 1280, width=720), one("small", 360)]}, "tall"),
        ({"formats": [one("muxed", 720, acodec="mp4a"), one("silent", 720, acodec="none")]}, "silent"),
        ({}, None),
    ],
)
def test_formats_of_many_shapes(info: dict[str, Any], chosen: str | None) -> None:
    found = formats.choose(info, 1024)
    assert (found and found["format_id"]) == chosen


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("en", "en"),
        ("en-orig", "en"),
        ("pt_BR", "pt-BR"),
        ("zh-Hans", "zh-Hans"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("en-nP7-2PuUl7o", "en"),
        ("en-GB-eEY6OEpapPo", "en-GB"),
        ("zh-Hans-orig", "zh-Hans"),
        ("en-x-autogen", "en"),
        ("en-US-x-autogen", "en-US"),
        ("en (auto)", "en"),
        ("ca-ES-valencia", "ca-ES-valencia"),
        ("en-ES-vAlencia", "en"),
        ("eng", "en"),
        ("und", None),
        ("English", None),
        ("", None),
    ],
)
def test_languages_are_bcp47(name: str, language: str | None) -> None:
    assert captions.bcp47(name) == language


def test_subtitles_are_the_uploaders_first() -> None:
    track = [{"ext": "srt", "url": "https://example.org/s"}, {"ext": "vtt", "url": "https://example.org/v"}]
    both = {
        "subtitles": {"live_chat": track, "de": track},
        "automatic_captions": {"en-orig": track, "en": track},
    }

    def choose(info: dict[str, Any], *languages: str) -> tuple[str | None, str, str] | None:
        found = captions.choose(info, languages, translated=False)
        return None if found is None else (found.language, found.origin, found.entry["ext"])

    assert choose(both) == ("en", "auto", "vtt")
    assert choose(both, "de-AT", "en") == ("de", "uploader", "vtt")
    assert choose(both, "deu") == ("de", "uploader", "vtt")
    assert choose(both | {"language": "de"}) == ("de", "uploader", "vtt")
    regions = {"subtitles": {"en-GB": track, "pt": track}}
    assert choose(regions, "en-US", "pt-BR") == ("pt", "uploader", "vtt")
    assert choose(regions, "en") == ("en-GB", "uploader", "vtt")
    assert choose({"subtitles": {"ar": track, "en-GB": track}, "language": "en-US"}) == (
        "en-GB",
        "uploader",
        "vtt",
    )
    assert choose(both, "fr") is None
    assert choose({"subtitles": {"und": track}}) == (None, "uploader", "vtt")
    assert choose({"subtitles": {"en": [{"ext": "vtt", "url": "file:///etc/passwd"}]}}) is None


# What yt-dlp, or a site through yt-dlp, says.
@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("[youtube] x: Sign in to confirm you’re not a bot. Use --cookies-from-browser", "bot"),
        ("All player responses are invalid. Your IP is likely being blocked by Youtube", "bot"),
        ("[youtube] x: Sign in to confirm your age. This video may be inappropriate", "adults"),
        ("[youtube] x: Join this channel to get access to members-only content like this video", "members"),
        ("[youtube] x: This video is available to this channel's members on level: A", "members"),
        ("[youtube] x: This video is DRM protected", "DRM"),
        ("This video is not available from your location due to geo restriction", "proxy"),
        ("The uploader has not made this video available in your country", "proxy"),
        ("[youtube] x: This live event will begin in 2 hours.", "live"),
        ("[youtube] x: Premieres in 3 days", "live"),
        ("[twitch] The channel is not currently live", "live"),
        ("[youtube] x: Private video. Sign in if you've been granted access to this video", "private"),
        ("[youtube] x: Video unavailable. This video has been removed by the uploader", "not there"),
        ("[youtube] x: Video unavailable", "not there"),
        ("The account associated with this video has been terminated", "not there"),
        ("This video is only available for registered users. Use --cookies", "login"),
        ("Unable to download webpage: HTTP Error 404: Not Found (caused by <HTTPError 404>)", "404"),
        ("Unable to download webpage: HTTP Error 403: Forbidden", "403"),
        ("Unable to download API page: HTTP Error 429: Too Many Requests", "429"),
        ("Unable to download webpage: HTTP Error 503: Service Unavailable", "later"),
        ("Unsupported URL: https://example.org/private", "no video on this page"),
        (
            "Unable to download webpage: [Errno -2] Name or service not known (caused by TransportError())",
            "network",
        ),
        ("Unable to download webpage: The read operation timed out", "network"),
        ("unable to write data: [Errno 27] File too large", "max_file_bytes"),
        ("[youtube] DRM-private: Video unavailable", "not there"),
        ("[x] y: Unable to extract title; please report this issue on  https://github.com/x", "upgrade"),
        ("[x] y: No video formats found!; please report this issue on  https://github.com/x", "upgrade"),
    ],
)
def test_refusals_name_the_remedy(message: str, words: str) -> None:
    assert words in str(refused(f"\x1b[0;31mERROR:\x1b[0m {message}"))


def test_a_missing_javascript_runtime_is_told() -> None:
    warning = "[youtube] No supported JavaScript runtime could be found. Only deno is enabled by default"
    assert "vidcap-youtube[js]" in str(refused("[youtube] x: No video formats found!", [warning]))


def test_what_nobody_foresaw_is_passed_on_without_secrets() -> None:
    message = str(refused("ERROR: odd\x1b[31m thing\nat http://me:secret@host/ " + "x" * 5000))
    assert "odd thing" in message
    assert "secret" not in message
    assert len(message) < 300
