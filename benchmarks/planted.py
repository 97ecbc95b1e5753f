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
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH_PX, HEIGHT_PX, RATE = 1280, 720, 25
LENGTHS_S = (60, 60, 60, 90, 120, 180)
LONG_S, MOST_EVENTS = 600, 16
KINDS = ("text", "object", "fade", "writing", "insert")

Planes = NDArray[np.uint8]
"""yuv420p: uint8[HEIGHT_PX * 3 / 2, WIDTH_PX], the luma above the chroma."""
Scene = Callable[[float], Planes]
"""The footage at a time in seconds. What it returns may be drawn on."""


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


# Footage


def _texture(draw: np.random.Generator, height_px: int = HEIGHT_PX, width_px: int = WIDTH_PX) -> Planes:
    """Blobs of many sizes, like a landscape out of focus with fine detail."""
    total = np.zeros((height_px, width_px), np.float32)
    for cell_px, strength in ((200, 50.0), (60, 30.0), (16, 14.0), (4, 7.0)):
        shape = (width_px // cell_px + 2, height_px // cell_px + 2)
        small = Image.fromarray(draw.normal(0, strength, shape[::-1]).astype(np.float32))
        total += np.asarray(small.resize((width_px, height_px), Image.Resampling.BICUBIC))
    return (total + draw.uniform(80, 160)).clip(24, 228).astype(np.uint8)


def _planes(luma: Planes, draw: np.random.Generator) -> Planes:
    chroma = np.empty((HEIGHT_PX // 2, WIDTH_PX), np.uint8)
    chroma[: HEIGHT_PX // 4] = draw.integers(108, 148)
    chroma[HEIGHT_PX // 4 :] = draw.integers(108, 148)
    return np.concatenate([luma, chroma])


def _words(draw: np.random.Generator, letters: int) -> str:
    alphabet = np.array(list("abcdefghiklmnoprstuvwy    "))
    return "".join(draw.choice(alphabet, letters)).capitalize()


def _page(draw: np.random.Generator, dark: bool, lines: int, size_px: int) -> Planes:
    page = Image.new("L", (WIDTH_PX, HEIGHT_PX), 28 if dark else 226)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size_px)
    left_px, pitch_px = int(draw.integers(60, 160)), (HEIGHT_PX - 140) // lines
    for line in range(lines):
        text = _words(draw, int(draw.integers(12, 40)))
        pen.text((left_px, 90 + line * pitch_px), text, fill=200 if dark else 40, font=font)
    return np.asarray(page)


def _slides(draw: np.random.Generator) -> Scene:
    every_s = draw.uniform(15, 40)
    pages: dict[int, Planes] = {}

    def at(time_s: float) -> Planes:
        number = int(time_s / every_s)
        if number not in pages:
            pages[number] = _planes(_page(draw, False, int(draw.integers(4, 8)), 40), draw)
        return pages[number].copy()

    return at


def _figure(planes: Planes, x_px: float, y_px: float, height_px: int, shade: int) -> None:
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
    wall, phase = _planes(_texture(draw), draw), draw.uniform(0, 9)

    def at(time_s: float) -> Planes:
        planes = wall.copy()
        sway = 40 * math.sin(0.9 * time_s + phase) + 25 * math.sin(2.3 * time_s)
        _figure(planes, 640 + sway, 200 + 12 * math.sin(3.1 * time_s), 640, 60)
        return planes

    return at


def _screen(draw: np.random.Generator) -> Scene:
    page = _planes(_page(draw, True, 18, 20), draw)
    typed = [_words(draw, 60) for _ in range(40)]
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
    wide, phase, speed = _texture(draw, HEIGHT_PX, 2 * WIDTH_PX), draw.uniform(0, 6), draw.uniform(0.04, 0.12)
    chroma = _planes(wide[:, :WIDTH_PX], draw)[HEIGHT_PX:]

    def at(time_s: float) -> Planes:
        left_px = round(WIDTH_PX / 2 * (1 + math.sin(speed * time_s + phase)))
        return np.concatenate([wide[:, left_px : left_px + WIDTH_PX], chroma])

    return at


def _street(draw: np.random.Generator) -> Scene:
    place = _planes(_texture(draw), draw)
    walkers = [(draw.uniform(60, 180), draw.uniform(0, 3000), int(draw.integers(120, 300))) for _ in range(4)]

    def at(time_s: float) -> Planes:
        planes = place.copy()
        for speed_px, start_px, tall_px in walkers:
            x_px = (start_px + speed_px * time_s) % 3000 - 200
            _figure(planes, x_px, 660 - tall_px, tall_px, 40 + tall_px // 4)
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

# Events


Painter = Callable[[Planes, float], None]
"""Draws an event on a picture; `done` is the part of its time that has passed, 0 to 1."""


def _text(draw: np.random.Generator) -> Painter:
    words, font = _words(draw, int(draw.integers(16, 28))), ImageFont.load_default(22)
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
    picture = _planes(_texture(draw), draw)

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


def still(length_s: float, grainy: bool) -> Iterator[Planes]:
    """A picture that does not change."""
    draw = np.random.default_rng(0)
    planes = _planes(_texture(draw), draw)
    scene = _grainy(lambda _: planes.copy(), draw) if grainy else lambda _: planes
    return (scene(number / RATE) for number in range(round(length_s * RATE)))


# Writing


def write(path: Path, frames: Iterator[Planes]) -> None:
    """Encode with x264's defaults; the file appears when it is complete."""
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.thread_count = 1
        for number, planes in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    unfinished.rename(path)


SLIDES_S = (3000.0, 3120.0, 7200.0)
"""When each of the three slides of the talk ends."""
_LOOP_S = 10


def write_talk(path: Path) -> None:
    """Two hours of three slides with a speaker in the corner: one loop a slide, written again and again."""
    loops = [_loop(number) for number in range(len(SLIDES_S))]
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        stream.encode(av.VideoFrame(WIDTH_PX, HEIGHT_PX, "yuv420p"))  # opens the codec
        for turn in range(round(SLIDES_S[-1]) // _LOOP_S):
            slide = next(n for n, end_s in enumerate(SLIDES_S) if turn * _LOOP_S < end_s)
            for data, pts, dts, is_keyframe in loops[slide]:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, RATE)
                packet.pts, packet.dts = (ticks + turn * _LOOP_S * RATE for ticks in (pts, dts))
                packet.is_keyframe = is_keyframe
                out.mux(packet)
    unfinished.rename(path)


def _loop(slide: int) -> list[tuple[bytes, int, int, bool]]:
    """(data, pts, dts, is_keyframe) of ten seconds, a closed group of pictures."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
    codec.framerate, codec.time_base, codec.thread_count = Fraction(RATE), Fraction(1, RATE), 1
    codec.options = {"g": str(_LOOP_S * RATE), "x264-params": "open-gop=0:scenecut=0"}
    draw = np.random.default_rng(slide)
    page = _planes(_page(draw, False, 5, 40), np.random.default_rng(0))
    packets = []
    for number in range(_LOOP_S * RATE):
        planes, turns = page.copy(), 2 * math.pi * number / (_LOOP_S * RATE)
        _figure(planes, 1180 + 12 * math.sin(3 * turns), 520 + 4 * math.sin(5 * turns), 220, 80)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = number
        packets += codec.encode(frame)
    packets += codec.encode(None)
    return [(bytes(p), int(p.pts or 0), int(p.dts or 0), p.is_keyframe) for p in packets]
