"""Filters of a pose: the delay is what they say, raw stays beside filtered, and nothing is predicted for long."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_are
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE
from navigation.live.filters.constant_velocity import PREDICTION_CAP_NS, ConstantVelocity, MotionSettings, Steps
from navigation.live.filters.one_euro import OneEuro, OneEuroSettings
from navigation.live.timeline.timelines import NoPose
from tests.navigation.live.harness import MS

PERIOD_NS = 10 * MS
Filter = OneEuro | ConstantVelocity
BOTH = pytest.mark.parametrize("make", [OneEuro, ConstantVelocity])


def pose(x_mm: float, angle_rad: float = 0.0) -> Transform:
    return Transform.from_rotation(Rotation.from_rotvec([0, angle_rad, 0]), [x_mm, 5.0, -3.0], REFERENCE, "stylus_tip")


def angle(of: Transform) -> float:
    return float(of.rotation.as_rotvec()[1])


def moving(filter_: Filter, mm_s: float, rad_s: float, frames: int = 300):
    """The last of many frames of a motion at constant speed, and where the tool truly is then."""
    for number in range(frames):
        s = 0.01 * number
        found = filter_.note(pose(mm_s * s, rad_s * s), number * PERIOD_NS)
    return found, pose(mm_s * s, rad_s * s)


@pytest.mark.parametrize("mm_s", [20.0, 100.0, 400.0])
def test_the_one_euro_filter_lags_by_the_delay_that_it_states(mm_s: float) -> None:
    found, true = moving(OneEuro(), mm_s, 0.0)
    lag_mm = true.translation_mm[0] - found.pose.translation_mm[0]
    # By the formula of the paper: the cutoff at rest and what the speed adds.
    settings = OneEuroSettings()
    place_ms = 1000.0 / (2.0 * np.pi * (settings.rest_hz + settings.per_mm_s * mm_s))
    assert lag_mm == pytest.approx(mm_s * place_ms / 1000.0, rel=1e-3)
    assert found.delay_ms == pytest.approx(1000.0 / (2.0 * np.pi * settings.rest_hz)), "of the turn, which rests"


def test_its_turn_lags_by_the_delay_that_it_states() -> None:
    found, true = moving(OneEuro(), 400.0, 0.5)
    assert (angle(true) - angle(found.pose)) / 0.5 == pytest.approx(found.delay_ms / 1000.0, rel=1e-3)


def test_the_constant_velocity_filter_does_not_lag_at_constant_speed_and_goes_on_with_it() -> None:
    filter_ = ConstantVelocity()
    found, true = moving(filter_, 100.0, 0.5)
    np.testing.assert_allclose(found.pose.translation_mm, true.translation_mm, atol=1e-3)
    assert angle(found.pose) == pytest.approx(angle(true), abs=1e-4)
    assert found.delay_ms == 0.0
    later = filter_.at(299 * PERIOD_NS + 50 * MS)
    np.testing.assert_allclose(later.translation_mm, pose(304.0, 0.0).translation_mm, atol=5e-3)
    assert angle(later) == pytest.approx(0.5 * 3.04, abs=1e-3)


def test_its_gains_become_those_of_the_riccati_equation() -> None:
    """SciPy's solution of the same model, written with matrices."""
    jitter, density, t = 0.3, 1e4, 0.01
    steps = Steps(jitter, density)
    for _ in range(500):
        gains = steps.gains(t)
    forward, seen = np.array([[1.0, t], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    noise = density * np.array([[t**3 / 3.0, t**2 / 2.0], [t**2 / 2.0, t]])
    ahead = solve_discrete_are(forward.T, seen.T, noise, [[jitter**2]])
    np.testing.assert_allclose(gains, (ahead @ seen.T / (seen @ ahead @ seen.T + jitter**2)).ravel(), rtol=1e-6)


def test_nothing_is_predicted_for_longer_than_the_cap_or_before_anything_was_seen() -> None:
    filter_ = ConstantVelocity()
    assert filter_.at(0) == NoPose("not seen yet")
    moving(filter_, 100.0, 0.0, frames=50)
    last_ns = 49 * PERIOD_NS
    assert isinstance(filter_.at(last_ns + PREDICTION_CAP_NS), Transform)
    assert filter_.at(last_ns + PREDICTION_CAP_NS + MS) == NoPose(
        "last seen 81 ms before: too long to say where it went"
    )


@BOTH
def test_what_was_measured_is_kept_beside_what_is_made_of_it(make: type[Filter]) -> None:
    filter_, measured = make(), [pose(0.0), pose(8.0), pose(1.0)]
    found = [filter_.note(each, number * PERIOD_NS) for number, each in enumerate(measured)]
    assert [each.raw for each in found] == measured
    assert found[2].pose.translation_mm[0] not in (0.0, 8.0, 1.0)


@BOTH
def test_what_comes_again_or_late_changes_nothing(make: type[Filter]) -> None:
    filter_ = make()
    last, _ = moving(filter_, 100.0, 0.0, frames=20)
    assert filter_.note(pose(999.0), 19 * PERIOD_NS) is last
    assert filter_.note(pose(999.0), 3 * PERIOD_NS) is last


@BOTH
@pytest.mark.parametrize("gap_ms", [101, 5000])
def test_after_a_gap_it_begins_anew_where_the_tool_is(make: type[Filter], gap_ms: int) -> None:
    filter_ = make()
    moving(filter_, 300.0, 0.0, frames=20)
    found = filter_.note(pose(-500.0), 19 * PERIOD_NS + gap_ms * MS)
    assert found.pose == found.raw
    assert found.delay_ms == 0.0


@BOTH
def test_after_a_turn_that_cannot_be_followed_it_begins_anew(make: type[Filter]) -> None:
    filter_ = make()
    moving(filter_, 0.0, 0.0, frames=20)
    found = filter_.note(pose(0.0, np.deg2rad(100.0)), 20 * PERIOD_NS)
    assert found.pose == found.raw


@pytest.mark.parametrize(("make", "share"), [(OneEuro, 0.8), (ConstantVelocity, 0.75)])
def test_at_rest_the_noise_becomes_less(make: type[Filter], share: float) -> None:
    rng, filter_, off = np.random.default_rng(4), make(), []
    for number in range(600):
        measured = pose(rng.normal(scale=0.3), rng.normal(scale=0.003))
        found = filter_.note(measured, number * PERIOD_NS)
        off.append([found.pose.translation_mm[0] / 0.3, angle(found.pose) / 0.003])
    place, turn = np.sqrt(np.mean(np.square(off[100:]), axis=0))
    assert place < share
    assert turn < share


@BOTH
@given(st.lists(st.tuples(st.integers(-30, 150), st.floats(-2e3, 2e3), st.floats(-3.0, 3.0)), max_size=40))
def test_whatever_comes_the_pose_is_rigid_and_between_what_came(make: type[Filter], steps: list) -> None:
    """Transform refuses what is no rotation and not finite; a low-pass never goes beyond what it was given."""
    filter_, now_ms, places = make(), 0, []
    for passed_ms, x_mm, angle_rad in steps:
        now_ms += passed_ms
        places.append(x_mm)
        found = filter_.note(pose(x_mm, angle_rad), now_ms * MS)
        if make is OneEuro:
            assert min(places) - 1e-6 <= found.pose.translation_mm[0] <= max(places) + 1e-6


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_prediction_is_never_older_than_the_cap(seen_ms: int, asked_ms: int) -> None:
    filter_ = ConstantVelocity()
    filter_.note(pose(0.0), seen_ms * MS)
    found = filter_.at(asked_ms * MS)
    assert isinstance(found, NoPose) == ((asked_ms - seen_ms) * MS > PREDICTION_CAP_NS)


def test_the_default_follows_a_hand_whose_speed_changes() -> None:
    """A sine of 100 mm/s: with the defaults it is off by less than a third of what is shown without prediction."""
    filter_, late_mm, shown_mm = ConstantVelocity(MotionSettings()), [], []
    for number in range(400):
        s = 0.01 * number
        filter_.note(pose(50.0 * np.sin(2.0 * s)), number * PERIOD_NS)
        true = 50.0 * np.sin(2.0 * (s + 0.035))
        late_mm.append(filter_.at(number * PERIOD_NS + 35 * MS).translation_mm[0] - true)
        shown_mm.append(50.0 * np.sin(2.0 * s) - true)
    assert np.std(late_mm[50:]) < np.std(shown_mm[50:]) / 3.0
