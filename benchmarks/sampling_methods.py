"""Ways to take frames from a video, vidcap's and others'; `sampling.py` runs each in a fresh process.

    python benchmarks/sampling_methods.py METHOD JOB

JOB is JSON, see `Job`. The JPEGs are written to its folder; what they are, and the peak memory of
this process and of those it started, is printed as JSON. What a method needs it imports by itself,
so that nobody pays for another's imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import largest_child_mb, peak_mb

if TYPE_CHECKING:
    from av import Packet, VideoFrame

QUALITY = 92
"""Of all JPEGs: vidcap's own. For ffmpeg's encoder it is `-q:v 3`, the nearest step."""
ANYWHERE_S = 1e6
"""A tolerance within which every keyframe lies."""

Shot = tuple[float | None, bytes]
"""A frame's own time where the method tells it, and its JPEG."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be taken."""

    path: str
    folder: str
    asked_s: tuple[float, ...]
    """Ascending: the middles of equal parts of the video."""
    width_px: int
    """Size of the JPEGs."""
    height_px: int

    @property
    def frame_rate(self) -> float:
        """Frames a second that are taken."""
        return len(self.asked_s) / (self.asked_s[0] + self.asked_s[-1])


# vidcap


def vidcap(
    job: Job, within_s: float | None, isolation: str = "none", decoder: str = "pyav"
) -> Iterator[Shot]:
    """The library call, with a tolerance for all picks or with that of its own sampler."""
    from vidcap_core import Limits, Vidcap

    side_px, captioner = max(job.width_px, job.height_px), None
    if side_px != Limits().side_px:  # what images are made for without a captioner
        from vidcap_core import Offline

        captioner = Offline(limits=Limits(side_px=side_px))
    with Vidcap(
        sampler=_sampler(job, within_s),
        decoder=decoder,
        captioner=captioner,
        max_frames=len(job.asked_s),
        isolation=isolation,
    ) as vidcap:
        for image in vidcap.frames(job.path):
            yield image.time_s, image.data


def _sampler(job: Job, within_s: float | None) -> Any:
    from vidcap_core import Pick, Sampler, Segment, UniformSampler, Video

    if within_s is None:
        return UniformSampler(count=len(job.asked_s))
    picks = tuple(Pick(time_s, tolerance_s=within_s) for time_s in job.asked_s)

    class Fixed(Sampler):
        name = "fixed"

        def segments(self, video: Video) -> Iterator[Segment]:
            yield Segment(video.start_s, video.end_s, picks)

    return Fixed()


# FFmpeg's command line


def ffmpeg_recipe(job: Job) -> Iterator[Shot]:
    """`-vf fps=…` over the whole file: the frame nearest to the middle of each part."""
    rate = f"fps={job.frame_rate!r}"
    _ffmpeg("-i", job.path, "-vf", f"{rate},{_scale(job)}", "-q:v", "3", f"{job.folder}/recipe-%04d.jpg")
    for number in range(1, len(job.asked_s) + 1):
        yield None, Path(job.folder, f"recipe-{number:04}.jpg").read_bytes()


def ffmpeg_seek(job: Job) -> Iterator[Shot]:
    """`-ss`, a process a frame."""
    made = Path(job.folder, "seek.jpg")
    for time_s in job.asked_s:
        seek = ("-ss", f"{time_s:.6f}", "-i", job.path)
        _ffmpeg(*seek, "-frames:v", "1", "-vf", _scale(job), "-q:v", "3", str(made))
        yield None, made.read_bytes()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)


def _scale(job: Job) -> str:
    return f"scale={job.width_px}:{job.height_px}:flags=area"


# Python packages. Those without types are imported by name: mypy runs where they are not installed.


def opencv(job: Job) -> Iterator[Shot]:
    """`CAP_PROP_POS_FRAMES`, then `read`."""
    cv2 = import_module("cv2")
    video = cv2.VideoCapture(job.path)
    rate = video.get(cv2.CAP_PROP_FPS)
    for time_s in job.asked_s:
        video.set(cv2.CAP_PROP_POS_FRAMES, int(time_s * rate + 1e-6))
        found, pixels = video.read()
        if not found:
            raise RuntimeError(f"OpenCV reads no frame at {time_s:g} s")
        small = cv2.resize(pixels, (job.width_px, job.height_px), interpolation=cv2.INTER_AREA)
        yield None, cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def decord(job: Job, *, keyframes: bool = False) -> Iterator[Shot]:
    """`get_batch` of all frames at once, of those asked for or of the keyframes before them."""
    reader = import_module("decord").VideoReader(job.path, num_threads=1)
    rate = reader.get_avg_fps()
    numbers = [int(time_s * rate + 1e-6) for time_s in job.asked_s]
    if keyframes:
        keys = reader.get_key_indices()
        numbers = [max(key for key in keys if key <= number) for number in numbers]
    for number, pixels in zip(numbers, reader.get_batch(numbers).asnumpy(), strict=True):
        yield number / rate if keyframes else None, _jpeg(pixels, job)


