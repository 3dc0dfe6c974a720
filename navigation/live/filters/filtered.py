"""What a filter gives for each pose."""

from __future__ import annotations

from dataclasses import dataclass

from geometry import Transform


@dataclass(frozen=True, slots=True)
class Filtered:
    """A pose as it was measured and as a filter has it.

    Attributes:
        raw: as it was measured.
        pose: as the filter has it.
        delay_ms: by how much `pose` lags behind a motion at the speed of this moment, the slower of place and turn.
    """

    raw: Transform
    pose: Transform
    delay_ms: float
