"""The surgery: pivot calibration, six touched landmarks, a sweep over the skin, touched bone, and the registration.

Calibration, acquisition and registration are the real code, which is given only the plan and the measurements. The true
poses are used only at the end, to score the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from calibration.pivot.pivot import PivotCalibration, calibrate_pivot
from geometry import Surface, Transform
from geometry.frames import REFERENCE, STYLUS
from geometry.points import Floats
from navigation.acquisition.collect import SweptPoints, collect_poses, collect_sweep, collect_touch
from navigation.clock import VirtualClock
from navigation.devices.tracker import Tracker
from navigation.simulation.actions import Action, Pivot, Sweep, Touch, pivot_near
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig, open_simulated_tracker
from navigation.simulation.patient import PatientSkin, SkinPoints, shaft_directions
from registration.assumptions import Assumptions, with_tracker
from registration.errors import RegisteringError
from registration.landmarks.fit import LandmarkRegistration
from registration.measurements import Measured, TouchedPoint
from registration.register import RegistrationOutcome, register
from registration.surface.refine import SurfaceRegistration
from registration.uncertainty.expected_error import ExpectedTre, expected_tre, target_errors_mm
from registration.uncertainty.mobility import LandmarkKind

# Kinds of the demo's landmarks, and the direction of the patient's front in ct, which is LPS.
SKIN_MARKER: LandmarkKind = "skin_marker"
BONE: LandmarkKind = "bone"
FRONT = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True, kw_only=True)
class SurgerySettings:
    """Errors of the simulated surgeon's hand, and the system's assumptions.

    Attributes:
        marker_sd_mm: standard deviation along each axis of a skin marker's centre as found in the CT.
        touch_sd_mm: standard deviation along each axis of the tip about the touched point.
        assumptions: the system's assumptions about these errors and the tracker's.
        pivot_s, sweep_s: how long poses of the pivot, and points of the sweep, are collected.
    """

    marker_sd_mm: float = 0.3
    touch_sd_mm: float = 0.3
    assumptions: Assumptions = field(default_factory=Assumptions)
    pivot_s: float = 12.0
    sweep_s: float = 25.0


@dataclass(frozen=True, eq=False)
class Surgery:
    """What the system measured and concluded.

    Attributes:
        landmarks_ct: name -> planned landmark ``(3,)`` in ``ct``.
        targets_ct: name -> target ``(3,)`` in ``ct``.
        pivot: calibration of the stylus.
        touched: name -> touched landmark in ``reference``.
        bone: name -> touched point of bone in ``reference``, to verify with.
        sweep: the points swept over the skin.
        by_landmarks: the registration by landmarks alone.
        by_surface: the registration refined on the surface, which is the one in force.
        expected: expected TRE of `by_surface` at the targets, in the order of `targets_ct`.
        measured, outcome: measurements and outcome, as they are stored in the case.
        assumptions: the assumptions of the registration.
    """

    landmarks_ct: Mapping[str, Floats]
    targets_ct: Mapping[str, Floats]
    pivot: PivotCalibration
    touched: Mapping[str, TouchedPoint]
    bone: Mapping[str, TouchedPoint]
    sweep: SweptPoints
    by_landmarks: LandmarkRegistration
    by_surface: SurfaceRegistration
    expected: ExpectedTre
    measured: Measured
    outcome: RegistrationOutcome
    assumptions: Assumptions

    @property
    def expected_by_landmarks(self) -> ExpectedTre:
        """Expected TRE of the landmark registration at the targets, if the skin had not moved under all of them."""
        uncertainty = with_tracker(self.by_landmarks.uncertainty, self.assumptions)
        return expected_tre(self.by_landmarks.T_reference_ct, uncertainty, list(self.targets_ct.values()))

    @property
    def T_reference_ct(self) -> Transform:
        return self.by_surface.T_reference_ct


@dataclass(frozen=True, eq=False)
class SurgeryTruth:
    """The true errors in mm, which only the simulation knows.

    Attributes:
        tre_mm: target -> TRE of the registration in force.
        tre_landmarks_mm: target -> TRE of the registration by landmarks alone.
        tip_error_mm: error of the calibrated stylus tip.
    """

    tre_mm: Mapping[str, float]
    tre_landmarks_mm: Mapping[str, float]
    tip_error_mm: float


class Surgeon(Protocol):
    """Whoever does the steps of the surgery; each method returns a running tracker that sees the step being done."""

    @property
    def stylus(self) -> str:
        """Name of the stylus among the tracker's tools."""
        ...

    def pivot(self) -> Tracker: ...

    def touch(self, name: str, point_ct: Floats, outward: Floats) -> Tracker:
        """The touch of a planned point that truly is at `point_ct` ``(3,)``; `outward` is the skin's normal there."""
        ...

    def sweep(self) -> Tracker: ...


