"""Levels of alert: by hand, and that no sequence of distances has an alert lower than the distance asks for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from navigation.guidance.alerts import SEVERITY, AlertSettings, BreachAlert
from unity_bridge.wire.generated.constants import AlertLevel

SETTINGS = AlertSettings()
DISTANCES = st.lists(st.floats(-20.0, 20.0) | st.sampled_from([0.0, 0.5, 2.0, 2.5, 5.0, 5.5]), min_size=1, max_size=40)


def asked_for(left_mm: float) -> AlertLevel:
    if left_mm <= 0.0:
        return AlertLevel.BREACH
    return AlertLevel.WARNING if left_mm <= 2.0 else AlertLevel.CAUTION if left_mm <= 5.0 else AlertLevel.CLEAR


def test_an_approach_and_a_retreat_by_hand() -> None:
    alert = BreachAlert(SETTINGS)
    steps = [(9.0, "clear"), (5.0, "caution"), (5.4, "caution"), (5.6, "clear"), (1.9, "warning"), (2.4, "warning")]
    steps += [(2.6, "caution"), (0.0, "breach"), (0.4, "breach"), (0.6, "warning"), (12.0, "clear")]
    assert [alert.level(left_mm).value for left_mm, _ in steps] == [level for _, level in steps]


@given(DISTANCES)
def test_never_lower_than_the_distance_asks_for_and_never_by_more_than_the_hysteresis_higher(left: list[float]) -> None:
    alert = BreachAlert(SETTINGS)
    for left_mm in left:
        level = SEVERITY[alert.level(left_mm)]
        assert level >= SEVERITY[asked_for(left_mm)]
        assert level <= SEVERITY[asked_for(left_mm - SETTINGS.hysteresis_mm)]


@given(st.sampled_from([0.0, 2.0, 5.0]), st.lists(st.floats(-0.24, 0.24), min_size=2, max_size=60))
def test_a_hand_that_trembles_at_a_limit_changes_the_level_once(limit_mm: float, tremor: list[float]) -> None:
    alert = BreachAlert(SETTINGS)
    levels = [alert.level(limit_mm + off_mm) for off_mm in tremor]
    assert sum(one is not other for one, other in pairwise(levels)) <= 1


def test_not_a_number_is_the_worst() -> None:
    assert BreachAlert(SETTINGS).level(float("nan")) is AlertLevel.BREACH
