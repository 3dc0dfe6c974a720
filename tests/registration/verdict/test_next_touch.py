"""The spot to touch next: where it is by hand, and whether touching it brings what was promised."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Transform
from registration import expected_tre, refine_on_surface
from registration.distance.closest_point import ExactDistance
from registration.distance.distance_grid import DistanceGrid
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import PoseUncertainty
from registration.verdict.next_touch import NextTouch, NextTouchSettings, next_touch, way_from_nearest
from tests.registration.shapes import T_TRUE, organ, plate, sample

ORGAN = organ(4)
FIELD = ExactDistance(ORGAN)
CENTRE_MM = ORGAN.vertices_mm.mean(axis=0)
TARGETS = {"near": CENTRE_MM + [30.0, 0.0, 0.0], "deep": CENTRE_MM - [60.0, 20.0, 30.0]}
LANDMARKS = {"apex": ORGAN.vertices_mm[np.argmax(ORGAN.vertices_mm[:, 0])]}
SETTINGS = SurfaceFitSettings(offset_sd_mm=0.0)
ALL_ROUND = NextTouchSettings(least_facing=-1.0, reach_mm=1e3)


def swept(count: int, rng: np.random.Generator) -> np.ndarray:
    """A patch on one end of the organ, with noise, in reference."""
    points = sample(ORGAN, 40 * count, rng)
    patch = points[points[:, 0] > CENTRE_MM[0] + 40.0][:count]
    return T_TRUE.apply(patch + 0.4 * rng.normal(size=patch.shape))


def worst_p95_mm(points: np.ndarray) -> tuple[float, object]:
    made = refine_on_surface(points, FIELD, T_TRUE, settings=SETTINGS)
    targets = np.array(list(TARGETS.values()))
    return float(expected_tre(made.T_reference_ct, made.uncertainty, targets).p95_mm.max()), made


def ask(made: object, points: np.ndarray, **changes: object) -> NextTouch | None:
    arguments = {"targets_ct": TARGETS, "landmarks_ct": LANDMARKS, "settings": ALL_ROUND} | changes
    return next_touch(
        made.T_reference_ct,
        made.uncertainty,
        measured_reference_mm=points,
        field_ct=FIELD,
        assumed=SETTINGS,
        **arguments,
    )


def spot_points(spot: NextTouch, radius_mm: float, rng: np.random.Generator) -> np.ndarray:
    points = sample(ORGAN, 60_000, rng)
    near = points[np.linalg.norm(points - spot.point_ct_mm, axis=1) < radius_mm][:20]
    return T_TRUE.apply(near + 0.4 * rng.normal(size=near.shape))


@pytest.mark.parametrize("seed", range(4))
def test_touching_there_brings_what_was_promised_and_more_than_elsewhere(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = swept(300, rng)
    now_mm, made = worst_p95_mm(points)
    spot = ask(made, points, landmarks_ct={})
    assert spot is not None
    assert spot.kind == "surface"
    assert spot.target == "deep"
    assert spot.p95_now_mm == pytest.approx(now_mm, rel=1e-6)
    then_mm, _ = worst_p95_mm(np.vstack([points, spot_points(spot, 7.0, rng)]))
    # The promise is of first order, and the sites' normals are means over some mm.
    assert then_mm == pytest.approx(spot.p95_then_mm, rel=0.2)
    assert then_mm < 0.85 * now_mm
    elsewhere = [
        worst_p95_mm(np.vstack([points, T_TRUE.apply(place)]))[0]
        for place in (sample(ORGAN, 1, rng) + 3.0 * rng.normal(size=(20, 3)) for _ in range(5))
    ]
    assert then_mm < np.median(elsewhere)


def test_an_untouched_landmark_is_a_spot_too() -> None:
    rng = np.random.default_rng(0)
    points = swept(300, rng)
    _, made = worst_p95_mm(points)
    far = {"tail": ORGAN.vertices_mm[np.argmin(ORGAN.vertices_mm[:, 0])]}
    spot = ask(made, points, landmarks_ct=far)
    assert (spot.kind, spot.name, spot.words) == ("landmark", "tail", "'tail'")
    assert spot.outward_ct is None
    # A landmark that was touched already is none: measured points lie on it.
    again = ask(made, np.vstack([points, T_TRUE.apply(far["tail"])[None]]), landmarks_ct=far)
    assert again.kind == "surface"


def test_only_where_a_hand_can_come() -> None:
    rng = np.random.default_rng(0)
    points = swept(300, rng)
    _, made = worst_p95_mm(points)
    near = ask(made, points, settings=NextTouchSettings(reach_mm=30.0, least_facing=-1.0))
    measured_ct = T_TRUE.inverse().apply(points)
    assert np.linalg.norm(measured_ct - near.point_ct_mm, axis=1).min() < 31.0
    facing = ask(made, points, settings=NextTouchSettings(reach_mm=1e3, least_facing=0.3))
    outward = FIELD.distance(measured_ct).gradient.mean(axis=0)
    assert facing.outward_ct @ outward / np.linalg.norm(outward) > 0.3


def test_nothing_to_say_without_targets_or_measurements() -> None:
    points = swept(300, np.random.default_rng(0))
    _, made = worst_p95_mm(points)
    assert ask(made, points, targets_ct={}) is None
    assert ask(made, np.empty((0, 3))) is None


def test_a_plate_by_hand() -> None:
    # Known but for a turn about x through the origin (sd 0.01 rad): a look at (x, y) of the plate z = 0 sees 0.01 y.
    covariance = np.diag([1e-4, 0.0, 0.0, 0.0, 0.0, 0.0])
    here = Transform(np.eye(4), "reference", "ct")
    spot = next_touch(
        here,
        PoseUncertainty(covariance, np.zeros(3)),
        {"t": np.array([0.0, 100.0, 0.0])},
        np.zeros((1, 3)),
        DistanceGrid.from_surface(plate(200.0)),
        {},
        SurfaceFitSettings(point_noise_mm=0.0, model_error_mm=0.5),
    )
    assert abs(spot.point_ct_mm[1]) > 90.0
    assert spot.p95_now_mm == pytest.approx(1.96, abs=0.01)
    seen_mm = 0.01 * abs(spot.point_ct_mm[1])
    assert spot.p95_then_mm == pytest.approx(1.96 * 0.5 / np.hypot(0.5, seen_mm), rel=0.01)


def test_the_way_in_words() -> None:
    marks = {"nose": np.array([0.0, 0.0, 0.0]), "ear": np.array([200.0, 0.0, 0.0])}
    # ct is LPS: x to the left, y to the back, z to the head.
    assert (
        way_from_nearest(np.array([-30.0, -45.0, 3.0]), marks) == "45 mm to the front and 30 mm to the right of 'nose'"
    )
    assert way_from_nearest(np.array([205.0, 0.0, 20.0]), marks) == "20 mm towards the head of 'ear'"
    assert way_from_nearest(np.array([2.0, 1.0, -3.0]), marks) == "beside 'nose'"
    assert way_from_nearest(np.array([1.0, 2.0, 3.0]), {}) == "(1, 2, 3) mm in ct"
