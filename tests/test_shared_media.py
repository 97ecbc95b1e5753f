"""The default decoder on real files, against tables that other tools made. Skipped without them."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from vidcap_core import DecodeError, Pick
from vidcap_core.decoders.pyav import PyAVDecoder
from vidcap_core.decoders.pyav_cursor import Cursor
from vidcap_core.decoders.pyav_file import SharedFile
from vidcap_core.decoders.pyav_video import PyAVVideo, open_video
from vidcap_core.isolation.child import PathFile
from vidcap_core.isolation.pool import DecoderPool, Stop

MEDIA = Path(__file__).parents[2] / "shared" / "media"
MANIFEST = MEDIA / "manifest.json"
ITEMS: list[dict[str, Any]] = json.loads(MANIFEST.read_text("utf-8"))["items"] if MANIFEST.exists() else []

pytestmark = pytest.mark.skipif(not ITEMS, reason="the shared media are not here")


def _has_frames(item: dict[str, Any]) -> bool:
    tables = item.get("video_frames", {}).values()
    return any(table["decoded_frames_ffmpeg"] for table in tables) and not item["file"].endswith(".m3u8")


VIDEOS = [item for item in ITEMS if _has_frames(item)]
OTHERS = [item for item in ITEMS if item not in VIDEOS]
MENDED = ("sample_malformed_free_box.mp4",)
"""Files that the FFmpeg of the manifest could not open and later ones can."""
PICKS = 6


def _name(item: dict[str, Any]) -> str:
    return Path(item["file"]).name


def _table(item: dict[str, Any], width_px: int, height_px: int) -> tuple[list[float], NDArray[np.uint8]]:
    """Times and signatures of the stream that was taken, told by its shape."""
    for key, facts in item["video_frames"].items():
        stream = next(each for each in item["streams"] if f"v{each['index']}" == key)
        stored = stream["upright_width"], stream["upright_height"]
        if len(item["video_frames"]) == 1 or stored == (width_px, height_px):
            times = json.loads((MEDIA / facts["frames_json"]).read_text("utf-8"))["pts_s"]
            with np.load(MEDIA / facts["signature_npz"]) as signatures:
                return times, signatures["rgb8x8"]
    raise AssertionError(f"no stream of {width_px}x{height_px} in the tables")


def _asked(item: dict[str, Any], times: list[float]) -> list[float]:
    draw = random.Random(item["file"])
    moments = [draw.uniform(times[0], times[-1]) for _ in range(PICKS - 2)]
    return sorted([times[0], times[-1] + 0.001, *moments])


def _is_hdr(item: dict[str, Any]) -> bool:
    transfers = {stream.get("color_transfer") for stream in item["streams"]}
    return bool(transfers & {"smpte2084", "arib-std-b67"})


def _check_looks(pixels: NDArray[np.uint8], signature: NDArray[np.uint8], by_shape: bool) -> None:
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    shrunk = frame.reformat(8, 8, interpolation=Interpolation.AREA).to_ndarray().astype(float)
    if signature.std() < 2:
        return  # a flat picture looks like every other one
    if by_shape:
        assert np.corrcoef(shrunk.ravel(), signature.ravel())[0, 1] > 0.95
    else:
        assert np.abs(shrunk - signature).mean() < 4


def _check_exact(item: dict[str, Any], video: PyAVVideo) -> None:
    times, signatures = _table(item, video.width_px, video.height_px)
    asked = _asked(item, times)
    for time_s, frame in zip(asked, video.frames([Pick(time_s) for time_s in asked]), strict=True):
        # The tables are rounded to the microsecond.
        right = max(bisect_right(times, time_s + 2e-6) - 1, 0)
        if frame.is_neighbour:  # then it is sound, whichever it is
            right = min(range(len(times)), key=lambda at: abs(times[at] - frame.time_s))
        assert frame.time_s == pytest.approx(times[right], abs=2e-5)
        if frame.is_neighbour or not frame.damaged:
            _check_looks(frame.pixels, signatures[right], _is_hdr(item))


@pytest.mark.parametrize("item", VIDEOS, ids=_name)
def test_exact_picks_give_the_frame_of_the_table(item: dict[str, Any]) -> None:
    with PathFile(str(MEDIA / item["file"])) as file, open_video(file) as video:
        _check_exact(item, video)


@pytest.mark.parametrize("item", VIDEOS, ids=_name)
def test_packets_and_span_are_those_of_the_table(item: dict[str, Any]) -> None:
    with PathFile(str(MEDIA / item["file"])) as file, open_video(file) as video:
        times, _ = _table(item, video.width_px, video.height_px)
        listed = {round(packet.time_s, 4) for packet in video.packets()}
        assert video.start_s <= times[0] + 1e-5
        assert video.end_s >= times[-1]
    missing = [time_s for time_s in times if not {round(time_s, 4), round(time_s - 5e-5, 4)} & listed]
    assert len(missing) <= len(times) // 50


def test_one_child_opens_them_all() -> None:
    """It has given up its access to files: whatever FFmpeg meets must have been imported before."""
    stop = Stop()
    with DecoderPool(PyAVDecoder(), isolated=True, timeout_s=30) as pool:
        for item in VIDEOS:
            with pool.open(MEDIA / item["file"], stop) as video:
                (image,) = video.images([Pick(video.start_s, tolerance_s=9)], 64)
                assert max(image.width_px, image.height_px) <= 64
                assert next(video.packets()).size_bytes


@pytest.mark.parametrize("item", [i for i in VIDEOS if i["file"].endswith((".mp4", ".mov"))], ids=_name)
def test_the_sample_table_lists_what_demuxing_gives(item: dict[str, Any]) -> None:
    with PathFile(str(MEDIA / item["file"])) as file, av.open(MEDIA / item["file"]) as container:
        cursor = Cursor(SharedFile(file))
        with cursor.container:
            table = cursor.table()
        packets = [packet for packet in container.demux(container.streams.best("video")) if packet.size]
        assert table is None or (len(table) == len(packets) and table.lists(packets, 0))


def test_a_second_cursor_knows_what_the_first_packet_said() -> None:
    """x264 of 2012, 4:4:4: it says its version once, and without it the picture is green."""
    with PathFile(str(MEDIA / "media" / "cockatoo.mp4")) as file, open_video(file) as video:
        looked = next(video.window(8, 9).scan(width_px=video.width_px))
        together = video.frames([Pick(looked.time_s), Pick(9.0)]), video.frames([Pick(looked.time_s)])
        first, second = (next(frames).pixels for frames in together)
    assert np.array_equal(first, second)
    assert np.abs(first @ [0.299, 0.587, 0.114] - looked.luma).mean() < 4


def test_interlaced_frames_have_no_combs() -> None:
    path = MEDIA / "media" / "d_interlaced_25i.mp4"
    with PathFile(str(path)) as file, open_video(file) as video:
        (taken,) = video.frames([Pick(4.0)])
    with av.open(path) as container:
        stored = next(frame for frame in container.decode(video=0) if frame.time == taken.time_s)
    assert _combed_share(stored.to_ndarray(format="rgb24")) > 0.03
    assert _combed_share(taken.pixels) < 0.01


def _combed_share(pixels: NDArray[Any]) -> float:
    """Pixels of four lines in a row of which each stands out the other way than the last."""
    steps = np.diff(pixels.astype(int)[..., 1], axis=0)
    out = np.where(np.abs(steps) > 12, np.sign(steps), 0)
    return float(((out[:-2] * out[1:-1] < 0) & (out[1:-1] * out[2:] < 0)).mean())


@pytest.mark.parametrize("item", OTHERS, ids=_name)
def test_what_holds_no_video_is_a_decode_error(item: dict[str, Any]) -> None:
    if _name(item) in MENDED:
        pytest.skip("later versions of FFmpeg open it")
    with pytest.raises(DecodeError), PathFile(str(MEDIA / item["file"])) as file, open_video(file):
        pass
