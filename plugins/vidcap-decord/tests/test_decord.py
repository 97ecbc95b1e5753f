"""decord: every frame right, or a refusal that says what to choose instead."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from vidcap_core import DecodeError, Pick, PluginError
from vidcap_core.isolation.pool import DecoderPool, Stop
from vidcap_core.testing import tiny_video
from vidcap_core.testing.decoders import DecoderTests

pytest.importorskip("decord", reason="decord has no wheel for this machine", exc_type=ImportError)

from vidcap_decord.decoder import DecordDecoder

MEDIA = Path(__file__).parents[4] / "shared" / "media"
MANIFEST = MEDIA / "manifest.json"
ITEMS: list[dict[str, Any]] = json.loads(MANIFEST.read_text("utf-8"))["items"] if MANIFEST.exists() else []


class TestDecord(DecoderTests):
    decoder = DecordDecoder()
    refuses = frozenset(
        {
            *("plain.gif", "variable.gif", "av1.mkv", "av1.mp4", "mpeg2.ts", "mpeg4.mp4", "pyramid.ts"),
            *("open.mp4", "open.ts", "hevc_open.mkv", "cut.mp4", "wide.mp4", "three.mkv", "interlaced.mp4"),
        }
    )


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(DecordDecoder(), isolated=True, timeout_s=30) as pool:
        yield pool


# Refusals


@pytest.mark.parametrize(
    ("name", "made_by", "why"),
    [
        ("av1.mkv", {"codec": "libsvtav1", "frames": 5}, "cannot open this video"),
        ("turned.mkv", {"rotation": 90}, "upright"),
        ("upside_down.mkv", {"rotation": 180}, "another picture"),
        ("pyramid.ts", {"gop": 12, "b_frames": 3}, "another picture"),
        ("keys.mp4", {"codec": "mpeg4", "b_frames": 2}, "does not see the keyframes"),
        ("fields.mp4", {"interlaced": True}, "deinterlacing"),
    ],
)
def test_a_refusal_says_why_and_what_to_choose(
    pool: DecoderPool, tmp_path: Path, name: str, made_by: dict[str, Any], why: str
) -> None:
    path = tiny_video(tmp_path / name, **{"frames": 40} | made_by).path
    with pytest.raises(DecodeError, match=f"{why}.*--decoder pyav") as refusal, pool.open(path, Stop()):
        pass
    assert "\n" not in str(refusal.value)
    assert ".cc" not in str(refusal.value)  # decord's own words


def test_pixels_that_are_not_square_are_refused(pool: DecoderPool, tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(tiny_video(tmp_path / "a.mp4", frames=5).path) as given, av.open(path, "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        stream.sample_aspect_ratio = Fraction(3, 2)
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    with pytest.raises(DecodeError, match="square"), pool.open(path, Stop()):
        pass


def test_video_that_becomes_interlaced_is_refused(pool: DecoderPool, tmp_path: Path) -> None:
    plain = tiny_video(tmp_path / "plain.ts", frames=40).path.read_bytes()
    later = tiny_video(tmp_path / "later.ts", start_s=4.0, frames=40, interlaced=True).path.read_bytes()
    both = tmp_path / "both.ts"
    both.write_bytes(plain + later)
    with pytest.raises(DecodeError, match="deinterlacing"), pool.open(both, Stop()):
        pass


def test_damaged_files_give_frames_or_a_decode_error(pool: DecoderPool, tmp_path: Path) -> None:
    truth, draw = tiny_video(tmp_path / "a.mp4", moov_at_front=True), random.Random(4)
    damaged, read, refused = tmp_path / "damaged.mp4", 0, 0
    for number in range(24):
        data = bytearray(truth.path.read_bytes())
        first = 0 if number % 2 else data.index(b"mdat") + 8
        for _ in range(10):
            data[draw.randrange(first, len(data))] ^= 1 << draw.randrange(8)
        damaged.write_bytes(data)
        try:
            with pool.open(damaged, Stop()) as video:
                assert len(list(video.frames([Pick(time_s) for time_s in truth.times_s]))) == 50
            read += 1
        except DecodeError:
            refused += 1
    assert read
    assert refused


# What it loads


def test_listing_plugins_imports_neither_decord_nor_numpy() -> None:
    code = (
        "import sys; from vidcap_core import Registry; registry = Registry.load();"
        "assert 'decord' in str(registry.kind('decoders'));"
        "sys.exit(bool({'decord', 'numpy', 'av'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_child_does_not_import_pydantic() -> None:
    code = "import sys, vidcap_decord.video; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_where_decord_is_missing_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "decord.py").write_text("raise ImportError('no wheel')", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    path = tiny_video(tmp_path / "a.mp4", frames=3).path
    with (
        DecoderPool(DecordDecoder(), isolated=True, timeout_s=30) as pool,
        pytest.raises(PluginError, match=r"no wheel.*--decoder pyav"),
        pool.open(path, Stop()),
    ):
        pass


# Real files, against tables that other tools made


def _name(item: dict[str, Any]) -> str:
    return Path(item["file"]).name


def _has_frames(item: dict[str, Any]) -> bool:
    tables = item.get("video_frames", {}).values()
    # With several streams the table does not say which one a decoder takes.
    return len(tables) == 1 and all(table["decoded_frames_ffmpeg"] for table in tables)


VIDEOS = [item for item in ITEMS if _has_frames(item)]
REFUSED_MEDIA = frozenset(
    {
        "discard_first_keyframe.mp4",  # edit lists
        "sample_edit_list_only_preroll_sync_sample.mp4",
        "d_copycut_editlist.mp4",
        "av1_video.mkv",
        "sample_av1.mp4",
        "h265_video.mp4",  # open GOPs
        "hlg10-color-test.mp4",  # HDR
        "nasa_13013_hdr.mp4",
        "d_interlaced_25i.mp4",  # combs
        "bbb_800x640_768kbps_30fps_vp9.mp4",  # pixels that are not square
        "bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec.mp4",
        "sample_rotate_and_reflect.mp4",
        "sample_h264.ts",
        "d_res_change.ts",
        "corrupted.mp4",  # damage
        "d_truncated_60pct.mp4",
        "-video-with-dash-.mp4",
        "index.m3u8",
    }
)


def _table(item: dict[str, Any]) -> tuple[list[float], NDArray[np.uint8]]:
    """Times and signatures of the video's frames."""
    (facts,) = item["video_frames"].values()
    times = json.loads((MEDIA / facts["frames_json"]).read_text("utf-8"))["pts_s"]
    with np.load(MEDIA / facts["signature_npz"]) as signatures:
        return times, signatures["rgb8x8"]


