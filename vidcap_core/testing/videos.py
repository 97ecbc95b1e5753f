"""Small videos whose every frame says its own number, for tests of decoders, samplers and sources.

`tiny_video` paints a barcode of n on frame n, `read_barcode` reads it from decoded pixels, and
`PaintedVideo` knows which frame is on screen when. So a test can ask for a moment and see whether
it got the right frame, whatever the codec, the container, the size or the orientation.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .barcode import MAX_NUMBER, paint_barcode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from av import AudioStream, Packet, VideoStream
    from av.container import OutputContainer

    from .barcode import Pixels

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 20, 20),
    "green": (20, 160, 40),
    "blue": (20, 40, 220),
    "yellow": (250, 220, 20),
}
"""What `colour_video` calls its colours."""

_START_AT_0 = (".avi", ".gif")
_ROTATABLE = (".mp4", ".mov", ".mkv")
_DEFAULT_CODECS = {".webm": "libvpx-vp9", ".gif": "gif", ".avi": "mpeg4"}
_HAS_B_FRAMES = ("libx264", "libx265", "mpeg2video", "mpeg4")
_PIXEL_FORMATS = {"gif": "rgb8", "prores_ks": "yuv422p10le"}
_ENCODER_OPTIONS = {
    # Keyframes stand where `gop` says and nowhere else, and B-frames are as many as asked for.
    "libx264": {"preset": "veryfast", "crf": "23", "sc_threshold": "0", "b_strategy": "0"},
    "libx265": {
        "preset": "ultrafast",
        "crf": "23",
        "x265-params": "log-level=none:scenecut=0:open-gop=0:b-adapt=0",
    },
    "mpeg4": {"sc_threshold": "1000000000", "b": "600k"},
    "mpeg2video": {"sc_threshold": "1000000000", "b": "2M"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "b": "1M"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"},
    "libsvtav1": {"preset": "9", "crf": "35"},
}
_AUDIO_CODECS = {".webm": "libopus", ".avi": "pcm_s16le"}
_AUDIO_RATE_HZ = 48_000
_TICK = Fraction(1, 60_000)  # finer than any container here needs, and within MPEG-4's 16 bits


@dataclass(frozen=True, slots=True)
class PaintedVideo:
    """A video made by `tiny_video`, and the truth about it."""

    path: Path
    times_s: tuple[float, ...]
    """Presentation time of frame n, as it stands in the file."""
    end_s: float
    """Where the last frame ends."""
    width_px: int
    """Of a frame, upright."""
    height_px: int
    keyframes: tuple[int, ...]
    """Numbers of the frames that can be decoded by themselves."""

    def frame_at(self, time_s: float) -> int:
        """Give the number of the frame on screen at a time; before the first frame it is the first."""
        return max(bisect_right(self.times_s, time_s) - 1, 0)


def tiny_video(
    path: Path | str,
    *,
    frames: int = 50,
    rate: int | Fraction = 10,
    times_s: Sequence[float | Fraction] | None = None,
    start_s: float = 0.0,
    width_px: int = 160,
    height_px: int = 96,
    codec: str | None = None,
    pixel_format: str | None = None,
    gop: int = 10,
    b_frames: int = 0,
    rotation: int = 0,
    pixel_aspect: Fraction = Fraction(1),
    open_gop: bool = False,
    interlaced: bool = False,
    cut: int = 0,
    audio: bool = False,
    fragmented: bool = False,
    moov_at_front: bool = False,
) -> PaintedVideo:
    """Write a video with a barcode of n on frame n; the suffix of `path` chooses the container.

    `times_s` asks for a variable frame rate and replaces `frames`; the last frame then lasts 1 / `rate`.
    `codec` is the name of FFmpeg's encoder; by default libx264, or what suits the container. `gop`
    frames lie from keyframe to keyframe (about as many, with mpeg4 and B-frames); two or more
    `b_frames` make a pyramid. `rotation` is by how many degrees clockwise a player has to turn the
    stored picture (needs PyAV 18.1), `pixel_aspect` how much wider than high its pixels are; the
    sizes are those seen. `open_gop`, for libx264 and libx265, lets frames lean on the next keyframe,
    and `interlaced`, for libx264, has them stored as two fields. `cut` frames stand before the first
    one that an edit list hides. `fragmented` and `moov_at_front` are for mp4 and mov. The same
    arguments give the same bytes.
    """
    path = Path(path)
    codec = codec or _DEFAULT_CODECS.get(path.suffix, "libx264")
    _check(path, codec, b_frames, rotation, audio)
    _check_times(path, times_s, start_s, fragmented)
    _check_codec(path, codec, open_gop=open_gop, interlaced=interlaced, cut=cut)
    moments = _moments(frames, rate, times_s, start_s)
    moments = [moments[0] - Fraction(number) / rate for number in range(cut, 0, -1)] + moments
    turns = rotation // 90
    numbers = [*range(MAX_NUMBER, MAX_NUMBER - cut, -1), *range(len(moments) - 1 - cut)]
    squeezed_px = round(width_px / pixel_aspect)
    pictures = (_turned(_painted(number, squeezed_px, height_px), turns) for number in numbers)
    with _container(path, fragmented=fragmented, moov_at_front=moov_at_front) as container:
        stored = (height_px, squeezed_px) if turns % 2 else (squeezed_px, height_px)
        more = _more_options(codec, open_gop=open_gop, interlaced=interlaced)
        video = _video_stream(container, codec, rate, stored, pixel_format, more)
        video.sample_aspect_ratio = pixel_aspect
        video.codec_context.gop_size = gop
        video.codec_context.max_b_frames = b_frames
        if path.suffix == ".avi" or codec == "mpeg2video":  # frame numbers, or rates, but no times
            video.codec_context.time_base = 1 / Fraction(rate)
        if rotation:
            video.set_display_rotation(-rotation)
        _write(container, video, pictures, moments, audio=audio)
    return _as_written(path, moments, width_px, height_px)


def colour_video(
    path: Path | str,
    colours: Sequence[str],
    *,
    seconds_each: float = 2.0,
    rate: int = 10,
    width_px: int = 160,
    height_px: int = 96,
) -> Path:
    """Write an H.264 video of flat scenes, one for each of `colours` (names from `COLOURS`).

    Every scene begins with a keyframe.
    """
    import numpy as np

    path = Path(path)
    frames_each = round(seconds_each * rate)
    scenes = [np.full((height_px, width_px, 3), COLOURS[colour], np.uint8) for colour in colours]
    pictures = (scene for scene in scenes for _ in range(frames_each))
    with _container(path) as container:
        video = _video_stream(container, "libx264", rate, (width_px, height_px), None)
        video.codec_context.gop_size = frames_each
        moments = _moments(frames_each * len(scenes), rate, None, 0.0)
        _write(container, video, pictures, moments, audio=False)
    return path


def _check(path: Path, codec: str, b_frames: int, rotation: int, audio: bool) -> None:
    if rotation not in {0, 90, 180, 270} or (rotation and path.suffix not in _ROTATABLE):
        raise ValueError(f"rotation {rotation} cannot be written to {path.name}")
    if b_frames and (codec not in _HAS_B_FRAMES or path.suffix == ".avi"):
        raise ValueError(f"no B-frames in {path.suffix} by {codec}")
    if audio and path.suffix == ".gif":
        raise ValueError("a gif has no sound")


def _check_codec(path: Path, codec: str, *, open_gop: bool, interlaced: bool, cut: int) -> None:
    if (open_gop and codec not in {"libx264", "libx265"}) or (interlaced and codec != "libx264"):
        raise ValueError(f"{codec} does not write such a video here")
    if cut and path.suffix not in {".mp4", ".mov"}:
        raise ValueError(f"{path.suffix} has no edit lists")


def _check_times(
    path: Path, times_s: Sequence[float | Fraction] | None, start_s: float, fragmented: bool
) -> None:
    if (path.suffix == ".avi" and times_s) or (start_s and (fragmented or path.suffix in _START_AT_0)):
        raise ValueError(f"such a {path.suffix} cannot hold these times")


def _moments(
    frames: int, rate: int | Fraction, times_s: Sequence[float | Fraction] | None, start_s: float
) -> list[Fraction]:
    """When each frame begins, and when the last one ends."""
    if times_s is None:
        times_s = [Fraction(number) / rate for number in range(frames)]
    if not 0 < len(times_s) <= MAX_NUMBER + 1:
        raise ValueError(f"a video has 1 to {MAX_NUMBER + 1} frames")
    moments = [Fraction(time_s) for time_s in times_s]
    moments.append(moments[-1] + Fraction(1) / rate)
    if any(later - earlier < _TICK for earlier, later in pairwise(moments)):
        raise ValueError("times_s must ascend")
    return [moment + Fraction(start_s) for moment in moments]


def _painted(number: int, width_px: int, height_px: int) -> Pixels:
    """Frame `number`: its barcode before stripes that move, so that frames differ all over."""
    import numpy as np

    phase = np.add.outer(np.arange(height_px) * 2, np.arange(width_px) * 3 + number * 4) % 256
    shade = np.abs(phase - 128)
    pixels: Pixels = np.stack([shade + 40, shade // 2 + 80, 150 - shade // 2], axis=-1).astype(np.uint8)
    paint_barcode(pixels, number)
    return pixels


def _turned(pixels: Pixels, turns: int) -> Pixels:
    import numpy as np

    return np.ascontiguousarray(np.rot90(pixels, turns))


def _container(path: Path, *, fragmented: bool = False, moov_at_front: bool = False) -> OutputContainer:
    import av

    options = {"fflags": "+bitexact"}  # else Matroska draws random ids
    if fragmented:
        options["movflags"] = "frag_keyframe+empty_moov+default_base_moof"
    elif moov_at_front:
        options["movflags"] = "faststart"
    if path.suffix == ".ts":
        options["mpegts_copyts"] = "1"  # else all times move by 1.4 s
    return av.open(path, "w", options=options)


def _video_stream(
    container: OutputContainer,
    codec: str,
    rate: int | Fraction,
    size_px: tuple[int, int],
    pixel_format: str | None,
    more_options: Mapping[str, str] | None = None,
) -> VideoStream:
    options = {**_ENCODER_OPTIONS.get(codec, {}), **(more_options or {})}
    stream = cast("VideoStream", container.add_stream(codec, Fraction(rate), options))
    context = stream.codec_context
    context.width, context.height = size_px
    context.pix_fmt = pixel_format or _pixel_format(codec, size_px)
    context.time_base = _TICK
    context.thread_count = 1
    return stream


def _more_options(codec: str, *, open_gop: bool, interlaced: bool) -> dict[str, str]:
    if interlaced:
        return {"x264-params": "tff=1"}
    if open_gop and codec == "libx265":
        return {"x265-params": _ENCODER_OPTIONS[codec]["x265-params"].replace("open-gop=0", "open-gop=1")}
    return {"x264-params": "open-gop=1"} if open_gop else {}


def _pixel_format(codec: str, size_px: tuple[int, int]) -> str:
    if codec in _PIXEL_FORMATS:
        return _PIXEL_FORMATS[codec]
    odd = any(side % 2 for side in size_px)
    return "yuv444p" if odd and codec in {"libx264", "libx265"} else "yuv420p"


def _write(
    container: OutputContainer,
    video: VideoStream,
    pictures: Iterable[Pixels],
    moments: Sequence[Fraction],
    *,
    audio: bool,
) -> None:
    packets: list[Packet[Any]] = []
    if audio:
        codec = _AUDIO_CODECS.get(Path(container.name).suffix, "aac")
        sound = cast("AudioStream", container.add_stream(codec, _AUDIO_RATE_HZ))
        packets += _tone(sound, moments[0], moments[-1])
    packets += _encoded(video, pictures, moments)
    for packet in sorted(packets, key=_decoding_time):
        container.mux(packet)


def _decoding_time(packet: Packet[Any]) -> Fraction:
    return cast("int", packet.dts) * packet.time_base


def _encoded(
    stream: VideoStream, pictures: Iterable[Pixels], moments: Sequence[Fraction]
) -> Iterator[Packet[VideoStream]]:
    from av import VideoFrame

    tick = stream.codec_context.time_base
    ticks = [round(moment / tick) for moment in moments]
    for picture, (begin, end) in zip(pictures, pairwise(ticks), strict=True):
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.duration, frame.time_base = begin, end - begin, tick
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _tone(stream: AudioStream, start_s: Fraction, end_s: Fraction) -> Iterator[Packet[AudioStream]]:
    """Encode a quiet 440 Hz."""
    import numpy as np
    from av import AudioFrame

    stream.codec_context.layout = "mono"
    first = round(start_s * _AUDIO_RATE_HZ)
    samples = np.arange(round((end_s - start_s) * _AUDIO_RATE_HZ))
    wave = (3000 * np.sin(samples * (2 * np.pi * 440 / _AUDIO_RATE_HZ))).astype(np.int16)
    frame = AudioFrame.from_ndarray(wave[np.newaxis], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE_HZ, first, Fraction(1, _AUDIO_RATE_HZ)
    yield from stream.encode(frame)
    yield from stream.encode(None)


def _as_written(path: Path, moments: Sequence[Fraction], width_px: int, height_px: int) -> PaintedVideo:
    """Containers round times to ticks of their own, so the times are read back from the packets."""
    import av

    with av.open(path) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None and not p.is_discard]
        packets.sort(key=_presentation_time)
        times = [_presentation_time(packet) for packet in packets]
    return PaintedVideo(
        path=path,
        times_s=tuple(float(time) for time in times),
        end_s=float(times[-1] + moments[-1] - moments[-2]),
        width_px=width_px,
        height_px=height_px,
        keyframes=tuple(number for number, packet in enumerate(packets) if packet.is_keyframe),
    )


def _presentation_time(packet: Packet[Any]) -> Fraction:
    return cast("int", packet.pts) * packet.time_base
