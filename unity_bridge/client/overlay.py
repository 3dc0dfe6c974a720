"""Where a client may show the tracker's world: docs/unity_bridge/protocol.md, section 10. It fails closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.frames import HEADSET, TRACKER
from geometry.points import Floats
from unity_bridge.client.placing import rotated
from unity_bridge.wire.convention import UnityPose
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import HeadsetAlignment

# A client sends what it sees, or that it sees nothing, twice a second at least, and each is answered.
SILENCE_S = 2.0


@dataclass(frozen=True, eq=False)
class Overlay:
    """What a client may show of the tracker's world at one moment.

    Attributes:
        pose: of ``tracker`` in ``headset``, below the client's anchor; None if nothing may be shown.
        reason: why not; empty if it may.
        expected_p95_mm: within which 95 of 100 such calibrations show a point in the middle of what was measured; None
            where it is not known.
        calibrated: when that was, and how long ago, for the person who looks; empty without a calibration.
    """

    pose: UnityPose | None
    reason: str
    expected_p95_mm: float | None = None
    calibrated: str = ""

    def points(self, points_tracker_m: Floats) -> Floats | None:
        """Points ``(n, 3)`` of ``tracker`` in ``headset``, in m; None if they may not be shown."""
        pose = self.pose
        return None if pose is None else rotated(pose.rotation_xyzw, points_tracker_m) + pose.position_m


class OverlayLink:
    """Keeps the server's newest answer, and judges it whenever something is drawn."""

    def __init__(self) -> None:
        self._anchor = ""
        self._answer: HeadsetAlignment | None = None
        self._pose: UnityPose | None = None
        self._received_ns = 0

    def observed(self, anchor: str) -> None:
        """The client's world is now where this anchor says."""
        self._anchor = anchor

    def take(self, answer: HeadsetAlignment, received_ns: int) -> None:
        """The server has answered, at a time on the client's clock.

        Raises:
            InvalidPoseError: it says that it is valid, and holds no pose; then nothing is shown.
        """
        self.forget()
        self._pose = _pose(answer)
        self._answer, self._received_ns = answer, received_ns

    def forget(self) -> None:
        """The server has started anew."""
        self._answer = None

    def at(self, now_ns: int) -> Overlay:
        """What may be shown at a time on the client's clock."""
        answer = self._answer
        if answer is None:
            return Overlay(None, "the server has not said where the tracker is in this headset's world")
        silent_s = (now_ns - self._received_ns) / 1e9
        if silent_s > SILENCE_S:
            return Overlay(None, f"the server has said nothing of this headset's calibration for {silent_s:.1f} s")
        if self._pose is None:
            return Overlay(None, answer.reason, None, answer.calibrated)
        if answer.anchor != self._anchor:
            return Overlay(None, "this headset has placed its world anew. Fix: calibrate it", None, answer.calibrated)
        return Overlay(self._pose, "", answer.expected_p95_mm, answer.calibrated)


def _pose(answer: HeadsetAlignment) -> UnityPose | None:
    """The tracker's pose of an answer that is valid."""
    if answer.validity is not Validity.VALID:
        return None
    position_m, rotation_xyzw = np.array(answer.position_m or ()), np.array(answer.rotation_xyzw or ())
    return UnityPose(position_m, rotation_xyzw, HEADSET, TRACKER)
