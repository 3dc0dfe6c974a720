"""Judges poses by their age on the client's clock, since a message's validity only holds when it was made.

The rule is docs/unity_bridge/protocol.md, section 4: a pose's age is the client's time, plus the offset to the server's
clock, plus the bound of its error, minus the capture time. Above one limit the pose is stale, above another lost,
whatever the message says; a pose of unknown age is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.poses.batch import PoseBatch
from unity_bridge.poses.tool_state import ToolPose
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.messages import Welcome

# What a tool no longer has when it is lost.
_NO_POSE: dict[str, Any] = {
    "pose": None, "capture_ns": None, "covariance_mm2": None, "raw": None, "delay_ms": 0.0, "ahead_ms": 0.0
}  # fmt: skip
_NS_PER_MS = 1_000_000
# A capture time so far in the future, beyond the bound of the clocks, means that a clock is wrong.
MAX_AHEAD_MS = 100.0

_GRAVITY = {Validity.VALID: 0, Validity.SUSPECT: 1, Validity.STALE: 2, Validity.LOST: 3}


@dataclass(frozen=True, kw_only=True)
class AgeLimits:
    """The ages above which a pose is stale, and lost; the defaults apply if the server states none."""

    stale_after_ms: float = 100.0
    lost_after_ms: float = 250.0

    @classmethod
    def of(cls, welcome: Welcome | None) -> AgeLimits:
        """The limits of the server's Welcome."""
        said = {
            "stale_after_ms": welcome.pose_stale_after_ms if welcome is not None else None,
            "lost_after_ms": welcome.pose_lost_after_ms if welcome is not None else None,
        }
        return cls(**{name: limit for name, limit in said.items() if limit is not None})

    def judge(self, age_ms: float | None) -> tuple[Validity, str]:
        """The validity by age alone, with the reason; None for an unknown age."""
        if age_ms is None:
            return Validity.LOST, "its age is unknown: no clock was compared with the one that stamped it"
        if age_ms < -MAX_AHEAD_MS:
            return Validity.LOST, f"stamped {-age_ms:.0f} ms in the future: the clocks disagree"
        reason = f"the newest pose is {age_ms:.0f} ms old"
        if age_ms > self.lost_after_ms:
            return Validity.LOST, reason
        return (Validity.STALE, reason) if age_ms > self.stale_after_ms else (Validity.VALID, "")


class ShownPoses:
    """A batch as a display may show it at one time: each validity is the worse of the message's and the age's.

    Args:
        batch: the newest batch.
        now_ns: the current time on the client's clock.
        offset: offset to the clock that stamped the batch; None if unknown.
        limits: the ages above which a pose is stale, and lost.

    Attributes:
        sequence, capture_ns, session_id: of the batch.
        read_ns: the same as `now_ns`.
        age_ms: upper bound of the batch's age; None if unknown.
    """

    def __init__(self, batch: PoseBatch, now_ns: int, offset: ClockOffset | None, limits: AgeLimits) -> None:
        self.sequence, self.capture_ns, self.session_id = batch.sequence, batch.capture_ns, batch.session_id
        self.read_ns = now_ns
        self._batch, self._limits = batch, limits
        self._latest_ns = None if offset is None else offset.to_server_ns(now_ns) + offset.error_at_ns(now_ns)
        self.age_ms = self._age_ms(batch.capture_ns)
        self._by_age = limits.judge(self.age_ms)

    @property
    def validity(self) -> Validity:
        """Validity of what all poses depend on, such as the registration."""
        return self._worst(self._batch.validity, self._batch.reason)[0]

    @property
    def reason(self) -> str:
        """Why that is not valid; empty if it is."""
        return self._worst(self._batch.validity, self._batch.reason)[1]

    @cached_property
    def tools(self) -> dict[str, ToolPose]:
        """The tools by name; a lost one has no pose."""
        return {name: self._judged(tool) for name, tool in self._batch.tools.items()}

    def _judged(self, tool: ToolPose) -> ToolPose:
        validity, reason = self._worst(tool.validity, tool.reason)
        if tool.capture_ns is not None:
            by_age, why = self._limits.judge(self._age_ms(tool.capture_ns))
            if _GRAVITY[by_age] > _GRAVITY[validity]:
                validity, reason = by_age, why
        if validity is tool.validity:
            return tool
        if validity is Validity.LOST:
            return replace(tool, validity=validity, reason=reason, **_NO_POSE)
        return replace(tool, validity=validity, reason=reason)

    def _worst(self, validity: Validity, reason: str) -> tuple[Validity, str]:
        return self._by_age if _GRAVITY[self._by_age[0]] > _GRAVITY[validity] else (validity, reason)

    def _age_ms(self, capture_ns: int) -> float | None:
        return None if self._latest_ns is None else (self._latest_ns - capture_ns) / _NS_PER_MS
