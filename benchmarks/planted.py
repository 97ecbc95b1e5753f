"""Clips with planted events, drawn by seed: what a sampler should show at least one frame of.

Each is 720p25 H.264 by x264's defaults, of 1 to 10 minutes, on one of several kinds of footage: slides
that change, a speaker before a wall, a screen on which somebody types, a pan, a street with walkers, a
film with cuts; some with grain. Five to sixteen events are planted in it, never two at once:

- text: a line of small letters for half a second
- object: a patch of 0.4 % of the picture crosses it
- fade: the scene dissolves into another within 2 to 4 s, and stays
- writing: a scribble grows within 4 to 7 s, stays for 2 to 4 s and is wiped
- insert: another picture for one second
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from footage import (
    FOOTAGE,
    HEIGHT_PX,
    RATE,
    WIDTH_PX,
    Planes,
    coloured,
    draw_figure,
    page_of,
    still,
    texture,
    words_of,
)
from media import FOLDER, repeat, version, whole
from PIL import Image, ImageDraw, ImageFont

LENGTHS_S = (60, 60, 60, 90, 120, 180)
LONG_S, MOST_EVENTS = 600, 16
KINDS = ("text", "object", "fade", "writing", "insert")
_VERSION = version("footage", "planted")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens, and when a frame shows it."""

    kind: str
    start_s: float
    """When it begins."""
    end_s: float
    """When nothing is left of it; of a fade, when the dissolve is over."""
    visible_s: tuple[float, float]
    """Text fully there, object inside, new scene 70 % in, scribble 60 % done; end exclusive."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What is planted in the clip of a seed."""

    seed: int
    footage: str
    length_s: float
    events: tuple[Event, ...]


