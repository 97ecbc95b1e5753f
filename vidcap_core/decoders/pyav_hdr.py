"""HDR pictures made SDR: PQ and HLG with BT.2020's colours to the levels and colours of BT.709.

Light is worked out by the curves of ITU-R BT.2100. Each colour is rolled off by the EETF of ITU-R
BT.2390 (section 5.4.1) from 1,000 cd/m² to the white of an SDR screen, 100 cd/m². Then the colours are
turned by the matrix of BT.2087, and the levels are those for a screen of BT.1886.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorTrc
from numpy.typing import NDArray

_Floats = NDArray[np.float32]

PEAK_NITS, WHITE_NITS = 1000.0, 100.0
_STEPS = 1 << 12
_BAND_ROWS = 256
"""What is worked out at once: in floats a picture takes eight times its memory."""
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def is_hdr(frame: VideoFrame) -> bool:
    """Whether a frame's levels are those of PQ or HLG."""
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def to_sdr(levels: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """uint8[h, w, 3] of BT.709 from uint16[h, w, 3] of BT.2020 with the full range of 16 bits."""
    pixels = np.empty(levels.shape, np.uint8)
    for begin in range(0, len(levels), _BAND_ROWS):
        rows = slice(begin, begin + _BAND_ROWS)
        pixels[rows] = _band_to_sdr(levels[rows], transfer)
    return pixels


def _band_to_sdr(levels: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    # Roots of light make the indices, for steps that are fine where it is dark.
    roots = (_pq_roots if transfer == ColorTrc.SMPTE2084 else _hlg_roots)(levels)
    light = _rolled_off()[_index(roots)]
    shown = np.clip(light @ _TO_709.T, 0.0, 1.0)
    pixels: NDArray[np.uint8] = _screen_levels()[_index(np.sqrt(shown))]
    return pixels


def _index(roots: _Floats) -> NDArray[np.uint16]:
    return (np.minimum(roots, 1.0) * (_STEPS - 1)).astype(np.uint16)


def _pq_roots(levels: NDArray[np.uint16]) -> _Floats:
    """Roots of light, 1.0 at the peak."""
    roots: _Floats = _pq_table()[levels]
    return roots


def _hlg_roots(levels: NDArray[np.uint16]) -> _Floats:
    """The same for a screen of the peak: the light of the scene with a system gamma of 1.2."""
    scene: _Floats = _hlg_table()[levels]
    roots: _Floats = np.sqrt(scene * np.power(scene @ _LUMINANCE, 0.2)[..., None])
    return roots


@cache
def _pq_table() -> _Floats:
    return np.sqrt(pq_nits(np.arange(1 << 16) / 65535) / PEAK_NITS).astype(np.float32)


@cache
def _hlg_table() -> _Floats:
    """The inverse OETF of HLG, BT.2100 table 5."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.arange(1 << 16) / 65535
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)


@cache
def _rolled_off() -> _Floats:
    """Light, 1.0 at the white, by the root of light before."""
    light = np.linspace(0, 1, _STEPS) ** 2
    return (pq_nits(_eetf(pq_signal(light * PEAK_NITS))) / WHITE_NITS).astype(np.float32)


@cache
def _screen_levels() -> NDArray[np.uint8]:
    """Levels by the root of the light, by BT.1886."""
    return np.rint(np.linspace(0, 1, _STEPS) ** (2 / 2.4) * 255).astype(np.uint8)


def _eetf(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2390's curve: straight up to a knee, then a Hermite spline to the white."""
    peak = pq_signal(np.array(PEAK_NITS))
    relative, most = signal / peak, pq_signal(np.array(WHITE_NITS)) / peak
    knee = 1.5 * most - 0.5
    t = np.clip((relative - knee) / (1 - knee), 0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    )
    return np.where(relative < knee, relative, spline) * peak


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
"""The constants of PQ, BT.2100 table 4."""


def pq_nits(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """cd/m² of PQ's signal from 0 to 1."""
    root = signal ** (1 / _M2)
    light: NDArray[np.float64] = 10_000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return light


def pq_signal(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """PQ's signal from 0 to 1 of cd/m²."""
    power = (nits / 10_000) ** _M1
    signal: NDArray[np.float64] = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal
