"""Tip to plan: by hand, and as it must be wherever patient and trajectory lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from navigation.errors import PlanError
from navigation.guidance.plan import Screw, Trajectory
from navigation.guidance.tip_to_plan import TrajectoryLine
from tests.navigation.guidance.harness import LEFT

LINE = TrajectoryLine(LEFT)
MILLIMETRES = st.floats(-80.0, 80.0)


def test_by_hand() -> None:
    # 10 mm before the entry, 3 mm and 4 mm aside: 5 mm off the line, 50 mm from the target along it.
    found = LINE.measure((3.0, 4.0, -10.0), None)
    assert (found.lateral_mm, found.depth_mm, found.remaining_mm) == pytest.approx((5.0, -10.0, 50.0))
    assert found.angle_rad is None
    assert found.entry_lateral_mm is None


def test_where_the_axis_passes_the_entry_by_hand() -> None:
    # Tilted by 45 degrees towards +x: from 10 mm above the entry's plane it comes down 10 mm farther on.
    half = float(np.sqrt(0.5))
    found = LINE.measure((-10.0, 2.0, -10.0), (half, 0.0, half))
    assert found.angle_rad == pytest.approx(np.pi / 4.0)
    assert found.entry_ct_mm == pytest.approx((0.0, 2.0, 0.0))
    assert found.entry_lateral_mm == pytest.approx(2.0)


@pytest.mark.parametrize("degrees", [70.0, 90.0, 179.0])
def test_an_axis_that_points_elsewhere_has_an_angle_but_no_crossing(degrees: float) -> None:
    radians = np.radians(degrees)
    found = LINE.measure((0.0, 0.0, -5.0), (float(np.sin(radians)), 0.0, float(np.cos(radians))))
    assert found.angle_rad == pytest.approx(radians)
    assert found.entry_lateral_mm is None


@given(st.tuples(MILLIMETRES, MILLIMETRES, MILLIMETRES), st.integers(0, 2**32 - 1))
def test_wherever_the_patient_lies_it_is_the_same(tip: tuple[float, float, float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn, shift = Rotation.random(rng=rng), rng.uniform(-500.0, 500.0, 3)
    axis = Rotation.from_rotvec(rng.uniform(-0.5, 0.5, 3)).apply([0.0, 0.0, 1.0])
    moved = Trajectory("moved", turn.apply(LEFT.entry_ct_mm) + shift, turn.apply(LEFT.target_ct_mm) + shift)
    here = LINE.measure(tip, tuple(axis.tolist()))
    there = TrajectoryLine(moved).measure(tuple((turn.apply(tip) + shift).tolist()), tuple(turn.apply(axis).tolist()))
    for name in ("lateral_mm", "depth_mm", "remaining_mm", "entry_lateral_mm"):
        assert getattr(there, name) == pytest.approx(getattr(here, name), abs=1e-8)
    # The angle comes out of its cosine, which is flat at 0.
    assert there.angle_rad == pytest.approx(here.angle_rad, abs=1e-6)


@given(st.tuples(MILLIMETRES, MILLIMETRES, MILLIMETRES))
def test_lateral_and_depth_are_the_legs_of_a_right_triangle(tip: tuple[float, float, float]) -> None:
    found = LINE.measure(tip, None)
    assert np.hypot(found.lateral_mm, found.depth_mm) == pytest.approx(np.linalg.norm(tip), abs=1e-9)


def test_entry_and_target_in_one_place_give_no_way() -> None:
    with pytest.raises(PlanError, match=r"1\.00 mm apart"):
        Trajectory("short", np.zeros(3), np.array([0.0, 1.0, 0.0]))
    with pytest.raises(PlanError, match="nan"):
        Trajectory("lost", np.zeros(3), np.full(3, np.nan))


@pytest.mark.parametrize(("diameter", "length"), [(0.65, 45.0), (6.5, 4.5), (65.0, 45.0), (float("nan"), 45.0)])
def test_a_screw_in_another_unit_is_refused(diameter: float, length: float) -> None:
    with pytest.raises(PlanError, match="state mm"):
        Screw(diameter, length)
