"""Sends changes of the tools' validity from the pose process to the service, without delaying the pose loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

_QUIET_NS = 1_000_000_000

State = tuple[str, Validity, str]


@dataclass(frozen=True)
class StateChanges:
    """Tools whose validity differs from what was sent last, each with validity and reason; it can be pickled."""

    states: tuple[State, ...]


class ChangeReporter:
    """Sends changes one message at a time: the next one after the service has acknowledged the last.

    So the pipe holds at most one small message and never blocks. The loss of a valid tool is sent at once; that it was
    found again is sent at the earliest one second after the last change. The latest state is always sent in the end.
    The pose batches carry the state in every frame all the same.
    """

    def __init__(self, send: Callable[[StateChanges], None]) -> None:
        self._send = send
        self._told: dict[str, tuple[Validity, int]] = {}
        self._may_send = True

    def taken(self) -> None:
        """Notes that the service has acknowledged the last message."""
        self._may_send = True

    def report(self, states: Sequence[ToolState], now_ns: int) -> None:
        """Sends the changes among the states of one frame; called for every frame."""
        if not self._may_send:
            return
        changed = tuple((state.tool, state.validity, state.reason) for state in states if self._is_news(state, now_ns))
        if changed:
            self._may_send = False
            for tool, validity, _ in changed:
                since_ns = now_ns if tool in self._told else now_ns - _QUIET_NS  # the first state is not a change
                self._told[tool] = (validity, since_ns)
            self._send(StateChanges(changed))

    def _is_news(self, state: ToolState, now_ns: int) -> bool:
        told = self._told.get(state.tool)
        if told is None or told[0] is state.validity:
            return told is None
        return told[0] is Validity.VALID or now_ns - told[1] >= _QUIET_NS
