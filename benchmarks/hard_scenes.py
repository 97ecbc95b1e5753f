"""Renders the hard set of the benchmark `scenes`: clips whose changes of scene are known.

Every clip is drawn by a seed: shots of painted worlds with cameras and things that move, joined by
cuts, dissolves, wipes and fades, with what misleads a detector between them: flashes, strobes, fast
pans, shake, zoom, something large close to the camera, slow light, grain, letterbox, few bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from media import version, whole
from painted_worlds import HEIGHT_PX, WIDTH_PX, Draw, Pixels, camera, slide, with_thing, world
from PIL import Image
from shots import JOINS, Change, Shot, joined

RATE = 25
_VERSION = version("hard_scenes", "painted_worlds", "shots")


@dataclass(frozen=True, slots=True)
class Clip:
    """A rendered clip and the truth about it."""

    path: Path
    times_s: tuple[float, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a clip: its shots by seed, what is done to every frame, how it is encoded."""

    shots: Callable[[Draw], list[Shot]]
    effect: Callable[[Pixels, int, Draw], Pixels] | None = None
    encoder: tuple[tuple[str, str], ...] = (("crf", "23"),)
    drop: float = 0.0
    """Share of the frames that is left out: a variable frame rate."""


# Recipes


def _any_camera(draw: Draw, painted: Image.Image | None = None) -> Callable[[int], Pixels]:
    painted = painted or world(draw)
    how = draw.integers(0, 5)
    if how == 0:
        return camera(painted, draw)
    if how == 1:
        return camera(painted, draw, pan_px=draw.uniform(0.5, 4))
    if how == 2:
        return camera(painted, draw, zoom=draw.uniform(-0.004, 0.006))
    if how == 3:
        return camera(painted, draw, pan_px=draw.uniform(0, 1), shake_px=draw.uniform(1, 3))
    return with_thing(camera(painted, draw), draw, draw.uniform(0.1, 0.35), draw.uniform(2, 9))


def _cuts(draw: Draw) -> list[Shot]:
    return [Shot(_any_camera(draw), int(draw.integers(30, 110))) for _ in range(8)]


def _short_shots(draw: Draw) -> list[Shot]:
    lengths = [60, 9, 8, 10, 12, 9, 60, 9, 60]
    return [Shot(_any_camera(draw), frames) for frames in lengths]


def _similar(draw: Draw) -> list[Shot]:
    """Other views of one place: what a conversation is cut from."""
    place = world(draw)
    views = [(0.3, 0.35, 0.5), (0.7, 0.6, 0.45), (0.5, 0.5, 0.9), (0.35, 0.7, 0.35), (0.65, 0.3, 0.5)]
    return [
        Shot(camera(place, draw, shake_px=0.4, view=views[turn % 5]), int(draw.integers(40, 80)))
        for turn in range(7)
    ]


def _same_histogram(draw: Draw) -> list[Shot]:
    place = world(draw)
    view = (0.5, 0.5, 0.98)
    turns = [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM]
    places = [place, *(place.transpose(turn) for turn in turns), place]
    return [Shot(camera(each, draw, view=view), 50) for each in places]


def _joined_by(*kinds: str) -> Callable[[Draw], list[Shot]]:
    def shots(draw: Draw) -> list[Shot]:
        return [
            Shot(
                _any_camera(draw),
                int(draw.integers(45, 90)),
                str(draw.choice(kinds)),
                int(draw.integers(10, 36)),
            )
            for _ in range(7)
        ]

    return shots


def _wild(draw: Draw) -> list[Shot]:
    """Fast pans, shake and zoom, with a cut in the middle of a motion now and then."""

    def one() -> Callable[[int], Pixels]:
        how = draw.integers(0, 4)
        if how == 0:
            return camera(world(draw), draw, pan_px=draw.uniform(15, 70))
        if how == 1:
            return camera(world(draw), draw, shake_px=draw.uniform(8, 20))
        if how == 2:
            return camera(world(draw), draw, zoom=float(draw.choice([-0.03, 0.03])))
        return camera(world(draw), draw, pan_px=draw.uniform(5, 15), shake_px=draw.uniform(3, 8))

    return [Shot(one(), int(draw.integers(60, 130))) for _ in range(5)]


def _close_things(draw: Draw) -> list[Shot]:
    shots = []
    for _ in range(3):
        picture = camera(world(draw), draw, pan_px=draw.uniform(0, 1))
        for begin in (15, 70):
            picture = with_thing(picture, draw, draw.uniform(0.6, 1.3), draw.uniform(18, 60), begin)
        shots.append(Shot(picture, 130))
    return shots


