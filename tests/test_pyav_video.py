"""The default decoder on videos with painted numbers: every frame right, every time true."""

from __future__ import annotations

import gc
import random
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import simplejpeg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidcap_core import DecodeError, Frame, Pick
from vidcap_core.decoders.pyav_cursor import Cursor
from vidcap_core.decoders.pyav_damage import Decoded
from vidcap_core.decoders.pyav_file import SharedFile
from vidcap_core.decoders.pyav_table import SampleTable
from vidcap_core.decoders.pyav_video import PyAVVideo, open_video
from vidcap_core.isolation.child import PathFile
from vidcap_core.testing import PaintedVideo, read_barcode, tiny_video
from vidcap_core.testing.kinds import KINDS

SOME = ("pyramid.mp4", "variable.mkv", "late.ts", "fragmented.mp4", "variable.webm", "quarter.mp4")

Paint = Callable[[str], PaintedVideo]


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Paint:
    """Renders each variant once."""
    folder, made = tmp_path_factory.mktemp("painted"), dict[str, PaintedVideo]()

    def paint(name: str) -> PaintedVideo:
        if name not in made:
            made[name] = tiny_video(folder / name, **{"frames": 40} | dict(KINDS[name]))
        return made[name]

    return paint


@contextmanager
def opened(path: Path, workers: int = 1) -> Iterator[PyAVVideo]:
    with PathFile(str(path)) as file, open_video(file, workers) as video:
        yield video


def numbers(video: PyAVVideo, picks: list[Pick]) -> list[int]:
    return [read_barcode(frame.pixels) for frame in video.frames(picks)]


# Frames


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(SOME))
def test_tolerance_is_kept(painted: Paint, data: st.DataObject, name: str) -> None:
    truth = painted(name)
    times = st.floats(truth.times_s[0] - 1, truth.end_s + 1)
    tolerances = st.sampled_from([0.0, 0.01, 0.2, 0.5, 2.0, 100.0])
    picks = data.draw(st.lists(st.builds(Pick, times, tolerances), min_size=1, max_size=8))
    picks.sort(key=lambda pick: pick.time_s)
    with opened(truth.path) as video:
        if data.draw(st.booleans()):
            list(video.packets())  # then the keyframes are known
        frames = list(video.frames(picks))
    for pick, frame in zip(picks, frames, strict=True):
        _check_choice(truth, pick, frame.time_s)
        assert read_barcode(frame.pixels) == truth.times_s.index(frame.time_s)


def _check_choice(truth: PaintedVideo, pick: Pick, time_s: float) -> None:
    keys = [truth.times_s[number] for number in truth.keyframes]
    there_is_one = any(abs(key_s - pick.time_s) < pick.tolerance_s - 1e-4 for key_s in keys)
    if there_is_one or time_s != truth.times_s[truth.frame_at(pick.time_s)]:
        assert time_s in keys
        assert abs(time_s - pick.time_s) <= pick.tolerance_s


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(SOME))
def test_windows_stay_inside(painted: Paint, data: st.DataObject, name: str) -> None:
    truth = painted(name)
    edges = st.one_of(st.none(), st.floats(truth.times_s[0] - 9, truth.end_s + 9))
    start_s, end_s = data.draw(edges), data.draw(edges)
    with opened(truth.path) as whole:
        part = whole.window(start_s, end_s)
        assert whole.start_s <= part.start_s <= part.end_s <= whole.end_s
        shown = {frame.time_s for frame in part.scan(width_px=32)}
        listed = {packet.time_s for packet in part.packets()}
        middle_s = (part.start_s + part.end_s) / 2
        taken = next(part.frames([Pick(middle_s, tolerance_s=99)]))
    inside = {time_s for time_s in truth.times_s if part.start_s <= time_s <= part.end_s}
    assert shown == listed == inside
    if any(truth.times_s[number] in inside for number in truth.keyframes):
        assert taken.time_s in inside