def _looks(pixels: NDArray[np.uint8], signature: NDArray[np.uint8]) -> bool:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    shrunk = frame.reformat(8, 8, interpolation=Interpolation.AREA).to_ndarray().astype(float)
    # By shape: decoders differ in how they see colours, those of HDR above all. A flat picture has none.
    return bool(signature.std() < 2 or np.corrcoef(shrunk.ravel(), signature.ravel())[0, 1] > 0.95)


@pytest.mark.parametrize("item", VIDEOS, ids=_name)
def test_real_files_are_read_right_or_refused(pool: DecoderPool, item: dict[str, Any]) -> None:
    times, signatures = _table(item)
    draw = random.Random(item["file"])
    asked = sorted([times[0], times[-1] + 0.001, *(draw.uniform(times[0], times[-1]) for _ in range(6))])
    expected = pytest.raises(DecodeError) if _name(item) in REFUSED_MEDIA else nullcontext()
    with expected, pool.open(MEDIA / item["file"], Stop()) as video:
        frames = list(video.frames([Pick(time_s) for time_s in asked]))
        for time_s, frame in zip(asked, frames, strict=True):
            right = max(
                bisect_right(times, time_s + 2e-6) - 1, 0
            )  # the tables are rounded to the microsecond
            assert frame.time_s == pytest.approx(times[right], abs=2e-5)
            assert _looks(frame.pixels, signatures[right])
