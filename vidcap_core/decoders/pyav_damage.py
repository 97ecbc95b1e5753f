"""Which frames are damaged: FFmpeg tells of a frame, not of those that are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from av import VideoFrame
from av.video.frame import PictureType

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A frame as it comes from the decoder."""

    frame: VideoFrame
    pts: int
    """In ticks of the stream's time base."""
    damaged: bool

    @property
    def is_surely_sound(self) -> bool:
        """Whether it is not made from a frame that comes later and may turn out to be damaged."""
        return not self.damaged and self.frame.pict_type != PictureType.B


class Damage:
    """Follows what is damaged in frames that come in order of time, from a keyframe on.

    A damaged frame damages what comes after it up to the next keyframe, for other frames are made
    from it; not so a B-frame: few are made from those, and only the next ones.
    """

    def __init__(self) -> None:
        self._keyframe_pts: int | None = None
        self._since_pts: int | None = None

    def lost(self, packet: Packet[VideoStream] | None) -> None:
        """A packet gave an error."""
        if packet is not None and packet.pts is not None:
            self._since_pts = packet.pts

    def reaches(self, frame: VideoFrame, pts: int) -> bool:
        """Whether a frame, the next in time, is damaged."""
        if frame.key_frame:
            self._keyframe_pts = pts
        if frame.is_corrupt and frame.pict_type != PictureType.B:
            self._since_pts = pts
        return frame.is_corrupt or self._is_after_damage(pts)

    def _is_after_damage(self, pts: int) -> bool:
        since, keyframe = self._since_pts, self._keyframe_pts
        return since is not None and since <= pts and (keyframe is None or keyframe <= since)
