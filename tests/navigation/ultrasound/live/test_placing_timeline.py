"""A live frame is placed by the pose of the instant that it shows; without one it has no place, and a reason."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, PROBE, REFERENCE
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.live.seen_tool import KEPT_NS
from registration.record.accepted import AcceptedRegistration, RegistrationUncertainty
from tests.navigation.ultrasound.live.probes import (
    LAG_S,
    MS,
    SIZE_PX,
    T_REFERENCE_CT,
    patient,
    pose_at,
    probe_in_force,
    told,
)
from tests.navigation.ultrasound.results import pixels, result
from unity_bridge.wire.envelope import Validity

T_HALF_TURN = pose_at(330 * MS) @ Transform.from_rotation(Rotation.from_rotvec([3.0, 0, 0]), [0, 0, 0], PROBE, PROBE)
LAG_NS = round(LAG_S * 1e9)
SIZE = SIZE_PX[::-1]


def frame(shows_ns: int, **more: object):
    return result(1, shows_ns - LAG_NS, pixels=pixels(size=SIZE), **more)


def timeline(until_ms: int = 1000, every_ms: int = 10) -> PlacingTimeline:
    line = PlacingTimeline(probe_in_force())
    for at_ms in range(0, until_ms + 1, every_ms):
        line.note([told(at_ms * MS)])
    return line


def no_place(placed: PlacedFrame) -> str:
    assert (placed.validity, placed.T_reference_probe, placed.T_reference_image_px) == (Validity.LOST, None, None)
    assert placed.place_mm(np.zeros((1, 2))) is None
    return placed.reason


@given(st.integers(100 * MS, 900 * MS))
def test_a_frame_lies_where_the_probe_was_at_the_instant_that_it_shows(shows_ns: int) -> None:
    placed = timeline().place(frame(shows_ns))
    assert (placed.validity, placed.reason, placed.shows_ns) == (Validity.VALID, "", shows_ns)
    px = np.array([[30.0, 250.0]])
    by_hand = pose_at(shows_ns).apply(np.array([[0.1 * 30.0 - 20.0, 0.12 * 250.0 + 80.0, 15.0]]))
    np.testing.assert_allclose(placed.place_mm(px), by_hand, atol=1e-3)
    assert placed.to_frame == REFERENCE


def test_of_a_registered_patient_it_lies_in_the_ct() -> None:
    line = timeline()
    line.note([patient()])
    placed = line.place(frame(500 * MS))
    assert placed.to_frame == CT
    in_reference = pose_at(500 * MS).apply(np.array([[-20.0, 80.0, 15.0]]))
    np.testing.assert_allclose(T_REFERENCE_CT.apply(placed.place_mm(np.zeros((1, 2)))), in_reference, atol=1e-3)
    line.note([patient(Validity.SUSPECT, "bumped")])
    doubted = line.place(frame(500 * MS))
    assert (doubted.validity, doubted.reason) == (Validity.SUSPECT, "patient suspect: bumped")
    line.note([patient(Validity.LOST, "not registered")])
    assert line.place(frame(500 * MS)).to_frame == REFERENCE


@pytest.mark.parametrize(
    ("shows_ms", "said"),
    [
        (1_040, "the newest is 40 ms older"),
        (-30, "all that are kept are newer"),
    ],
)
def test_without_a_pose_on_both_sides_there_is_no_place(shows_ms: int, said: str) -> None:
    assert said in no_place(timeline().place(frame(shows_ms * MS)))


def test_what_was_not_seen_is_not_made_up() -> None:
    line = timeline(200)
    line.note([told(210 * MS, Validity.LOST, "occluded")])
    line.note([told(220 * MS)])
    assert "lost: occluded" in no_place(line.place(frame(205 * MS)))
    assert "lost: occluded" in no_place(line.place(frame(215 * MS)))
    line.note([told(330 * MS)])
    assert "none came for 110 ms around it" in no_place(line.place(frame(300 * MS)))
    assert line.place(frame(330 * MS)).is_placed
    line.note([told(340 * MS, pose=T_HALF_TURN)])
    assert "it turned too far between two" in no_place(line.place(frame(335 * MS)))
    line.note([told(350 * MS, Validity.STALE, "old")])
    assert "stale: old" in no_place(line.place(frame(345 * MS)))
    assert "no pose has come" in no_place(PlacingTimeline(probe_in_force()).place(frame(0)))


def test_a_doubt_then_or_since_is_shown_with_the_place() -> None:
    line = timeline(200)
    line.note([told(210 * MS, Validity.SUSPECT, "jumped")])
    for shows_ms in (100, 205, 210):
        placed = line.place(frame(shows_ms * MS))
        assert placed.is_placed
        assert (placed.validity, placed.reason) == (Validity.SUSPECT, "probe suspect: jumped")
    line.note([told(220 * MS)])
    assert line.place(frame(100 * MS)).validity is Validity.VALID
    assert line.place(frame(215 * MS)).validity is Validity.SUSPECT


def test_only_a_usable_image_of_the_calibration_is_placed() -> None:
    line = timeline()
    assert no_place(line.place(frame(500 * MS, state="depth changed"))) == "the image is not usable: depth changed"
    small = result(1, 500 * MS - LAG_NS)
    assert "calibrated with 300 x 400 px" in no_place(line.place(small))
    assert "another depth" in no_place(line.place(frame(500 * MS, pixel_mm=(0.2, 0.2))))
    assert no_place(line.place(replace(frame(0), capture_ns=None))) == "an image without a time"


def test_poses_that_come_again_or_late_change_nothing() -> None:
    line = timeline()
    line.note([told(1_000 * MS, Validity.STALE, "no new frame")])
    line.note([told(500 * MS, pose=pose_at(0))])
    assert line.place(frame(1_000 * MS)).validity is Validity.VALID
    np.testing.assert_allclose(line.place(frame(500 * MS)).T_reference_probe.matrix, pose_at(500 * MS).matrix)


def test_two_seconds_are_kept() -> None:
    line = timeline(4_000)
    assert line.place(frame(4_000 * MS - KEPT_NS)).is_placed
    assert not line.place(frame(4_000 * MS - KEPT_NS - MS)).is_placed


def test_the_poses_of_a_tip_are_taken_back_to_the_probe() -> None:
    T_probe_tip = Transform.from_rotation(Rotation.from_rotvec([0.1, 0.2, 0.3]), [1, 2, 3], PROBE, "probe_tip")
    line = PlacingTimeline(probe_in_force(), T_probe_tip)
    for at_ms in (0, 10):
        tip = pose_at(at_ms * MS) @ T_probe_tip
        line.note([replace(told(at_ms * MS, pose=tip), from_frame="probe_tip")])
    np.testing.assert_allclose(line.place(frame(0)).T_reference_probe.matrix, pose_at(0).matrix, atol=1e-12)


REGISTERED = AcceptedRegistration(
    T_REFERENCE_CT,
    "r",
    1.0,
    "accept",
    "Dr Test",
    RegistrationUncertainty(np.diag([4e-6] * 3 + [0.1] * 3 + [0.0]), np.array([100.0, 0.0, 300.0])),
)


def test_the_expected_error_is_that_of_the_worst_corner_and_unknown_where_a_part_is() -> None:
    line = timeline()
    in_reference = line.place(frame(500 * MS))
    assert in_reference.expected_p95_mm is not None
    line.note([patient()])
    assert line.place(frame(500 * MS)).expected_p95_mm is None, "how well the registration is known was not told"
    line.registration = REGISTERED
    in_ct = line.place(frame(500 * MS))
    assert in_ct.expected_p95_mm > in_reference.expected_p95_mm
    corners = np.array([[0, 0], [299, 0], [0, 399], [299, 399]], float)
    assert in_ct.expected_p95_mm == pytest.approx(in_ct.errors.p95_mm(corners).max())
    line.registration = replace(REGISTERED, T_reference_ct=Transform(np.eye(4), REFERENCE, CT))
    assert line.place(frame(500 * MS)).expected_p95_mm is None, "that of another registration"
    line.registration = replace(REGISTERED, uncertainty=None)
    assert line.place(frame(500 * MS)).expected_p95_mm is None
    line.note([replace(told(1_010 * MS), noise=b"")])
    assert line.place(frame(1_005 * MS)).expected_p95_mm is None, "a tracker that states no noise"
    unknown = PlacingTimeline(probe_in_force(lag_sd_s=None))
    for at_ms in range(0, 200, 10):
        unknown.note([told(at_ms * MS)])
    assert unknown.place(frame(100 * MS)).expected_p95_mm is None


def test_a_placed_frame_goes_to_another_process() -> None:
    line = timeline()
    line.note([patient()])
    line.registration = REGISTERED
    placed = line.place(frame(500 * MS))
    back = pickle.loads(pickle.dumps(placed))
    np.testing.assert_array_equal(back.T_placed_image_px, placed.T_placed_image_px)
    assert back.errors.p95_mm(np.zeros((1, 2))) == placed.errors.p95_mm(np.zeros((1, 2)))
