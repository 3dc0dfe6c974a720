"""A row of equal balls, swept from behind: a fit that began one ball off is told from the right one by the ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from registration.distance.closest_point import ExactDistance
from registration.errors import SurfacePointsRefusedError
from registration.surface.bone_places import places
from registration.surface.bone_points import BonePoints
from registration.surface.bone_sweep import BoneSweep, SweepErrors
from tests.registration.shapes import T_TRUE, icosphere

APART_MM, BALLS = 33.0, 4


@pytest.fixture(scope="module")
def row() -> Surface:
    """Balls of 12 mm along the head-feet axis, the second a little to the side."""
    directions, triangles = icosphere(3)
    middles = np.array([[5.0 * (number == 1), 0.0, APART_MM * number] for number in range(BALLS)])
    vertices = np.vstack([12.0 * directions + middle for middle in middles])
    faces = np.vstack([triangles + number * len(directions) for number in range(BALLS)])
    return Surface(vertices, faces.astype(np.int32), "ct", "bone")


def swept(row: Surface, rng: np.random.Generator) -> BoneSweep:
    """Points on the backs of all balls (+y)."""
    behind = row.vertices_mm[row.vertices_mm[:, 1] > 4.0]
    chosen = behind[rng.permutation(len(behind))[:600]] + 0.2 * rng.normal(size=(600, 3))
    points, count = T_TRUE.apply(chosen), 600
    bone = BonePoints(points, np.tile(0.1 * np.eye(3), (count, 1, 1)), np.arange(count) // 20, 0.1)
    beams = np.tile(T_TRUE.rotate(np.array([0.0, -1.0, 0.0])), (count, 1))
    return BoneSweep(bone, beams, np.zeros((count, 3, 12)), 1e-6 * np.eye(12), 200.0)


def off(z_mm: float) -> Transform:
    return T_TRUE @ Transform.from_rotation(Rotation.identity(), [0.0, 0.0, z_mm], "ct", "ct")


def test_the_right_place_beats_one_ball_off_from_either_start(row: Surface) -> None:
    sweep, field = swept(row, np.random.default_rng(1)), ExactDistance(row)
    right, *others = places(sweep, field, off(2.0), SweepErrors())
    assert others
    assert all(right.beats(other) and not other.beats(right) for other in others)
    first, *elsewhere = places(sweep, field, off(APART_MM), SweepErrors())
    best = min([first, *elsewhere], key=lambda place: place.cost)
    middle = row.vertices_mm.mean(axis=0)
    there = best.registration.T_reference_ct.inverse().apply(T_TRUE.apply(middle))
    assert np.linalg.norm(there - middle) < 1.0
    if best is not first:
        assert best.beats(first)
        assert abs(best.toward_head_mm) == pytest.approx(APART_MM, abs=6.0)


def test_where_nothing_is_near_there_is_no_place(row: Surface) -> None:
    with pytest.raises(SurfacePointsRefusedError, match="no part lies near the bone"):
        places(swept(row, np.random.default_rng(1)), ExactDistance(row), off(500.0), SweepErrors())
