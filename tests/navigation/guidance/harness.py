"""A plan in a block of bone, and states of a driver whose tip and axis are known in ``ct``."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.frames import CT, REFERENCE
from navigation.guidance.plan import Screw, SurgicalPlan, Trajectory
from registration.distance.distance_grid import DistanceGrid, GridSettings
from tests.registration.shapes import icosphere
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

MS = 1_000_000
# A patient that lies askew in the room.
T_REFERENCE_CT = Transform.from_rotation(
    Rotation.from_euler("xyz", [0.3, -0.5, 1.1]), [120.0, -40.0, 75.0], REFERENCE, CT
)
SCREW = Screw(6.0, 40.0)
LEFT = Trajectory("left", np.array([0.0, 0.0, 0.0]), np.array([0.0, 0.0, 40.0]), SCREW)
BALL_CT, BALL_RADIUS_MM = np.array([20.0, 0.0, 30.0]), 10.0


def ball(centre_mm: np.ndarray, radius_mm: float, name: str) -> Surface:
    vertices, triangles = icosphere(4)
    return Surface(centre_mm + radius_mm * vertices, triangles, CT, name)


def rod(radius_mm: float, length_mm: float) -> Surface:
    """A closed cylinder about z from 0 to its length, in steps of a millimetre and 96 around."""
    around, along = 96, round(length_mm) + 1
    angles = 2.0 * np.pi * np.arange(around) / around
    circle = radius_mm * np.column_stack([np.cos(angles), np.sin(angles), np.zeros(around)])
    rings = [circle + [0.0, 0.0, z] for z in np.linspace(0.0, length_mm, along)]
    vertices = np.concatenate([*rings, [[0.0, 0.0, 0.0], [0.0, 0.0, length_mm]]])
    triangles = []
    for ring in range(along - 1):
        for step in range(around):
            a, b = ring * around + step, ring * around + (step + 1) % around
            triangles += [(a, b, b + around), (a, b + around, a + around)]
    bottom, top, last = len(vertices) - 2, len(vertices) - 1, (along - 1) * around
    for step in range(around):
        a, b = step, (step + 1) % around
        triangles += [(b, a, bottom), (last + a, last + b, top)]
    return Surface(vertices, np.array(triangles), CT, "bone")


@cache
def bone(radius_mm: float = 5.0) -> DistanceGrid:
    """A rod about the planned screw, 60 mm long."""
    return DistanceGrid.from_surface(rod(radius_mm, 60.0), GridSettings(spacing_mm=1.0))


@cache
def plan() -> SurgicalPlan:
    grid = DistanceGrid.from_surface(ball(BALL_CT, BALL_RADIUS_MM, "vessel"), GridSettings(spacing_mm=1.0))
    return SurgicalPlan((LEFT,), (("vessel", grid),), bone())


def driver(
    tip_ct_mm: object,
    axis_ct: object = (0.0, 0.0, 1.0),
    *,
    validity: Validity = Validity.VALID,
    error_rms_mm: float | None = 0.5,
) -> ToolState:
    """The driver with its tip there in ``ct``, z of its tip's frame along the axis."""
    turn, _ = Rotation.align_vectors([axis_ct], [[0.0, 0.0, 1.0]])
    lost = validity is Validity.LOST
    T_ct_tip = Transform.from_rotation(turn, np.asarray(tip_ct_mm, float), CT, "driver_tip")
    return ToolState(
        tool="driver",
        to_frame=REFERENCE,
        from_frame="driver_tip",
        validity=validity,
        T_to_from=None if lost else T_REFERENCE_CT @ T_ct_tip,
        reason="" if validity is Validity.VALID else "covered",
        capture_ns=1,
        expected_error_mm=error_rms_mm,
    )


def patient(validity: Validity = Validity.VALID, error_p95_mm: float | None = 1.0) -> ToolState:
    lost = validity is Validity.LOST
    return ToolState(
        tool="patient",
        to_frame=REFERENCE,
        from_frame=CT,
        validity=validity,
        T_to_from=None if lost else T_REFERENCE_CT,
        reason="" if validity is Validity.VALID else "reference covered",
        capture_ns=1,
        expected_error_mm=error_p95_mm,
    )
