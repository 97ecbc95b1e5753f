"""Videos to measure with: any length, with the frame's number painted on every frame.

To encode an hour would take an hour. So ten seconds are encoded, and their packets are written again
and again with moved times: a decoder has the same work with them as with a film. Frame n of the file
shows the barcode of n modulo `LOOP_FRAMES`.

The file holds an odd number of loops, coprime to 5: then the middles of any 5, 32 or 128 equal parts
of it lie at places of the loop, and of its groups of pictures, that are as even as can be.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from vidcap_core.testing.barcode import paint_barcode

if TYPE_CHECKING:
    from av import VideoStream
    from av.stream import Stream

Plane = NDArray[np.uint8]

WIDTH_PX, HEIGHT_PX, RATE = 1920, 1080, 25
LOOP_FRAMES = 250
FOLDER = Path(tempfile.gettempdir()) / "vidcap-benchmarks"
"""Where the videos of all benchmarks are kept. An hour of H.264 takes some 2 GB."""

_CUTS = (0, 190, 220, LOOP_FRAMES)
"""Where the scenes of the loop begin: encoders that look for cuts set a keyframe there. In films, too,
most scenes are short, and most of the time is spent in long ones."""
_OCTAVES = ((64, 24.0), (16, 12.0), (5, 5.5), (2, 2.0))
"""(pixels a grain, its strength in levels) of the texture: as in a photograph, the finer the weaker."""
_GRAIN = 1.2
"""Levels of noise that is new in every frame, as a camera's sensor gives it."""
_DARK, _GREY, _BRIGHT = 44, 128, 212

ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
_OPTIONS = {
    # x264's defaults: three reference frames, three B-frames, a pyramid of them.
    "libx264": {"preset": "medium", "crf": "23"},
    "libx265": {"preset": "fast", "crf": "26"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "5", "crf": "36", "b": "0", "row-mt": "1"},
    "libsvtav1": {"preset": "9", "crf": "38"},
}
_PARAMS = {
    "libx264": ("x264-params", "open-gop=0", "scenecut=0"),
    "libx265": ("x265-params", "log-level=none:open-gop=0", "scenecut=0"),
    "libsvtav1": ("svtav1-params", "irefresh-type=2", "scd=0"),
}
"""(option, what a loop of closed groups needs, what keeps keyframes to a fixed distance)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What there is to choose about a video."""

    minutes: int = 10
    codec: str = "h264"
    gop: str = "default"
    """Frames from keyframe to keyframe, or `default`: where the encoder sets them by itself."""

    def __str__(self) -> str:
        return f"{self.minutes} min {self.codec}, keyframes: {self.gop}"

    @property
    def frames(self) -> int:
        """How many frames it has: ten seconds more than its minutes say."""
        return (self.minutes * 60 * RATE // LOOP_FRAMES + 1) * LOOP_FRAMES

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.frames / RATE

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.codec}-gop-{self.gop}-{self.minutes}min.mp4"

    def number_at(self, time_s: float) -> int:
        """The number painted on the frame that is on screen at a time."""
        # What a time lost when it was made from a frame's number must not lead to the frame before.
        return min(int(time_s * RATE + 1e-6), self.frames - 1) % LOOP_FRAMES

    def even_s(self, count: int) -> list[float]:
        """The middles of `count` equal parts."""
        return [(index + 0.5) * self.duration_s / count for index in range(count)]


