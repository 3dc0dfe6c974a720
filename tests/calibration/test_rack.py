"""The rack: written once, the newest accepted in force, nothing damaged passed over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calibration.errors import CalibrationResultError, RackError
from calibration.rack import age, in_force, keep, results
from calibration.result import CalibrationResult, ExpectedError


def made(time: str, verdict: str = "accepted", subject: str = "stylus", n_used: int = 10) -> CalibrationResult:
    error = ExpectedError(value=0.2, unit="mm", at="stylus_tip") if verdict == "accepted" else None
    return CalibrationResult(
        kind="pivot",
        subject=subject,
        made=time,
        method="by hand",
        n_used=n_used,
        expected_error=error,
        verdict=verdict,
        reasons=() if verdict == "accepted" else ("the tip slipped",),
    )


def test_a_result_lies_where_its_name_says(tmp_path: Path):
    path = keep(tmp_path / "rack", made("2026-11-27T03:15:03+01:00"))
    assert path == tmp_path / "rack" / "stylus" / "pivot" / "2026-11-27T021503Z.json"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_nothing_is_replaced_not_even_in_the_same_second(tmp_path: Path):
    first, second = made("2026-11-27T02:15:03+00:00", n_used=1), made("2026-11-27T02:15:03+00:00", n_used=2)
    paths = [keep(tmp_path, first), keep(tmp_path, second)]
    assert [result.n_used for _, result in results(tmp_path)] == [1, 2]
    assert paths[1].name == "2026-11-27T021503Z_2.json"
    assert in_force(tmp_path, "stylus", "pivot") == second


def test_the_newest_accepted_is_in_force_whatever_its_time_zone(tmp_path: Path):
    older = made("2026-11-27T09:00:00+09:00", n_used=1)  # midnight in UTC
    newer = made("2026-11-27T02:00:00+00:00", n_used=2)
    refused = made("2026-11-27T03:00:00+00:00", verdict="refused", n_used=3)
    for result in (newer, refused, older, made("2026-11-28T00:00:00+00:00", subject="probe")):
        keep(tmp_path, result)
    assert in_force(tmp_path, "stylus", "pivot") == newer
    assert [result.n_used for _, result in results(tmp_path, "stylus")] == [1, 2, 3]
    assert in_force(tmp_path, "stylus", "spin") is None
    assert in_force(tmp_path, "awl", "pivot") is None


def test_a_damaged_result_is_not_passed_over_for_an_older_one(tmp_path: Path):
    keep(tmp_path, made("2026-11-27T02:00:00+00:00"))
    newest = keep(tmp_path, made("2026-11-28T02:00:00+00:00"))
    newest.write_bytes(newest.read_bytes()[:-30])
    with pytest.raises(CalibrationResultError, match="2026-11-28T020000Z"):
        in_force(tmp_path, "stylus", "pivot")


def test_a_result_in_the_folder_of_another_tool_is_refused(tmp_path: Path):
    path = keep(tmp_path, made("2026-11-27T02:00:00+00:00"))
    (tmp_path / "probe" / "pivot").mkdir(parents=True)
    path.rename(tmp_path / "probe" / "pivot" / path.name)
    with pytest.raises(RackError, match="calibration of stylus in probe/pivot"):
        in_force(tmp_path, "probe", "pivot")


def test_what_a_killed_run_left_is_no_result(tmp_path: Path):
    path = keep(tmp_path, made("2026-11-27T02:00:00+00:00"))
    path.with_name(".partial-0a1b2c3d-2026-11-28T020000Z.json").write_text("{")
    assert len(results(tmp_path)) == 1


def test_no_rack(tmp_path: Path):
    with pytest.raises(RackError, match="which is not there"):
        results(tmp_path / "away")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5, "just now"),
        (70, "1 minute old"),
        (110, "2 minutes old"),
        (3 * 3600, "3 hours old"),
        (100 * 3600, "4 days old"),
        (-7200, "2 hours in the future: a clock is or was wrong"),
    ],
)
def test_the_age_in_words(seconds: float, said: str):
    now = datetime(2026, 11, 27, 2, 0, tzinfo=UTC) + timedelta(seconds=seconds)
    assert age(made("2026-11-27T02:00:00+00:00").made_at, now) == said
