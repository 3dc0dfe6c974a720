"""A probe calibrated in the simulated room: near the truth, and no nearer than it says."""

import numpy as np
import pytest

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry.frames import PROBE, REFERENCE
from navigation.simulation.operating_room import SPHERES_MM, OperatingRoom, OperatingRoomConfig
from navigation.simulation.optical_tracker import OpticalTrackerSettings, SimulatedOpticalTracker
from navigation.simulation.ultrasound.calibration_session import CalibrationSession
from navigation.simulation.ultrasound.scan_path import true_columns_mm

LINEAR = ScanGeometry.linear((256, 200), (0.2, 0.25), width_mm=45.0, depth_mm=48.0)
LAG_S = -0.06


def watch(pose, clock):
    spheres_mm = {tool: SPHERES_MM[tool] for tool in (REFERENCE, PROBE)}
    rngs = np.random.default_rng(1), np.random.default_rng(2)
    return SimulatedOpticalTracker(pose, spheres_mm, clock, *rngs, OpticalTrackerSettings(rate_hz=40.0))


def test_map_and_lag_are_near_the_truth():
    columns = true_columns_mm(LINEAR)
    T_tracker_reference = OperatingRoom(OperatingRoomConfig(seed=3, centre_ct_mm=np.zeros(3))).pose(REFERENCE, 0)
    session = CalibrationSession(
        geometry=LINEAR, columns_mm=columns, lag_s=LAG_S, T_tracker_reference=T_tracker_reference, watch=watch
    )
    spatial, temporal = session.run(np.random.default_rng(4))
    assert spatial.accepted
    assert temporal.accepted
    assert temporal.lag_s == pytest.approx(LAG_S, abs=4.0 * temporal.lag_sd_s)
    assert temporal.lag_sd_s < 0.003
    corners = spatial.corners_px
    off_mm = np.linalg.norm(spatial.image_map.to_probe_mm(corners) - corners @ columns[:, :2].T - columns[:, 2], axis=1)
    assert 0.0 < off_mm.max() < 1.0
