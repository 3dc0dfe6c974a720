"""Who was lost and found is told without ever filling a pipe."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from navigation.live.state_changes import ChangeReporter, StateChanges
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

SECOND_NS = 1_000_000_000


def tool(validity: Validity, name: str = "stylus") -> ToolState:
    """A state as far as it matters here; a valid one would need a pose."""
    state = ToolState(tool=name, to_frame="reference", from_frame=name, validity=Validity.LOST, reason=validity.value)
    object.__setattr__(state, "validity", validity)
    return state


def test_a_loss_is_told_at_once_and_a_return_after_a_second_of_quiet() -> None:
    told: list[StateChanges] = []

    def send(changes: StateChanges) -> None:
        told.append(changes)

    reporter = ChangeReporter(send)

    def report(validity: Validity, at_s: float) -> list[Validity]:
        told.clear()
        reporter.report([tool(validity)], round(at_s * SECOND_NS))
        reporter.taken()
        return [state[1] for changes in told for state in changes.states]

    assert report(Validity.VALID, 0.0) == [Validity.VALID]
    assert report(Validity.VALID, 0.1) == []
    assert report(Validity.LOST, 0.2) == [Validity.LOST]
    assert report(Validity.SUSPECT, 0.3) == []
    assert report(Validity.VALID, 0.4) == []
    assert report(Validity.LOST, 0.5) == []
    assert report(Validity.VALID, 1.3) == [Validity.VALID]
    assert report(Validity.STALE, 1.31) == [Validity.STALE]


@given(st.lists(st.tuples(st.sampled_from(Validity), st.booleans()), min_size=1, max_size=200))
def test_one_message_is_under_way_at_most_and_what_holds_is_told_in_the_end(steps) -> None:
    under_way: list[StateChanges] = []
    known: dict[str, Validity] = {}
    reporter = ChangeReporter(under_way.append)

    def take() -> None:
        known.update({name: validity for changes in under_way for name, validity, _ in changes.states})
        under_way.clear()
        reporter.taken()

    now_ns = 0
    for validity, taken in steps:
        now_ns += 10_000_000
        reporter.report([tool(validity), tool(Validity.VALID, "driver")], now_ns)
        assert len(under_way) <= 1
        if taken:
            take()
    take()
    reporter.report([tool(steps[-1][0]), tool(Validity.VALID, "driver")], now_ns + 2 * SECOND_NS)
    take()
    assert known == {"stylus": steps[-1][0], "driver": Validity.VALID}
