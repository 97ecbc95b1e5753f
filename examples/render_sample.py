"""Render `sample.mp4`, a short film for trying vidcap out: a day at a lake, in three scenes.

    python examples/render_sample.py [PATH]

Everything is drawn here, with numpy; running it again gives the same picture.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av import VideoStream

Array = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]
Point = tuple[float, float]

WIDTH, HEIGHT, RATE = 640, 360, 24
SCENE_S = 4.0
SHORE = 228  # the row where the water begins
SPARK = np.array([[0.1, 0.4, 0.1], [0.4, 1.0, 0.4], [0.1, 0.4, 0.1]], np.float32)
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)

# A 5 by 7 bitmap font, as far as it is needed: for each character seven rows, their bits the pixels.
GLYPHS = """
    0e11111f111111 1e11111111111e 1f10101e10101f 0e11101711110e 1111111f111111 0e04040404040e
    11121418141211 1010101010101f 11191915131311 0e11111111110e 1f040404040404 11110a04040404
    0e11131519110e 040c040404040e 0e11010204081f 00040400040400 00000000000000
"""
FONT = dict(zip("ADEGHIKLNOTY012: ", map(bytes.fromhex, GLYPHS.split()), strict=True))


def ease(value: float) -> float:
    """Go from 0 to 1, softly."""
    value = min(max(value, 0.0), 1.0)
    return value * value * (3 - 2 * value)


def clipped(values: Array) -> Array:
    """Keep a mask between clear and opaque."""
    return np.asarray(np.clip(values, 0, 1), np.float32)


def paint(canvas: Array, colour: Colour, mask: Array | float) -> None:
    """Cover the canvas with a colour, as far as the mask is opaque."""
    opacity = np.asarray(mask, np.float32)[..., np.newaxis]
    canvas += (np.array(colour, np.float32) - canvas) * opacity


def disc(x: float, y: float, radius: float, softness: float = 1.5) -> Array:
    """Mask of a disc; a large softness makes a glow."""
    return clipped((radius - np.hypot(X - x, Y - y)) / softness + 0.5)


def polygon(*corners: Point) -> Array:
    """Mask of a convex polygon whose corners are given clockwise, with smooth edges."""
    inside = np.full_like(X, np.inf)
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-6)
        inside = np.minimum(inside, ((x1 - x0) * (Y - y0) - (y1 - y0) * (X - x0)) / length)
    return clipped(inside + 0.5)


def box(left: float, top: float, right: float, bottom: float) -> Array:
    """Mask of a rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def below(curve: Array) -> Array:
    """Mask of what lies below a curve over x: a range of hills."""
    return clipped(Y - curve + 0.5)


def sky(*stops: tuple[float, Colour]) -> Array:
    """Fill a canvas with a gradient from top to shore."""
    rows = np.linspace(0, HEIGHT / SHORE, HEIGHT)
    places, colours = zip(*stops, strict=True)
    channels = [np.interp(rows, places, levels) for levels in zip(*colours, strict=True)]
    return np.repeat(np.stack(channels, -1)[:, np.newaxis], WIDTH, axis=1).astype(np.float32)


def hills(canvas: Array, colours: Sequence[Colour]) -> None:
    """Ranges of hills, the farthest first."""
    for number, colour in enumerate(colours):
        rise = 34 * np.sin(X / 118 + 1.9 * number) + 13 * np.sin(X / 43 + 4.1 * number)
        paint(canvas, colour, below(SHORE - 46 + 19 * number - rise * (1 - 0.24 * number)))


def water(canvas: Array, tint: Colour, opacity: float, time_s: float) -> None:
    """Mirror what stands above the shore, with ripples that grow towards the viewer."""
    depth = Y[SHORE:] - SHORE
    waves = np.sin(depth * 90 / (depth + 14) - time_s * 3.0)
    waves += 0.5 * np.sin(X[SHORE:] / 29 + depth / 3 + time_s)
    rows = np.clip(SHORE - 1 - depth * 1.4 + waves * 0.5, 0, SHORE - 1).astype(int)
    columns = np.clip(X[SHORE:] + waves * (1 + depth / 22), 0, WIDTH - 1).astype(int)
    canvas[SHORE:] = canvas[rows, columns]
    paint(canvas[SHORE:], tint, clipped(opacity + 0.05 * waves * np.minimum(depth / 40, 1)))


