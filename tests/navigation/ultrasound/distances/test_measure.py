"""Distances of contours whose geometry is worked out by hand in the probe's frame, at the instant that is shown."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from geometry.frames import CT, REFERENCE
from navigation.live.pose_mirror import MirroredTool
from navigation.ultrasound.distances.distance import ContourDistance, smallest
from navigation.ultrasound.distances.measure import NOT_REGISTERED, Distances
from navigation.ultrasound.live.placed_frame import PlacedFrame
from reconstruction.ultrasound.contours import Contour
from tests.navigation.ultrasound.distances.balls import ball
from tests.navigation.ultrasound.live.probes import (
    MS,
    SPIN_RAD_S,
    pose_at,
)
from tests.navigation.ultrasound.live.vessels import SHOWS_NS, placed
from tests.navigation.ultrasound.results import vessel
from unity_bridge.wire.envelope import Validity

# The pixel (x, y) lies at (0.1 x - 20, 0.12 y + 80, 15) in the probe: the vessel of `results` fills -18 to -14 mm along
# the image's x, 83.6 to 86 mm along its y.
TIP_MM2 = np.diag([0.04, 0.09, 0.16])
TIP_SPEED_MM_S = np.array([-70.0, 60.0, 40.0])


def tip(at_ns: int, there_probe: tuple[float, float, float], **more: object) -> MirroredTool:
    """A stylus whose tip is there beside the probe at the instant that is shown, and moves at 100 mm/s."""
    matrix = np.eye(4)
    begin = pose_at(SHOWS_NS).apply(np.array([there_probe]))[0]
    matrix[:3, 3] = begin + TIP_SPEED_MM_S * (at_ns - SHOWS_NS) / 1e9
    fields = {"validity": Validity.VALID, "reason": "", "numbers": matrix.tobytes(), "own_noise": TIP_MM2.tobytes()}
    return MirroredTool("stylus", REFERENCE, "stylus_tip", capture_ns=at_ns, **{**fields, **more})


def to_ball(frame: PlacedFrame, *where: object) -> ContourDistance:
    measure = Distances()
    measure.follow((("artery", ball(*where)),))
    (found,) = measure.measured(frame).distances
    return found


def to_tip(frame: PlacedFrame, there: tuple[float, float, float], *changed: MirroredTool) -> ContourDistance:
    measure = Distances(["stylus"])
    measure.note([tip(at_ms * MS, there) for at_ms in range(400, 601, 10)])
    measure.note(changed)
    (found,) = measure.measured(frame).distances
    return found


@pytest.mark.parametrize(
    ("centre", "radius_mm", "distance_mm", "px"),
    [
        ((-8.0, 84.8, 15.0), 3.0, 3.0, (60.0, 40.0)),  # beside the right edge
        ((-8.0, 84.8, 23.0), 3.0, 7.0, (60.0, 40.0)),  # 6 to the side, 8 out of the plane
        ((-11.0, 90.0, 15.0), 3.0, 2.0, (60.0, 50.0)),  # 3 and 4 off a corner
        ((-14.0, 84.8, 15.0), 2.0, -2.0, (60.0, 40.0)),  # about the edge: its middle lies on it
        ((-16.0, 84.8, 15.0), 0.8, -0.8, (40.0, 40.0)),  # within the outline, which does not meet it
        ((-16.0, 84.8, 20.0), 3.0, 2.0, (40.0, 40.0)),  # above the middle of the area
    ],
)
def test_the_distance_from_a_ball_in_the_ct(centre, radius_mm, distance_mm, px) -> None:
    found = to_ball(placed(), centre, radius_mm)
    assert (found.validity, found.reason, found.in_frame, found.to) == (Validity.VALID, "", CT, "artery")
    # A grid of half a millimetre, coarser farther out; within a ball, the depth is sampled every half millimetre.
    within_mm = 0.3 if distance_mm < 0.0 else 0.1
    assert found.distance_mm == pytest.approx(distance_mm, abs=within_mm)
    assert found.is_inside is (distance_mm < 0.0)
    assert not found.is_least
    assert found.nearest_px == pytest.approx(px, abs=6.0)


def test_beyond_its_grid_a_structure_is_at_least_so_far() -> None:
    found = to_ball(placed(), (60.0, 84.8, 15.0), 3.0)
    assert found.is_least
    assert 40.0 < found.distance_mm <= 71.0


@pytest.mark.parametrize(
    ("there", "distance_mm", "is_inside", "px"),
    [
        ((-11.0, 90.0, 15.0), 5.0, False, (60.0, 50.0)),
        ((-11.0, 84.8, 19.0), 5.0, False, (60.0, 40.0)),
        ((-16.0, 84.8, 22.0), 7.0, True, (40.0, 40.0)),
        ((-17.0, 85.4, 12.5), 2.5, True, (30.0, 45.0)),
    ],
)
def test_the_distance_from_a_moving_tip_at_that_instant(there, distance_mm, is_inside, px) -> None:
    found = to_tip(placed(registered=False), there)
    assert (found.validity, found.in_frame, found.to, found.is_inside) == (
        Validity.VALID,
        REFERENCE,
        "stylus",
        is_inside,
    )
    assert found.distance_mm == pytest.approx(distance_mm, abs=2e-3)
    assert found.nearest_px == pytest.approx(px, abs=0.1)


def test_an_open_line_has_no_inside() -> None:
    line = Contour("bone", vessel().points_px, closed=False, confidence=None, area_px2=0.0)
    found = to_tip(placed(line, registered=False), (-18.0, 84.8, 15.0))
    # From the left edge, which an open line lacks: up to the corner (-18, 83.6), down to (-18, 86).
    assert found.distance_mm == pytest.approx(1.2, abs=2e-3)
    assert found.is_inside is False
    point = Contour("bone", vessel().points_px[:1], closed=False, confidence=None, area_px2=0.0)
    assert to_tip(placed(point, registered=False), (-18.0, 86.6, 15.0)).distance_mm == pytest.approx(3.0, abs=2e-3)


def test_where_something_is_missing_there_is_a_reason_and_no_number() -> None:
    def nothing(found: ContourDistance) -> str:
        assert (found.distance_mm, found.p95_mm, found.is_inside, found.in_frame) == (None, None, None, "")
        assert found.validity is not Validity.VALID
        assert f"no distance, {found.reason}" in found.words
        return found.reason

    assert nothing(to_ball(placed(registered=False), (-8.0, 84.8, 15.0), 3.0)) == NOT_REGISTERED
    never = Distances(["stylus"])
    (found,) = never.measured(placed()).distances
    assert nothing(found) == "no pose at the time that the image shows: no pose has come"
    gone = [tip(at_ms * MS, (0, 0, 0), validity=Validity.LOST, reason="occluded", numbers=b"") for at_ms in (450, 550)]
    hidden = Distances(["stylus"])
    hidden.note(gone)
    (found,) = hidden.measured(placed()).distances
    assert nothing(found).endswith("lost: occluded")
    doubted = tip(610 * MS, (-11.0, 90.0, 15.0), validity=Validity.SUSPECT, reason="bumped")
    assert nothing(to_tip(placed(), (-11.0, 90.0, 15.0), doubted)) == "stylus suspect: bumped"


def test_a_frame_that_is_doubted_or_not_placed_has_no_distances() -> None:
    measure = Distances(["stylus"])
    measure.follow((("artery", ball((-8.0, 84.8, 15.0), 3.0)),))
    for validity in (Validity.SUSPECT, Validity.LOST):
        assert not measure.measured(replace(placed(), validity=validity)).distances
    assert len(measure.measured(placed(vessel(), vessel())).distances) == 4


def test_the_error_of_a_distance_to_a_structure_has_the_registration_in_it_and_that_to_a_tip_has_not() -> None:
    frame, there = placed(), (-8.0, 84.8, 15.0)
    px = np.array([[60.0, 40.0]])
    along = pose_at(SHOWS_NS).rotate(np.array([[-1.0, 0.0, 0.0]]))[0]
    by_hand = 1.96 * np.sqrt(along @ frame.errors.at(px)[0] @ along)
    assert to_ball(frame, there, 3.0).p95_mm == pytest.approx(by_hand, rel=0.01)
    without = replace(frame, errors=None)
    found = to_ball(without, there, 3.0)
    assert (found.p95_mm, found.validity) == (None, Validity.VALID), "a distance whose error is not known"
    # The tip beside the vessel: the probe's map and marker, the tip, and the instant by how they move past one another.
    errors = frame.errors_reference
    lever_mm = pose_at(SHOWS_NS).rotate(np.array([[-14.0, 84.8, 15.0]]))[0]
    moves = np.cross(SPIN_RAD_S, lever_mm) + errors.twist[3:] - TIP_SPEED_MM_S
    turn = pose_at(SHOWS_NS).rotation_matrix
    covariance = turn @ errors.image_map.point_covariances_mm2(px)[0] @ turn.T + TIP_MM2 + 0.01 * np.eye(3)
    covariance += 1e-6 * (lever_mm @ lever_mm * np.eye(3) - np.outer(lever_mm, lever_mm))
    covariance += errors.time_sd_s**2 * np.outer(moves, moves)
    along_mm2 = along @ covariance @ along
    across_mm = (np.trace(covariance) - along_mm2) / 6.0
    found = to_tip(placed(registered=False), there)
    assert found.p95_mm == pytest.approx(np.hypot(1.96 * np.sqrt(along_mm2), across_mm), rel=0.01)
    assert to_tip(placed(), there).p95_mm == pytest.approx(found.p95_mm)


def test_the_operator_is_told_the_smallest_of_each_kind() -> None:
    beside, farther = vessel(), vessel(vessel().points_px - [10.0, 0.0])
    measure = Distances(["stylus"])
    measure.note([tip(at_ms * MS, (-8.0, 84.8, 15.0)) for at_ms in range(400, 601, 10)])
    measure.follow((("artery", ball((-8.0, 84.8, 15.0), 3.0)),))
    words = smallest(pickle.loads(pickle.dumps(measure.measured(placed(farther, beside)))).distances)
    assert [word.split(" ±")[0] for word in words] == [
        "vessel to artery: 3.0 mm",
        "vessel to the tip of stylus: 6.0 mm",
    ]