def rendered(kind: Kind) -> Path:
    """The video, made if it is not there yet."""
    if not kind.path.exists():
        print(f"rendering {kind.path}", file=sys.stderr)
        loop = FOLDER / f"{kind.codec}-gop-{kind.gop}-loop.mp4"
        if not loop.exists():
            _encode(loop, kind)
        repeat([(loop, kind.frames // LOOP_FRAMES)], kind.path)
    return kind.path


def version(*modules: str) -> str:
    """Eight hex digits that change with the code of modules beside this one, not with their comments.

    They belong in the name of a video whose truth the code knows, so that none outlives its truth.
    """
    sources = [Path(__file__).with_name(f"{module}.py").read_text("utf-8") for module in modules]
    trees = [ast.dump(ast.parse(source)) for source in sources]
    return hashlib.sha256("".join(trees).encode()).hexdigest()[:8]


@contextmanager
def whole(path: Path) -> Iterator[OutputContainer]:
    """A file to write that has its name only once it is complete."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.mp4")
    try:
        with av.open(str(part), "w") as container:
            yield container
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _encode(path: Path, kind: Kind) -> None:
    encoder = ENCODERS[kind.codec]
    os.environ.setdefault("SVT_LOG", "1")  # else the AV1 encoder tells its life on stderr
    with whole(path) as container:
        stream = cast("VideoStream", container.add_stream(encoder, RATE, _options(encoder, kind.gop)))
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number, planes in enumerate(_pictures()):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _options(encoder: str, gop: str) -> dict[str, str]:
    options = dict(_OPTIONS[encoder])
    fixed = gop != "default"
    if fixed:
        options["g"] = gop
    if encoder in _PARAMS:
        name, closed, no_cuts = _PARAMS[encoder]
        options[name] = f"{closed}:{no_cuts}" if fixed else closed
    return options


def repeat(loops: Sequence[tuple[Path, int]], path: Path) -> None:
    """Write the packets of each loop so many times; all are ten seconds long and encoded alike."""
    with whole(path) as container:
        stream: VideoStream | None = None
        begin = 0
        for loop, times in loops:
            with av.open(str(loop)) as source:
                template = source.streams.video[0]
                stream = stream or container.add_stream_from_template(template, opaque=True)
                packets = [packet for packet in source.demux(template) if packet.dts is not None]
                assert len(packets) == LOOP_FRAMES
                assert template.time_base is not None
                loop_ticks = round(LOOP_FRAMES / RATE / template.time_base)
                for _ in range(times):
                    for packet in packets:
                        container.mux(_moved(packet, begin, stream))
                    begin += loop_ticks


def _moved(packet: av.Packet[VideoStream], later: int, stream: VideoStream) -> av.Packet[Stream]:
    """A copy, for another stream: muxing changes the times of what it is given."""
    assert packet.pts is not None
    assert packet.dts is not None
    moved = av.Packet(bytes(packet))
    moved.stream, moved.time_base = stream, packet.time_base
    moved.pts, moved.dts, moved.duration = packet.pts + later, packet.dts + later, packet.duration
    moved.is_keyframe = packet.is_keyframe
    return moved


def _pictures() -> Iterator[Plane]:
    """Every frame of the loop as planes of YUV 4:2:0: a texture that pans, three scenes of it, and grain."""
    random = np.random.default_rng(4)
    grains = [random.normal(0, _GRAIN, (HEIGHT_PX, WIDTH_PX)).astype(np.float32) for _ in range(5)]
    for begin, end in pairwise(_CUTS):
        luma, chroma = _texture(random, 1), _texture(random, 2)
        step_x_px, step_y_px = random.uniform(1.5, 4, 2)
        for number in range(begin, end):
            x_px, y_px = (int((number - begin) * step) for step in (step_x_px, step_y_px))
            # Chroma has half the size: where luma pans by an odd number of pixels, it lags by half of one.
            window = chroma[y_px // 2 :, x_px // 2 :]
            grain = grains[random.integers(len(grains))]
            bright = _base(number) + luma[y_px : y_px + HEIGHT_PX, x_px : x_px + WIDTH_PX] + grain
            colours = [part[: HEIGHT_PX // 2, : WIDTH_PX // 2] for part in (window, -window)]
            planes = [np.clip(bright, 16, 235), *(np.clip(128 + part, 16, 240) for part in colours)]
            yield np.concatenate([plane.astype(np.uint8).ravel() for plane in planes]).reshape(-1, WIDTH_PX)


def _base(number: int) -> NDArray[np.float32]:
    """The barcode, dark and bright, on grey: levels that a texture is laid over."""
    painted = np.full((HEIGHT_PX, WIDTH_PX), _GREY, np.uint8)
    paint_barcode(painted, number)
    levels = np.full(256, _GREY, np.float32)
    levels[0], levels[255] = _DARK, _BRIGHT
    base: NDArray[np.float32] = levels[painted]
    return base


def _texture(random: np.random.Generator, shrink: int) -> NDArray[np.float32]:
    """Smooth noise at several scales, larger than a frame by as much as a scene pans."""
    height_px, width_px = (HEIGHT_PX + 400) // shrink, (WIDTH_PX + 400) // shrink
    texture = np.zeros((height_px, width_px), np.float32)
    for grain_px, strength in _OCTAVES:
        small = random.integers(0, 256, (height_px // grain_px + 2, width_px // grain_px + 2), np.uint8)
        frame = av.VideoFrame.from_ndarray(small, format="gray")
        large = frame.reformat(width_px, height_px, interpolation=Interpolation.BICUBIC).to_ndarray()
        texture += (large.astype(np.float32) - 128) * (strength / 64)
    return texture