def plan(seed: int) -> Clip:
    """Draw a clip; every thirtieth is ten minutes long."""
    draw = random.Random(f"plan {seed}")
    length_s = LONG_S if seed % 30 == 9 else draw.choice(LENGTHS_S)
    count = min(MOST_EVENTS, 2 + length_s // 20)
    kinds = [KINDS[n % len(KINDS)] for n in range(count)]
    draw.shuffle(kinds)
    slot_s = length_s / count
    events = [_event(kind, n * slot_s, slot_s, draw) for n, kind in enumerate(kinds)]
    fades_s = [event.start_s for event in events if event.kind == "fade"]
    footage = list(FOOTAGE)[seed % len(FOOTAGE)]
    return Clip(seed, footage, length_s, tuple(_until_next(event, fades_s, length_s) for event in events))


def _event(kind: str, slot_start_s: float, slot_s: float, draw: random.Random) -> Event:
    lasts_s = {
        "text": 0.5,
        "object": draw.uniform(2, 4),
        "fade": draw.uniform(2, 4),
        "writing": draw.uniform(4, 7) + draw.uniform(2, 4),
        "insert": 1.0,
    }[kind]
    start_s = _on_frame(slot_start_s + draw.uniform(0.5, max(slot_s - lasts_s - 0.5, 0.6)))
    end_s = _on_frame(start_s + lasts_s)
    shown = {"object": (0.06, 0.94), "fade": (0.7, 1.0), "writing": (0.6 * WRITES, 1.0)}.get(kind, (0.0, 1.0))
    visible = start_s + shown[0] * (end_s - start_s), start_s + shown[1] * (end_s - start_s)
    return Event(kind, start_s, end_s, visible)


WRITES = 0.7
"""Of the time of a scribble, the part in which it grows."""


def _on_frame(time_s: float) -> float:
    return round(time_s * RATE) / RATE


def _until_next(event: Event, fades_s: list[float], length_s: float) -> Event:
    """A new scene is there until the next one comes."""
    if event.kind != "fade":
        return event
    end_s = min((fade_s for fade_s in fades_s if fade_s > event.start_s), default=length_s)
    return Event(event.kind, event.start_s, event.end_s, (event.visible_s[0], end_s))


Painter = Callable[[Planes, float], None]
"""Draws an event on a picture; `done` is the part of its time that has passed, 0 to 1."""


def _text(draw: np.random.Generator) -> Painter:
    words, font = words_of(draw, int(draw.integers(16, 28))), ImageFont.load_default(22)
    mask = Image.new("L", (420, 34))
    ImageDraw.Draw(mask).text((4, 2), words, fill=255, stroke_width=1, stroke_fill=120, font=font)
    letters = np.asarray(mask)
    y_px, x_px = int(draw.integers(20, HEIGHT_PX - 60)), int(draw.integers(20, WIDTH_PX - 440))

    def paint(planes: Planes, done: float) -> None:
        view = planes[y_px : y_px + 34, x_px : x_px + 420]
        view[letters > 60] = 20
        view[letters > 180] = 235

    return paint


def _object(draw: np.random.Generator) -> Painter:
    tall, wide = 58, 64  # 0.4 % of the picture
    patch = np.where(np.indices((tall, wide)).sum(0) // 16 % 2, 215, 35).astype(np.uint8)
    y_px, rightwards = int(draw.integers(40, HEIGHT_PX - 100)), bool(draw.integers(2))

    def paint(planes: Planes, done: float) -> None:
        x_px = round((done if rightwards else 1 - done) * (WIDTH_PX + wide)) - wide
        x0, x1 = max(x_px, 0), min(x_px + wide, WIDTH_PX)
        planes[y_px : y_px + tall, x0:x1] = patch[:, x0 - x_px : x1 - x_px]

    return paint


def _writing(draw: np.random.Generator) -> Painter:
    steps, order = 160, Image.new("I", (420, 150))
    across = np.linspace(0, 1, steps)
    x_px = 20 + 370 * across + 14 * np.sin(across * draw.uniform(50, 80))
    y_px = 75 + 45 * np.sin(across * draw.uniform(60, 90)) * np.sin(across * 9 + draw.uniform(0, 6))
    pen = ImageDraw.Draw(order)
    for step in range(1, steps):
        pen.line((x_px[step - 1], y_px[step - 1], x_px[step], y_px[step]), fill=step, width=5)
    inked_at = np.asarray(order)
    top, left = int(draw.integers(20, HEIGHT_PX - 170)), int(draw.integers(20, WIDTH_PX - 440))

    def paint(planes: Planes, done: float) -> None:
        view = planes[top : top + 150, left : left + 420]
        ink = 20 if view.mean() > 110 else 235
        view[(inked_at > 0) & (inked_at <= done / WRITES * steps)] = ink

    return paint


def _insert(draw: np.random.Generator) -> Painter:
    picture = coloured(texture(draw), draw)

    def paint(planes: Planes, done: float) -> None:
        planes[:] = picture

    return paint


PAINTERS: dict[str, Callable[[np.random.Generator], Painter]] = {
    "text": _text,
    "object": _object,
    "writing": _writing,
    "insert": _insert,
}


def pictures(clip: Clip) -> Iterator[Planes]:
    """The frames of a clip."""
    draw = np.random.default_rng(clip.seed)
    scene, coming = FOOTAGE[clip.footage](draw), None
    events = [
        (event, PAINTERS[event.kind](draw) if event.kind in PAINTERS else None) for event in clip.events
    ]
    for number in range(round(clip.length_s * RATE)):
        time_s = number / RATE
        while events and events[0][0].end_s <= time_s:
            if coming:
                scene, coming = coming, None
            events.pop(0)
        planes = scene(time_s)
        if events and events[0][0].start_s <= time_s:
            event, paint = events[0]
            done = (time_s - event.start_s) / (event.end_s - event.start_s)
            if paint:
                paint(planes, done)
            else:
                coming = coming or list(FOOTAGE.values())[int(draw.integers(len(FOOTAGE)))](draw)
                planes = _mixed(planes, coming(time_s), done)
        yield planes


def _mixed(one: Planes, other: Planes, share: float) -> Planes:
    weight = np.uint16(round(share * 256))
    return ((one * (256 - weight) + other * weight) >> 8).astype(np.uint8)


# Writing


def rendered(name: str) -> Path:
    """The clip of a seed, `still`, `grainy still` or `talk`, made if it is not there yet."""
    path = FOLDER / f"planted-{_VERSION}-{name}.mp4"
    if path.exists():
        return path
    if name == "talk":
        _write_talk(path)
    else:
        _write(path, still(120.0, name != "still") if "still" in name else pictures(plan(int(name))))
    return path


def _write(path: Path, frames: Iterator[Planes], options: dict[str, str] | None = None) -> None:
    """Encode with x264's defaults, or with options instead of some."""
    with whole(path) as out:
        stream = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.thread_count = 1
        for number, planes in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


SLIDES_S = (3000.0, 3120.0, 7200.0)
"""When each of the three slides of the talk ends."""
_LOOP_S = 10


def _write_talk(path: Path) -> None:
    """Two hours of three slides with a speaker in the corner: one loop a slide, written again and again."""
    closed = {"g": str(_LOOP_S * RATE), "x264-params": "open-gop=0:scenecut=0"}
    with TemporaryDirectory() as folder:
        loops = []
        for slide, (begin_s, end_s) in enumerate(pairwise((0.0, *SLIDES_S))):
            loops.append((Path(folder) / f"{slide}.mp4", round(end_s - begin_s) // _LOOP_S))
            _write(loops[-1][0], _loop(slide), closed)
        repeat(loops, path)


def _loop(slide: int) -> Iterator[Planes]:
    """Ten seconds of a slide, the end of which goes over into the beginning."""
    page = coloured(page_of(np.random.default_rng(slide), False, 5, 40), np.random.default_rng(0))
    for number in range(_LOOP_S * RATE):
        planes, turns = page.copy(), 2 * math.pi * number / (_LOOP_S * RATE)
        draw_figure(planes, 1180 + 12 * math.sin(3 * turns), 520 + 4 * math.sin(5 * turns), 220, 80)
        yield planes
