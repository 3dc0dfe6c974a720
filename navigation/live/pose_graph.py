"""Computes from one tracker frame the poses that clients show, each with its state and its expected error.

tracker -> reference            all other poses are relative to it
reference -> <tool>[_tip]       T_tracker_reference^-1 @ T_tracker_tool [@ T_tool_tip]
reference -> ct                 the registration; the patient's surfaces hang from it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from geometry import Transform
from geometry.frames import CT, REFERENCE, TRACKER
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.supervisor import Judgement
from registration.record.accepted import AcceptedRegistration
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

PATIENT = "patient"
NOT_SEEN = ToolObservation(Visibility.NO_DATA)


@dataclass(frozen=True)
class CalibratedTip:
    """A tool's calibrated tip, ``T_<tool>_<tool>_tip``, and its expected RMS error in mm."""

    T_tool_tip: Transform
    expected_error_mm: float


@dataclass(frozen=True)
class PoseGraph:
    """The calibrations and the registration that a tracker frame is combined with.

    Attributes:
        tips: tool -> calibrated tip; of other tools the marker's pose is streamed.
        registration: None as long as the patient is not registered; the patient is then sent as lost.
    """

    tips: Mapping[str, CalibratedTip] = field(default_factory=dict)
    registration: AcceptedRegistration | None = None

    def states(self, frame: TrackerFrame | None, judgements: Mapping[str, Judgement]) -> list[ToolState]:
        """One state for each tool and one for the patient; poses only where this frame has the markers for them."""
        observed: Mapping[str, ToolObservation] = {} if frame is None else frame.tools
        reference = observed.get(REFERENCE, NOT_SEEN)
        states = [self._reference(reference, judgements[REFERENCE])]
        T_tracker_reference = reference.T_tracker_tool
        T_reference_tracker = None if T_tracker_reference is None else T_tracker_reference.inverse()
        for tool, judged in judgements.items():
            if tool not in (REFERENCE, PATIENT):
                seen = observed.get(tool, NOT_SEEN)
                older_ns = None if frame is None else _older(frame, reference, seen)
                states.append(self._tool(tool, judged, T_reference_tracker, seen.T_tracker_tool, older_ns))
        states.append(self._patient(judgements[REFERENCE], judgements.get(PATIENT), reference.capture_ns))
        return states

    def _reference(self, seen: ToolObservation, judged: Judgement) -> ToolState:
        return ToolState(
            tool=REFERENCE,
            to_frame=TRACKER,
            from_frame=REFERENCE,
            validity=judged.validity,
            reason=judged.reason,
            T_to_from=_shown(seen.T_tracker_tool, judged),
            capture_ns=seen.capture_ns,
        )

    def _tool(
        self,
        tool: str,
        judged: Judgement,
        T_reference_tracker: Transform | None,
        T_tracker_tool: Transform | None,
        capture_ns: int | None,
    ) -> ToolState:
        tip = self.tips.get(tool)
        pose = None
        if T_reference_tracker is not None and T_tracker_tool is not None:
            pose = T_reference_tracker @ T_tracker_tool
            pose = pose if tip is None else pose @ tip.T_tool_tip
        return ToolState(
            tool=tool,
            to_frame=REFERENCE,
            from_frame=tool if tip is None else tip.T_tool_tip.from_frame,
            validity=judged.validity,
            reason=judged.reason,
            T_to_from=_shown(pose, judged),
            capture_ns=capture_ns,
            expected_error_mm=None if tip is None else tip.expected_error_mm,
        )

    def _patient(self, reference: Judgement, judged: Judgement | None, capture_ns: int | None) -> ToolState:
        if self.registration is None:
            return ToolState(
                tool=PATIENT, to_frame=REFERENCE, from_frame=CT, validity=Validity.LOST, reason="not registered"
            )
        if judged is None:
            # The registration itself does not age, but the patient's position is not known without the reference.
            why = f"reference {reference.validity.value}: {reference.reason}" if reference.reason else ""
            judged = Judgement(reference.validity, why)
        return ToolState(
            tool=PATIENT,
            to_frame=REFERENCE,
            from_frame=CT,
            validity=judged.validity,
            reason=judged.reason,
            T_to_from=_shown(self.registration.T_reference_ct, judged),
            capture_ns=capture_ns,
            expected_error_mm=self.registration.expected_error_mm,
            registration_id=self.registration.registration_id,
        )


def _older(frame: TrackerFrame, reference: ToolObservation, seen: ToolObservation) -> int | None:
    """The time of a pose that was made from two observations: that of the older one; None if it is the frame's."""
    both_ns = (frame.capture_ns if each.capture_ns is None else each.capture_ns for each in (reference, seen))
    older_ns = min(both_ns)
    return None if older_ns == frame.capture_ns else older_ns


def _shown(pose: Transform | None, judged: Judgement) -> Transform | None:
    """The pose to send; None for lost and stale tools, since there is nothing new to show."""
    return pose if judged.validity in (Validity.VALID, Validity.SUSPECT) else None
