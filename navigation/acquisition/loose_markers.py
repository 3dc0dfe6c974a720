"""Single markers of a tool whose geometry nobody knows yet, live: how far it was turned, what is known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from calibration.errors import CalibrationRefusedError
from calibration.result import InputFile
from calibration.tool_geometry.layout import LayoutSettings, solve_layout
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.trying import ENOUGH, LEAST_S
from navigation.clock import NS_PER_S
from navigation.devices.tracker import Tracker
from navigation.errors import AcquisitionError

_TIMEOUT_NS = NS_PER_S // 2
_LONGEST_SILENCE_NS = 10 * NS_PER_S
_UNDO_S = 2.0
# Frames enough for an advice.
_ADVISED_BY = 80
# Turned by so much its spheres are seen from several sides, and the tracker's error at one place averages out.
WANTED_TURN_RMS_RAD = np.deg2rad(10.0)


@dataclass(frozen=True, eq=False)
class MarkersSample:
    """Single markers ``(n, 3)`` in mm in ``tracker``, in no order, at a time in s."""

    time_s: float
    points_mm: Floats


class LiveMarkers:
    """Every new frame of a running tracker with its single markers.

    Attributes:
        why: what is missing; empty if nothing is.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._newest_ns: int | None = None
        self._given_ns: int | None = None
        self.why = ""

    def next(self) -> MarkersSample | None:
        """The next frame; None if nothing new came.

        Raises:
            AcquisitionError: a device that gave no single markers for ten seconds.
        """
        frame = self._tracker.next_frame(_TIMEOUT_NS)
        if frame is None or (self._newest_ns is not None and frame.capture_ns <= self._newest_ns):
            return None
        self._newest_ns = frame.capture_ns
        if self._given_ns is None or frame.strays_mm is not None:
            self._given_ns = frame.capture_ns
        if frame.strays_mm is None:
            self.why = self._tracker.state.reason or "no single markers come"
            if frame.capture_ns - self._given_ns < _LONGEST_SILENCE_NS:
                return None
            raise AcquisitionError(
                "a tracker that gives poses of tools alone, and no single markers",
                "ndi with strays = true, openigtlink with points = NAME, or simulated with unknown = [TOOL]",
                "export the markers with the tracker's own program, and name the CSV",
            )
        self.why = "" if len(frame.strays_mm) >= 3 else f"{len(frame.strays_mm)} markers in view, of 3 at least"
        return MarkersSample(frame.capture_ns / NS_PER_S, frame.strays_mm)


class LayoutCollecting:
    """Satisfies `Collecting` for the single markers of one tool.

    Args:
        settings: what the layout must bring.
    """

    def __init__(self, settings: LayoutSettings) -> None:
        self._settings = settings
        self._samples: list[MarkersSample] = []
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the tool had been turned, and its spheres were known to half of the limit."""
        return self._is_enough

    @property
    def frames_mm(self) -> list[Floats]:
        """The markers of each frame, ``(n, 3)``."""
        return [each.points_mm for each in self._samples]

    def add(self, sample: MarkersSample) -> None:
        """Takes a frame in."""
        self._samples.append(sample)

    def undo(self) -> None:
        """Takes the last two seconds back."""
        if self._samples:
            kept_s = self._samples[-1].time_s - _UNDO_S
            self._samples = [each for each in self._samples if each.time_s <= kept_s]

    def advice(self) -> Advice:
        self._is_enough = False
        step = "turn the tool slowly before the tracker, to all sides, and keep other loose markers out of view"
        usable = [points for points in self.frames_mm if len(points) >= 3]
        wanted = self._settings.minimum_frames
        if len(usable) < wanted:
            return Advice(step, 0.0, f"three markers in {len(usable)} frames; {wanted} are needed")
        coverage = min(1.0, self._duration_s / LEAST_S, _turn_rms_rad(usable) / WANTED_TURN_RMS_RAD)
        few = [usable[k] for k in np.unique(np.linspace(0, len(usable) - 1, _ADVISED_BY).astype(int))]
        try:
            found = solve_layout(few, self._settings)
        except CalibrationRefusedError as error:
            return Advice(error.action, min(coverage, 0.99), f"the spheres are not known yet: {error.came}")
        error_mm = found.expected_error_rms_mm
        known = f"{len(found.seen)} spheres, known to {error_mm:.3f} mm RMS, from {len(usable)} frames"
        self._is_enough = coverage >= 1.0 and error_mm <= ENOUGH * self._settings.maximum_error_rms_mm
        return Advice.enough(known) if self._is_enough else Advice(step, coverage, known)

    def inputs(self, source: str) -> InputFile:
        """What a result says of them: the name of the room, and the SHA-256 of all points."""
        digest = hashlib.sha256()
        for each in self._samples:
            digest.update(np.array([each.time_s]).tobytes() + each.points_mm.tobytes())
        return InputFile(name=source, sha256=digest.hexdigest())

    @property
    def _duration_s(self) -> float:
        return self._samples[-1].time_s - self._samples[0].time_s if self._samples else 0.0


def _turn_rms_rad(frames_mm: list[Floats]) -> float:
    """How far the line between the two markers that are farthest apart was turned, RMS from its mean direction."""
    most = max(map(len, frames_mm))
    lines = []
    for points in frames_mm:
        if len(points) == most:
            apart = points[:, None] - points
            one, other = np.unravel_index(int(np.argmax(np.einsum("ijk,ijk->ij", apart, apart))), apart.shape[:2])
            lines.append(apart[one, other] / np.linalg.norm(apart[one, other]))
    # The largest eigenvalue of the mean of u u^T is the mean squared cosine from the mean line, whatever the signs.
    mean = np.einsum("ni,nj->ij", lines, lines) / len(lines)
    return float(np.arccos(np.sqrt(np.clip(np.linalg.eigvalsh(mean)[-1], 0.0, 1.0))))
