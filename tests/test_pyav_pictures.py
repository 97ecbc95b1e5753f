"""From decoded frames to pixels: HDR, fields, grey levels."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import ColorRange, ColorTrc
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from vidcap_core.decoders.pyav_fields import deinterlace, is_interlaced
from vidcap_core.decoders.pyav_hdr import PEAK_NITS, WHITE_NITS, is_hdr, pq_nits, pq_signal, to_sdr
from vidcap_core.decoders.pyav_picture import Pictures
from vidcap_core.testing import tiny_video

TRANSFERS = [ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67]


def frame_of(rows: NDArray[np.uint8]) -> VideoFrame:
    """A frame of a grey picture, with colours that say nothing."""
    height_px, width_px = rows.shape
    chroma = np.full((height_px // 2, width_px), 128, np.uint8)
    return VideoFrame.from_ndarray(np.concatenate([rows, chroma]), "yuv420p")


def luma_of(frame: VideoFrame) -> NDArray[np.uint8]:
    return frame.to_ndarray()[: frame.height].astype(np.uint8)


# HDR


def test_pq_is_that_of_the_standard() -> None:
    # BT.2408, table 1: 203 cd/m² is 58 % of the signal; and the ends of the scale.
    assert pq_signal(np.array(203.0)) == pytest.approx(0.5807, abs=1e-4)
    assert pq_nits(np.array([0.0, 1.0])) == pytest.approx([0, 10_000])
    nits = np.geomspace(0.01, 10_000, 50)
    assert pq_nits(pq_signal(nits)) == pytest.approx(nits)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_greys_stay_grey_and_in_order(transfer: int) -> None:
    ramp = np.linspace(0, 65535, 2000).astype(np.uint16)
    grey = to_sdr(ramp[None, :, None].repeat(3, axis=2), transfer)[0].astype(int)
    assert np.abs(grey - grey.mean(axis=1, keepdims=True)).max() <= 1
    assert (np.diff(grey[:, 1]) >= 0).all()
    assert (grey[0].max(), grey[-1].min()) == (0, 255)


def test_levels_are_those_of_the_roll_off() -> None:
    levels = np.rint(pq_signal(np.array([10.0, PEAK_NITS])) * 65535).astype(np.uint16)
    dim, bright = to_sdr(levels[:, None, None].repeat(3, axis=2), ColorTrc.SMPTE2084)[:, 0, 1]
    # Below the knee light is kept as it is; the peak becomes white.
    assert dim == pytest.approx((10 / WHITE_NITS) ** (1 / 2.4) * 255, abs=2)
    assert bright == 255


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint16, (4, 5, 3)), st.sampled_from(TRANSFERS))
def test_every_colour_has_one_of_bt_709(levels: NDArray[np.uint16], transfer: int) -> None:
    pixels = to_sdr(levels, transfer)
    assert pixels.shape == (4, 5, 3)
    assert pixels.dtype == np.uint8


def test_frames_of_hdr_are_told_by_their_transfer() -> None:
    frame = VideoFrame.from_ndarray(np.full((48, 64), 512, np.uint16), "yuv420p10le")
    assert not is_hdr(frame)
    plain = Pictures().rgb(frame, 32, 16)
    frame.color_trc = ColorTrc.SMPTE2084
    assert is_hdr(frame)
    mapped = Pictures().rgb(frame, 32, 16)
    assert mapped.shape == plain.shape == (16, 32, 3)
    # Half the signal is 92 cd/m² in PQ: not far from the white of a screen.
    assert mapped.min() > plain.max() + 40


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_a_tall_picture_has_the_levels_of_its_rows(transfer: int) -> None:
    rows = np.random.default_rng(3).integers(0, 1 << 16, (600, 4, 3), np.uint16)
    assert np.array_equal(to_sdr(rows, transfer)[517:519], to_sdr(rows[517:519], transfer))


def test_a_large_picture_takes_little_beside_itself() -> None:
    levels = np.zeros((4096, 512, 3), np.uint16)
    to_sdr(levels[:2], ColorTrc.ARIB_STD_B67)  # the tables are made once
    tracemalloc.start()
    try:
        to_sdr(levels, ColorTrc.ARIB_STD_B67)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * levels.nbytes


# Fields


def _scene(shift: int) -> NDArray[np.uint8]:
    """Bars on a gradient, moved to the right."""
    columns = (np.arange(128)[None, :] - shift) % 32 < 12
    return (np.arange(96)[:, None] // 2 + 40 + 120 * columns).astype(np.uint8)


def _combed(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = upper.copy()
    rows[1::2] = lower[1::2]
    return rows


def test_combs_are_gone_and_the_picture_is_that_of_the_upper_field() -> None:
    truth = _scene(0)
    frame = frame_of(_combed(truth, _scene(7)))
    before = np.abs(luma_of(frame).astype(int) - truth).mean()
    deinterlace(frame)
    after = np.abs(luma_of(frame).astype(int) - truth).mean()
    assert before > 10
    assert after < 0.5


@pytest.mark.parametrize("kind", ["still", "thin", "edges"])
def test_what_does_not_move_keeps_all_its_lines(kind: str) -> None:
    rows = _scene(0)
    if kind == "thin":
        rows[30:32] = 250  # a line of two
        rows[51] = 250
        rows[70] = 250
    if kind == "edges":
        rows[::16] = 10
        rows[7::16] = 240
    frame = frame_of(rows)
    deinterlace(frame)
    assert np.array_equal(luma_of(frame), rows)


def test_a_frame_keeps_its_time() -> None:
    frame = frame_of(_combed(_scene(0), _scene(9)))
    frame.pts = 77
    deinterlace(frame)
    assert frame.pts == 77


def test_only_planes_that_can_be_looked_into_are_mended(tmp_path: Path) -> None:
    with av.open(tiny_video(tmp_path / "fields.mp4", frames=2, interlaced=True).path) as container:
        frame = next(container.decode(video=0))
    for pixel_format in ("yuv420p", "gray", "yuv422p10le"):
        assert is_interlaced(frame.reformat(format=pixel_format))
    for pixel_format in ("yuv422p10be", "gray10be", "rgb24"):
        assert not is_interlaced(frame.reformat(format=pixel_format))


def test_ten_bits_have_fields_too() -> None:
    rows = _combed(_scene(0), _scene(7)).astype(np.uint16) * 4
    deep = np.concatenate([rows, np.full((48, 128), 512, np.uint16)])
    frame = VideoFrame.from_ndarray(deep, "yuv420p10le")
    deinterlace(frame)
    made = frame.to_ndarray()[:96].astype(int)
    assert np.abs(made - _scene(0).astype(int) * 4).mean() < 2


# Grey levels


@pytest.mark.parametrize("colour_range", [ColorRange.MPEG, ColorRange.JPEG])
def test_grey_levels_are_those_of_swscale(colour_range: int) -> None:
    frame = frame_of(np.tile(np.arange(16, 236, dtype=np.uint8)[:, None], (1, 64)))
    frame.color_range = colour_range
    ours = Pictures().luma(frame, 64, 220).astype(int)
    theirs = frame.reformat(format="gray").to_ndarray().astype(int)
    assert np.abs(ours - theirs).max() <= 1
    assert (ours[0, 0], ours[-1, 0]) == ((0, 255) if colour_range == ColorRange.MPEG else (16, 235))


def test_pictures_of_other_formats_and_sizes_go_through_one_maker() -> None:
    pictures = Pictures()
    for pixel_format in ("yuv420p", "yuv444p", "yuv422p10le", "rgb24", "gray", "nv12", "yuvj420p"):
        for size_px in ((64, 48), (31, 17)):
            frame = VideoFrame(96, 64, pixel_format)
            assert pictures.rgb(frame, *size_px).shape == (size_px[1], size_px[0], 3)
            assert pictures.luma(frame, *size_px).shape == (size_px[1], size_px[0])
