"""The simulated operating room has the error it states, and behaves as the Protocol says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.acquisition.collect import AcquisitionSettings, collect_poses, collect_sweep, collect_touch
from navigation.clock import VirtualClock
from navigation.devices.registry import driver_of, open_device
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.errors import AcquisitionError, DeviceError
from navigation.simulation.actions import Pivot, Touch
from navigation.simulation.operating_room import (
    OperatingRoom,
    OperatingRoomConfig,
    open_simulated_tracker,
    simulated_device,
)
from navigation.simulation.optical_tracker import OpticalTrackerSettings, SimulatedOpticalTracker, fit_rigid
from navigation.simulation.patient import shaft_directions

CENTRE = np.array([5.0, -20.0, 900.0])


def room_with_touch(seed: int, **kwargs: object) -> tuple[OperatingRoom, OperatingRoomConfig]:
    bare = OperatingRoom(OperatingRoomConfig(seed=seed, centre_ct_mm=CENTRE))
    shaft = shaft_directions(np.array([[0.0, -1.0, 0.0]]), bare.towards_camera_ct)[0]
    point = CENTRE + [30.0, -110.0, 20.0]
    config = OperatingRoomConfig(seed=seed, centre_ct_mm=CENTRE, action=Touch(point, shaft, tremor_mm=0.0), **kwargs)
    return OperatingRoom(config), config


def test_sphere_error_is_as_stated_worse_in_depth_and_mostly_fixed_in_space() -> None:
    rng = np.random.default_rng(0)
    # Many trackers, since one tracker's distortion is a single draw; inside the depth where the error does not grow.
    places = np.random.default_rng(1).uniform([-300, -300, 1000], [300, 300, 1600], size=(20, 3))
    errors = []
    for _ in range(200):
        tracker = SimulatedOpticalTracker(lambda tool, t: None, {}, VirtualClock(), rng, rng)
        errors.append([tracker.sphere_errors(places), tracker.sphere_errors(places)])
    drawn = np.array(errors)
    # 200 independent fields of 20 places: the RMS is known to a few per cent.
    assert np.sqrt((drawn**2).sum(axis=-1).mean()) == pytest.approx(0.25, rel=0.06)
    rms_axes = np.sqrt((drawn**2).mean(axis=(0, 1, 2)))
    assert rms_axes[2] / rms_axes[0] == pytest.approx(3.0, rel=0.12)
    between_frames = drawn[:, 0] - drawn[:, 1]
    assert np.sqrt((between_frames**2).sum(axis=-1).mean() / 2) == pytest.approx(0.08, rel=0.05)


def test_tools_drop_out_now_and_then() -> None:
    _, config = room_with_touch(1, tools=(REFERENCE,))
    tracker = open_simulated_tracker(config, VirtualClock())
    tracker.start()
    seen = [tracker.next_frame(10**9).tools[REFERENCE].visibility is Visibility.VISIBLE for _ in range(4000)]
    assert 0 < seen.count(False) < 40  # 0.3 % of 4000 is 12


def test_rigid_fit_recovers_a_known_motion_exactly() -> None:
    rng = np.random.default_rng(1)
    source = rng.normal(scale=40.0, size=(4, 3))
    truth = Transform.from_rotation(Rotation.random(random_state=2), [10, 20, 1500], "a", "b")
    matrix, rms = fit_rigid(source, truth.apply(source))
    np.testing.assert_allclose(matrix, truth.matrix, atol=1e-9)
    assert rms < 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_touching_finds_the_point_in_the_reference_frame(seed: int) -> None:
    room, config = room_with_touch(seed)
    T_stylus_tip = Transform.from_rotation(Rotation.identity(), room.tip_stylus_mm, STYLUS, "stylus_tip")
    tracker = open_simulated_tracker(config, VirtualClock())
    tracker.start()
    touched = collect_touch(tracker, T_stylus_tip)
    assert isinstance(config.action, Touch)
    truth = room.T_reference_ct.apply(config.action.point_ct_mm)
    # The distortion, turned into an angle of the reference by 300 mm of lever, remains: a bad case is about 0.6 mm.
    assert np.linalg.norm(touched.point_reference_mm - truth) < 1.2
    assert touched.spread_rms_mm < 0.6
    assert 57 <= touched.n_frames <= 60  # 0.6 s at 100 Hz, less a frame in 150 or so that drops out


def test_the_truth_is_the_same_in_another_process_and_differs_between_seeds() -> None:
    first, _ = room_with_touch(3)
    again, _ = room_with_touch(3)
    other, _ = room_with_touch(4)
    assert first.T_tracker_ct == again.T_tracker_ct
    assert first.T_tracker_ct != other.T_tracker_ct
    assert first.T_reference_ct != other.T_reference_ct


def test_hidden_tools_have_no_pose_and_say_why() -> None:
    room, config = room_with_touch(5, occlusions={REFERENCE: (10.0, 0.0, 5.0)})
    assert room.pose(REFERENCE, 10**9) is None
    assert room.pose_in_reference(STYLUS, 10**9) is None
    assert room.pose_in_reference(STYLUS, 6 * 10**9) is not None
    tracker = open_simulated_tracker(config, VirtualClock())
    tracker.start()
    frame = tracker.next_frame(10**9)
    assert frame is not None
    assert frame.tools[REFERENCE] == ToolObservation(Visibility.OCCLUDED)
    T_stylus_tip = Transform(np.eye(4), STYLUS, "stylus_tip")
    with pytest.raises(AcquisitionError, match="marker and the reference towards the camera"):
        collect_touch(tracker, T_stylus_tip, AcquisitionSettings(touch_timeout_s=1.0))
    with pytest.raises(AcquisitionError, match="none with a pose"):
        collect_sweep(tracker, T_stylus_tip, 0.5)


def test_out_of_volume_and_turned_away_are_told_apart() -> None:
    def observe(rotation: Rotation, translation: list[float]) -> Visibility:
        pose = Transform.from_rotation(rotation, translation, TRACKER, "tool")
        spheres = {"tool": np.array([[0.0, 0, 0], [0, 50, 0], [30, 0, 0]])}
        settings = OpticalTrackerSettings(dropout_probability=0.0)
        tracker = SimulatedOpticalTracker(
            lambda tool, t: pose, spheres, VirtualClock(), np.random.default_rng(0), np.random.default_rng(1), settings
        )
        tracker.start()
        frame = tracker.next_frame(10**9)
        assert frame is not None
        return frame.tools["tool"].visibility

    facing = Rotation.from_euler("x", np.pi)
    assert observe(facing, [0, 0, 1500]) is Visibility.VISIBLE
    assert observe(facing, [0, 0, 3000]) is Visibility.OUT_OF_VOLUME
    assert observe(facing, [1200, 0, 1500]) is Visibility.OUT_OF_VOLUME
    assert observe(Rotation.identity(), [0, 0, 1500]) is Visibility.OCCLUDED


def test_pivoting_keeps_the_true_tip_in_the_divot() -> None:
    bare = OperatingRoom(OperatingRoomConfig(seed=6, centre_ct_mm=CENTRE))
    divot = bare.T_tracker_ct.apply(CENTRE)
    config = OperatingRoomConfig(seed=6, centre_ct_mm=CENTRE, action=Pivot(divot, _oblique_axis(divot)), noise_seed=9)
    room = OperatingRoom(config)
    for time_ns in range(0, 10**10, 7 * 10**8):
        pose = room.pose(STYLUS, time_ns)
        assert pose is not None
        np.testing.assert_allclose(pose.apply(room.tip_stylus_mm), divot, atol=1e-9)
    tracker = open_simulated_tracker(config, VirtualClock())
    tracker.start()
    assert len(collect_poses(tracker, STYLUS, 5.0)) > 450


def _oblique_axis(divot: np.ndarray) -> np.ndarray:
    towards_camera = -divot / np.linalg.norm(divot)
    across = np.cross(towards_camera, [1.0, 0, 0])
    axis = towards_camera + across / np.linalg.norm(across)
    return axis / np.linalg.norm(axis)


def test_frames_come_at_the_rate_and_a_timeout_returns_none() -> None:
    _, config = room_with_touch(7)
    clock = VirtualClock()
    tracker = open_simulated_tracker(config, clock)
    tracker.start()
    times = [tracker.next_frame(10**9).capture_ns for _ in range(3)]
    assert np.diff(times).tolist() == [10**7, 10**7]
    before = clock.now_ns()
    assert tracker.next_frame(10**6) is None
    assert clock.now_ns() == before + 10**6


def test_a_late_reader_gets_the_newest_frame_and_sees_by_its_number_what_it_has_missed() -> None:
    _, config = room_with_touch(7)
    clock = VirtualClock(50)
    tracker = open_simulated_tracker(config, clock)
    tracker.start()
    assert tracker.next_frame(10**9).sequence == 1
    clock.advance_ns(6 * 10**9 + 3 * 10**6)  # the process was stopped for 6 s
    late = tracker.next_frame(10**9)
    assert (late.sequence, late.capture_ns) == (601, 50 + 10**7 + 6 * 10**9)
    assert clock.now_ns() - late.capture_ns == 3 * 10**6
    following = tracker.next_frame(10**9)
    assert (following.sequence, following.capture_ns - late.capture_ns) == (602, 10**7)
    assert tracker.next_frame(0) is None


def test_an_unknown_driver_or_foreign_settings_are_refused() -> None:
    with pytest.raises(DeviceError, match="simulated"):
        driver_of("polarys")
    with pytest.raises(DeviceError, match="OperatingRoomConfig"):
        open_device(replace(simulated_device(room_with_touch(1)[1]), settings={"seed": 1}), VirtualClock())
    with pytest.raises(DeviceError, match="exactly if the tool is visible"):
        ToolObservation(Visibility.OCCLUDED, Transform(np.eye(4), TRACKER, STYLUS), 0.1)