def _slides(draw: Draw) -> list[Shot]:
    return [Shot(slide(draw, dark=bool(turn % 3 == 2)), int(draw.integers(110, 190))) for turn in range(5)]


def _dark(draw: Draw) -> list[Shot]:
    return [Shot(camera(world(draw, 0.3, 36), draw, pan_px=draw.uniform(0, 1.5)), 70) for _ in range(5)]


def _film(draw: Draw) -> list[Shot]:
    """A minute of everything."""
    kinds = ["cut"] * 5 + list(JOINS)
    shots = []
    for _ in range(20):
        kind = str(draw.choice(kinds))
        overlap = 0 if kind == "cut" else int(draw.integers(12, 32))
        shots.append(Shot(_any_camera(draw), int(draw.integers(40, 130)), kind, overlap))
    return shots


def _flashing(pixels: Pixels, number: int, draw: Draw) -> Pixels:
    """Two frames of flash every 40, and a strobe of one second in each eight."""
    if number % 40 in (17, 18) or (number % 200 >= 175 and number % 4 < 2):
        return np.asarray(np.clip(pixels * 0.35 + 170, 0, 255).astype(np.uint8))
    return pixels


def _slow_light(pixels: Pixels, number: int, draw: Draw) -> Pixels:
    return np.asarray(np.clip(pixels * (0.75 + 0.4 * math.sin(number / 22)), 0, 255).astype(np.uint8))


def _grainy(pixels: Pixels, number: int, draw: Draw) -> Pixels:
    grain = draw.normal(scale=14, size=(HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)
    return np.asarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def _letterboxed(pixels: Pixels, number: int, draw: Draw) -> Pixels:
    boxed = pixels.copy()
    boxed[:36], boxed[-36:] = 0, 0
    return boxed


_FEW_BITS = (("b", "90k"), ("maxrate", "120k"), ("bufsize", "120k"))
_FIXED_GOP = (("crf", "25"), ("g", "50"), ("sc_threshold", "0"))

RECIPES = {
    "cuts": Recipe(_cuts),
    "short shots": Recipe(_short_shots),
    "similar scenes": Recipe(_similar),
    "same histogram": Recipe(_same_histogram),
    "dissolves": Recipe(_joined_by("dissolve")),
    "wipes": Recipe(_joined_by("wipe", "wipe_down", "iris")),
    "fades": Recipe(_joined_by("fade_black", "fade_white")),
    "flashes and strobe": Recipe(_cuts, _flashing),
    "pans, shake, zoom": Recipe(_wild),
    "close things": Recipe(_close_things),
    "slow light": Recipe(_cuts, _slow_light),
    "slides": Recipe(_slides),
    "dark": Recipe(_dark),
    "grain": Recipe(_cuts, _grainy, (("crf", "28"),)),
    "letterbox, few bits": Recipe(_cuts, _letterboxed, _FEW_BITS),
    "fixed GOP": Recipe(_cuts, None, _FIXED_GOP),
    "variable rate": Recipe(_joined_by("cut", "dissolve"), drop=0.3),
    "film": Recipe(_film),
    "film, few bits, fixed GOP": Recipe(
        _film, _letterboxed, (*_FEW_BITS, ("g", "50"), ("sc_threshold", "0"))
    ),
}


def render(folder: Path, name: str, seed: int) -> Clip:
    """Render the clip of a recipe by seed, if it is not there yet; the same pictures each time."""
    recipe = RECIPES[name]
    draw = np.random.default_rng([seed, sum(name.encode())])
    shots = [shot if shot.then != "cut" else Shot(shot.picture, shot.frames) for shot in recipe.shots(draw)]
    frames, changes = joined(shots)
    kept = [number for number in range(len(frames)) if number == 0 or draw.random() >= recipe.drop]
    path = folder / f"{name.replace(', ', '-').replace(' ', '-')}-{_VERSION}-{seed}.mp4"
    if not path.exists():
        _encode(path, _painted(frames, kept, recipe, draw), recipe)
    return Clip(path, tuple(number / RATE for number in kept), tuple(changes))


def _painted(
    frames: list[Callable[[], Pixels]], kept: list[int], recipe: Recipe, draw: Draw
) -> Iterator[tuple[int, Pixels]]:
    for number in kept:
        pixels = frames[number]()
        yield number, recipe.effect(pixels, number, draw) if recipe.effect else pixels


def _encode(path: Path, pictures: Iterator[tuple[int, Pixels]], recipe: Recipe) -> None:
    with whole(path) as out:
        stream = out.add_stream("libx264", RATE, {"preset": "veryfast", **dict(recipe.encoder)})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, RATE)
        for number, pixels in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
