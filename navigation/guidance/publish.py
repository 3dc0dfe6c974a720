"""Guidance in the pose process: after a batch was sent, its guidance follows on the same socket.

It is computed there, and not in a process of its own, so that it is a function of the batches alone: a replay of the
same frames gives the same messages, and a tool is never shown beside the plan by poses other than those that were sent.
The poses do not wait for it, since the batch is out before it begins, and it is made for some batches only, by their
capture times. What takes long, the distance grids, is made before the process starts, or read beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from geometry.errors import SurgNavError
from navigation.guidance.guide import NS_PER_MS, GuidanceState, Guide
from navigation.guidance.messages import guidance_message, plan_message
from navigation.guidance.new_plan import GuidanceSetup, PlanReader
from navigation.guidance.plan import SurgicalPlan
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import MessageType, Session, Validity, pack_message
from unity_bridge.wire.schema import Declared, encode

# Trackers of 60 Hz are guided in each of their frames, those of 100 Hz in every other one.
EVERY_MS, PLAN_EVERY_MS = 15.0, 1000.0


@dataclass(frozen=True)
class Aim:
    """An order to the pose process.

    Attributes:
        followed: name of the trajectory to follow from now on; empty to leave it as it is.
        problem: why there is no guidance any more; empty to leave it as it is.
        new_plan: file of a `PlanShelf` to guide by from when it was read; until then there is no guidance. Empty to
            leave the plan as it is.
    """

    followed: str = ""
    problem: str = ""
    new_plan: str = ""


READING = "the plan in the case has changed: the new one is being read"


class GuidancePublisher:
    """Guides by the states of batches, and sends what it finds; `after` is called after every batch.

    Args:
        setup: what to guide by; None sends nothing until there is a plan.
        session: stamps the messages.
        send: sends one message to whoever gets the poses.
        first_sequence: number of the first batch. There are no more messages of guidance than batches, so that their
            numbers go on in the next process too when they begin with it.

    Attributes:
        states: the newest guidance, of which the operator is told.
    """

    def __init__(
        self, setup: GuidanceSetup | None, session: Session, send: Callable[[bytes], None], first_sequence: int = 1
    ) -> None:
        self._session, self._send = session, send
        self._in_use = None if setup is None else (setup, setup.guide())
        self._reader: PlanReader | None = None
        self._wanted = ""  # trajectory that was chosen while a new plan was read
        self._sent = dict.fromkeys((MessageType.GUIDANCE, MessageType.GUIDANCE_PLAN), first_sequence - 1)
        self._last_ns: dict[MessageType, int] = {}
        self.states: tuple[GuidanceState, ...] = ()

    def after(self, states: Sequence[ToolState], capture_ns: int) -> None:
        """Guides by one batch, if it is due."""
        if self._reader is not None and self._reader.is_done:
            self._take_new(self._reader)
        if self._in_use is None:
            return
        setup, guide = self._in_use
        if self._is_due(MessageType.GUIDANCE_PLAN, PLAN_EVERY_MS, capture_ns):
            self._emit(MessageType.GUIDANCE_PLAN, plan_message(setup.plan, guide.followed), capture_ns)
        if self._is_due(MessageType.GUIDANCE, EVERY_MS, capture_ns):
            self.states = _guided(setup, guide, states, capture_ns)
            self._emit(MessageType.GUIDANCE, guidance_message(self.states), capture_ns)

    def take(self, aim: Aim) -> None:
        """Carries out an order; the plan is told anew with the next batch."""
        if aim.new_plan:
            self._reader, self._wanted = PlanReader(aim.new_plan), ""
            self._end(READING)
        elif aim.problem:
            self._reader = None
            self._end(aim.problem)
        elif aim.followed and self._reader is not None:
            self._wanted = aim.followed
        elif aim.followed and self._in_use is not None:
            self._in_use[1].follow(aim.followed)
        self._last_ns.clear()

    def _take_new(self, reader: PlanReader) -> None:
        self._reader, self._in_use = None, reader.made or self._in_use
        if reader.problem:
            self._end(reader.problem)
        elif self._wanted and self._in_use is not None:
            self._in_use[1].follow(self._wanted)
        self._last_ns.clear()

    def _end(self, problem: str) -> None:
        """There is no guidance from now on; without a plan before, there was none to end."""
        if self._in_use is not None:
            ended = replace(self._in_use[0], plan=SurgicalPlan(problem=problem), followed="")
            self._in_use = ended, ended.guide()

    def _is_due(self, kind: MessageType, every_ms: float, capture_ns: int) -> bool:
        last_ns = self._last_ns.get(kind)
        return last_ns is None or not 0 <= capture_ns - last_ns < every_ms * NS_PER_MS

    def _emit(self, kind: MessageType, message: Declared, capture_ns: int) -> None:
        self._last_ns[kind] = capture_ns
        self._sent[kind] += 1
        self._send(pack_message(self._session.header(kind, self._sent[kind], capture_ns), encode(message)))


def _guided(
    setup: GuidanceSetup, guide: Guide, states: Sequence[ToolState], capture_ns: int
) -> tuple[GuidanceState, ...]:
    try:
        return guide.guide(states, capture_ns)
    except SurgNavError as error:  # whatever it is, the poses go on without it
        return tuple(
            GuidanceState(tool=tool, validity=Validity.LOST, reason=f"no guidance: {error.came}")
            for tool in setup.tools
        )