def test_a_window_reaches_no_further_than_its_edges(painted: Paint) -> None:
    truth = painted("plain.mp4")
    with opened(truth.path) as whole:
        assert (whole.window(1, 2).start_s, whole.window(1, 2).end_s) == (1, 2)
        assert (whole.window(-5, 99).start_s, whole.window(-5, 99).end_s) == (whole.start_s, whole.end_s)
        assert whole.window(3, 1).duration_s == 0
        # The nearest keyframes, at 1 s and 2 s, lie outside.
        assert numbers(whole.window(1.2, 1.8).window(None, None), [Pick(1.5, tolerance_s=1)]) == [15]


def test_a_keyframe_beyond_the_window_hides_none_inside(painted: Paint) -> None:
    with opened(painted("variable.mkv").path) as whole:
        part = whole.window(2.0, 3.5)  # keyframes at 0, 1, 3.05 and 6.5 s
        assert next(part.frames([Pick(2.5, tolerance_s=99)])).time_s == 3.05


# Looking


def test_abandoned_iterators_leave_their_place_to_others(painted: Paint) -> None:
    with opened(painted("plain.mp4").path) as video:
        for _ in range(5):
            assert next(video.scan()).time_s == 0
        assert [len(cursors) for cursors in video._cursors._idle.values()] == [1, 1]


@pytest.mark.parametrize("name", ["pyramid.mp4", "open.ts", "one_b.mp4", "vp9.mp4", "hevc.mp4", "av1.mkv"])
def test_a_scan_in_steps_shows_frames_at_their_own_times(painted: Paint, name: str) -> None:
    truth = painted(name)
    with opened(truth.path) as video:
        frames = list(video.scan(every_s=0.2, width_px=truth.width_px))
    numbers_seen = [read_barcode(frame.luma[..., None].repeat(3, axis=2)) for frame in frames]
    assert [truth.times_s[number] for number in numbers_seen] == [frame.time_s for frame in frames]
    steps_s = np.diff([frame.time_s for frame in frames])
    assert steps_s.min() >= 0.2 - 1e-9
    assert steps_s.max() <= (0.41 if video.codec == "h264" else 0.21)


def test_keyframes_are_seen_alike_whether_the_table_is_known_or_not(painted: Paint) -> None:
    for name in ("pyramid.mp4", "open.mp4", "cut.mp4", "one_gop.mp4", "late.mp4"):
        with opened(painted(name).path) as video:
            for part in (video, video.window(1.3, 3.0)):
                before = [(f.time_s, f.luma.tobytes()) for f in part.scan(keyframes_only=True)]
                list(video.packets())
                assert [(f.time_s, f.luma.tobytes()) for f in part.scan(keyframes_only=True)] == before


@pytest.mark.parametrize("name", [name for name in KINDS if name.endswith((".mp4", ".mov"))])
def test_a_seek_lands_where_the_table_says(painted: Paint, name: str) -> None:
    _check_seeks(painted(name))


@pytest.mark.parametrize("codec", ["mpeg4", "libx265", "libx264"])
@pytest.mark.parametrize("gop", [2, 3])
def test_a_seek_finds_keyframes_that_stand_close_together(tmp_path: Path, codec: str, gop: int) -> None:
    _check_seeks(tiny_video(tmp_path / "dense.mp4", codec=codec, gop=gop, b_frames=2))


def _check_seeks(truth: PaintedVideo) -> None:
    with PathFile(str(truth.path)) as file:
        cursor = Cursor(SharedFile(file))
        with cursor.container:
            table = cursor.table()
            for time_s in np.arange(truth.times_s[0] - 1, truth.end_s + 1, 0.03) if table else ():
                landed_s = cursor.seek(time_s)
                cursor.known = table
                assert landed_s == cursor.keyframe_before(time_s)


