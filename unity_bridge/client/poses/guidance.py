"""Guidance at the client: the newest messages of the pose socket, and what a display may show of them now."""

from __future__ import annotations

from dataclasses import fields

from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.poses.age import AgeLimits
from unity_bridge.wire.envelope import HEADER_BYTES, Header, MessageType, Validity, malformed
from unity_bridge.wire.generated.constants import MESSAGE_HEADER
from unity_bridge.wire.messages import Guidance, GuidancePlan, ToolGuidance, decode_message

_NS_PER_MS = 1_000_000
_SAYS = {"tool", "validity", "reason"}
_NUMBERS = tuple(field.name for field in fields(ToolGuidance) if field.name not in _SAYS)


def is_guidance(message: bytes | memoryview) -> bool:
    """Whether the header says that this is a Guidance or a GuidancePlan; nothing else is checked."""
    if len(message) < HEADER_BYTES:
        return False
    return MESSAGE_HEADER.unpack_from(message)[3] in (MessageType.GUIDANCE, MessageType.GUIDANCE_PLAN)


class GuidanceLog:
    """Keeps the newest guidance.

    Attributes:
        newest: the newest message; None before the first.
        header: its header.
        plan: the newest plan; None before the first.
        received: number of guidance messages.
        lost: number of sequence numbers that were skipped.
    """

    def __init__(self) -> None:
        self.newest: Guidance | None = None
        self.header: Header | None = None
        self.plan: GuidancePlan | None = None
        self.received = self.lost = 0

    def take(self, message: bytes | memoryview) -> None:
        """Takes in a message that `is_guidance`.

        Raises:
            WireError: malformed, a tool with numbers that is not valid, or one that was there already.
        """
        header, what = decode_message(message)
        if isinstance(what, GuidancePlan):
            self.plan = what
            return
        if not isinstance(what, Guidance):
            raise malformed(f"message type {header.message_type}", "guidance")
        for tool in what.tools:
            check_guidance(tool)
        before = self.header
        if before is not None and header.session_id == before.session_id:
            if header.sequence <= before.sequence:
                raise malformed(f"guidance {header.sequence} after {before.sequence}", "growing sequence numbers")
            self.lost += header.sequence - before.sequence - 1
        self.newest, self.header = what, header
        self.received += 1

    def shown(self, now_ns: int, offset: ClockOffset | None, limits: AgeLimits) -> dict[str, ToolGuidance]:
        """What a display may show at a time on the client's clock: tool -> its guidance, without numbers where old.

        Args:
            offset: to the clock that stamped the messages; None if unknown.
            limits: the ages above which a pose is stale, and lost.
        """
        if self.newest is None or self.header is None:
            return {}
        age_ns = None if offset is None else offset.to_server_ns(now_ns) + offset.error_at_ns(now_ns)
        age_ms = None if age_ns is None else (age_ns - self.header.capture_ns) / _NS_PER_MS
        by_age, why = limits.judge(age_ms)
        if by_age is Validity.VALID:
            return {tool.tool: tool for tool in self.newest.tools}
        return {each.tool: _without_numbers(each, by_age, why) for each in self.newest.tools}


def check_guidance(tool: ToolGuidance) -> None:
    """Raises `MalformedMessageError` for a tool that is not valid and has numbers, or is valid and has a reason."""
    has_numbers = any(getattr(tool, name) not in (None, "", ()) for name in _NUMBERS)
    if (tool.validity is not Validity.VALID and has_numbers) or (tool.validity is Validity.VALID and tool.reason):
        raise malformed(
            f"guidance of '{tool.tool[:40]}', {tool.validity.value}, with {'numbers' if has_numbers else 'a reason'}",
            "numbers if it is valid, a reason if it is not",
        )


def _without_numbers(tool: ToolGuidance, by_age: Validity, why: str) -> ToolGuidance:
    if tool.validity is Validity.LOST:
        return tool
    return ToolGuidance(tool=tool.tool, validity=by_age, reason=why)
