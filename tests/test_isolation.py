"""The decoder's process for real: what it gives, what it may not, and how it ends."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import math
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vidcap_core import DecodeError, PluginError, SourceError
from vidcap_core.decoders.pyav import PyAVDecoder
from vidcap_core.isolation import child, parent, wire
from vidcap_core.isolation import pool as pool_module
from vidcap_core.isolation.child import DescriptorFile
from vidcap_core.isolation.parent import ChildVideo
from vidcap_core.isolation.pool import DecoderPool, Stop
from vidcap_core.plugin import Decoder
from vidcap_core.testing import PaintedVideo, read_barcode, tiny_video
from vidcap_core.types import Cue, LumaFrame, Pick, Transcript
from vidcap_core.video import Video

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and descriptors of POSIX")

PICKS = [Pick(0.0, why="first"), Pick(1.04), Pick(1.5, tolerance_s=0.6), Pick(99.0)]


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> PaintedVideo:
    folder = tmp_path_factory.mktemp("isolation")
    return tiny_video(folder / "a.mp4", frames=30, b_frames=2, audio=True)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> PaintedVideo:
    folder = tmp_path_factory.mktemp("isolation")
    return tiny_video(folder / "b.webm", frames=12, width_px=192)


@pytest.fixture(scope="session")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that is many times as long as what FFmpeg reads at once: its pictures are noise."""
    path, random = tmp_path_factory.mktemp("isolation") / "noisy.mp4", np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 20_000_000
        for _ in range(40):
            pixels = random.integers(0, 256, (240, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode(None))
    assert path.stat().st_size > 10 << 17
    return path


@pytest.fixture(scope="session")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30) as warm:
        yield warm


@pytest.fixture
def stop() -> Stop:
    return Stop()


def facts(video: Video) -> dict[str, Any]:
    names = "start_s", "end_s", "width_px", "height_px", "frame_rate", "codec", "has_audio"
    return {name: getattr(video, name) for name in names}


def child_of(video: Video) -> parent.Child:
    assert isinstance(video, ChildVideo)
    return video._child


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone_within(pid: int, seconds: float) -> bool:
    until_s = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > until_s:
            return False
        time.sleep(0.02)
    return True


# The same as in this process


def test_all_is_as_in_this_process(pool: DecoderPool, painted: PaintedVideo, stop: Stop) -> None:
    here = DecoderPool(PyAVDecoder(), isolated=False, timeout_s=30)
    with here.open(painted.path, stop) as one, pool.open(painted.path, stop) as two:
        assert not isinstance(one, ChildVideo)
        assert facts(one) == facts(two)
        assert list(one.images(PICKS, 100)) == list(two.images(PICKS, 100))
        assert list(one.packets()) == list(two.packets())
        for ours, theirs in zip(one.frames(PICKS), two.frames(PICKS), strict=True):
            assert (ours.asked_s, ours.time_s, ours.damaged) == (
                theirs.asked_s,
                theirs.time_s,
                theirs.damaged,
            )
            assert np.array_equal(ours.pixels, theirs.pixels)
        for ours_luma, luma in zip(one.scan(0.3, 64), two.scan(0.3, 64), strict=True):
            assert ours_luma.time_s == luma.time_s
            assert np.array_equal(ours_luma.luma, luma.luma)
        part = two.window(1.0, 2.0)
        assert [frame.time_s for frame in part.scan()] == [
            frame.time_s for frame in one.window(1.0, 2.0).scan()
        ]


def test_grey_pictures_travel_together_but_are_not_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [(90, 160)] * 40 + [(45, 160)] * 3 + [(1000, 1000)] * 2
    frames = [LumaFrame(float(at), np.zeros(shape, np.uint8), at == 7) for at, shape in enumerate(shapes)]
    batches = [len(head["times_s"]) for head, _ in child._luma_frames(iter(frames))]
    assert batches == [18, 18, 4, 3, 1, 1]
    monkeypatch.setattr(child, "_PATIENCE_S", -1.0)
    assert [len(head["times_s"]) for head, _ in child._luma_frames(iter(frames))] == [1] * 45


def test_streams_are_interleaved(pool: DecoderPool, painted: PaintedVideo, stop: Stop) -> None:
    with pool.open(painted.path, stop) as video:
        scan, packets = video.scan(), video.packets()
        for number, luma in enumerate(scan):
            next(packets, None)
            asked_s = painted.times_s[-1 - number]
            (frame,) = video.frames([Pick(asked_s)])
            assert read_barcode(frame.pixels) == painted.frame_at(asked_s)
            assert luma.time_s == painted.times_s[number]


