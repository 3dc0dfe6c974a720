"""Guidance at the client: judged by age, never twice, and refused where it contradicts itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geometry.clock import ManualClock
from tests.unity_bridge.poses.guidance_vectors import guidance
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.poses.age import AgeLimits
from unity_bridge.client.poses.guidance import GuidanceLog, is_guidance
from unity_bridge.errors import MalformedMessageError
from unity_bridge.wire.envelope import MessageType, Session, Validity, pack_message
from unity_bridge.wire.messages import Guidance, GuidancePlan
from unity_bridge.wire.schema import encode

MS = 1_000_000
SESSION = Session(bytes(range(16)), ManualClock(0, "server"))
VECTORS = guidance()
ONE_CLOCK = ClockOffset(0, 0)
LIMITS = AgeLimits(stale_after_ms=100.0, lost_after_ms=250.0)


def message(sequence: int = 1, capture_ns: int = 0, what: Guidance = VECTORS["guidance"]) -> bytes:
    return pack_message(SESSION.header(MessageType.GUIDANCE, sequence, capture_ns), encode(what))


def test_numbers_are_shown_while_they_are_young() -> None:
    log = GuidanceLog()
    log.take(message(capture_ns=1_000 * MS))
    young, old = (log.shown(now_ns * MS, ONE_CLOCK, LIMITS) for now_ns in (1_090, 1_110))
    assert young["driver"] == VECTORS["guidance"].tools[0]
    assert (old["driver"].validity, old["driver"].lateral_mm, old["driver"].risks) == (Validity.STALE, None, ())
    assert old["driver"].reason == "the newest pose is 110 ms old"
    lost = log.shown(1_300 * MS, ONE_CLOCK, LIMITS)
    assert lost["driver"].validity is Validity.LOST
    assert lost["drill"] == VECTORS["guidance"].tools[1], "its own reason is as good"


def test_without_a_compared_clock_there_are_no_numbers() -> None:
    log = GuidanceLog()
    log.take(message())
    assert log.shown(0, None, LIMITS)["driver"].validity is Validity.LOST
    assert "age is unknown" in log.shown(0, None, LIMITS)["driver"].reason


def test_gaps_are_counted_and_repetitions_refused() -> None:
    log = GuidanceLog()
    log.take(message(5))
    log.take(message(9))
    with pytest.raises(MalformedMessageError, match="guidance 9 after 9"):
        log.take(message(9))
    assert (log.received, log.lost) == (2, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"validity": Validity.SUSPECT},
        {"validity": Validity.LOST, "reason": "covered"},
        {"reason": "and yet a reason"},
    ],
)
def test_numbers_without_validity_are_refused(changes: dict) -> None:
    driver = replace(VECTORS["guidance"].tools[0], **changes)
    log = GuidanceLog()
    with pytest.raises(MalformedMessageError, match="guidance of 'driver'"):
        log.take(message(what=Guidance(tools=(driver,))))
    assert log.newest is None


def test_the_plan_is_kept_beside_it() -> None:
    log = GuidanceLog()
    plan: GuidancePlan = VECTORS["guidance_plan"]
    log.take(pack_message(SESSION.header(MessageType.GUIDANCE_PLAN, 1, 0), encode(plan)))
    assert (log.plan, log.newest) == (plan, None)


def test_only_its_own_types_are_taken_for_it() -> None:
    assert is_guidance(message())
    assert not is_guidance(pack_message(SESSION.header(MessageType.POSE_BATCH, 1, 0), b""))
    assert not is_guidance(b"SNAV")