def write(canvas: Array, text: str, centre: Point, size: int, colour: Colour, opacity: float) -> None:
    """Write text in the bitmap font, its corners rounded, with a soft shadow."""
    rows = [[int(bit) for letter in text for bit in f"{FONT[letter][row]:05b}0"] for row in range(7)]
    glyphs = np.pad(np.kron(np.array(rows, np.float32)[:, :-1], np.ones((size, size), np.float32)), size * 2)
    soft = glyphs
    for axis in (0, 1):
        soft = np.mean([np.roll(soft, shift, axis) for shift in range(-size // 3, size // 3 + 1)], axis=0)
    letters, shadow = clipped((soft - 0.5) * size + 0.5), clipped(soft * 1.2) * 0.55
    for mask, offset, ink in ((shadow, size // 2, (10, 12, 30)), (letters, 0, colour)):
        top, left = (round(at - side / 2) + offset for at, side in zip(centre[::-1], mask.shape, strict=True))
        paint(canvas[top : top + mask.shape[0], left : left + mask.shape[1]], ink, mask * opacity)


def sunrise(time_s: float) -> Array:
    """Show the sun that comes up behind the hills."""
    dawn = ease(time_s / SCENE_S)
    zenith = (38 + 60 * dawn, 28 + 72 * dawn, 84 + 90 * dawn)
    canvas = sky((0.0, zenith), (0.55, (226, 116, 118)), (0.95, (255, 196, 112)))
    sun = (WIDTH / 2 + 40, 236 - 112 * dawn)
    paint(canvas, (255, 214, 120), disc(*sun, 40, 210) * 0.75)
    paint(canvas, (255, 240, 176), disc(*sun, 34))
    hills(canvas, [(150, 82, 112), (102, 56, 96), (60, 36, 76)])
    water(canvas, (74, 50, 104), 0.28, time_s)
    write(canvas, "A DAY AT THE LAKE", (WIDTH / 2, 52), 5, (255, 246, 224), ease((time_s - 0.5) / 1.0))
    return canvas


def cloud(canvas: Array, x: float, y: float, size: float) -> None:
    """Draw a fair-weather cloud."""
    puffs = ((-1.5, 0.2, 0.6), (-0.7, -0.2, 0.85), (0.2, -0.45, 1.0), (1.1, -0.05, 0.8), (1.8, 0.25, 0.5))
    mask = np.max([disc(x + dx * size, y + dy * size, r * size, 5) for dx, dy, r in puffs], axis=0)
    paint(canvas, (255, 255, 255), mask * clipped((y + size * 0.55 - Y) / 4) * 0.94)


def bird(canvas: Array, x: float, y: float, size: float, flap: float) -> None:
    """Draw a gull from afar: two wings that beat."""
    tip = y - size * flap
    for side in (-1, 1):
        wing = [(x, y), (x + side * size, tip), (x + side * size * 0.5, (y + tip) / 2 + size * 0.28)]
        paint(canvas, (44, 56, 84), polygon(*(wing if side > 0 else wing[::-1])))


def boat(canvas: Array, x: float, y: float, lean: float, *, mirrored: bool = False) -> None:
    """Draw a sailing boat, or its reflection."""
    up = -1 if mirrored else 1
    opacity = 0.34 if mirrored else 1.0

    def shape(colour: Colour, *corners: Point) -> None:
        placed = [(x + dx + lean * dy, y - up * dy) for dx, dy in corners]
        paint(canvas, colour, polygon(*(placed if up > 0 else placed[::-1])) * opacity)

    shape((196, 62, 52), (-46, 14), (52, 14), (34, -4), (-36, -4))
    shape((246, 240, 228), (-48, 17), (55, 17), (52, 13), (-46, 13))
    shape((92, 62, 44), (-1, 122), (2, 122), (2, 16), (-1, 16))
    shape((252, 250, 244), (5, 118), (50, 24), (5, 24))
    shape((255, 206, 92), (-5, 108), (-5, 24), (-36, 24))
    shape((226, 84, 64), (2, 132), (20, 127), (2, 122))


def noon(time_s: float) -> Array:
    """Show a boat that crosses the lake."""
    canvas = sky((0.0, (66, 148, 226)), (1.0, (190, 228, 248)))
    paint(canvas, (255, 252, 214), disc(572, 42, 20, 60))
    for left, top, size, speed in ((238, 64, 26, 6), (398, 34, 17, 4), (500, 100, 23, 8)):
        cloud(canvas, left + speed * time_s, top, size)
    hills(canvas, [(146, 188, 178), (98, 160, 116), (64, 128, 82)])
    for number in range(4):
        x, y = 400 - 46 * time_s + 38 * number, 118 - 9 * time_s + 17 * (number % 3)
        bird(canvas, x, y, 13, 0.25 + 0.55 * float(np.sin(9 * time_s + 1.7 * number)))
    water(canvas, (30, 104, 168), 0.5, time_s)
    x, y = 40 + 140 * time_s, 292 + 2 * float(np.sin(3 * time_s))
    lean = 0.06 + 0.03 * float(np.sin(2 * time_s))
    boat(canvas, x, y + 8, lean, mirrored=True)
    boat(canvas, x, y, lean)
    paint(canvas, (18, 44, 84), box(24, 20, 150, 62) * 0.8)
    write(canvas, "12:00", (87, 41), 4, (255, 255, 255), 1.0)
    return canvas


def lighthouse(canvas: Array, x: float, angle: float) -> None:
    """Draw a lighthouse on a rock, its beam turning."""
    lamp = SHORE - 110
    reach, side = float(np.cos(angle)), 1 if np.cos(angle) > 0 else -1
    far = x + 620 * reach
    spread = 14 + 44 * (1 - abs(reach))
    beam = [(x, lamp - 2), (far, lamp - spread), (far, lamp + spread), (x, lamp + 2)]
    fading = clipped(1 - np.abs(X - x) / (30 + 590 * abs(reach)))
    paint(canvas, (255, 240, 178), polygon(*(beam if side > 0 else beam[::-1])) * fading * 0.7)
    paint(canvas, (28, 30, 46), below(SHORE + 2 - 24 * np.exp(-(((X - x) / 52) ** 2))))
    for number in range(5):
        top, half = SHORE - 98 + 17 * number, 9 + 1.4 * number
        corners = (x - half, top), (x + half, top), (x + half + 1.4, top + 17), (x - half - 1.4, top + 17)
        paint(canvas, (222, 220, 226) if number % 2 else (186, 58, 56), polygon(*corners))
    paint(canvas, (40, 42, 60), box(x - 13, lamp + 9, x + 13, lamp + 13))
    paint(canvas, (255, 244, 190), box(x - 7, lamp - 8, x + 7, lamp + 9))
    paint(canvas, (150, 44, 46), polygon((x, lamp - 22), (x + 11, lamp - 8), (x - 11, lamp - 8)))
    paint(canvas, (255, 244, 190), disc(x, lamp, 8, 50) * (0.35 + 0.4 * (1 - abs(reach))))


def night(time_s: float) -> Array:
    """Show stars, a moon and a lighthouse."""
    canvas = sky((0.0, (8, 12, 38)), (1.0, (38, 54, 104)))
    random = np.random.default_rng(7)
    for column, row, size, phase in random.random((60, 4)) * (WIDTH - 3, SHORE - 60, 0.6, 6.3):
        spark = SPARK * (0.3 + size) * (0.7 + 0.3 * np.sin(3 * time_s + phase))
        paint(canvas[int(row) :, int(column) :][:3, :3], (255, 255, 255), spark)
    paint(canvas, (150, 166, 214), disc(104, 64, 30, 120) * 0.45)
    paint(canvas, (246, 242, 220), disc(104, 64, 31))
    for x, y, radius in ((95, 54, 7), (114, 73, 9), (116, 50, 4), (94, 77, 4)):
        paint(canvas, (222, 216, 194), disc(x, y, radius, 3))
    hills(canvas, [(30, 42, 84), (22, 32, 66), (15, 22, 48)])
    lighthouse(canvas, 520, 2.5 + 1.6 * time_s)
    water(canvas, (10, 18, 48), 0.4, time_s)
    write(canvas, "GOOD NIGHT", (344, 58), 5, (255, 244, 200), ease((time_s - 1.2) / 1.0))
    return canvas


def pictures() -> Iterator[NDArray[np.uint8]]:
    """Give the whole film, frame by frame."""
    for scene in (sunrise, noon, night):
        for number in range(round(SCENE_S * RATE)):
            yield np.clip(np.rint(scene(number / RATE)), 0, 255).astype(np.uint8)


def main(path: Path) -> None:
    """Encode the film: a keyframe begins each scene, and only a scene."""
    with av.open(path, "w", options={"movflags": "faststart", "fflags": "+bitexact"}) as container:
        options = {"crf": "25", "preset": "slow", "sc_threshold": "0"}
        stream: VideoStream = container.add_stream("libx264", Fraction(RATE), options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = round(SCENE_S * RATE)
        for picture in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sample.mp4"))