@pytest.mark.parametrize("isolated", [True, False])
def test_streams_that_are_interleaved_read_each_its_own_place(
    noisy: Path, stop: Stop, isolated: bool
) -> None:
    with (
        DecoderPool(PyAVDecoder(), isolated=isolated, timeout_s=30) as pool,
        pool.open(noisy, stop) as video,
    ):
        alone = [int(frame.luma.sum()) for frame in video.scan()]
        ahead = video.scan()
        for _ in range(15):
            next(ahead)
        together = []
        for frame in video.scan():
            together.append(int(frame.luma.sum()))
            next(ahead, None)
        assert together == alone
        assert len(alone) == 40


def test_a_child_is_used_again(
    pool: DecoderPool, painted: PaintedVideo, other: PaintedVideo, stop: Stop
) -> None:
    with pool.open(painted.path, stop) as video:
        first = child_of(video).pid
        abandoned = video.frames(PICKS)
        next(abandoned)
    with pool.open(other.path, stop) as video:
        assert child_of(video).pid == first
        assert video.width_px == 192
        assert [read_barcode(frame.pixels) for frame in video.frames([Pick(0.5)])] == [5]
        with pytest.raises(ValueError, match="closed"):
            next(abandoned)  # not the pictures of the other video
    with pytest.raises(ValueError, match="closed"):
        list(video.packets())


def test_what_is_collected_in_the_middle_of_a_call_does_no_harm(
    pool: DecoderPool, painted: PaintedVideo, stop: Stop
) -> None:
    with pool.open(painted.path, stop) as video:
        for _ in range(20):
            scan: Any = video.scan()
            next(scan)
            knot = [scan]
            knot.append(knot)  # freed by the collector, not by its count
            del scan, knot
            assert len(list(video.packets())) == 30
            gc.collect(0)
        assert len(child_of(video).unwanted) < 3


def test_a_child_is_renewed(painted: PaintedVideo, stop: Stop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_VIDEOS_A_CHILD", 2)
    pids = []
    with DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30) as pool:
        for _ in range(5):
            with pool.open(painted.path, stop) as video:
                pids.append(child_of(video).pid)
        assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
        assert not is_running(pids[0])


def test_an_error_of_the_user_leaves_the_child_warm(
    pool: DecoderPool, painted: PaintedVideo, stop: Stop
) -> None:
    pids = []
    for error in (KeyError("a sampler"), DecodeError("a picture"), KeyboardInterrupt()):
        with pytest.raises(type(error)), pool.open(painted.path, stop) as video:  # noqa: PT012
            pids.append(child_of(video).pid)
            next(video.scan())
            raise error
    assert len(set(pids)) == 1


def test_a_bad_file_leaves_the_child_warm(
    pool: DecoderPool, painted: PaintedVideo, stop: Stop, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video" * 100)
    with pool.open(painted.path, stop) as video:
        pid = child_of(video).pid
    with pytest.raises(DecodeError, match="no video"), pool.open(bad, stop):
        pass
    with pool.open(painted.path, stop) as video:
        assert child_of(video).pid == pid


def test_a_child_that_died_while_idle_is_replaced(painted: PaintedVideo, stop: Stop) -> None:
    with DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30) as pool:
        with pool.open(painted.path, stop) as video:
            child = child_of(video)
        os.kill(child.pid, signal.SIGKILL)
        until_s = time.monotonic() + 2
        while child.is_usable and time.monotonic() < until_s:
            time.sleep(0.01)
        with pool.open(painted.path, stop) as video:
            assert child_of(video) is not child


def test_several_children_at_once(pool: DecoderPool, painted: PaintedVideo, stop: Stop) -> None:
    seen: list[tuple[int, list[int]]] = []
    together = threading.Barrier(3)

    def work(offset: int) -> None:
        with pool.open(painted.path, Stop()) as video:
            together.wait(20)
            numbers = [
                read_barcode(next(video.frames([Pick(painted.times_s[n])])).pixels)
                for n in range(offset, 30, 3)
            ]
            seen.append((child_of(video).pid, numbers))

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({pid for pid, _ in seen}) == 3
    assert sorted(number for _, numbers in seen for number in numbers) == list(range(30))


# Files


def test_files_that_cannot_be_opened(pool: DecoderPool, stop: Stop, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"), pool.open(tmp_path / "missing.mp4", stop):
        pass
    with pytest.raises(SourceError, match="folder"), pool.open(tmp_path, stop):
        pass
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceError, match="pipe"), pool.open(tmp_path / "pipe.mp4", stop):
        pass