class SimulatedSurgeon:
    """Satisfies `Surgeon`: moves the stylus in simulated time, so that nobody waits.

    Args:
        skin: the true skin.
        seed: determines the operating room and the errors of the hand.
        settings: how large these errors are.
    """

    def __init__(self, skin: PatientSkin, seed: int, settings: SurgerySettings | None = None) -> None:
        self._settings = settings or SurgerySettings()
        self._rng = np.random.default_rng([seed, 4])
        self._skin = skin
        self._stages = 0
        self.config = OperatingRoomConfig(seed=seed, centre_ct_mm=skin.centre_mm, tools=(REFERENCE, STYLUS))
        self.room = OperatingRoom(self.config)

    @property
    def stylus(self) -> str:
        return STYLUS

    def pivot(self) -> Tracker:
        return self._watch(self.pivot_action())

    def touch(self, name: str, point_ct: Floats, outward: Floats) -> Tracker:
        return self._watch(self.touch_action(point_ct, outward))

    def sweep(self) -> Tracker:
        return self._watch(self.sweep_action())

    def pivot_action(self) -> Pivot:
        return pivot_near(self.room.T_tracker_ct.apply(self._skin.centre_mm))

    def touch_action(self, point_ct: Floats, outward: Floats) -> Touch:
        """A touch of `point_ct` ``(3,)`` with the error of the hand; `outward` is the skin's normal there."""
        shaft = shaft_directions(outward[None, :], self.room.towards_camera_ct)[0]
        return Touch(point_ct + self._rng.normal(scale=self._settings.touch_sd_mm, size=3), shaft)

    def sweep_action(self) -> Sweep:
        return self._skin.sweep(self.room.towards_camera_ct, self._settings.sweep_s)

    def _watch(self, action: Action) -> Tracker:
        self._stages += 1
        config = replace(self.config, action=action, noise_seed=self._stages)
        tracker = open_simulated_tracker(config, VirtualClock())
        tracker.start()
        return tracker


def find_markers(markers: SkinPoints, seed: int, settings: SurgerySettings | None = None) -> dict[str, Floats]:
    """Name -> centre ``(3,)`` of each marker as found in the CT, with the error of `settings`."""
    sd_mm = (settings or SurgerySettings()).marker_sd_mm
    found = markers.points_ct_mm + np.random.default_rng([seed, 5]).normal(scale=sd_mm, size=(len(markers), 3))
    return {f"marker_{number}": point for number, point in enumerate(found, start=1)}


def operate(
    surgeon: Surgeon,
    markers: SkinPoints,
    landmarks_ct: Mapping[str, Floats],
    targets_ct: Mapping[str, Floats],
    skin_surface_ct: Surface,
    settings: SurgerySettings | None = None,
    bone_ct: Mapping[str, Floats] | None = None,
) -> Surgery:
    """Calibrates, measures and registers.

    Args:
        surgeon: does the steps.
        markers: the true markers that a simulated surgeon's hand aims at; the system does not use them.
        landmarks_ct: the planned landmarks, in the order of `markers`.
        targets_ct: name -> target ``(3,)`` in ``ct``.
        skin_surface_ct: the approved skin surface, to which the sweep is registered.
        settings: errors of the hand, and the system's assumptions.
        bone_ct: planned landmarks on bone, touched with the shaft from the front; the skin over them is displaced.

    Raises:
        AcquisitionError, PivotRefusedError: a step could not be measured.
        RegisteringError: the registration failed.
    """
    settings, bone_ct = settings or SurgerySettings(), bone_ct or {}
    pivot, touched, sweep, bone = _measure(surgeon, markers, landmarks_ct, bone_ct, settings)

    planned, tip_mm = {**landmarks_ct, **bone_ct}, pivot.expected_tip_error_rms_mm
    kinds = dict.fromkeys(planned, BONE) | dict.fromkeys(landmarks_ct, SKIN_MARKER)
    measured = Measured(planned, touched, sweep.points_reference_mm, targets_ct, tip_mm, kinds=kinds)
    outcome = register(measured, skin_surface_ct, settings.assumptions)
    if outcome.by_landmarks is None or outcome.by_surface is None or outcome.expected is None:
        failure = outcome.findings.failure or "a demo without targets"
        action = "use a CT that shows the skin of chest or abdomen, or another --seed"
        raise RegisteringError(failure, "a registration with an expected error at the targets", action)
    return Surgery(
        landmarks_ct=landmarks_ct,
        targets_ct=targets_ct,
        pivot=pivot,
        touched=touched,
        bone=bone,
        sweep=sweep,
        by_landmarks=outcome.by_landmarks,
        by_surface=outcome.by_surface,
        expected=outcome.expected,
        measured=measured,
        outcome=outcome,
        assumptions=settings.assumptions,
    )


def _measure(
    surgeon: Surgeon,
    markers: SkinPoints,
    landmarks_ct: Mapping[str, Floats],
    bone_ct: Mapping[str, Floats],
    settings: SurgerySettings,
) -> tuple[PivotCalibration, dict[str, TouchedPoint], SweptPoints, dict[str, TouchedPoint]]:
    """Measures everything before anything long is computed: a surgeon in a room does not wait."""
    pivot = calibrate_pivot(collect_poses(surgeon.pivot(), surgeon.stylus, settings.pivot_s))
    T_stylus_tip = pivot.T_stylus_stylus_tip
    touched = {
        name: collect_touch(surgeon.touch(name, point, outward), T_stylus_tip)
        for name, point, outward in zip(landmarks_ct, markers.points_ct_mm, markers.outward_ct, strict=True)
    }
    sweep = collect_sweep(surgeon.sweep(), T_stylus_tip, settings.sweep_s)
    bone = {name: collect_touch(surgeon.touch(name, point, FRONT), T_stylus_tip) for name, point in bone_ct.items()}
    return pivot, touched, sweep, bone


def score(surgery: Surgery, room: OperatingRoom) -> SurgeryTruth:
    """The true errors of the surgery, from the true poses of `room`."""
    targets = np.array(list(surgery.targets_ct.values()))

    def errors_mm(T_reference_ct: Transform) -> dict[str, float]:
        errors = target_errors_mm(T_reference_ct, room.T_reference_ct, targets)
        return dict(zip(surgery.targets_ct, errors.tolist(), strict=True))

    return SurgeryTruth(
        tre_mm=errors_mm(surgery.T_reference_ct),
        tre_landmarks_mm=errors_mm(surgery.by_landmarks.T_reference_ct),
        tip_error_mm=float(np.linalg.norm(surgery.pivot.tip_stylus_mm - room.tip_stylus_mm)),
    )