def test_listing_opens_the_file_once(painted: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(painted("plain.mp4").path) as video:
        monkeypatch.setattr(Cursor, "_open", lambda cursor: pytest.fail("the file was opened again"))
        assert len(list(video.packets())) == 40


# The sample table


def table_of(path: Path) -> tuple[SampleTable | None, list[Any]]:
    with PathFile(str(path)) as file, av.open(path) as container:
        cursor = Cursor(SharedFile(file))
        with cursor.container:
            return cursor.table(), [packet for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("name", KINDS)
def test_the_table_lists_what_demuxing_gives(painted: Paint, name: str) -> None:
    table, packets = table_of(painted(name).path)
    if name.endswith((".mp4", ".mov")) and "fragmented" not in name:
        assert table is not None
        assert len(table) == len(packets)
        assert table.lists(packets, 0)
    else:
        assert table is None


@pytest.mark.parametrize("box", [b"ctts", b"stsz", b"stts", b"tkhd"])
def test_a_table_that_is_damaged_is_right_or_not_believed(painted: Paint, tmp_path: Path, box: bytes) -> None:
    data, draw = painted("pyramid.mp4").path.read_bytes(), random.Random(box)
    at, damaged = data.index(box), tmp_path / "damaged.mp4"
    believed = 0
    for _ in range(20):
        mutant = bytearray(data)
        mutant[at + 4 + draw.randrange(60)] = draw.randrange(256)
        damaged.write_bytes(mutant)
        try:
            table, packets = table_of(damaged)
        except (DecodeError, av.error.FFmpegError):
            continue
        if table is not None:
            believed += 1
            assert table.lists(packets, 0)
    assert believed


def test_a_truncated_file_has_no_table(painted: Paint, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    data = painted("front.mp4").path.read_bytes()
    short.write_bytes(data[: len(data) * 7 // 10])
    assert table_of(short)[0] is None
    with opened(short) as video:
        assert 0 < len(list(video.packets())) < 40


# Side by side


@pytest.mark.parametrize("name", ["short_gops.mp4", "pyramid.ts", "variable.webm", "one_gop.mp4"])
def test_workers_give_the_same_images_in_order(painted: Paint, name: str) -> None:
    truth = painted(name)
    picks = [Pick(time_s + 0.01, tolerance_s=0.02 * (at % 3)) for at, time_s in enumerate(truth.times_s)]
    with opened(truth.path) as one, opened(truth.path, workers=3) as three:
        alone = list(one.images(picks, 128))
        assert list(three.images(picks, 128)) == alone
        abandoned = three.images(picks, 128)
        assert next(abandoned) == alone[0]
        assert next(three.images(picks[5:], 128)) == alone[5]
        del abandoned
        assert list(three.images(picks, 128)) == alone


def test_workers_tell_what_went_wrong(painted: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[Any]:
        raise DecodeError("refused")

    with opened(painted("short_gops.mp4").path, workers=2) as video:
        monkeypatch.setattr(Cursor, "_decode", refuse)
        with pytest.raises(DecodeError, match="refused"):
            list(video.images([Pick(0.1), Pick(1.1), Pick(2.1)], 64))


def test_frames_do_not_pile_up(painted: Paint) -> None:
    picks = [Pick(time_s) for time_s in painted("pyramid.mp4").times_s]
    with opened(painted("pyramid.mp4").path) as video:
        gc.collect()
        gc.disable()
        try:
            for _ in video.images(picks, 4096):
                pass
            for _ in video.scan():
                pass
            held = sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())
        finally:
            gc.enable()
    assert held < 5


# Images


def test_images_look_like_the_frames(painted: Paint) -> None:
    picks = [Pick(1.0), Pick(2.5)]
    with opened(painted("pyramid.mp4").path) as video:
        for frame, image in zip(video.frames(picks), video.images(picks, 4096), strict=True):
            off = np.abs(frame.pixels.astype(int) - simplejpeg.decode_jpeg(image.data))
            assert off.mean() < 4


# Headers that lie


def test_the_packets_decide_about_the_end_not_the_header(painted: Paint, tmp_path: Path) -> None:
    truth, liar = painted("plain.mkv"), tmp_path / "liar.mkv"
    data = truth.path.read_bytes()
    # The element Duration, 8 bytes of floating point: 4.0 s becomes 40 hours.
    at = data.index(b"\x44\x89\x88")
    liar.write_bytes(data[: at + 3] + struct.pack(">d", 144_000_000.0) + data[at + 11 :])
    with opened(liar) as video:
        assert video.end_s == pytest.approx(truth.end_s, abs=0.01)


def test_the_end_is_right_where_the_sound_is_longer(painted: Paint, tmp_path: Path) -> None:
    truth, longer = painted("short_gops.mp4"), tmp_path / "longer.mp4"
    pyramid = painted("slow.mp4")
    with av.open(pyramid.path) as one, av.open(truth.path) as other, av.open(longer, "w") as made:
        video = made.add_stream_from_template(one.streams.video[0])
        audio = made.add_stream_from_template(other.streams.audio[0])
        for packet in one.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                made.mux(packet)
        for sound in other.demux(other.streams.audio[0]):
            if sound.dts is not None and sound.pts is not None:
                sound.pts, sound.dts = sound.pts + 48_000 * 60, sound.dts + 48_000 * 60
                sound.stream = audio
                made.mux(sound)
    with opened(longer) as opened_video:
        assert opened_video.has_audio
        assert opened_video.end_s == pytest.approx(pyramid.end_s)


@pytest.mark.parametrize("name", ["front.mp4", "plain.mkv", "plain.ts", "fragmented.mp4", "plain.webm"])
def test_a_truncated_file_ends_where_its_bytes_do(painted: Paint, tmp_path: Path, name: str) -> None:
    truth, short = painted(name), tmp_path / name
    data = truth.path.read_bytes()
    short.write_bytes(data[: len(data) * 6 // 10])
    with opened(short) as video:
        assert 0.5 < video.end_s < truth.end_s - 0.5
        for frame in video.frames([Pick(0.0), Pick(video.end_s * 0.7), Pick(99.0)]):
            assert frame.damaged or read_barcode(frame.pixels) == truth.times_s.index(frame.time_s)


# What is no video


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"This is text, not a video.\n" * 50, "no video"),
        ("page.mp4", b"<!DOCTYPE html><html><body>Please log in</body></html>", "web page"),
        ("zeros.mp4", bytes(5000), "no video"),
        ("noise.mp4", random.Random(1).randbytes(5000), "no video"),
        ("head.mp4", b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2", "no video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=told), opened(path):
        pass


SCRIPTS = {
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
    "hls_with_space.m3u8": "\n \ufeff#EXTM3U\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n",
    "ffconcat.mp4": "ffconcat version 1.0\nfile '{secret}'\n",
    "concat.mp4": "concat:{secret}|{secret}\n",
    "dash.mpd": '<?xml version="1.0"?><MPD><Period><BaseURL>{secret}</BaseURL></Period></MPD>',
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "list.webm": "file '{secret}'\nfile '{secret}'\n",
    "image.mov": "subfile,,start,0,end,0,,:{secret}\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_that_point_at_other_files_are_refused(painted: Paint, tmp_path: Path, name: str) -> None:
    secret, script = tmp_path / "secret.ts", tmp_path / name
    secret.write_bytes(painted("plain.ts").path.read_bytes())
    script.write_text(SCRIPTS[name].format(secret=secret), "utf-8")
    secret_read_s = secret.stat().st_atime_ns
    with _files_opened() as files, pytest.raises(DecodeError), opened(script):
        pass
    assert str(script) in files  # the trap works
    assert not any("secret" in file for file in files)
    assert secret.stat().st_atime_ns == secret_read_s


@contextmanager
def _files_opened() -> Iterator[list[str]]:
    """What Python opens. What FFmpeg opens by itself is seen by the time of the last access only."""
    files: list[str] = []
    listening = True

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if listening and event == "open":
            files.append(str(args[0]))

    sys.addaudithook(hear)
    try:
        yield files
    finally:
        listening = False


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", 48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with pytest.raises(DecodeError, match="only audio"), opened(path):
        pass


@pytest.mark.parametrize(
    ("name", "known", "unknown"),
    [("plain.mp4", b"avc1", b"zzz1"), ("plain.mkv", b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/ABC")],
)
def test_an_unknown_codec_is_told(
    painted: Paint, tmp_path: Path, name: str, known: bytes, unknown: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(painted(name).path.read_bytes().replace(known, unknown))
    with pytest.raises(DecodeError, match="codec"), opened(path):
        pass


BOMB_PX = 9000
"""A side. Decoded, such a picture takes 243 MB."""

OPEN_AND_WEIGH = """
import resource, sys
from vidcap_core import DecodeError
from vidcap_core.decoders.pyav_video import open_video
from vidcap_core.isolation.child import PathFile
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with PathFile(sys.argv[1]) as file, open_video(file):
        print("opened")
except DecodeError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kilobytes there")
def test_an_image_bomb_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    picture = _png(BOMB_PX, BOMB_PX)
    for name in ("bomb.mov", "bomb.avi"):
        _write_pngs(tmp_path / name, picture)
        # In a process of its own: the peak of this one was reached by other tests.
        command = [sys.executable, "-c", OPEN_AND_WEIGH, str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(done.stdout) < 64_000


def test_a_bomb_that_goes_off_later_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "later.avi"
    _write_pngs(path, _png(160, 96), _png(160, 96), _png(BOMB_PX, BOMB_PX), _png(160, 96))
    with opened(path) as video:
        assert (video.width_px, video.height_px) == (160, 96)
        assert {frame.pixels.shape for frame in video.frames([Pick(0.0), Pick(0.3)])} == {(96, 160, 3)}
        assert [frame.time_s for frame in video.scan()] == pytest.approx([0.0, 0.1, 0.3])


def _png(width_px: int, height_px: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = bytes(1 + 3 * width_px)
    squeezed = zlib.compressobj(1)
    data = b"".join(squeezed.compress(row) for _ in range(height_px)) + squeezed.flush()
    head = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _write_pngs(path: Path, *pictures: bytes) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("png", 10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "rgb24"
        for number, picture in enumerate(pictures * 2 if len(pictures) == 1 else pictures):
            packet = av.Packet(picture)
            packet.stream, packet.is_keyframe = stream, True
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, 10)
            container.mux(packet)


# Several streams


def test_cover_art_is_not_the_video(painted: Paint, tmp_path: Path) -> None:
    import simplejpeg

    truth, covered = painted("plain.mp4"), tmp_path / "covered.mkv"
    cover = simplejpeg.encode_jpeg(np.zeros((480, 640, 3), np.uint8))
    with av.open(truth.path) as given, av.open(covered, "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        made.add_attachment("cover.jpg", "image/jpeg", cover)
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    with opened(covered) as video:
        assert (video.width_px, video.height_px) == (160, 96)
        assert numbers(video, [Pick(0.0), Pick(2.5)]) == [0, 25]


def test_of_two_video_streams_the_default_one_is_taken(painted: Paint, tmp_path: Path) -> None:
    large = tiny_video(tmp_path / "large.mp4", width_px=320, height_px=192, frames=40)
    both = tmp_path / "both.mp4"
    with av.open(painted("plain.mp4").path) as one, av.open(large.path) as two, av.open(both, "w") as made:
        given = [two, one]
        streams = [made.add_stream_from_template(container.streams.video[0]) for container in given]
        for container, stream in zip(given, streams, strict=True):
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    made.mux(packet)
    with opened(both) as video:
        assert (video.width_px, video.height_px) == (320, 192)
        assert numbers(video, [Pick(0.0), Pick(1.23), Pick(3.9)]) == [0, 12, 39]


def test_a_stream_may_begin_later(painted: Paint, tmp_path: Path) -> None:
    later = tiny_video(tmp_path / "later.ts", start_s=4.0, audio=True, frames=80)
    both = tmp_path / "both.ts"
    both.write_bytes(painted("plain.ts").path.read_bytes() + later.path.read_bytes())
    with opened(both) as video:
        assert video.end_s == pytest.approx(later.end_s)
        assert numbers(video, [Pick(1.0), Pick(3.9), Pick(6.05), Pick(99.0)]) == [10, 39, 20, 79]
        assert len(list(video.packets())) == len(list(video.scan())) == 120


def test_the_size_may_change_in_the_middle(painted: Paint, tmp_path: Path) -> None:
    wide = tiny_video(tmp_path / "wide.ts", start_s=4.2, frames=30, width_px=240, height_px=128)
    both = tmp_path / "both.ts"
    both.write_bytes(painted("plain.ts").path.read_bytes() + wide.path.read_bytes())
    with opened(both) as video:
        assert numbers(video, [Pick(1.0), Pick(3.9), Pick(5.25), Pick(6.05)]) == [10, 39, 10, 18]
        images = list(video.images([Pick(1.0), Pick(5.25)], 4096))
        assert [(image.width_px, image.height_px) for image in images] == [(160, 96), (240, 128)]
        assert {frame.luma.shape for frame in video.scan(width_px=80)} == {(48, 80)}
        assert len(list(video.scan())) == 70


# Damage


@pytest.mark.parametrize(
    "name",
    [
        "front.mp4",
        "pyramid.mkv",
        "plain.ts",
        "plain.webm",
        "fragmented.mp4",
        "plain.avi",
        "hevc.mp4",
        "plain.gif",
    ],
)
def test_damaged_files_give_frames_or_a_decode_error(painted: Paint, tmp_path: Path, name: str) -> None:
    draw = random.Random(name)
    data = painted(name).path.read_bytes()
    opened_well = 0
    for number in range(40):
        mutant = tmp_path / f"{number}{Path(name).suffix}"
        mutant.write_bytes(_mutated(data, draw))
        try:
            _look_everywhere(mutant)
            opened_well += 1
        except DecodeError:
            pass
    assert opened_well > 5  # else the mutations are too coarse to test anything


def _mutated(data: bytes, draw: random.Random) -> bytes:
    mutant = bytearray(data)
    # Headers hold what leads a reader astray.
    reach = draw.choice([64, 1024, len(mutant)])
    for _ in range(draw.choice([1, 3, 10, 40])):
        mutant[draw.randrange(min(reach, len(mutant)))] = draw.choice([0, 255, draw.randrange(256)])
    kept = len(mutant) if draw.random() < 0.7 else draw.randrange(1, len(mutant))
    return bytes(mutant[:kept])


def _look_everywhere(path: Path) -> None:
    with opened(path) as video:
        assert video.end_s >= video.start_s
        part = video.window(video.start_s, video.start_s + 100)
        assert all(packet.size_bytes for packet in part.packets())
        middle_s = (part.start_s + part.end_s) / 2
        picks = [Pick(part.start_s), Pick(middle_s, tolerance_s=1), Pick(part.end_s)]
        assert len(list(part.images(picks, 64))) == 3
        for frame in part.scan(width_px=32):
            assert np.isfinite(frame.time_s)


@pytest.mark.parametrize("name", ["front.mp4", "short_gops.mp4", "pyramid.mkv", "plain.ts"])
def test_what_stands_in_for_a_damaged_frame_is_sound(painted: Paint, tmp_path: Path, name: str) -> None:
    truth, draw = painted(name), random.Random(name)
    flipped, tally = tmp_path / name, Counter[str]()
    for _ in range(6):
        flipped.write_bytes(_with_bits_flipped(truth.path.read_bytes(), draw))
        try:
            with opened(flipped) as video:
                frames = list(video.frames([Pick(time_s) for time_s in truth.times_s]))
        except DecodeError:
            continue
        for frame in frames:
            tally["neighbours" if frame.is_neighbour else "damaged" if frame.damaged else "sound"] += 1
            if frame.is_neighbour:
                assert frame.damaged
                assert abs(frame.time_s - frame.asked_s) <= 2
                tally["right"] += _reads_right(truth, frame)
    assert tally["neighbours"] > 0
    # FFmpeg does not notice every flipped bit.
    assert tally["right"] >= 0.8 * tally["neighbours"], tally


def _with_bits_flipped(data: bytes, draw: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(5):
        flipped[draw.randrange(len(data) // 4, len(data) * 3 // 4)] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def _reads_right(truth: PaintedVideo, frame: Frame) -> bool:
    try:
        return truth.times_s[read_barcode(frame.pixels)] == frame.time_s
    except (ValueError, IndexError):
        return False


def test_damage_in_a_keyframe_is_mended_by_its_neighbour_and_told(painted: Paint, tmp_path: Path) -> None:
    truth, broken = painted("intra.mp4"), tmp_path / "broken.mp4"
    data = bytearray(truth.path.read_bytes())
    with av.open(truth.path) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][20]
    assert packet.pos is not None
    begin = packet.pos + packet.size // 2
    data[begin : begin + 40] = random.Random(1).randbytes(40)
    broken.write_bytes(data)
    with opened(broken) as video:
        exact, loose, image = (
            *video.frames([Pick(2.0), Pick(2.01, tolerance_s=0.03)]),
            next(video.images([Pick(2.0)], 4096)),
        )
        before = next(video.frames([Pick(1.9)]))
    for taken in (exact, loose, image):
        assert taken.damaged
        assert taken.is_neighbour
        assert taken.time_s in (truth.times_s[19], truth.times_s[21])
    assert not before.damaged
    with opened(broken) as video:
        # In a window that holds no other there is nothing to stand in.
        alone = next(video.window(1.95, 2.05).frames([Pick(2.0)]))
    assert (alone.time_s, alone.damaged, alone.is_neighbour) == (2.0, True, False)


def test_neighbours_are_looked_for_once_for_a_run_of_damaged_frames(
    painted: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, broken = painted("front.mp4"), tmp_path / "broken.mp4"
    data = bytearray(truth.path.read_bytes())
    with av.open(truth.path) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][12]
    assert packet.pos is not None
    begin = packet.pos + packet.size // 2
    data[begin : begin + 20] = random.Random(1).randbytes(20)
    broken.write_bytes(data)
    looked, look = list[float](), Cursor.keyframes

    def counted(cursor: Cursor, until_s: float) -> Iterator[Decoded]:
        looked.append(until_s)
        return look(cursor, until_s)

    monkeypatch.setattr(Cursor, "keyframes", counted)
    with opened(broken) as video:
        frames = list(video.frames([Pick(time_s) for time_s in truth.times_s]))
    assert sum(frame.is_neighbour for frame in frames) > 5
    assert len(looked) == 1


def test_flipped_bits_are_flagged(painted: Paint, tmp_path: Path) -> None:
    truth, flipped = painted("front.mp4"), tmp_path / "flipped.mp4"
    data = bytearray(truth.path.read_bytes())
    draw = random.Random(4)
    first = data.index(b"mdat") + 1000
    for _ in range(8):
        data[draw.randrange(first, len(data))] ^= 1 << draw.randrange(8)
    flipped.write_bytes(data)
    with opened(flipped) as video:
        frames = list(video.frames([Pick(time_s) for time_s in truth.times_s]))
    assert any(frame.damaged for frame in frames)
