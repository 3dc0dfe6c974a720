"""Errors of another kind than the model's: what the verdict accepts, and what stands beside `check` and `refuse`."""

from __future__ import annotations

import numpy as np
import pytest

from tests.registration.trials.trial_faults import SCENARIOS, Scenario
from tests.registration.trials.trials import WAYS, Row, one

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def rows_of(scenario: Scenario, runs: int, seed: int) -> list[dict[str, Row]]:
    rng, scene = np.random.default_rng(seed), scenario.scene()
    return [one(scene, scenario.fault, rng, sweep=scenario.sweep, marks=scenario.marks) for _ in range(runs)]


def accepted_beyond(rows: list[dict[str, Row]], way: str) -> int:
    return sum(row[way].level == "accept" and row[way].worst > 1.5 for row in rows)


@pytest.mark.parametrize(
    "name",
    [
        "all skin shifted 3 mm, trunk",
        "marks slid 3 mm, trunk, no sweep",
        "surface 1 mm off over 80 mm, bone",
        "CT 1 % short, bone",
        "skin deformed 3 mm over 60 mm, face",
        "one vertebra off",
    ],
)
def test_none_is_accepted_whose_error_is_far_beyond_what_it_says(name: str) -> None:
    rows = rows_of(BY_NAME[name], 8, 3)
    assert [accepted_beyond(rows, way) for way in WAYS if way not in BY_NAME[name].unseen] == [0] * (
        len(WAYS) - len(BY_NAME[name].unseen)
    )


def test_what_all_skin_shares_is_checked_until_bone_was_touched_and_then_told() -> None:
    rows = rows_of(BY_NAME["all skin shifted 3 mm, trunk"], 8, 4)
    assert {row["skin touch"].level for row in rows} == {"check"}
    assert not any(row[way].level == "accept" for row in rows for way in ("bone touch", WAYS[-1]))
    # Once bone was touched the error that stands there is that of the shift.
    assert np.median([row["bone touch"].p95_mm.min() for row in rows]) > 2.5


def test_a_good_registration_on_skin_is_accepted_once_bone_agrees_and_one_on_bone_at_once() -> None:
    rows = rows_of(BY_NAME["none, trunk"], 10, 5)
    assert {row["no touch"].level for row in rows} == {"check"}
    assert sum(row[WAYS[-1]].level == "accept" for row in rows) >= 7
    rows = rows_of(BY_NAME["none, in bone of a trunk"], 10, 6)
    assert sum(row["no touch"].level == "accept" for row in rows) >= 8


def test_what_stands_beside_check_is_what_the_residuals_support() -> None:
    rows = rows_of(BY_NAME["skin deformed 3 mm over 60 mm, face"], 10, 7)
    shown = np.array([row["no touch"].p95_mm for row in rows])
    true = np.array([row["no touch"].errors_mm for row in rows])
    assert (true < 1.5 * shown).mean() > 0.9
    assert np.median(shown.max(axis=1)) > 2.5  # 0.95 mm stood there, when 3.3 to 4.7 was true


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list(BY_NAME))
def test_no_more_than_one_of_a_hundred_is_accepted_beyond_one_and_a_half_times_its_95_percent(name: str) -> None:
    rows = rows_of(BY_NAME[name], 100, 11)
    beyond = {way: accepted_beyond(rows, way) for way in WAYS}
    print(f"\n{name}: accepted beyond 1.5 times their 95 %: {beyond}")
    assert all(count <= 1 for way, count in beyond.items() if way not in BY_NAME[name].unseen)
