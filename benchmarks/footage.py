"""Footage to plant events in, 720p, drawn by seed: slides, a speaker, a screen, a pan, a street, a film."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH_PX, HEIGHT_PX, RATE = 1280, 720, 25

Planes = NDArray[np.uint8]
"""yuv420p: uint8[HEIGHT_PX * 3 / 2, WIDTH_PX], the luma above the chroma."""
Scene = Callable[[float], Planes]
"""The footage at a time in seconds. What it returns may be drawn on."""


def texture(draw: np.random.Generator, height_px: int = HEIGHT_PX, width_px: int = WIDTH_PX) -> Planes:
    """Blobs of many sizes, like a landscape out of focus with fine detail."""
    total = np.zeros((height_px, width_px), np.float32)
    for cell_px, strength in ((200, 50.0), (60, 30.0), (16, 14.0), (4, 7.0)):
        shape = (width_px // cell_px + 2, height_px // cell_px + 2)
        small = Image.fromarray(draw.normal(0, strength, shape[::-1]).astype(np.float32))
        total += np.asarray(small.resize((width_px, height_px), Image.Resampling.BICUBIC))
    return (total + draw.uniform(80, 160)).clip(24, 228).astype(np.uint8)


def coloured(luma: Planes, draw: np.random.Generator) -> Planes:
    """A grey picture with two shades of colour."""
    chroma = np.empty((HEIGHT_PX // 2, WIDTH_PX), np.uint8)
    chroma[: HEIGHT_PX // 4] = draw.integers(108, 148)
    chroma[HEIGHT_PX // 4 :] = draw.integers(108, 148)
    return np.concatenate([luma, chroma])


def words_of(draw: np.random.Generator, letters: int) -> str:
    """So many letters and spaces."""
    alphabet = np.array(list("abcdefghiklmnoprstuvwy    "))
    return "".join(draw.choice(alphabet, letters)).capitalize()


def page_of(draw: np.random.Generator, dark: bool, lines: int, size_px: int) -> Planes:
    """A grey picture with lines of text."""
    page = Image.new("L", (WIDTH_PX, HEIGHT_PX), 28 if dark else 226)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size_px)
    left_px, pitch_px = int(draw.integers(60, 160)), (HEIGHT_PX - 140) // lines
    for line in range(lines):
        text = words_of(draw, int(draw.integers(12, 40)))
        pen.text((left_px, 90 + line * pitch_px), text, fill=200 if dark else 40, font=font)
    return np.asarray(page)


def _slides(draw: np.random.Generator) -> Scene:
    every_s = draw.uniform(15, 40)
    pages: dict[int, Planes] = {}

    def at(time_s: float) -> Planes:
        number = int(time_s / every_s)
        if number not in pages:
            pages[number] = coloured(page_of(draw, False, int(draw.integers(4, 8)), 40), draw)
        return pages[number].copy()

    return at


def draw_figure(planes: Planes, x_px: float, y_px: float, height_px: int, shade: int) -> None:
    """A head on a body, cut off at the edges of the picture."""
    luma = planes[:HEIGHT_PX]
    tall, wide = height_px, height_px // 2
    rows, columns = np.ogrid[-1 : 1 : tall * 1j, -1 : 1 : wide * 1j]
    head = (columns / 0.45) ** 2 + ((rows + 0.7) / 0.28) ** 2 < 1
    body = (np.abs(columns) < 0.55 + 0.4 * (rows + 0.3)) & (rows > -0.42)
    left, top = int(x_px) - wide // 2, int(y_px)
    x0, x1, y0, y1 = max(left, 0), min(left + wide, WIDTH_PX), max(top, 0), min(top + tall, HEIGHT_PX)
    if x0 >= x1 or y0 >= y1:
        return
    view, at = luma[y0:y1, x0:x1], (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    view[np.broadcast_to(body, (tall, wide))[at]] = shade
    view[head[at]] = 190


def _talk(draw: np.random.Generator) -> Scene:
    wall, phase = coloured(texture(draw), draw), draw.uniform(0, 9)

    def at(time_s: float) -> Planes:
        planes = wall.copy()
        sway = 40 * math.sin(0.9 * time_s + phase) + 25 * math.sin(2.3 * time_s)
        draw_figure(planes, 640 + sway, 200 + 12 * math.sin(3.1 * time_s), 640, 60)
        return planes

    return at


def _screen(draw: np.random.Generator) -> Scene:
    page = coloured(page_of(draw, True, 18, 20), draw)
    typed = [words_of(draw, 60) for _ in range(40)]
    font = ImageFont.load_default(20)

    def at(time_s: float) -> Planes:
        planes = page.copy()
        line, letters = int(time_s / 15) % len(typed), int(time_s % 15 * 4)
        image = Image.new("L", (WIDTH_PX, 30), 28)
        ImageDraw.Draw(image).text((60, 2), typed[line][:letters] + "|", fill=220, font=font)
        planes[676:706] = np.asarray(image)
        x_px, y_px = 600 + 300 * math.sin(0.2 * time_s), 300 + 200 * math.sin(0.13 * time_s)
        planes[int(y_px) : int(y_px) + 18, int(x_px) : int(x_px) + 10] = 240
        return planes

    return at


def _pan(draw: np.random.Generator) -> Scene:
    wide, phase, speed = texture(draw, HEIGHT_PX, 2 * WIDTH_PX), draw.uniform(0, 6), draw.uniform(0.04, 0.12)
    chroma = coloured(wide[:, :WIDTH_PX], draw)[HEIGHT_PX:]

    def at(time_s: float) -> Planes:
        left_px = round(WIDTH_PX / 2 * (1 + math.sin(speed * time_s + phase)))
        return np.concatenate([wide[:, left_px : left_px + WIDTH_PX], chroma])

    return at


def _street(draw: np.random.Generator) -> Scene:
    place = coloured(texture(draw), draw)
    walkers = [(draw.uniform(60, 180), draw.uniform(0, 3000), int(draw.integers(120, 300))) for _ in range(4)]

    def at(time_s: float) -> Planes:
        planes = place.copy()
        for speed_px, start_px, tall_px in walkers:
            x_px = (start_px + speed_px * time_s) % 3000 - 200
            draw_figure(planes, x_px, 660 - tall_px, tall_px, 40 + tall_px // 4)
        return planes

    return at


def _film(draw: np.random.Generator) -> Scene:
    shots = [_pan(draw) for _ in range(6)]
    cuts_s = np.cumsum(draw.uniform(8, 20, 100))

    def at(time_s: float) -> Planes:
        return shots[int(np.searchsorted(cuts_s, time_s)) % len(shots)](time_s)

    return at


def _grainy(scene: Scene, draw: np.random.Generator) -> Scene:
    grain = [
        draw.normal(0, 2.5, (HEIGHT_PX, WIDTH_PX)).clip(-9, 9).astype(np.int8).view(np.uint8)
        for _ in range(5)
    ]

    def at(time_s: float) -> Planes:
        planes = scene(time_s)
        number = round(time_s * RATE)
        planes[:HEIGHT_PX] += np.roll(grain[number % 5], 97 * number, 1)
        return planes

    return at


FOOTAGE: dict[str, Callable[[np.random.Generator], Scene]] = {
    "slides": _slides,
    "talk": _talk,
    "screen": _screen,
    "pan": _pan,
    "street": _street,
    "film": _film,
    "grainy talk": lambda draw: _grainy(_talk(draw), draw),
    "grainy film": lambda draw: _grainy(_film(draw), draw),
}
"""Kinds of footage by name."""


def still(length_s: float, grainy: bool) -> Iterator[Planes]:
    """A picture that does not change."""
    draw = np.random.default_rng(0)
    planes = coloured(texture(draw), draw)
    scene = _grainy(lambda _: planes.copy(), draw) if grainy else lambda _: planes
    return (scene(number / RATE) for number in range(round(length_s * RATE)))
