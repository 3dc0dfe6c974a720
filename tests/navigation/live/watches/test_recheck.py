"""When a touch that verifies the registration is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from geometry import Transform
from geometry.frames import CT, REFERENCE
from navigation.live.watches.recheck import Recheck
from registration.record.accepted import AcceptedRegistration, Evidence

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def verified(time: str | None) -> AcceptedRegistration:
    evidence = None if time is None else Evidence(time)
    return AcceptedRegistration(Transform(np.eye(4), REFERENCE, CT), "r", 1.0, "accept", "Dr", evidence=evidence)


def ago(minutes: float) -> AcceptedRegistration:
    return verified((NOW - timedelta(minutes=minutes)).isoformat())


def test_a_touch_is_due_after_the_stated_time_and_said_once_until_the_next() -> None:
    recheck = Recheck(30.0)
    assert recheck.news(ago(29.9), NOW) == ""
    assert "last at 11:30: touch a landmark to verify it, as every 30 minutes" in recheck.news(ago(30.0), NOW)
    assert recheck.news(ago(30.0), NOW + timedelta(minutes=20)) == ""
    assert recheck.news(ago(0.0), NOW + timedelta(minutes=29)) == ""
    assert "last at 12:00" in recheck.news(ago(0.0), NOW + timedelta(minutes=31))


def test_where_no_time_is_known_nothing_is_due() -> None:
    for registration in (None, verified(None), verified("yesterday"), verified("2026-11-27T09:00:00")):
        assert Recheck(30.0).news(registration, NOW) == ""
