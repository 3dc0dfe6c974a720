"""Computes from one tracker frame the poses that clients show, each with its state and its expected error.

tracker -> reference            all other poses are relative to it
reference -> <tool>[_tip]       T_tracker_reference^-1 @ T_tracker_tool [@ T_tool_tip]
reference -> ct                 the registration; the patient's surfaces hang from it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geometry import Transform
from geometry.frames import CT, REFERENCE, TRACKER
from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement
from registration.record.accepted import AcceptedRegistration
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

if TYPE_CHECKING:
    pass

PATIENT = "patient"


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
        observed = {} if frame is None else {tool: seen.T_tracker_tool for tool, seen in frame.tools.items()}
        T_tracker_reference = observed.get(REFERENCE)
        states = [self._reference(T_tracker_reference, judgements[REFERENCE])]
        T_reference_tracker = None if T_tracker_reference is None else T_tracker_reference.inverse()
        for tool, judged in judgements.items():
            if tool != REFERENCE:
                states.append(self._tool(tool, judged, T_reference_tracker, observed.get(tool)))
        states.append(self._patient(judgements[REFERENCE]))
        return states

    def _reference(self, T_tracker_reference: Transform | None, judged: Judgement) -> ToolState:
        return ToolState(
            tool=REFERENCE,
            to_frame=TRACKER,
            from_frame=REFERENCE,
            validity=judged.validity,
            reason=judged.reason,
            T_to_from=_shown(T_tracker_reference, judged),
        )

    def _tool(
        self, tool: str, judged: Judgement, T_reference_tracker: Transform | None, T_tracker_tool: Transform | None
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
            expected_error_mm=None if tip is None else tip.expected_error_mm,
        )

    def _patient(self, reference: Judgement) -> ToolState:
        if self.registration is None:
            return ToolState(
                tool=PATIENT, to_frame=REFERENCE, from_frame=CT, validity=Validity.LOST, reason="not registered"
            )
        # The registration itself does not age, but the patient's position is not known without the reference.
        return ToolState(
            tool=PATIENT,
            to_frame=REFERENCE,
            from_frame=CT,
            validity=reference.validity,
            reason="" if not reference.reason else f"reference {reference.validity.value}: {reference.reason}",
            T_to_from=_shown(self.registration.T_reference_ct, reference),
            expected_error_mm=self.registration.expected_error_mm,
            registration_id=self.registration.registration_id,
        )


def _shown(pose: Transform | None, judged: Judgement) -> Transform | None:
    """The pose to send; None for lost and stale tools, since there is nothing new to show."""
    return pose if judged.validity in (Validity.VALID, Validity.SUSPECT) else None
