"""Decides, frame by frame, what may be trusted: a small state machine per tool that fails closed.

    valid    seen in this frame, and the marker fits its design
    suspect  seen, but the marker does not fit, or it was found again only just now
    stale    the tracker has been silent for a moment
    lost     not seen, or the tracker has been silent for long

Anything but ``valid`` carries its reason, and whatever is measured relative to the reference inherits the
reference's trouble.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from geometry.frames import REFERENCE
from navigation.clock import NS_PER_S
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from unity_bridge.wire import Validity


@dataclass(frozen=True, kw_only=True)
class SupervisorSettings:
    """Thresholds.

    Attributes:
        max_fit_rms_mm: a marker that fits its design worse is bent, dirty or partly hidden.
        settle_frames: so many good frames in a row before a tool that was not valid is believed again.
        lost_after_s: silence of the tracker after which a tool is lost rather than stale.
    """

    max_fit_rms_mm: float = 0.8
    settle_frames: int = 3
    lost_after_s: float = 0.25


@dataclass(frozen=True)
class Judgement:
    """A state with its reason; the reason is empty exactly if the state is valid."""

    validity: Validity
    reason: str = ""


class Supervisor:
    """Holds the state of each tool.

    Args:
        tools: names of the tracked tools, the reference among them.
    """

    def __init__(self, tools: tuple[str, ...], settings: SupervisorSettings | None = None) -> None:
        self._settings = settings or SupervisorSettings()
        self._good_in_a_row = dict.fromkeys(tools, 0)
        self._last_frame_ns: int | None = None

    def judge(self, frame: TrackerFrame | None, now_ns: int) -> Mapping[str, Judgement]:
        """The state of each tool in `frame`, or at `now_ns` if the tracker gave no frame in time."""
        if frame is None:
            return self._silence(now_ns)
        self._last_frame_ns = frame.capture_ns
        own = {tool: self._judge_tool(tool, frame.tools.get(tool)) for tool in self._good_in_a_row}
        reference = own[REFERENCE]
        if reference.validity is Validity.VALID:
            return own
        return {tool: reference if tool == REFERENCE else _depends(judged, reference) for tool, judged in own.items()}

    def _judge_tool(self, tool: str, observation: ToolObservation | None) -> Judgement:
        if observation is None or observation.visibility is not Visibility.VISIBLE:
            self._good_in_a_row[tool] = 0
            return Judgement(Validity.LOST, "not reported" if observation is None else observation.visibility.value)
        fit_rms_mm = observation.fit_rms_mm
        if fit_rms_mm is None or fit_rms_mm > self._settings.max_fit_rms_mm:
            self._good_in_a_row[tool] = 0
            return Judgement(Validity.SUSPECT, "the marker does not fit its design")
        self._good_in_a_row[tool] += 1
        if self._good_in_a_row[tool] < self._settings.settle_frames:
            return Judgement(Validity.SUSPECT, "found again, settling")
        return Judgement(Validity.VALID)

    def _silence(self, now_ns: int) -> Mapping[str, Judgement]:
        self._good_in_a_row = dict.fromkeys(self._good_in_a_row, 0)
        if self._last_frame_ns is None:
            judged = Judgement(Validity.LOST, "no frame from the tracker yet")
        elif now_ns - self._last_frame_ns > self._settings.lost_after_s * NS_PER_S:
            judged = Judgement(Validity.LOST, "the tracker is silent")
        else:
            judged = Judgement(Validity.STALE, "no new frame from the tracker")
        return dict.fromkeys(self._good_in_a_row, judged)


def _depends(own: Judgement, reference: Judgement) -> Judgement:
    """A tool can be no better than the reference it is measured against."""
    if own.validity is Validity.LOST:
        return own
    return Judgement(reference.validity, f"reference {reference.validity.value}: {reference.reason}")