@pytest.mark.parametrize("isolated", [True, False])
def test_a_file_that_may_not_be_read(
    painted: PaintedVideo, stop: Stop, monkeypatch: pytest.MonkeyPatch, isolated: bool
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")  # root may read everything

    with DecoderPool(PyAVDecoder(), isolated=isolated, timeout_s=30) as pool:
        with pool.open(painted.path, stop):
            pass
        monkeypatch.setattr(os, "open", refuse)
        monkeypatch.setattr(pool_module, "PathFile", refuse)
        with pytest.raises(SourceError, match="Permission denied"), pool.open(painted.path, stop):
            pass
        monkeypatch.undo()
        with pool.open(painted.path, stop) as video:
            assert video.width_px == 160


def test_a_file_that_vanishes_is_still_read(
    pool: DecoderPool, painted: PaintedVideo, stop: Stop, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(painted.path.read_bytes())
    with pool.open(copy, stop) as video:
        copy.unlink()
        assert [read_barcode(frame.pixels) for frame in video.frames([Pick(2.0)])] == [20]


def test_the_descriptor_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    path.write_bytes(bytes(range(256)) * 100)
    with DescriptorFile(os.open(path, os.O_RDONLY)) as file:
        assert (file.seek(-5, 2), file.tell()) == (25_595, 25_595)
        assert file.read() == bytes(range(251, 256))
        assert (file.read(10), file.seek(3), file.read(2), file.seek(2, 1)) == (b"", 3, b"\x03\x04", 7)
        assert io.BufferedReader(file).detach() is file
        buffer = bytearray(3)
        assert (file.readinto(buffer), bytes(buffer)) == (3, b"\x07\x08\x09")
        file.seek(0)
        assert file.read() == path.read_bytes()


# Decoders that misbehave

DECODERS = """
import contextlib, ctypes, os, signal, socket, struct, sys, time
import numpy as np
from vidcap_core.errors import DecodeError
from vidcap_core.types import Frame, Image, LumaFrame, Packet
from vidcap_core.video import Video

class Fake(Video):
    def __init__(self, file):
        self.file = file
        self.start_s, self.end_s, self.width_px, self.height_px = 0.0, 4.0, 16, 8
        self.frame_rate, self.codec, self.has_audio = None, "fake", False
    def frames(self, picks):
        for pick in picks:
            yield Frame(pick.time_s, pick.time_s, np.zeros((8, 16, 3), np.uint8))
    def scan(self, every_s=0.0, width_px=160, keyframes_only=False):
        yield LumaFrame(0.0, np.zeros((8, 16), np.uint8))
    def packets(self):
        yield Packet(0.0, 1, True)

def spin():
    while True:
        pass

@contextlib.contextmanager
def fine(file):
    yield Fake(file)

@contextlib.contextmanager
def spins(file, workers=1):  # it stands in for pyav, options and all
    spin()

@contextlib.contextmanager
def sleeps(file):
    time.sleep(600)

@contextlib.contextmanager
def ignores_signals(file):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    spin()

@contextlib.contextmanager
def aborts(file):
    os.abort()

@contextlib.contextmanager
def segfaults(file):
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(9)

@contextlib.contextmanager
def is_killed(file):
    os.kill(os.getpid(), signal.SIGKILL)

@contextlib.contextmanager
def dies_of_a_nameless_signal(file):
    os.kill(os.getpid(), signal.SIGRTMIN + 1)

@contextlib.contextmanager
def exits(file):
    os._exit(7)

@contextlib.contextmanager
def leaves(file):
    sys.exit("bye")

@contextlib.contextmanager
def raises(file):
    raise ZeroDivisionError("by the author")

@contextlib.contextmanager
def says_decode_error(file):
    raise DecodeError("frame 7 is odd")
    yield

@contextlib.contextmanager
def prints(file):
    print("noise " * 5000, flush=True)
    os.write(1, b"more noise")
    assert os.read(0, 9) == b""
    yield Fake(file)

@contextlib.contextmanager
def eats_memory(file):
    yield bytearray(8 << 30)

@contextlib.contextmanager
def imports_late(file):
    import decoder_imported_late
    yield Fake(file)

@contextlib.contextmanager
def fails_to_close(file):
    yield Fake(file)
    raise OSError("on closing")

@contextlib.contextmanager
def spies(file):
    video = Fake(file)
    found = {"environment": dict(os.environ), "files": [], "tcp": "", "path": file.path, "kill": ""}
    for path in ("/etc/passwd", "/proc/%d/environ" % os.getppid(), __file__):
        try:
            open(path, "rb").close()
            found["files"].append(path)
        except OSError:
            pass
    try:
        socket.create_connection(("127.0.0.1", 9), 1)
    except OSError as error:
        found["tcp"] = type(error).__name__
    try:
        os.kill(os.getppid(), 0)
        found["kill"] = "possible"
    except OSError as error:
        found["kill"] = type(error).__name__
    import json
    video.found = json.dumps(found).encode()
    video.images = lambda picks, max_side_px: iter(
        [Image(0.0, 0.0, b"\\xff\\xd8" + video.found, 1, 1) for _ in picks]
    )
    yield video

@contextlib.contextmanager
def opens_its_path(file):
    video = Fake(file)
    with open(file.path, "rb") as again:
        video.codec = str(len(again.read()) == file.size_bytes)
    yield video

class Slow(Fake):
    def packets(self):
        yield Packet(0.0, 1, True)
        time.sleep(600)

@contextlib.contextmanager
def slow(file):
    yield Slow(file)

class Nan(Fake):
    def frames(self, picks):
        yield Frame(0.0, float("nan"), np.zeros((8, 16, 3), np.uint8))
    def packets(self):
        yield Packet(float("nan"), 1, True)
    def scan(self, every_s=0.0, width_px=160, keyframes_only=False):
        yield LumaFrame(object(), np.zeros((8, 16), np.uint8))

@contextlib.contextmanager
def nan(file):
    yield Nan(file)

@contextlib.contextmanager
def nan_facts(file):
    video = Fake(file)
    video.end_s = float("inf")
    yield video

class Few(Fake):
    def frames(self, picks):
        return iter(())
    def images(self, picks, max_side_px):
        return iter([Image(0.0, 0.0, b"GIF89a", 1, 1)])
    def scan(self, every_s=0.0, width_px=160, keyframes_only=False):
        while True:
            yield LumaFrame(0.0, np.zeros((8, 16), np.uint8))

@contextlib.contextmanager
def few(file):
    yield Few(file)

class Huge(Fake):
    def scan(self, every_s=0.0, width_px=160, keyframes_only=False):
        yield LumaFrame(0.0, np.zeros((11_000, 11_000), np.uint8))

@contextlib.contextmanager
def huge(file):
    yield Huge(file)
"""


@pytest.fixture(scope="session")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of modules that is on `sys.path` only since now."""
    folder = tmp_path_factory.mktemp("decoders")
    (folder / "odd_decoders.py").write_text(DECODERS)
    (folder / "decoder_imported_late.py").write_text("")
    (folder / "fails_at_import.py").write_text("raise RuntimeError('no licence')\n")
    (folder / "hangs_at_import.py").write_text("while True: pass\n")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def decoder(opener: str, *, needs_path: bool = False, imports: tuple[str, ...] = ()) -> Decoder:
    if ":" not in opener:
        opener = f"odd_decoders:{opener}"
    names = {"name": "odd", "opener": opener, "needs_path": needs_path, "imports": imports}
    kind = type("Odd", (_Named,), names | {"__module__": __name__})
    made: Decoder = kind()
    return made


class _Named(Decoder):
    """Class variables are annotated here once."""


@contextlib.contextmanager
def one_video(opener: str, path: Path, timeout_s: float = 30, **options: Any) -> Iterator[Video]:
    with (
        DecoderPool(decoder(opener, **options), isolated=True, timeout_s=timeout_s) as pool,
        pool.open(path, Stop()) as video,
    ):
        yield video


@pytest.mark.usefixtures("decoders")
@pytest.mark.parametrize(
    ("opener", "kind", "told"),
    [
        ("aborts", DecodeError, "'odd' crashed .SIGABRT"),
        ("segfaults", DecodeError, "'odd' crashed .SIGSEGV"),
        ("is_killed", DecodeError, "'odd' was killed"),
        ("dies_of_a_nameless_signal", DecodeError, "'odd' crashed"),
        ("exits", DecodeError, "'odd' ended by itself .code 7"),
        ("leaves", DecodeError, "'odd' ended by itself"),
        ("says_decode_error", DecodeError, "^frame 7 is odd$"),
        ("eats_memory", DecodeError, "MemoryError"),
        ("raises", PluginError, "'odd' failed: ZeroDivisionError: by the author"),
        ("imports_late", PluginError, "`imports`"),
        ("missing", PluginError, "'odd' failed: AttributeError"),
        ("fails_at_import:fine", PluginError, "'odd' failed: RuntimeError: no licence"),
        ("no_such_module:fine", PluginError, "'odd' failed: ModuleNotFoundError"),
        ("nan_facts", DecodeError, "number"),
    ],
)
def test_a_decoder_that_fails_is_told(
    painted: PaintedVideo, opener: str, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told), one_video(opener, painted.path):
        pass


@pytest.mark.usefixtures("decoders")
@pytest.mark.parametrize("opener", ["spins", "sleeps", "ignores_signals", "hangs_at_import:fine"])
def test_the_deadline_ends_a_decoder(painted: PaintedVideo, opener: str) -> None:
    with (
        pytest.raises(DecodeError, match=r"longer than 0.6 s.*decoder_timeout_s"),
        one_video(opener, painted.path, timeout_s=0.6),
    ):
        pass


@pytest.mark.usefixtures("decoders")
def test_the_deadline_is_for_one_call(painted: PaintedVideo) -> None:
    with one_video("fine", painted.path, timeout_s=0.7) as video:
        time.sleep(1.0)
        assert len(list(video.packets())) == 1


@pytest.mark.parametrize("timeout_s", [1e9, math.inf])
def test_huge_timeouts(painted: PaintedVideo, stop: Stop, timeout_s: float) -> None:
    with (
        DecoderPool(PyAVDecoder(), isolated=True, timeout_s=timeout_s) as pool,
        pool.open(painted.path, stop) as video,
    ):
        assert video.height_px == 96


@pytest.mark.usefixtures("decoders")
def test_prints_and_reads_stay_off_the_wire(painted: PaintedVideo) -> None:
    with one_video("prints", painted.path) as video:
        assert video.codec == "fake"
        assert len(list(video.frames([Pick(0), Pick(1)]))) == 2


@pytest.mark.usefixtures("decoders")
def test_nonsense_is_a_decode_error(painted: PaintedVideo) -> None:
    with one_video("nan", painted.path) as video:
        with pytest.raises(DecodeError):
            list(video.frames([Pick(0)]))
        with pytest.raises(DecodeError):
            list(video.packets())
        with pytest.raises(PluginError, match="TypeError"):
            list(video.scan())
    with one_video("few", painted.path) as video:
        with pytest.raises(DecodeError, match="fewer"):
            list(video.frames([Pick(0), Pick(1)]))
        with pytest.raises(DecodeError, match="JPEG"):
            list(video.images([Pick(0)], 9))
    with one_video("huge", painted.path) as video, pytest.raises(DecodeError, match="protocol"):
        list(video.scan())


@pytest.mark.usefixtures("decoders")
def test_an_endless_iterator_ends(painted: PaintedVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "_MAX_ITEMS", 20)
    with (
        one_video("few", painted.path) as video,
        pytest.raises(DecodeError, match="does not come to an end"),
    ):
        list(video.scan())


@pytest.mark.usefixtures("decoders")
def test_a_decoder_that_cannot_close_costs_no_work(painted: PaintedVideo, stop: Stop) -> None:
    with DecoderPool(decoder("fails_to_close"), isolated=True, timeout_s=30) as pool:
        for _ in range(2):
            with pool.open(painted.path, stop) as video:
                assert video.codec == "fake"


# Replies of a child that was taken over


HEAD = struct.Struct(">II")


def message(head: bytes, body: bytes = b"") -> bytes:
    return HEAD.pack(len(head), len(body)) + head + body


GOOD_FACTS = {
    "start_s": 0,
    "end_s": 1,
    "width_px": 4,
    "height_px": 2,
    "frame_rate": 1,
    "codec": "x",
    "has_audio": False,
}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\x00\x00",
        b"HTTP/1.1 200 OK\r\n\r\n",
        message(b"{"),
        message(b"[]"),
        message(b"null"),
        message(b"\xff\xfe"),
        message(b"[" * 500_000),
        message(b'{"a":' + b"9" * 10_000 + b"}"),
        HEAD.pack(1 << 31, 0),
        HEAD.pack(2, (1 << 32) - 1) + b"{}",
        message(b"{}")[:-1],
    ],
)
def test_messages_that_keep_to_no_format(reply: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.receive(io.BytesIO(reply), 1 << 20)


class _Hostile:
    """Stands in for the child: says what it is told to say."""

    def __init__(self, *replies: tuple[dict[str, Any], bytes]) -> None:
        self._replies = iter(replies)
        self.videos = 1
        self.stream_ids = iter(range(99))
        self.unwanted: list[int] = []

    def has_open(self, _: int) -> bool:
        return True

    def call(self, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        return ({}, b"") if head["call"] == "start" else next(self._replies)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_s": math.nan},
        {"start_s": None},
        {"end_s": "soon"},
        {"end_s": 10**400},
        {"end_s": -5},
        {"width_px": 0},
        {"width_px": 1 << 40},
        {"height_px": 2.5},
        {"height_px": [1]},
        {"frame_rate": math.inf},
    ],
)
def test_facts_are_checked(wrong: dict[str, Any]) -> None:
    hostile: Any = _Hostile()
    with pytest.raises(DecodeError):
        ChildVideo(hostile, GOOD_FACTS | wrong)
    with pytest.raises(DecodeError):
        ChildVideo(hostile, {})


@pytest.mark.parametrize(
    ("method", "head", "body"),
    [
        ("frames", {}, b""),
        ("frames", {"time_s": 0, "shape": [2, 4, 3]}, bytes(23)),
        ("frames", {"time_s": 0, "shape": [2, 4]}, bytes(8)),
        ("frames", {"time_s": 0, "shape": [2, 4, 4]}, bytes(32)),
        ("frames", {"time_s": 0, "shape": [-2, -4, 3]}, bytes(24)),
        ("frames", {"time_s": 0, "shape": "abc"}, bytes(24)),
        ("frames", {"time_s": 0, "shape": [1 << 62, 4, 3]}, bytes(24)),
        ("frames", {"time_s": math.nan, "shape": [2, 4, 3]}, bytes(24)),
        ("frames", {"time_s": 10**400, "shape": [2, 4, 3]}, bytes(24)),
        ("scan", {"time_s": 0, "shape": [2, 4]}, bytes(8)),
        ("scan", {"times_s": [0], "damaged": [False], "shape": [2, 4, 3]}, bytes(24)),
        ("scan", {"times_s": [{}], "damaged": [False], "shape": [2, 4]}, bytes(8)),
        ("scan", {"times_s": [0, math.nan], "damaged": [False, False], "shape": [2, 4]}, bytes(16)),
        ("scan", {"times_s": [], "damaged": [], "shape": [2, 4]}, b""),
        ("scan", {"times_s": [0, 1], "damaged": [False], "shape": [2, 4]}, bytes(16)),
        ("scan", {"times_s": [0, 1], "damaged": [False, False], "shape": [2, 4]}, bytes(15)),
        ("scan", {"times_s": [0, 1], "damaged": [False, False], "shape": [2, 4]}, bytes(8)),
        ("scan", {"times_s": [0, 1], "damaged": [False, False], "shape": [512, 512]}, bytes(1 << 19)),
        ("scan", {"times_s": [0], "damaged": "f", "shape": [2, 4]}, bytes(8)),
        ("images", {"time_s": 0, "width_px": 1, "height_px": 1}, b"<html>"),
        ("images", {"time_s": 0, "width_px": 16_000, "height_px": 1}, b"\xff\xd8"),
        ("images", {"time_s": 0, "width_px": 1, "height_px": 1}, b"\xff\xd8" + b"0" * 100_000),
        ("images", {"time_s": 0}, b"\xff\xd8"),
        ("images", {"width_px": 1, "height_px": 1}, b"\xff\xd8"),
        ("packets", {}, bytes(12)),
        ("packets", {}, bytes(13 * 5000)),
        ("packets", {}, struct.pack("<dI?", math.nan, 1, True)),
        ("packets", {}, struct.pack("<dI?", 1e300, 1, True)),
        ("transcript", {}, b""),
        ("transcript", {}, b"[]"),
        ("transcript", {}, b"[" * 100_000),
        ("transcript", {}, b'"\xff"'),
        ("transcript", {}, b'{"0": 1}'),
        ("transcript", {}, b"[7]"),
        ("transcript", {}, b'[[0, 1, "a", 2]]'),
        ("transcript", {}, b'[[NaN, 1, "a"]]'),
        ("transcript", {}, b'[[0, Infinity, "a"]]'),
        ("transcript", {}, b'[[0, 1e300, "a"]]'),
        ("transcript", {}, b'[[2, 1, "a"]]'),
        ("transcript", {}, b'[["0", 1, "a"]]'),
        ("transcript", {}, b"[[0, " + b"9" * 5000 + b', "a"]]'),
        ("transcript", {}, b"[[0, 1, 7]]"),
        ("transcript", {}, b'[[0, 1, ["a"]]]'),
        ("transcript", {}, b'[[0, 1, "' + b"a" * 2001 + b'"]]'),
        ("transcript", {}, b'"' + b"a" * 20_000_000 + b'"'),
    ],
)
def test_replies_are_checked(method: str, head: dict[str, Any], body: bytes) -> None:
    hostile: Any = _Hostile((head, body))
    video = ChildVideo(hostile, GOOD_FACTS)
    args: dict[str, list[Any]] = {"frames": [[Pick(0)]], "images": [[Pick(0)], 100]}
    with pytest.raises(DecodeError):
        list(getattr(video, method)(*args.get(method, [])))


@pytest.mark.parametrize(("cues", "replies"), [(1024, 200), (1, 200_000)])
def test_a_transcript_without_end(cues: int, replies: int) -> None:
    body = json.dumps([[0, 1, "a"]] * cues).encode()
    hostile: Any = _Hostile(*[({}, body)] * replies)
    with pytest.raises(DecodeError, match="longer transcript"):
        ChildVideo(hostile, GOOD_FACTS).transcript()


def test_a_transcript_of_too_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "MAX_CHARS", 5000)
    hostile: Any = _Hostile(({}, json.dumps([[0, 1, "a" * 2000]] * 3).encode()))
    with pytest.raises(DecodeError, match="longer transcript"):
        ChildVideo(hostile, GOOD_FACTS).transcript()


def test_a_transcript_that_hides_words() -> None:
    body = b'[[0, 1, "a\\u202eb\\nc\\ud800"]]'
    hostile: Any = _Hostile(({"language": "<|im_start|>"}, body), ({"end": True}, b""))
    found = ChildVideo(hostile, GOOD_FACTS).transcript(["en"])
    assert found == Transcript((Cue(0.0, 1.0, "a b\nc "),), None, "embedded")


def test_more_pictures_than_asked_for_are_left_alone() -> None:
    good = {"time_s": 0, "shape": [2, 4, 3]}, bytes(24)
    hostile: Any = _Hostile(good, good, good)
    assert len(list(ChildVideo(hostile, GOOD_FACTS).frames([Pick(0)]))) == 1


# What the child may not


def spied(path: Path, **options: Any) -> dict[str, Any]:
    with one_video("spies", path, **options) as video:
        (image,) = video.images([Pick(0)], 1)
    found: dict[str, Any] = json.loads(image.data[2:])
    return found


@pytest.mark.usefixtures("decoders")
def test_the_environment_holds_no_secret(painted: PaintedVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_API_KEY", "canary-1")
    monkeypatch.setenv("SOME_TOKEN", "canary-2")
    environment = spied(painted.path)["environment"]
    assert "canary" not in str(environment)
    assert environment.keys() <= {*parent._KEPT_ENVIRONMENT, "PYTHONPATH", "OPENBLAS_NUM_THREADS", "LC_CTYPE"}


def landlock_version() -> int:
    import ctypes

    if sys.platform != "linux":
        return 0
    return int(ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))


@pytest.mark.usefixtures("decoders")
@pytest.mark.skipif(landlock_version() < 4, reason="this kernel has no Landlock, or none for TCP")
def test_files_and_network_are_out_of_reach(painted: PaintedVideo) -> None:
    found = spied(painted.path)
    assert found["files"] == []
    assert found["tcp"] == "PermissionError"
    assert found["path"] is None
    assert landlock_version() < 6 or found["kill"] == "PermissionError"


@pytest.mark.usefixtures("decoders")
def test_a_decoder_that_needs_a_path_gets_one(
    painted: PaintedVideo, monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    with one_video("opens_its_path", painted.path, needs_path=True) as video:
        assert video.codec == "True"
    monkeypatch.chdir(painted.path.parent)
    with DecoderPool(decoder("opens_its_path", needs_path=True), isolated=True, timeout_s=30) as pool:
        with pool.open(Path(painted.path.name), stop) as video:
            assert video.codec == "True"
        # The child's working directory stays where it was.
        monkeypatch.chdir("/")
        relative = Path(os.path.relpath(painted.path))
        with pool.open(relative, stop) as video:
            assert video.codec == "True"


@pytest.mark.usefixtures("decoders")
def test_modules_that_are_listed_can_be_imported_late(painted: PaintedVideo) -> None:
    with one_video("imports_late", painted.path, imports=("decoder_imported_late",)) as video:
        assert video.codec == "fake"


# How it ends


@pytest.mark.usefixtures("decoders")
def test_stop_ends_a_call_at_once(painted: PaintedVideo, stop: Stop) -> None:
    with DecoderPool(decoder("slow"), isolated=True, timeout_s=60) as pool:
        with pytest.raises(DecodeError, match=r"^stopped$"), pool.open(painted.path, stop) as video:  # noqa: PT012
            pid = child_of(video).pid
            timer = threading.Timer(0.3, stop.set)
            timer.start()
            list(video.packets())
        timer.join()
        assert not is_running(pid)
        with pytest.raises(DecodeError, match=r"^stopped$"), pool.open(painted.path, stop):
            pass
        with pool.open(painted.path, Stop()) as video:
            assert len(list(video.frames([Pick(0)]))) == 1


@pytest.mark.usefixtures("decoders")
def test_a_pool_may_be_closed_while_busy(painted: PaintedVideo) -> None:
    pool = DecoderPool(decoder("slow"), isolated=True, timeout_s=60)
    errors: list[BaseException] = []
    begun = threading.Event()

    def work() -> None:
        try:
            with pool.open(painted.path, Stop()) as video:
                begun.set()
                list(video.packets())
        except DecodeError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(20)
    pool.close()
    thread.join(5)
    assert [str(error) for error in errors] == ["closed"]
    with pytest.raises(DecodeError, match="closed"), pool.open(painted.path, Stop()):
        pass
    pool.close()


def test_kill_from_many_threads(painted: PaintedVideo, stop: Stop) -> None:
    with DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30) as pool:
        with pytest.raises(DecodeError, match=r"^stopped$"), pool.open(painted.path, stop) as video:  # noqa: PT012
            threads = [threading.Thread(target=stop.set) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            list(video.scan())
        child_of(video).kill("again")
        child_of(video).close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("decoders")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_is_left_behind(painted: PaintedVideo) -> None:
    gc.collect()
    before, threads = open_descriptors(), threading.active_count()
    pids = []
    for opener in ("fine", "aborts", "raises", "fails_to_close"):
        with contextlib.suppress(DecodeError, PluginError), one_video(opener, painted.path) as video:
            pids.append(child_of(video).pid)
            next(video.scan())
    assert open_descriptors() == before
    assert threading.active_count() == threads
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)  # a zombie would still be there


def test_a_process_that_cannot_be_started_is_told(
    painted: PaintedVideo, stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_descriptors()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with (
        DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30) as pool,
        pytest.raises(DecodeError, match="no process"),
        pool.open(painted.path, stop),
    ):
        pass
    assert open_descriptors() == before


SCRIPT = """
    import sys, time
    from pathlib import Path
    from vidcap_core import Pick
    from vidcap_core.decoders.pyav import PyAVDecoder
    from vidcap_core.isolation.pool import DecoderPool, Stop

    pool = DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30)
    with pool.open(Path(sys.argv[1]), Stop()) as video:
        (image,) = video.images([Pick(1.0)], 64)
        print(video._child.pid, image.width_px, flush=True)
        {then}
    pool.close()
    print("done")
"""


@contextlib.contextmanager
def script(tmp_path: Path, video: PaintedVideo, then: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT.format(then=then)))
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(path), str(video.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    ) as process:
        yield process
        process.kill()


def first_words(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout
    line = process.stdout.readline()
    return [int(word) for word in line.split()]


def test_a_script_needs_no_guard(tmp_path: Path, painted: PaintedVideo) -> None:
    with script(tmp_path, painted, "pass") as process:
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.split()[1:] == ["64", "done"]


def test_no_orphan_outlives_a_killed_parent(tmp_path: Path, painted: PaintedVideo) -> None:
    with script(tmp_path, painted, "time.sleep(60)") as process:
        child, _ = first_words(process)
        assert is_running(child)
        process.kill()
        assert gone_within(child, 2)


@pytest.mark.usefixtures("decoders")
def test_no_spinning_orphan_either(tmp_path: Path, painted: PaintedVideo, decoders: Path) -> None:
    then = (
        f"PyAVDecoder.opener = 'odd_decoders:spins'; sys.path.append({str(decoders)!r});"
        "spinning = DecoderPool(PyAVDecoder(), isolated=True, timeout_s=99);"
        "import threading; threading.Thread(target="
        "lambda: spinning.open(Path(sys.argv[1]), Stop()).__enter__(), daemon=True).start();"
        "time.sleep(0.9); print(*(child.pid for child in spinning._busy), flush=True); time.sleep(60)"
    )
    with script(tmp_path, painted, then) as process:
        first_words(process)
        (child,) = first_words(process)
        assert is_running(child)
        process.kill()
        assert gone_within(child, 2)


def test_an_interrupt_of_the_group_is_for_the_parent_alone(tmp_path: Path, painted: PaintedVideo) -> None:
    then = (
        "import signal; signal.signal(signal.SIGINT, lambda *_: None); time.sleep(1.0);"
        "print(*(len(list(video.packets())) for _ in range(2)), flush=True)"
    )
    with script(tmp_path, painted, then, start_new_session=True) as process:
        first_words(process)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert out.split() == ["30", "30", "done"]


def test_the_child_imports_no_pydantic() -> None:
    code = (
        "import sys, vidcap_core.isolation.child, vidcap_core.encode, vidcap_core.decoders.pyav_video;"
        "print(sorted({'pydantic', 'openai', 'pluggy', 'asyncio', 'rich', 'typer'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
