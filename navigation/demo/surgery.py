"""The simulated operation: a surgeon pivots the stylus, touches six landmarks, sweeps the skin; the system registers.

The system's side (calibration, acquisition, registration) is the real code and is told nothing but measurements and
the plan. The truth is used at the end, to score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.pivot import PivotCalibration, calibrate_pivot
from geometry import Surface, Transform
from geometry.frames import REFERENCE, STYLUS
from geometry.points import Floats
from navigation.acquisition.collect import SweptPoints, collect_poses, collect_sweep, collect_touch
from navigation.clock import VirtualClock
from navigation.devices.registry import open_tracker
from navigation.devices.tracker import Tracker
from navigation.simulation.actions import Action, Pivot, Sweep, Touch, pivot_near
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig
from navigation.simulation.patient import PatientSkin, SkinPoints, shaft_directions
from registration.assumptions import Assumptions, with_tracker
from registration.errors import RegisteringError
from registration.landmarks.fit import LandmarkRegistration
from registration.measurements import Measured, TouchedPoint
from registration.register import RegistrationOutcome, register
from registration.surface.refine import SurfaceRegistration
from registration.uncertainty.expected_error import ExpectedTre, expected_tre, target_errors_mm
from registration.uncertainty.mobility import LandmarkKind

# What the demo's landmarks are, and where its patient looks: ct is LPS.
SKIN_MARKER: LandmarkKind = "skin_marker"
BONE: LandmarkKind = "bone"
FRONT = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True, kw_only=True)
class OperationSettings:
    """The simulated surgeon's hand, and what the system assumes of it.

    Attributes:
        marker_sd_mm: how well a skin marker's centre is found in the CT, along each axis.
        touch_sd_mm: how well the tip is put on a marker, along each axis.
        assumptions: the system's, about these errors and the tracker's.
        pivot_s, sweep_s: duration of the movements.
    """

    marker_sd_mm: float = 0.3
    touch_sd_mm: float = 0.3
    assumptions: Assumptions = field(default_factory=Assumptions)
    pivot_s: float = 12.0
    sweep_s: float = 25.0


@dataclass(frozen=True, eq=False)
class Operation:
    """What the system measured and concluded.

    Attributes:
        landmarks_ct: the planned landmarks, ``(3,)`` each, in ``ct``.
        touched: the same as touched, in ``reference``.
        targets_ct: named targets.
        by_landmarks, by_surface: the two registrations; the second one is in force.
        expected: expected TRE of the second at the targets, in the order of `targets_ct`.
        measured, outcome: the same, as they are kept in the case; `assumptions`: under which.
    """

    landmarks_ct: Mapping[str, Floats]
    targets_ct: Mapping[str, Floats]
    pivot: PivotCalibration
    touched: Mapping[str, TouchedPoint]
    sweep: SweptPoints
    by_landmarks: LandmarkRegistration
    by_surface: SurfaceRegistration
    expected: ExpectedTre
    measured: Measured
    outcome: RegistrationOutcome
    assumptions: Assumptions

    @property
    def expected_by_landmarks(self) -> ExpectedTre:
        """What the landmarks alone would have promised at the targets, had the skin under all of them not moved."""
        uncertainty = with_tracker(self.by_landmarks.uncertainty, self.assumptions)
        return expected_tre(self.by_landmarks.T_reference_ct, uncertainty, list(self.targets_ct.values()))

    @property
    def T_reference_ct(self) -> Transform:
        return self.by_surface.T_reference_ct


@dataclass(frozen=True, eq=False)
class OperationTruth:
    """What only the simulation knows: the true errors, in mm, by target.

    Attributes:
        tre_mm: of the registration in force; `tre_landmarks_mm` of the landmarks alone.
        tip_error_mm: of the calibrated stylus tip.
    """

    tre_mm: Mapping[str, float]
    tre_landmarks_mm: Mapping[str, float]
    tip_error_mm: float


class SimulatedSurgeon:
    """Moves the stylus, and hands the system a tracker that watches.

    Args:
        skin: the true skin.
        seed: of the operating room and of the hand.
    """

    def __init__(self, skin: PatientSkin, seed: int, settings: OperationSettings | None = None) -> None:
        self._settings = settings or OperationSettings()
        self._rng = np.random.default_rng([seed, 4])
        self._skin = skin
        self._stages = 0
        self.config = OperatingRoomConfig(seed=seed, centre_ct_mm=skin.centre_mm, tools=(REFERENCE, STYLUS))
        self.room = OperatingRoom(self.config)

    def watch(self, action: Action) -> Tracker:
        """A running tracker that sees `action`, on simulated time."""
        self._stages += 1
        config = replace(self.config, action=action, noise_seed=self._stages)
        tracker = open_tracker("simulated", config, VirtualClock())
        tracker.start()
        return tracker

    def pivot(self) -> Pivot:
        return pivot_near(self.room.T_tracker_ct.apply(self._skin.centre_mm))

    def touch(self, marker: Floats, outward: Floats) -> Touch:
        """As near to a marker's centre as a hand gets."""
        shaft = shaft_directions(outward[None, :], self.room.towards_camera_ct)[0]
        return Touch(marker + self._rng.normal(scale=self._settings.touch_sd_mm, size=3), shaft)

    def sweep(self) -> Sweep:
        return self._skin.sweep(self.room.towards_camera_ct, self._settings.sweep_s)


