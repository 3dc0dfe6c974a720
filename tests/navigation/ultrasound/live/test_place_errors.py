"""The covariance of a placed point, against errors that are drawn and applied in full rather than to first order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import PROBE, REFERENCE, TRACKER
from navigation.devices.small_motion import covariance_at
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.live.timeline.timelines import Relative
from navigation.live.timeline.tip_error import tracking_mm2, tracking_motion
from navigation.ultrasound.live.place_errors import PlaceErrors
from registration.record.accepted import RegistrationUncertainty
from tests.navigation.ultrasound.live.probes import SPEED_MM_S, SPIN_RAD_S, TRACKING, pose_at, probe_in_force

POINTS_PX = np.array([[0.0, 0.0], [299.0, 399.0], [120.0, 210.0]])
REGISTRATION = np.diag([2e-6, 4e-6, 3e-6, 0.1, 0.05, 0.2, 1e-6])
PIVOT_MM = np.array([100.0, 20.0, 300.0])
LAG_SD_S = 0.006


def drawn_mm(rng: np.random.Generator, registered: bool) -> np.ndarray:
    """Errors of the points ``(3, 3)``: map, pose, instant and registration as they might be in truth."""
    probe, pose = probe_in_force(), pose_at(0)
    map_error = rng.multivariate_normal(np.zeros(9), probe.image_map.covariance).reshape(3, 3).T
    columns = probe.image_map.columns_mm + map_error
    in_probe = np.column_stack([POINTS_PX, np.ones(3)]) @ columns.T
    shift = rng.multivariate_normal(np.zeros(6), TRACKING)
    late_s = rng.normal(0.0, LAG_SD_S)
    true = pose_at(round(late_s * 1e9))
    turned = Rotation.from_rotvec(shift[:3]).apply(true.rotate(in_probe))
    places = turned + true.translation_mm + shift[3:]
    if registered:
        off = rng.multivariate_normal(np.zeros(7), REGISTRATION)
        places = PIVOT_MM + (1.0 + off[6]) * Rotation.from_rotvec(off[:3]).apply(places - PIVOT_MM) + off[3:6]
    return places - pose.apply(probe.image_map.to_probe_mm(POINTS_PX))


@pytest.mark.parametrize("registered", [False, True])
def test_the_covariance_is_that_of_errors_drawn_in_full(registered: bool) -> None:
    rng = np.random.default_rng(5)
    drawn = np.stack([drawn_mm(rng, registered) for _ in range(4_000)])
    errors = PlaceErrors(
        image_map=probe_in_force().image_map,
        T_reference_probe=pose_at(0),
        tracking=TRACKING,
        own_tracking=None,
        twist=np.append(SPIN_RAD_S, SPEED_MM_S),
        time_sd_s=LAG_SD_S,
        registration=RegistrationUncertainty(REGISTRATION, PIVOT_MM) if registered else None,
    )
    stated = errors.at(POINTS_PX)
    for point in range(3):
        found = np.cov(drawn[:, point].T)
        np.testing.assert_allclose(found, stated[point], atol=0.08 * np.trace(stated[point]))
        within = np.linalg.norm(drawn[:, point], axis=1) <= errors.p95_mm(POINTS_PX)[point]
        assert 0.93 < within.mean() < 0.97


def test_the_motion_by_noise_is_that_of_a_tip_at_any_point() -> None:
    T_tracker_reference = Transform.from_rotation(
        Rotation.from_euler("zyx", [0.4, -0.2, 1.0]), [200, -50, 900], TRACKER, REFERENCE
    )
    rng = np.random.default_rng(2)
    spreads = [0.01 * spread @ spread.T for spread in rng.normal(size=(2, 6, 6))]
    tool = ToolObservation(Visibility.VISIBLE, T_tracker_reference @ pose_at(0), covariance=spreads[0])
    reference = ToolObservation(Visibility.VISIBLE, T_tracker_reference, covariance=spreads[1])
    relative = Relative(pose_at(0), 0, tool, reference)
    motion = tracking_motion(relative)
    for lever_mm in rng.normal(0.0, 80.0, (5, 3)):
        there = Transform(pose_at(0).matrix, REFERENCE, PROBE)
        at_point = np.eye(4)
        at_point[:3, 3] = there.translation_mm + lever_mm
        expected = tracking_mm2(relative, Transform(at_point, REFERENCE, PROBE))
        np.testing.assert_allclose(covariance_at(motion, lever_mm), expected, rtol=1e-9)
    silent = ToolObservation(Visibility.VISIBLE, T_tracker_reference)
    assert tracking_motion(Relative(pose_at(0), 0, tool, silent)) is None
    assert tracking_motion(Relative(pose_at(0), 0, silent, reference)) is None
