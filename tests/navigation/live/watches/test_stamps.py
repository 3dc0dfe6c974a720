"""What is not known of a device's clock counts as age, of the tools of that device alone."""

from __future__ import annotations

from dataclasses import replace

from geometry.frames import REFERENCE, STYLUS
from navigation.live.supervisor import Judgement, Supervisor, SupervisorSettings
from navigation.live.watches.stamps import StampWatch
from tests.navigation.live.harness import MS, TOOLS, frame, seen
from unity_bridge.wire.envelope import Validity


def doubts(bound_ms: float, age_ms: float) -> dict[str, Judgement]:
    watch = StampWatch(SupervisorSettings())
    stylus = replace(seen(STYLUS), stamp_bound_ns=round(bound_ms * MS))
    watch.note(frame(5, seen(REFERENCE), stylus), 50 * MS)
    return dict(watch.doubts(50 * MS + round(age_ms * MS)))


def test_age_and_bound_together_are_held_against_the_limits() -> None:
    assert doubts(30.0, 70.0) == {}
    assert doubts(30.0, 71.0)[STYLUS] == Judgement(
        Validity.STALE, "may be 101 ms old: its device's clock is known to within 30.0 ms"
    )
    assert doubts(30.0, 221.0)[STYLUS].validity is Validity.LOST
    assert set(doubts(101.0, 0.0)) == {STYLUS}


def test_what_has_no_bound_is_left_to_the_supervisor() -> None:
    assert doubts(0.0, 1000.0) == {}


def test_a_device_whose_clock_is_not_learned_yet_is_never_valid() -> None:
    watch = StampWatch(SupervisorSettings())
    supervisor, states = Supervisor(TOOLS, watches=(watch,)), []
    for number in range(1, 12):
        stylus = replace(seen(STYLUS), stamp_bound_ns=(100 if number < 6 else 1) * MS)
        judged = supervisor.judge(frame(number, seen(REFERENCE), stylus), (10 * number + 5) * MS)
        states.append(judged[STYLUS].validity)
    assert states[2:5] == [Validity.STALE] * 3
    assert states[5:7] == [Validity.SUSPECT] * 2
    assert states[8:] == [Validity.VALID] * 3