def find_markers(markers: SkinPoints, seed: int, settings: OperationSettings | None = None) -> dict[str, Floats]:
    """The markers' centres as somebody finds them in the CT: with an error, and by name."""
    sd_mm = (settings or OperationSettings()).marker_sd_mm
    found = markers.points_ct_mm + np.random.default_rng([seed, 5]).normal(scale=sd_mm, size=(len(markers), 3))
    return {f"marker_{number}": point for number, point in enumerate(found, start=1)}


def operate(
    surgeon: SimulatedSurgeon,
    markers: SkinPoints,
    landmarks_ct: Mapping[str, Floats],
    targets_ct: Mapping[str, Floats],
    skin_surface_ct: Surface,
    settings: OperationSettings | None = None,
    bone_ct: Mapping[str, Floats] | None = None,
) -> Operation:
    """Calibrates, measures and registers.

    Args:
        markers: the true markers, which the surgeon's hand aims at; not used by the system.
        landmarks_ct: the plan, in the same order.
        skin_surface_ct: the approved skin surface, which the sweep is matched to.
        bone_ct: planned landmarks on bone, to verify with (`touch_bone`).
    """
    settings = settings or OperationSettings()
    pivot = calibrate_pivot(collect_poses(surgeon.watch(surgeon.pivot()), STYLUS, settings.pivot_s))
    T_stylus_tip = pivot.T_stylus_stylus_tip
    touched = {
        name: collect_touch(surgeon.watch(surgeon.touch(point, outward)), T_stylus_tip)
        for name, point, outward in zip(landmarks_ct, markers.points_ct_mm, markers.outward_ct, strict=True)
    }
    sweep = collect_sweep(surgeon.watch(surgeon.sweep()), T_stylus_tip, settings.sweep_s)

    planned, tip_mm = {**landmarks_ct, **(bone_ct or {})}, pivot.expected_tip_error_rms_mm
    kinds = dict.fromkeys(planned, BONE) | dict.fromkeys(landmarks_ct, SKIN_MARKER)
    measured = Measured(planned, touched, sweep.points_reference_mm, targets_ct, tip_mm, kinds=kinds)
    outcome = register(measured, skin_surface_ct, settings.assumptions)
    if outcome.by_landmarks is None or outcome.by_surface is None or outcome.expected is None:
        failure = outcome.findings.failure or "a demo without targets"
        action = "use a CT that shows the skin of chest or abdomen, or another --seed"
        raise RegisteringError(failure, "a registration at the targets", action)
    return Operation(
        landmarks_ct=landmarks_ct,
        targets_ct=targets_ct,
        pivot=pivot,
        touched=touched,
        sweep=sweep,
        by_landmarks=outcome.by_landmarks,
        by_surface=outcome.by_surface,
        expected=outcome.expected,
        measured=measured,
        outcome=outcome,
        assumptions=settings.assumptions,
    )


def touch_bone(surgeon: SimulatedSurgeon, operation: Operation, point_ct: Floats) -> TouchedPoint:
    """Where the surgeon touches a point of bone: the skin over it pressed aside, the shaft held from the front."""
    touch = surgeon.touch(point_ct, FRONT)
    return collect_touch(surgeon.watch(touch), operation.pivot.T_stylus_stylus_tip)


def score(operation: Operation, room: OperatingRoom) -> OperationTruth:
    """Compares with the truth, which until here nobody was told."""
    targets = np.array(list(operation.targets_ct.values()))

    def errors_mm(T_reference_ct: Transform) -> dict[str, float]:
        errors = target_errors_mm(T_reference_ct, room.T_reference_ct, targets)
        return dict(zip(operation.targets_ct, errors.tolist(), strict=True))

    return OperationTruth(
        tre_mm=errors_mm(operation.T_reference_ct),
        tre_landmarks_mm=errors_mm(operation.by_landmarks.T_reference_ct),
        tip_error_mm=float(np.linalg.norm(operation.pivot.tip_stylus_mm - room.tip_stylus_mm)),
    )