def pyav_naive(job: Job) -> Iterator[Shot]:
    """Seek, then decode until a frame is due."""
    import av

    with av.open(job.path) as container:
        stream = container.streams.video[0]
        for time_s in job.asked_s:
            container.seek(int(time_s / stream.time_base), stream=stream)  # type: ignore[operator]
            frame = next(frame for frame in container.decode(stream) if (frame.time or 0.0) >= time_s)
            yield None, _shrunk_jpeg(frame, job)


def torchcodec(job: Job) -> Iterator[Shot]:
    """`get_frames_played_at`, without the scan of the whole file."""
    decoders = import_module("torchcodec.decoders")
    video = decoders.VideoDecoder(job.path, seek_mode="approximate", dimension_order="NHWC")
    for pixels in video.get_frames_played_at(seconds=list(job.asked_s)).data.numpy():
        yield None, _jpeg(pixels, job)


def _jpeg(pixels: Any, job: Job) -> bytes:
    """A JPEG of RGB pixels, made in the cheapest way we know, which is vidcap's."""
    import numpy as np
    from av import VideoFrame

    return _shrunk_jpeg(VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"), job)


def _shrunk_jpeg(frame: VideoFrame, job: Job) -> bytes:
    import simplejpeg
    from av.video.reformatter import Interpolation

    small = frame.reformat(job.width_px, job.height_px, format="rgb24", interpolation=Interpolation.AREA)
    options = {"quality": QUALITY, "colorspace": "RGB", "colorsubsampling": "420"}
    made: bytes = simplejpeg.encode_jpeg(small.to_ndarray(), **options)
    return made


def keyframe_s(job: Job) -> float:
    """CPU seconds that one more keyframe has to cost: decoded, converted and resized in one step, encoded.

    The least there is, in a warm loop in one process. To find and to read the packets is not counted.
    """
    import av

    with av.open(job.path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        context.thread_count = 1
        packets = []
        for time_s in job.asked_s:
            container.seek(int(time_s / stream.time_base), stream=stream)  # type: ignore[operator]
            packets.append(next(packet for packet in container.demux(stream) if packet.is_keyframe))

        def take(packet: Packet[Any]) -> None:
            frame = [*context.decode(packet), *context.decode(None)][0]
            context.flush_buffers()
            _shrunk_jpeg(frame, job)

        take(packets[0])  # it also opens the codec
        began_s = time.process_time()
        for packet in packets:
            take(packet)
        return (time.process_time() - began_s) / len(packets)


METHODS: dict[str, Callable[[Job], Iterator[Shot]]] = {
    "vidcap-keyframe": partial(vidcap, within_s=ANYWHERE_S),
    "vidcap-tolerance": partial(vidcap, within_s=None),
    "vidcap-exact": partial(vidcap, within_s=0.0),
    "vidcap-keyframe-child": partial(vidcap, within_s=ANYWHERE_S, isolation="process"),
    "vidcap-tolerance-child": partial(vidcap, within_s=None, isolation="process"),
    "vidcap-exact-child": partial(vidcap, within_s=0.0, isolation="process"),
    "plugin-decord-keyframe": partial(vidcap, within_s=ANYWHERE_S, decoder="decord"),
    "plugin-decord-exact": partial(vidcap, within_s=0.0, decoder="decord"),
    "ffmpeg-recipe": ffmpeg_recipe,
    "ffmpeg-ss": ffmpeg_seek,
    "opencv": opencv,
    "decord": decord,
    "decord-keyframe": partial(decord, keyframes=True),
    "pyav-naive": pyav_naive,
    "torchcodec": torchcodec,
}


def tolerance_s(method: str, job: Job) -> float:
    """How far from the asked time a method's frames may lie; 0 where they have to be exact."""
    if "keyframe" in method:
        return ANYWHERE_S
    # A quarter of the spacing: what vidcap's even samplers allow.
    return 1 / job.frame_rate / 4 if "tolerance" in method else 0.0


def main() -> None:
    """Run one method, and tell of it."""
    method, job = sys.argv[1], Job(**json.loads(sys.argv[2]))
    if method == "keyframe_s":
        print(json.dumps({"keyframe_s": keyframe_s(job)}))
        return
    times_s = []
    for number, (time_s, data) in enumerate(METHODS[method](job)):
        Path(job.folder, f"{number:04}.jpg").write_bytes(data)
        times_s.append(time_s)
    print(json.dumps({"times_s": times_s, "peak_mb": peak_mb(), "child_mb": largest_child_mb()}))


if __name__ == "__main__":
    main()
