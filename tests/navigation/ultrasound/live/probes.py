"""A probe with calibrations made by hand, and its poses as the pose mirror tells them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.image_map import ImageToProbe
from geometry import Transform
from geometry.frames import CT, PROBE, REFERENCE
from geometry.points import Floats
from navigation.live.pose_graph import PATIENT
from navigation.live.pose_mirror import MirroredTool
from navigation.ultrasound.placing import ProbeInForce
from tests.navigation.commands.ultrasound.results import SIZE_PX, spatial, temporal
from unity_bridge.wire.envelope import Validity

MS = 1_000_000
LAG_S = -0.05
TRACKING = np.diag([1e-6, 2e-6, 1.5e-6, 0.01, 0.02, 0.015])
T_REFERENCE_CT = Transform.from_rotation(
    Rotation.from_euler("xyz", [10, 20, 30], degrees=True), [5, -40, 90], REFERENCE, CT
)
SPEED_MM_S = np.array([40.0, -10.0, 5.0])
SPIN_RAD_S = np.array([0.3, 0.2, -0.5])


def probe_in_force(lag_sd_s: float | None = 0.004, covariance: Floats | None = None) -> ProbeInForce:
    columns_mm = np.array([[0.1, 0.0, -20.0], [0.0, 0.12, 80.0], [0.0, 0.0, 15.0]])
    known = np.diag([1e-7] * 6 + [0.02] * 3) if covariance is None else covariance
    return ProbeInForce(PROBE, ImageToProbe(columns_mm, known), LAG_S, lag_sd_s, SIZE_PX, spatial(), temporal())


def pose_at(at_ns: int) -> Transform:
    """The true ``T_reference_probe``: at constant speed along a line and about an axis."""
    t_s = at_ns / 1e9
    start = Rotation.from_euler("xyz", [20.0, -35.0, 50.0], degrees=True)
    turned = Rotation.from_rotvec(SPIN_RAD_S * t_s) * start
    return Transform.from_rotation(turned, np.array([120.0, -40.0, 260.0]) + SPEED_MM_S * t_s, REFERENCE, PROBE)


def told(
    at_ns: int, validity: Validity = Validity.VALID, reason: str = "", pose: Transform | None = None
) -> MirroredTool:
    """The probe at that time; without a pose where it is stale or lost."""
    is_shown = validity in (Validity.VALID, Validity.SUSPECT)
    numbers = (pose or pose_at(at_ns)).matrix.tobytes() if is_shown else b""
    noise = TRACKING.tobytes() if is_shown else b""
    return MirroredTool(PROBE, REFERENCE, PROBE, validity, reason, at_ns, numbers, noise, 0)


def patient(validity: Validity = Validity.VALID, reason: str = "") -> MirroredTool:
    is_shown = validity in (Validity.VALID, Validity.SUSPECT)
    numbers = T_REFERENCE_CT.matrix.tobytes() if is_shown else b""
    return MirroredTool(PATIENT, REFERENCE, CT, validity, reason, 0, numbers)
