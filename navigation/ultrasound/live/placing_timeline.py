"""Pairs a live ultrasound frame with the probe's pose at the instant that it shows, and places it."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.live.pose_graph import PATIENT
from navigation.live.pose_mirror import MirroredTool
from navigation.live.timeline.between import between
from navigation.live.timeline.timeline import LONGEST_GAP_NS
from navigation.live.timeline.tip_error import BASELINE_NS
from navigation.live.timeline.turns import rotation_vector
from navigation.ultrasound.live.place_errors import PlaceErrors
from navigation.ultrasound.live.placed_frame import PlacedFrame, corners_px
from navigation.ultrasound.pipeline import USABLE, FrameResult
from navigation.ultrasound.placing import ProbeInForce
from registration.record.accepted import AcceptedRegistration
from unity_bridge.wire.envelope import Validity

# Beyond the longest lag that a calibration looks for, and the time that a frame waits for its contours.
KEPT_NS = 2 * NS_PER_S


@dataclass(frozen=True, slots=True)
class _Seen:
    """The probe at one instant; without a pose it was not seen, or not to be believed."""

    at_ns: int
    T_reference_probe: Transform | None
    validity: Validity
    reason: str
    tracking: Floats | None
    bound_ns: int


class PlacingTimeline:
    """The probe's poses of the last seconds, and the registration; places a frame at the instant that it shows.

    Args:
        probe: its calibrations in force.
        T_probe_tip: its calibrated tip, where the room gives it one: its poses are then streamed for the tip.
    """

    def __init__(self, probe: ProbeInForce, T_probe_tip: Transform | None = None) -> None:
        self.probe = probe
        self.registration: AcceptedRegistration | None = None
        self._T_tip_probe = None if T_probe_tip is None else T_probe_tip.inverse()
        self._seen: deque[_Seen] = deque()
        self._patient: MirroredTool | None = None

    def note(self, tools: Iterable[MirroredTool]) -> None:
        """Takes in the states of one batch of the `PoseMirror`."""
        for tool in tools:
            if tool.tool == self.probe.name:
                self._note_probe(tool)
            elif tool.tool == PATIENT:
                self._patient = tool

    def shows_ns(self, result: FrameResult) -> int | None:
        """The instant that a frame shows: its time of capture and the calibrated lag; None for one without a time."""
        return None if result.capture_ns is None else result.capture_ns + round(self.probe.lag_s * NS_PER_S)

    def has_come_to(self, instant_ns: int) -> bool:
        """Whether the probe has been observed, seen or not, up to that instant: nothing is gained by waiting on."""
        return bool(self._seen) and self._seen[-1].at_ns >= instant_ns

    def place(self, result: FrameResult) -> PlacedFrame:
        """Places a frame, or says why it has no place."""
        shows_ns = self.shows_ns(result)
        trouble = self._trouble(result)
        seen = self._at(shows_ns or 0)
        if trouble or shows_ns is None or seen.T_reference_probe is None:
            why = trouble or f"no pose of {self.probe.name} at the time that the image shows: {seen.reason}"
            return self._placed(result, shows_ns, Validity.LOST, why)
        held, why = self._doubt(seen)
        if self._patient is None or self._patient.T_to_from is None:
            errors = self._errors(seen, shows_ns, None)
            return self._placed(result, shows_ns, held, why, seen.T_reference_probe, None, errors)
        if held is Validity.VALID and self._patient.validity is not Validity.VALID:
            held, why = Validity.SUSPECT, f"patient {self._patient.validity.value}: {self._patient.reason}"
        T_reference_ct = Transform(self._patient.T_to_from, REFERENCE, CT)
        errors = self._errors(seen, shows_ns, T_reference_ct)
        return self._placed(result, shows_ns, held, why, seen.T_reference_probe, T_reference_ct.inverse(), errors)

    def T_reference_probe_at(self, instant_ns: int) -> Transform | None:
        """The probe's pose at an instant; None where it was not seen."""
        return self._at(instant_ns).T_reference_probe

    def _note_probe(self, tool: MirroredTool) -> None:
        if self._seen and tool.capture_ns <= self._seen[-1].at_ns:
            return  # sent again, such as one that has become stale
        pose = None
        if tool.T_to_from is not None and tool.validity in (Validity.VALID, Validity.SUSPECT):
            pose = Transform(tool.T_to_from, tool.to_frame, tool.from_frame)
            pose = pose if self._T_tip_probe is None else pose @ self._T_tip_probe
        why = f"{tool.validity.value}{': ' if tool.reason else ''}{tool.reason}"
        self._seen.append(_Seen(tool.capture_ns, pose, tool.validity, why, tool.tracking, tool.stamp_bound_ns))
        while tool.capture_ns - self._seen[0].at_ns > KEPT_NS:
            self._seen.popleft()

    def _trouble(self, result: FrameResult) -> str:
        if result.state != USABLE or result.pixels is None:
            return f"the image is not usable: {result.state}"
        if result.capture_ns is None:
            return "an image without a time"
        return self.probe.trouble((result.pixels.shape[1], result.pixels.shape[0]), result.pixel_mm)

    def _at(self, instant_ns: int) -> _Seen:
        """The probe at an instant, between two observations by interpolation."""
        after = bisect_left(self._seen, instant_ns, key=lambda each: each.at_ns)
        if not self._seen:
            return _absent(instant_ns, "no pose has come")
        if after == len(self._seen):
            late_ms = (instant_ns - self._seen[-1].at_ns) / 1e6
            last = self._seen[-1]
            said = f", and then {last.reason}" if last.T_reference_probe is None else ""
            return _absent(instant_ns, f"the newest is {late_ms:.0f} ms older{said}")
        second = self._seen[after]
        if second.at_ns == instant_ns:
            return second
        if after == 0:
            return _absent(instant_ns, "all that are kept are newer")
        first = self._seen[after - 1]
        if first.T_reference_probe is None or second.T_reference_probe is None:
            return first if first.T_reference_probe is None else second
        gap_ns = second.at_ns - first.at_ns
        if gap_ns > LONGEST_GAP_NS:
            return _absent(instant_ns, f"none came for {gap_ns / 1e6:.0f} ms around it")
        pose = between(first.T_reference_probe, second.T_reference_probe, (instant_ns - first.at_ns) / gap_ns)
        if pose is None:
            return _absent(instant_ns, "it turned too far between two")
        doubted = next((each for each in (first, second) if each.validity is not Validity.VALID), second)
        bound_ns = max(first.bound_ns, second.bound_ns)
        return _Seen(instant_ns, pose, doubted.validity, doubted.reason, second.tracking, bound_ns)

    def _doubt(self, seen: _Seen) -> tuple[Validity, str]:
        """What is held against the probe at that instant, or has come up since: a bump is noticed a moment later."""
        for each in (seen, self._seen[-1]):
            if each.validity is Validity.SUSPECT:
                return Validity.SUSPECT, f"{self.probe.name} {each.reason}"
        return Validity.VALID, ""

    def _errors(self, seen: _Seen, shows_ns: int, T_reference_ct: Transform | None) -> PlaceErrors | None:
        """None where a part is not known: never a smaller error."""
        before = self._at(shows_ns - BASELINE_NS).T_reference_probe
        if seen.T_reference_probe is None or seen.tracking is None or before is None or self.probe.lag_sd_s is None:
            return None
        uncertainty = None
        if T_reference_ct is not None:
            registered = self.registration
            if registered is None or not np.array_equal(registered.T_reference_ct.matrix, T_reference_ct.matrix):
                return None
            uncertainty = registered.uncertainty
            if uncertainty is None:
                return None
        turned = rotation_vector(seen.T_reference_probe.rotation_matrix @ before.rotation_matrix.T)
        if turned is None:
            return None
        moved_mm = seen.T_reference_probe.translation_mm - before.translation_mm
        return PlaceErrors(
            image_map=self.probe.image_map,
            T_reference_probe=seen.T_reference_probe,
            tracking=seen.tracking,
            twist=np.append(turned, moved_mm) * (NS_PER_S / BASELINE_NS),
            # The bound of a clock is one that time is evenly spread in.
            time_sd_s=float(np.hypot(self.probe.lag_sd_s, seen.bound_ns / NS_PER_S / np.sqrt(3.0))),
            registration=uncertainty,
        )

    def _placed(
        self,
        result: FrameResult,
        shows_ns: int | None,
        validity: Validity,
        reason: str,
        T_reference_probe: Transform | None = None,
        T_ct_reference: Transform | None = None,
        errors: PlaceErrors | None = None,
    ) -> PlacedFrame:
        points_px = np.concatenate([corners_px(self.probe.size_px), *(each.points_px for each in result.contours)])
        return PlacedFrame(
            result=result,
            T_probe_image_px=self.probe.image_map.matrix_probe_image_px,
            shows_ns=shows_ns,
            validity=validity,
            reason=reason,
            T_reference_probe=T_reference_probe,
            T_ct_reference=T_ct_reference,
            expected_p95_mm=None if errors is None else float(errors.p95_mm(points_px).max()),
            errors=errors,
        )


def _absent(instant_ns: int, why: str) -> _Seen:
    return _Seen(instant_ns, None, Validity.LOST, why, None, 0)
