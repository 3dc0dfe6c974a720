"""Pairs a live ultrasound frame with the probe's pose at the instant that it shows, and places it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from geometry import Transform
from geometry.frames import CT, REFERENCE
from navigation.clock import NS_PER_S
from navigation.live.pose_graph import PATIENT
from navigation.live.pose_mirror import MirroredTool
from navigation.live.timeline.tip_error import BASELINE_NS
from navigation.live.timeline.turns import rotation_vector
from navigation.ultrasound.live.place_errors import PlaceErrors
from navigation.ultrasound.live.placed_frame import PlacedFrame, corners_px
from navigation.ultrasound.live.seen_tool import Seen, SeenTool
from navigation.ultrasound.pipeline import USABLE, FrameResult
from navigation.ultrasound.placing import ProbeInForce
from registration.record.accepted import AcceptedRegistration
from unity_bridge.wire.envelope import Validity


class PlacingTimeline:
    """The probe's poses of the last seconds, and the registration; places a frame at the instant that it shows.

    Args:
        probe: its calibrations in force.
        T_probe_tip: its calibrated tip, where the room gives it one: its poses are then streamed for the tip.
    """

    def __init__(self, probe: ProbeInForce, T_probe_tip: Transform | None = None) -> None:
        self.probe = probe
        self.registration: AcceptedRegistration | None = None
        self._seen = SeenTool(probe.name, None if T_probe_tip is None else T_probe_tip.inverse())
        self._patient: MirroredTool | None = None

    def note(self, tools: Iterable[MirroredTool]) -> None:
        """Takes in the states of one batch of the `PoseMirror`."""
        for tool in tools:
            if tool.tool == self.probe.name:
                self._seen.note(tool)
            elif tool.tool == PATIENT:
                self._patient = tool

    def shows_ns(self, result: FrameResult) -> int | None:
        """The instant that a frame shows: its time of capture and the calibrated lag; None for one without a time."""
        return None if result.capture_ns is None else result.capture_ns + round(self.probe.lag_s * NS_PER_S)

    def has_come_to(self, instant_ns: int) -> bool:
        """Whether the probe has been observed, seen or not, up to that instant: nothing is gained by waiting on."""
        return self._seen.has_come_to(instant_ns)

    def place(self, result: FrameResult) -> PlacedFrame:
        """Places a frame, or says why it has no place."""
        shows_ns = self.shows_ns(result)
        trouble = self._trouble(result)
        seen = self._seen.at(shows_ns or 0)
        if trouble or shows_ns is None or seen.T_reference_tool is None:
            why = trouble or f"no pose of {self.probe.name} at the time that the image shows: {seen.reason}"
            return self._placed(result, shows_ns, Validity.LOST, why)
        why = self._seen.doubt(seen)
        held = Validity.SUSPECT if why else Validity.VALID
        known = self._errors(seen, shows_ns)
        patient = self._patient
        if patient is None or patient.T_to_from is None:
            return self._placed(result, shows_ns, held, why, (seen.T_reference_tool, None), (known, known))
        if held is Validity.VALID and patient.validity is not Validity.VALID:
            held, why = Validity.SUSPECT, f"patient {patient.validity.value}: {patient.reason}"
        T_reference_ct = Transform(patient.T_to_from, REFERENCE, CT)
        poses = seen.T_reference_tool, T_reference_ct.inverse()
        return self._placed(result, shows_ns, held, why, poses, (known, self._registered(known, T_reference_ct)))

    def T_reference_probe_at(self, instant_ns: int) -> Transform | None:
        """The probe's pose at an instant; None where it was not seen."""
        return self._seen.at(instant_ns).T_reference_tool

    def _trouble(self, result: FrameResult) -> str:
        if result.state != USABLE or result.pixels is None:
            return f"the image is not usable: {result.state}"
        if result.capture_ns is None:
            return "an image without a time"
        return self.probe.trouble((result.pixels.shape[1], result.pixels.shape[0]), result.pixel_mm)

    def _errors(self, seen: Seen, shows_ns: int) -> PlaceErrors | None:
        """Beside the reference; None where a part is not known: never a smaller error."""
        pose, before = seen.T_reference_tool, self._seen.at(shows_ns - BASELINE_NS).T_reference_tool
        tracking = None if seen.told is None else seen.told.tracking
        if pose is None or tracking is None or before is None or self.probe.lag_sd_s is None:
            return None
        turned = rotation_vector(pose.rotation_matrix @ before.rotation_matrix.T)
        if turned is None:
            return None
        return PlaceErrors(
            image_map=self.probe.image_map,
            T_reference_probe=pose,
            tracking=tracking,
            own_tracking=None if seen.told is None else seen.told.own_tracking,
            twist=np.append(turned, pose.translation_mm - before.translation_mm) * (NS_PER_S / BASELINE_NS),
            # The bound of a clock is one that time is evenly spread in.
            time_sd_s=float(np.hypot(self.probe.lag_sd_s, seen.bound_ns / NS_PER_S / np.sqrt(3.0))),
            registration=None,
        )

    def _registered(self, known: PlaceErrors | None, T_reference_ct: Transform) -> PlaceErrors | None:
        """With the error of this registration; None where that is not known."""
        registered = self.registration
        if known is None or registered is None or registered.uncertainty is None:
            return None
        if not np.array_equal(registered.T_reference_ct.matrix, T_reference_ct.matrix):
            return None
        return replace(known, registration=registered.uncertainty)

    def _placed(
        self,
        result: FrameResult,
        shows_ns: int | None,
        validity: Validity,
        reason: str,
        poses: tuple[Transform | None, Transform | None] = (None, None),
        errors: tuple[PlaceErrors | None, PlaceErrors | None] = (None, None),
    ) -> PlacedFrame:
        points_px = np.concatenate([corners_px(self.probe.size_px), *(each.points_px for each in result.contours)])
        T_reference_probe, T_ct_reference = poses
        in_reference, placed = errors
        return PlacedFrame(
            result=result,
            T_probe_image_px=self.probe.image_map.matrix_probe_image_px,
            shows_ns=shows_ns,
            validity=validity,
            reason=reason,
            T_reference_probe=T_reference_probe,
            T_ct_reference=T_ct_reference,
            expected_p95_mm=None if placed is None else float(placed.p95_mm(points_px).max()),
            errors=placed,
            errors_reference=in_reference,
        )
