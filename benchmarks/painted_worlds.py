"""Painted worlds to film for the hard set of `scenes`: cameras, things that move, slides. Drawn by seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels: TypeAlias = NDArray[np.uint8]
Draw: TypeAlias = np.random.Generator

SIZE = WIDTH_PX, HEIGHT_PX = 480, 270
_WORLD = 2
"""Sides of a world over those of a frame: there is room to pan."""
_FONT_PX = 14


def world(draw: Draw, contrast: float = 1.0, light: float | None = None) -> Image.Image:
    """A large painted picture: clouds of noise at every scale, and shapes with edges."""
    width_px, height_px = WIDTH_PX * _WORLD, HEIGHT_PX * _WORLD
    luma = np.zeros((height_px, width_px))
    steepness = draw.uniform(0.6, 1.1)
    for cell_px in (256, 128, 64, 32, 16, 8, 4):
        cells = draw.normal(size=(height_px // cell_px + 2, width_px // cell_px + 2)).astype(np.float32)
        grown = Image.fromarray(cells).resize((width_px, height_px), Image.Resampling.BICUBIC)
        luma += np.asarray(grown) * (cell_px / 64) ** steepness
    luma = luma / luma.std() * 38 * contrast + (draw.uniform(70, 180) if light is None else light)
    tint = draw.uniform(0.75, 1.15, 3)
    painted = Image.fromarray(np.clip(luma[..., None] * tint, 0, 255).astype(np.uint8))
    _paint_shapes(painted, draw, contrast, light)
    return painted


def _paint_shapes(painted: Image.Image, draw: Draw, contrast: float, light: float | None) -> None:
    brush = ImageDraw.Draw(painted)
    for _ in range(draw.integers(4, 14)):
        x, y = draw.uniform(0, painted.width), draw.uniform(0, painted.height)
        wide, high = draw.uniform(30, 260), draw.uniform(30, 200)
        around = 128 if light is None else light
        colour = tuple(int(c) for c in np.clip(around + contrast * draw.uniform(-110, 110, 3), 0, 255))
        shape = brush.ellipse if draw.random() < 0.5 else brush.rectangle
        shape((x, y, x + wide, y + high), fill=colour)


def camera(
    painted: Image.Image,
    draw: Draw,
    pan_px: float = 0.0,
    zoom: float = 0.0,
    shake_px: float = 0.0,
    view: tuple[float, float, float] | None = None,
) -> Callable[[int], Pixels]:
    """Look at a world: `pan_px` and `zoom` a frame, `shake_px` at random about it."""
    x0, y0, scale0 = view or (draw.uniform(0.3, 0.7), draw.uniform(0.3, 0.7), draw.uniform(0.5, 0.65))
    angle, trembling = draw.uniform(0, 2 * math.pi), draw.normal(size=(2000, 2)) * shake_px

    def picture(number: int) -> Pixels:
        scale = min(max(scale0 * (1 + zoom) ** number, 0.2), 0.9)
        wide, high = painted.width * scale, painted.height * scale
        moved_px = pan_px * number
        x = x0 * painted.width + math.cos(angle) * moved_px + trembling[number % 2000, 0]
        y = y0 * painted.height + math.sin(angle) * moved_px * 0.4 + trembling[number % 2000, 1]
        left, top = (
            _reflected(x - wide / 2, painted.width - wide),
            _reflected(y - high / 2, painted.height - high),
        )
        seen = painted.resize(SIZE, Image.Resampling.BILINEAR, (left, top, left + wide, top + high))
        return _smeared(np.asarray(seen), pan_px / scale / _WORLD)

    return picture


def _reflected(place: float, room: float) -> float:
    """The camera turns round at the edges of its world."""
    turned = place % (2 * room)
    return turned if turned <= room else 2 * room - turned


def _smeared(pixels: Pixels, by_px: float) -> Pixels:
    """A fast camera blurs: half of what it moves in a frame."""
    reach = int(by_px / 2)
    if reach < 3:
        return pixels
    copies = [np.roll(pixels, shift, 1) for shift in np.linspace(0, reach, 5).astype(int)]
    return np.asarray(np.mean(copies, 0)).astype(np.uint8)


def with_thing(
    picture: Callable[[int], Pixels], draw: Draw, size: float, speed_px: float, begin: int = 0
) -> Callable[[int], Pixels]:
    """Something crosses the picture, `size` of its width."""
    side = int(WIDTH_PX * size)
    texture = world(draw).resize((side, side))
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(side / 40))
    y = int(draw.uniform(-0.2, 0.8) * HEIGHT_PX - side / 4)

    def crossed(number: int) -> Pixels:
        seen = Image.fromarray(picture(number))
        x = int((number - begin) * speed_px - side)
        if -side < x < WIDTH_PX:
            seen.paste(texture, (x, y), mask)
        return np.asarray(seen)

    return crossed


def slide(draw: Draw, dark: bool) -> Callable[[int], Pixels]:
    """A slide that gets a line of text every two seconds."""
    paper = Image.new("RGB", SIZE, (24, 26, 40) if dark else (244, 244, 238))
    brush, ink = ImageDraw.Draw(paper), (230, 230, 230) if dark else (30, 30, 40)
    box = [int(v) for v in draw.uniform(0.05, 0.5, 2) * SIZE]
    brush.rectangle(
        (*box, box[0] + int(draw.uniform(90, 230)), box[1] + int(draw.uniform(60, 130))),
        fill=tuple(int(c) for c in draw.integers(40, 220, 3)),
    )
    words = ["".join(chr(97 + c) for c in draw.integers(0, 26, draw.integers(12, 40))) for _ in range(8)]
    left, top = int(draw.uniform(10, 240)), int(draw.uniform(10, 60))

    def picture(number: int) -> Pixels:
        page = paper.copy()
        for line, text in enumerate(words[: 2 + number // 50]):
            ImageDraw.Draw(page).text((left, top + line * 2 * _FONT_PX), text, fill=ink)
        return np.asarray(page)

    return picture
