"""The kinds of video that every decoder is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

_VARIABLE = (0.0, 0.1, 0.15, 0.5, 1.0, 1.01, 1.5, 3.0, 3.05, 3.1, 3.2, 4.0, 6.5, 6.6, 6.7, 7.0)
_PYRAMID: dict[str, Any] = {"gop": 12, "b_frames": 3}

KINDS: Mapping[str, Mapping[str, Any]] = {
    "plain.mp4": {},
    "plain.mkv": {},
    "plain.ts": {},
    "plain.avi": {},
    "plain.webm": {},
    "plain.gif": {},
    "front.mp4": {"moov_at_front": True},
    "fragmented.mp4": {"fragmented": True, "gop": 5},
    "fragmented_pyramid.mp4": {"fragmented": True} | _PYRAMID,
    "one_b.mp4": {"b_frames": 1},
    "pyramid.mp4": _PYRAMID,
    "pyramid.mkv": _PYRAMID,
    "pyramid.ts": _PYRAMID,
    "open.mp4": {"open_gop": True} | _PYRAMID,
    "open.ts": {"open_gop": True} | _PYRAMID,
    "hevc.mp4": {"codec": "libx265"} | _PYRAMID,
    "hevc_open.mkv": {"codec": "libx265", "open_gop": True} | _PYRAMID,
    "av1.mkv": {"codec": "libsvtav1", "frames": 24},
    "av1.mp4": {"codec": "libsvtav1", "frames": 24},
    "vp8.webm": {"codec": "libvpx", "gop": 8},
    "vp9.mp4": {"codec": "libvpx-vp9", "gop": 8},
    "mpeg2.ts": {"codec": "mpeg2video", "b_frames": 2, "rate": 25},
    "mpeg4.mp4": {"codec": "mpeg4", "b_frames": 2},
    "prores.mov": {"codec": "prores_ks", "gop": 1},
    "ffv1.mkv": {"codec": "ffv1", "gop": 1},
    "ten_bit.mp4": {"pixel_format": "yuv420p10le"} | _PYRAMID,
    "full_chroma.mp4": {"pixel_format": "yuv444p"} | _PYRAMID,
    "interlaced.mp4": {"interlaced": True},
    "intra.mp4": {"gop": 1},
    "short_gops.mp4": {"gop": 5, "audio": True},
    "one_gop.mp4": {"gop": 1000, "b_frames": 2},
    "sound.mkv": {"audio": True} | _PYRAMID,
    "variable.mp4": {"times_s": _VARIABLE, "gop": 5, "b_frames": 2},
    "variable.mkv": {"times_s": _VARIABLE, "gop": 4},
    "variable.webm": {"times_s": _VARIABLE, "gop": 6},
    "variable.gif": {"times_s": _VARIABLE},
    "late.mp4": {"start_s": 3.5, "audio": True},
    "late.mkv": {"start_s": 3.5} | _PYRAMID,
    "late.ts": {"start_s": 3.5},
    "cut.mp4": {"cut": 4} | _PYRAMID,
    "ntsc.mp4": {"rate": Fraction(30_000, 1001)} | _PYRAMID,
    "slow.mp4": {"rate": 1, "frames": 24} | _PYRAMID,
    "odd.mp4": {"width_px": 161, "height_px": 97},
    "wide.mp4": {"pixel_aspect": Fraction(4, 3), "width_px": 192},
    "quarter.mp4": {"rotation": 90},
    "half.mov": {"rotation": 180, "width_px": 161, "height_px": 97},
    "three.mkv": {"rotation": 270},
    "one.mp4": {"frames": 1},
}
"""The kinds of video, by the file name: the arguments of `tiny_video` that make them."""

NEVER_REFUSED = frozenset(
    {"plain.mp4", "front.mp4", "one_b.mp4", "pyramid.mp4", "intra.mp4", "short_gops.mp4"}
)
"""H.264 in mp4 with times that begin at 0: what most videos are."""
