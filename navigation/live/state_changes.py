"""Who was lost and who was found, from the pose process to the service, without ever making the pose loop wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

_QUIET_NS = 1_000_000_000

State = tuple[str, Validity, str]


@dataclass(frozen=True)
class StateChanges:
    """Tools whose validity is another than was told last, each with its validity and reason; can be pickled."""

    states: tuple[State, ...]


class ChangeReporter:
    """Tells changes as they come, one message at a time: the next goes out when the last was taken.

    So the pipe holds one small message at most and never blocks. That a valid tool is lost is told at once, that it is
    found after a second of quiet; what holds is always told in the end. The poses carry every frame's state anyway.
    """

    def __init__(self, send: Callable[[StateChanges], None]) -> None:
        self._send = send
        self._told: dict[str, tuple[Validity, int]] = {}
        self._may_send = True

    def taken(self) -> None:
        """The service has taken the last message."""
        self._may_send = True

    def report(self, states: Sequence[ToolState], now_ns: int) -> None:
        """Told of every frame's states; sends what is news."""
        if not self._may_send:
            return
        changed = tuple((state.tool, state.validity, state.reason) for state in states if self._is_news(state, now_ns))
        if changed:
            self._may_send = False
            for tool, validity, _ in changed:
                since_ns = now_ns if tool in self._told else now_ns - _QUIET_NS  # how it all began is no loss
                self._told[tool] = (validity, since_ns)
            self._send(StateChanges(changed))

    def _is_news(self, state: ToolState, now_ns: int) -> bool:
        told = self._told.get(state.tool)
        if told is None or told[0] is state.validity:
            return told is None
        return told[0] is Validity.VALID or now_ns - told[1] >= _QUIET_NS
