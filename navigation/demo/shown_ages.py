"""The age of the poses that the demo's client showed as valid, as the client measured it by its own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Largest share of the time with poses too old to be shown: a display with larger gaps cannot guide anybody.
MAX_TOO_OLD_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class ShownAges:
    """Ages of the poses that the client read for its display, 90 times a second.

    Attributes:
        valid_age_ms: p50, p99 and max of the age of poses that were read and shown as valid; None without such poses.
        valid_too_old: number of these readings above the age limit.
        too_old_share: share of the time in which the newest poses were too old to be shown.
        valid_share: tool -> share of the time in which it was shown as valid.
    """

    valid_age_ms: Mapping[str, float | None]
    valid_too_old: int
    too_old_share: float
    valid_share: Mapping[str, float]

    @classmethod
    def of(cls, display: Mapping[str, Any], tools: Sequence[str]) -> ShownAges:
        """The ages of `tools` from the part ``display`` of a client's report."""
        return cls(
            valid_age_ms=display["valid_age_ms"],
            valid_too_old=display["valid_too_old"],
            too_old_share=display["too_old_share"],
            valid_share={tool: display["valid_share"].get(tool, 0.0) for tool in tools},
        )

    @property
    def too_old(self) -> str:
        """What is wrong with these ages, as a phrase for an error; empty if nothing is."""
        if self.valid_too_old:
            oldest_ms = self.valid_age_ms["max"]
            return f"a client that showed old poses as valid {self.valid_too_old} times, up to {oldest_ms:.0f} ms old"
        if self.valid_age_ms["max"] is None:
            return "a client that never had a valid pose to show"
        if self.too_old_share > MAX_TOO_OLD_SHARE:
            return f"poses that were too old to be shown for {self.too_old_share:.0%} of the time"
        return ""
