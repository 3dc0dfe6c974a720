"""Computes the poses that clients show, each with its state, its time and its expected error.

tracker -> reference            all other poses are relative to it
reference -> <tool>[_tip]       T_tracker_reference^-1 @ T_tracker_tool [@ T_tool_tip], both at one instant
reference -> ct                 the registration; the patient's surfaces hang from it

The instant is the newest at which both tool and reference are known: that of the frame, if both were seen in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from geometry import Transform
from geometry.frames import CT, REFERENCE, TRACKER
from geometry.points import Floats
from navigation.devices.driver import Tool
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.supervisor import Judgement
from navigation.live.timeline.timelines import NoPose, Relative, Timelines
from navigation.live.timeline.tip_error import added_up, motion_mm2, tracking_mm2, turned
from registration.record.accepted import AcceptedRegistration
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

PATIENT = "patient"
NOT_SEEN = ToolObservation(Visibility.NO_DATA)
# As `registration.assumptions` has it, which the pose process does not import.
LEAST_TIP_RMS_MM = 0.25
# Of lost and stale tools there is nothing new to show.
_SHOWN = (Validity.VALID, Validity.SUSPECT)


@dataclass(frozen=True)
class CalibratedTip:
    """A tool's calibrated tip.

    Attributes:
        T_tool_tip: ``T_<tool>_<tool>_tip``.
        expected_error_mm: its expected RMS error; None if it is not known.
        stated_covariance_mm2: of its position, ``(3, 3)`` along the tool's axes; None where only the RMS is known.
    """

    T_tool_tip: Transform
    expected_error_mm: float | None
    stated_covariance_mm2: Floats | None = field(default=None, compare=False)

    @classmethod
    def of_tools(cls, tools: Iterable[Tool]) -> dict[str, CalibratedTip]:
        """The tips of those tools that have one, by the tool's name."""
        return {
            tool.name: cls(tool.T_tool_tip, tool.tip_error_rms_mm, tool.tip_covariance_mm2)
            for tool in tools
            if tool.T_tool_tip is not None
        }

    @cached_property
    def covariance_mm2(self) -> Floats | None:
        """Of its position, ``(3, 3)`` along the tool's axes; None if nothing is known of it.

        It is as large as the stated one and as `LEAST_TIP_RMS_MM`: a tip may have been bent since it was calibrated.
        """
        stated = self.stated_covariance_mm2
        if stated is None and self.expected_error_mm is None:
            return None
        known = stated if stated is not None else (self.expected_error_mm or 0.0) ** 2 / 3.0 * np.eye(3)
        return known + max(0.0, LEAST_TIP_RMS_MM**2 - float(np.trace(known))) / 3.0 * np.eye(3)


@dataclass(frozen=True)
class PoseGraph:
    """The calibrations and the registration that a tracker frame is combined with.

    Attributes:
        tips: tool -> calibrated tip; of other tools the marker's pose is streamed.
        registration: None as long as the patient is not registered; the patient is then sent as lost.
    """

    tips: Mapping[str, CalibratedTip] = field(default_factory=dict)
    registration: AcceptedRegistration | None = None

    def states(
        self,
        frame: TrackerFrame | None,
        judgements: Mapping[str, Judgement],
        timelines: Timelines | None = None,
        now_ns: int | None = None,
    ) -> list[ToolState]:
        """One state for each tool and one for the patient.

        Args:
            frame: the newest frame; None if there is none to be used.
            judgements: the state of each tool of that frame, and maybe of the patient.
            timelines: what was seen so far, this frame included; without them the frame stands alone.
            now_ns: when the states are published, for what tools have moved since they were seen; None for the time of
                the frame.
        """
        if timelines is None:
            timelines = Timelines() if frame is None else Timelines.of(frame)
        observed: Mapping[str, ToolObservation] = {} if frame is None else frame.tools
        reference = observed.get(REFERENCE, NOT_SEEN)
        states = [self._reference(reference, judgements[REFERENCE])]
        frame_ns = None if frame is None else frame.capture_ns
        now_ns = frame_ns if now_ns is None else now_ns
        for tool, judged in judgements.items():
            if tool not in (REFERENCE, PATIENT):
                states.append(self._tool(tool, judged, timelines, frame_ns, now_ns))
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
        self, tool: str, judged: Judgement, timelines: Timelines, frame_ns: int | None, now_ns: int | None
    ) -> ToolState:
        tip = self.tips.get(tool)
        relative = timelines.newest(tool) if judged.validity in _SHOWN else None
        if isinstance(relative, NoPose) and judged.validity is Validity.VALID:
            # Seen in the newest frame, but at no instant at which the reference was seen too.
            judged = Judgement(Validity.LOST, relative.why)
        pose = capture_ns = covariance_mm2 = None
        if isinstance(relative, Relative):
            pose = relative.T_reference_tool if tip is None else relative.T_reference_tool @ tip.T_tool_tip
            capture_ns = None if relative.capture_ns == frame_ns else relative.capture_ns
            age_ns = 0 if now_ns is None else now_ns - relative.capture_ns
            covariance_mm2 = self.covariance_mm2(tool, relative, pose, timelines, age_ns)
        return ToolState(
            tool=tool,
            to_frame=REFERENCE,
            from_frame=tool if tip is None else tip.T_tool_tip.from_frame,
            validity=judged.validity,
            reason=judged.reason,
            T_to_from=pose,
            capture_ns=capture_ns,
            expected_error_mm=None if tip is None else tip.expected_error_mm,
            covariance_mm2=covariance_mm2,
        )

    def covariance_mm2(
        self,
        tool: str,
        relative: Relative,
        pose: Transform,
        timelines: Timelines,
        age_ns: int,
        lag_mm: Floats | None = None,
    ) -> Floats | None:
        """Of the tip against the registered patient, along the axes of the reference; None if a part is not known.

        Args:
            tool: its name.
            relative: where it was seen, and `pose` that of its tip, as measured: ``T_reference_tip``.
            timelines: what was seen so far.
            age_ns: how much older the pose is than what it is shown as.
            lag_mm: of a filtered pose, how far it is behind the measured one, as in `motion_mm2`.
        """
        if self.registration is None or self.registration.uncertainty is None:
            return None
        tip = self.tips.get(tool)
        T_tool_tip = None if tip is None else tip.T_tool_tip
        parts = [
            tracking_mm2(relative, pose),
            motion_mm2(tool, relative, pose, T_tool_tip, timelines, age_ns, lag_mm),
            self.registration.uncertainty.at(pose.translation_mm),
        ]
        if tip is not None:
            parts.append(turned(tip.covariance_mm2, relative.T_reference_tool))
        return added_up(parts)

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


def _shown(pose: Transform | None, judged: Judgement) -> Transform | None:
    """The pose to send; None for lost and stale tools, since there is nothing new to show."""
    return pose if judged.validity in _SHOWN else None
