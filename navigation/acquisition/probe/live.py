"""Ultrasound images of a running room, one by one, with the poses at their times; and the poses between them."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from calibration.ultrasound_probe.motion import ProbeMotion
from geometry import Transform
from geometry.frames import TRACKER
from navigation.acquisition.live_poses import captured_ns, seen_pose
from navigation.clock import NS_PER_S
from navigation.devices.tracker import Tracker, TrackerFrame
from navigation.devices.ultrasound.source import UltrasoundFrame, UltrasoundSource
from navigation.errors import AcquisitionError

_PATIENCE_NS = NS_PER_S // 20
# Between poses that are farther apart than this, none is made up.
_LONGEST_GAP_NS = NS_PER_S // 5
_KEPT_NS = 2 * NS_PER_S
_MOST_WAITING = 64
_LONGEST_SILENCE_NS = 10 * NS_PER_S


class LiveFrames:
    """Frames with ``T_tracker_<tool>`` of each tool, as a recording of PLUS has them.

    An image waits until the tracker has come to its time; its poses lie between those before and after it. Poses
    without an image come as frames without one, so that the motion between the images is known too.

    Args:
        images: a running source, on the same clock as the tracker.
        tracker: a running tracker that sees the tools.
        tools: whose poses are wanted, by their names in the room, and what they are called in the frames.

    Attributes:
        why: what is not seen, and why; empty if all is.
    """

    def __init__(self, images: UltrasoundSource, tracker: Tracker, tools: Mapping[str, str]) -> None:
        self._images, self._tracker, self._tools = images, tracker, dict(tools)
        self._poses: dict[str, deque[tuple[int, Transform]]] = {tool: deque() for tool in self._tools}
        self._waiting: deque[UltrasoundFrame] = deque(maxlen=_MOST_WAITING)
        self._ready: deque[UltrasoundFrame] = deque()
        self._heard_ns = self._image_ns = -1
        self._last_ns: int | None = None
        self.why = ""

    @property
    def is_over(self) -> bool:
        """Whether the images have ended, and all of them were given."""
        return bool(self._images.ended) and not self._waiting and not self._ready

    def next(self) -> UltrasoundFrame | None:
        """The next frame; None if nothing new came within a moment.

        Raises:
            AcquisitionError: images without an end, and none for ten seconds.
        """
        if not self._ready:
            self._poll()
        return self._ready.popleft() if self._ready else None

    def _poll(self) -> None:
        frame = self._tracker.next_frame(_PATIENCE_NS)
        if frame is not None and (self._last_ns is None or frame.capture_ns > self._last_ns):
            self._last_ns = frame.capture_ns
            self._take(frame)
        image = self._images.next_frame(0)
        if image is not None and image.capture_ns is not None:
            self._waiting.append(image)
            self._image_ns = image.capture_ns
        self._check_silence()
        ended = bool(self._images.ended)
        while self._waiting and (ended or (self._waiting[0].capture_ns or 0) <= self._heard_ns):
            image = self._waiting.popleft()
            self._ready.append(self._with_poses(image, image.capture_ns or 0))

    def _take(self, frame: TrackerFrame) -> None:
        self.why, heard_ns = "", frame.capture_ns
        for tool in self._tools:
            pose, why = seen_pose(frame, tool)
            self.why = self.why or why
            poses, at_ns = self._poses[tool], captured_ns(frame, tool)
            if pose is not None:
                heard_ns = min(heard_ns, at_ns)
                if not poses or at_ns > poses[-1][0]:
                    poses.append((at_ns, Transform(pose.matrix, TRACKER, self._tools[tool])))
            while poses and frame.capture_ns - poses[0][0] > _KEPT_NS:
                poses.popleft()
        self._heard_ns = heard_ns
        only_poses = UltrasoundFrame(frame.sequence, self._heard_ns, None, missing="poses alone, between two images")
        self._ready.append(self._with_poses(only_poses, self._heard_ns))

    def _check_silence(self) -> None:
        if self._last_ns is None or self._images.ended:
            return
        if self._image_ns < 0:
            self._image_ns = self._last_ns
        if self._last_ns - self._image_ns > _LONGEST_SILENCE_NS:
            raise AcquisitionError(
                f"no image of {self._images.name} for {(self._last_ns - self._image_ns) / NS_PER_S:.0f} s",
                "a source that gives images",
                "check the scanner, and the name of its images in the room file",
            )

    def _with_poses(self, frame: UltrasoundFrame, at_ns: int) -> UltrasoundFrame:
        poses = {f"T_{TRACKER}_{name}": self._at(tool, at_ns) for tool, name in self._tools.items()}
        return replace(frame, poses=poses)

    def _at(self, tool: str, at_ns: int) -> Transform | None:
        """The pose at that time, between two that were seen; None where they are too far apart, or one is missing."""
        poses = self._poses[tool]
        after = bisect_left(poses, at_ns, key=lambda each: each[0])
        if after < len(poses) and poses[after][0] == at_ns:
            return poses[after][1]
        if not 0 < after < len(poses) or poses[after][0] - poses[after - 1][0] > _LONGEST_GAP_NS:
            return None
        (from_ns, first), (to_ns, second) = poses[after - 1], poses[after]
        times_s = np.array([0.0, (to_ns - from_ns) / NS_PER_S])
        between, _ = ProbeMotion(times_s, np.stack([first.matrix, second.matrix])).at(
            np.array([(at_ns - from_ns) / NS_PER_S])
        )
        return Transform(between[0], TRACKER, self._tools[tool])
