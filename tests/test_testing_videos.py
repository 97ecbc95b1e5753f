"""Every painted video, decoded naively, holds what `PaintedVideo` says."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest
import simplejpeg
from av import VideoFrame

from vidcap_core.testing.barcode import _checksum, read_barcode
from vidcap_core.testing.videos import COLOURS, PaintedVideo, _painted, colour_video, tiny_video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

VARIABLE = (0.0, 0.1, 0.15, 0.5, 1.0, 1.01, 1.5, 3.0)
B_FRAMES = {"frames": 24, "gop": 12, "b_frames": 3}


def exact_time(frame: VideoFrame) -> Fraction:
    assert frame.pts is not None
    assert frame.time_base is not None
    return frame.pts * frame.time_base


def rgb(frame: VideoFrame) -> Pixels:
    return cast("Pixels", frame.to_ndarray(format="rgb24"))


def decoded(path: Path) -> Iterator[tuple[float, Pixels]]:
    """Time and upright pixels of every frame."""
    with av.open(path) as container:
        for frame in container.decode(video=0):
            yield float(exact_time(frame)), np.rot90(rgb(frame), frame.rotation // 90)


def seen(video: PaintedVideo) -> list[tuple[float, int]]:
    frames = []
    for time_s, pixels in decoded(video.path):
        assert pixels.shape == (video.height_px, video.width_px, 3)
        frames.append((time_s, read_barcode(pixels)))
    return frames


def expected(video: PaintedVideo) -> list[tuple[float, int]]:
    return [(time_s, number) for number, time_s in enumerate(video.times_s)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mp4", {}),
        ("plain.mkv", {}),
        ("plain.mov", {}),
        ("plain.ts", {}),
        ("plain.avi", {}),
        ("plain.webm", {}),
        ("plain.gif", {}),
        ("front.mp4", {"moov_at_front": True}),
        ("fragmented.mp4", {"fragmented": True}),
        ("mpeg4.mp4", {"codec": "mpeg4"}),
        ("x265.mkv", {"codec": "libx265"}),
        ("vp9.mp4", {"codec": "libvpx-vp9"}),
        ("av1.mkv", {"codec": "libsvtav1"}),
        ("x264.mp4", B_FRAMES),
        ("x264.mkv", B_FRAMES),
        ("x264.ts", B_FRAMES),
        ("fragmented.mp4", B_FRAMES | {"fragmented": True}),
        ("x265.mp4", B_FRAMES | {"codec": "libx265"}),
        ("mpeg4.ts", B_FRAMES | {"codec": "mpeg4"}),
        ("variable.mp4", {"times_s": VARIABLE, "b_frames": 2}),
        ("variable.mkv", {"times_s": VARIABLE}),
        ("variable.webm", {"times_s": VARIABLE}),
        ("variable.gif", {"times_s": VARIABLE}),
        ("late.mp4", {"start_s": 3.5}),
        ("late.mkv", {"start_s": 3.5}),
        ("late.ts", {"start_s": 3.5}),
        ("ntsc.mp4", {"rate": Fraction(30_000, 1001)}),
        ("odd.mp4", {"width_px": 161, "height_px": 97}),
        ("odd.mkv", {"width_px": 161, "height_px": 97, "codec": "libvpx-vp9"}),
        ("small.mp4", {"width_px": 128, "height_px": 96}),
        ("quarter.mp4", {"rotation": 90}),
        ("half.mov", {"rotation": 180}),
        ("three.mkv", {"rotation": 270}),
        ("turned_odd.mp4", {"rotation": 90, "width_px": 161, "height_px": 97}),
        ("ten_bit.mp4", {"pixel_format": "yuv420p10le"}),
        ("one.mp4", {"frames": 1}),
        ("open.mp4", B_FRAMES | {"open_gop": True}),
        ("open.mkv", B_FRAMES | {"open_gop": True, "codec": "libx265"}),
        ("interlaced.mp4", {"interlaced": True}),
        ("cut.mp4", B_FRAMES | {"cut": 4}),
        ("vp8.webm", {"codec": "libvpx"}),
        ("mpeg2.ts", {"codec": "mpeg2video", "b_frames": 2, "rate": 25}),
        ("prores.mov", {"codec": "prores_ks"}),
        ("ffv1.mkv", {"codec": "ffv1"}),
    ],
)
def test_every_frame_reads_its_number_at_its_time(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    video = tiny_video(tmp_path / name, **{"frames": 24} | options)
    assert len(video.times_s) == (8 if "times_s" in options else options.get("frames", 24))
    assert seen(video) == expected(video)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.webm", "a.gif"])
def test_times_are_those_asked_for(tmp_path: Path, name: str) -> None:
    video = tiny_video(tmp_path / name, times_s=VARIABLE)
    # The coarsest of these containers, gif, counts hundredths of a second.
    assert video.times_s == pytest.approx(VARIABLE, abs=0.005)
    assert video.end_s == pytest.approx(3.1, abs=0.005)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.webm"])
def test_a_late_start_stands_in_the_file(tmp_path: Path, name: str) -> None:
    video = tiny_video(tmp_path / name, frames=10, start_s=3.5)
    assert [video.times_s[0], video.end_s] == pytest.approx([3.5, 4.5])


def test_keyframes_stand_where_gop_says(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "a.mp4", frames=30, gop=12, b_frames=3)
    assert video.keyframes == (0, 12, 24)
    with av.open(video.path) as container:
        keys = [frame.time for frame in container.decode(video=0) if frame.key_frame]
    assert keys == pytest.approx([0.0, 1.2, 2.4])


def test_b_frames_are_a_pyramid(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "a.mp4", frames=24, gop=24, b_frames=3)
    with av.open(video.path) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    ranks = [sorted(times).index(time) for time in times]
    # The middle one of the three B-frames is decoded first: the others refer to it.
    assert ranks[:5] == [0, 4, 2, 1, 3]


def test_frames_of_an_open_group_lean_on_the_next_keyframe(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "a.mp4", frames=24, gop=12, b_frames=3, open_gop=True)
    with av.open(video.path) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
    (at,) = [at for at, packet in enumerate(packets) if packet.is_keyframe and at]
    assert min(cast("int", packet.pts) for packet in packets[at:]) < cast("int", packets[at].pts)


def test_an_edit_list_hides_what_is_cut(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "a.mp4", frames=20, gop=6, cut=4)
    assert (len(video.times_s), video.times_s[0]) == (20, 0.0)
    with av.open(video.path) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [packet.is_discard for packet in packets] == [True] * 4 + [False] * 20


def test_interlaced_frames_say_so(tmp_path: Path) -> None:
    with av.open(tiny_video(tmp_path / "a.mp4", frames=2, interlaced=True).path) as container:
        assert all(frame.interlaced_frame for frame in container.decode(video=0))


def test_pixels_are_as_wide_as_asked_for(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "a.mp4", frames=2, width_px=192, pixel_aspect=Fraction(4, 3))
    assert (video.width_px, video.height_px) == (192, 96)
    with av.open(video.path) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (144, 96, Fraction(4, 3))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.ts", "a.avi", "a.webm"])
def test_audio_lasts_as_long_as_the_picture(tmp_path: Path, name: str) -> None:
    video = tiny_video(tmp_path / name, frames=20, audio=True)
    assert seen(video) == expected(video)
    with av.open(video.path) as container:
        samples = [frame.to_ndarray() for frame in container.decode(audio=0)]
        rate_hz = container.streams.audio[0].rate
    assert sum(block.shape[-1] for block in samples) / rate_hz == pytest.approx(2.0, abs=0.06)
    assert max(float(np.abs(block).max()) for block in samples) > 0


def test_without_audio_there_is_none(tmp_path: Path) -> None:
    with av.open(tiny_video(tmp_path / "a.mp4", frames=2).path) as container:
        assert not container.streams.audio


@pytest.mark.parametrize(("options", "first"), [({}, b"mdat"), ({"moov_at_front": True}, b"moov")])
def test_moov_stands_where_asked(tmp_path: Path, options: dict[str, Any], first: bytes) -> None:
    data = tiny_video(tmp_path / "a.mp4", frames=5, **options).path.read_bytes()
    assert min((b"moov", b"mdat"), key=data.index) == first
    assert b"moof" not in data


def test_fragmented_has_a_fragment_for_each_keyframe(tmp_path: Path) -> None:
    video = tiny_video(tmp_path / "a.mp4", frames=30, fragmented=True)
    assert video.path.read_bytes().count(b"moof") == 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"audio": True, "b_frames": 2}),
        ("a.mkv", {"audio": True}),
        ("a.webm", {}),
        ("a.mkv", {"codec": "libsvtav1"}),
        ("a.mkv", {"codec": "libx265"}),
    ],
)
def test_the_same_arguments_give_the_same_bytes(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    first = tiny_video(tmp_path / name, frames=12, **options).path.read_bytes()
    assert tiny_video(tmp_path / name, frames=12, **options).path.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"rotation": 45}),
        ("a.avi", {"rotation": 90}),
        ("a.webm", {"b_frames": 1}),
        ("a.avi", {"b_frames": 1}),
        ("a.gif", {"audio": True}),
        ("a.avi", {"start_s": 1.0}),
        ("a.avi", {"times_s": VARIABLE}),
        ("a.mp4", {"start_s": 1.0, "fragmented": True}),
        ("a.mp4", {"times_s": (0.0, 0.0)}),
        ("a.mp4", {"times_s": (1.0, 0.5)}),
        ("a.mp4", {"times_s": ()}),
        ("a.mp4", {"frames": 0}),
        ("a.webm", {"open_gop": True}),
        ("a.mkv", {"interlaced": True, "codec": "libx265"}),
        ("a.mkv", {"cut": 2}),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        tiny_video(tmp_path / name, **options)
    assert not (tmp_path / name).exists()


def test_frame_at_is_the_frame_on_screen(tmp_path: Path) -> None:
    video = PaintedVideo(tmp_path, (1.0, 1.5, 3.0), 4.0, 160, 96, (0,))
    moments = (0.0, 1.0, 1.49, 1.5, 2.9, 3.0, 99.0)
    assert [video.frame_at(time_s) for time_s in moments] == [0, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("number", [0, 1, 255, 256, 12_345, 65_535])
@pytest.mark.parametrize("size_px", [(128, 96), (161, 97), (96, 160), (640, 360)])
def test_barcode_survives_jpeg_and_resizing(number: int, size_px: tuple[int, int]) -> None:
    pixels = _painted(number, *size_px)
    jpeg = simplejpeg.encode_jpeg(pixels, quality=92)
    assert read_barcode(simplejpeg.decode_jpeg(jpeg)) == number
    for factor in (0.4, 0.77, 1.9):
        width_px, height_px = (round(side * factor) for side in size_px)
        resized = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(width_px, height_px, "rgb24")
        assert read_barcode(rgb(resized)) == number


@pytest.mark.parametrize("number", [0, 7, 21_845, 65_535])
def test_barcode_is_read_upright_only(number: int) -> None:
    pixels = _painted(number, 160, 96)
    turned = [np.rot90(pixels, turns) for turns in (1, 2, 3)]
    for wrong in (*turned, pixels[:, ::-1], pixels[::-1]):
        with pytest.raises(ValueError, match=r"no .*barcode|damaged"):
            read_barcode(wrong)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_no_barcode_is_read_from_a_flat_picture(level: int) -> None:
    with pytest.raises(ValueError, match="barcode"):
        read_barcode(np.full((96, 160, 3), level, np.uint8))


def test_a_damaged_barcode_is_not_read() -> None:
    # Two frames blended in halves, as by a decoder that conceals a lost packet.
    pixels = _painted(21_845, 160, 96)
    pixels[48:] = _painted(43_690, 160, 96)[48:]
    with pytest.raises(ValueError, match="damaged"):
        read_barcode(pixels)


def test_one_wrong_bit_never_passes() -> None:
    for number in range(0, 65_536, 97):
        assert all(_checksum(number ^ 1 << bit) != _checksum(number) for bit in range(16))


def test_colour_video_shows_its_colours_in_order(tmp_path: Path) -> None:
    names = ["red", "green", "blue", "white", "black"]
    path = colour_video(tmp_path / "a.mp4", names, seconds_each=0.5)
    frames = list(decoded(path))
    assert len(frames) == 25
    for number, (time_s, pixels) in enumerate(frames):
        assert time_s == pytest.approx(number / 10)
        assert np.abs(pixels.astype(int) - COLOURS[names[number // 5]]).max() < 12


def test_colour_video_begins_each_scene_with_a_keyframe(tmp_path: Path) -> None:
    path = colour_video(tmp_path / "a.mp4", ["red", "blue"], seconds_each=1.0)
    with av.open(path) as container:
        keys = [frame.time for frame in container.decode(video=0) if frame.key_frame]
    assert keys == pytest.approx([0.0, 1.0])
