"""The demo is no success where poses were too old to be shown, and says why."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from navigation.demo.report import check_ages
from navigation.demo.shown_ages import ShownAges
from navigation.errors import ServiceError


def streamed(**changes: object) -> SimpleNamespace:
    """A demo whose stream was in order, but for `changes`."""
    display = {
        "valid_age_ms": {"p50": 2.0, "p99": 4.0, "max": 9.0},
        "valid_too_old": 0,
        "too_old_share": 0.0,
        "valid_share": {"stylus": 0.9},
    }
    return SimpleNamespace(stream=SimpleNamespace(ages=ShownAges.of(display | changes, ("stylus", "driver"))))


def test_a_stream_in_order_passes() -> None:
    check_ages(streamed())
    assert streamed().stream.ages.valid_share == {"stylus": 0.9, "driver": 0.0}  # never seen at all
    check_ages(streamed(too_old_share=0.25))


def test_one_old_pose_shown_as_valid_is_a_failure() -> None:
    ages = {"p50": 1.0, "p99": 3.0, "max": 1050.0}
    with pytest.raises(ServiceError, match="old poses as valid 1 times, up to 1050 ms old"):
        check_ages(streamed(valid_too_old=1, valid_age_ms=ages))


def test_nothing_to_show_for_a_third_of_the_time_is_a_failure() -> None:
    with pytest.raises(ServiceError, match="too old to be shown for 34% of the time"):
        check_ages(streamed(too_old_share=0.34))


def test_a_stream_without_a_single_valid_pose_is_a_failure() -> None:
    with pytest.raises(ServiceError, match="never had a valid pose"):
        check_ages(streamed(valid_age_ms={"p50": None, "p99": None, "max": None}))
