"""A block of known points, live: touched one after the other, one of them again and again, the tool turned in it."""

from __future__ import annotations

import numpy as np

from calibration.accuracy.block import Block
from calibration.accuracy.f2554 import AXES, F2554Settings, find_touches, find_turns
from calibration.accuracy.visits import find_visits
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses

_TURNS = {
    "roll": "about its own shaft, one way and the other",
    "pitch": "forwards and backwards",
    "yaw": "to the left and to the right",
}


class BlockCollecting(CollectedPoses):
    """Satisfies `Collecting` for the poses of a tool that visits the points of a block.

    Args:
        source: name of the device or room.
        block: the points, in the order in which they are touched.
        tip_mm: the tool's tip ``(3,)`` in its own frame.
    """

    def __init__(self, source: str, block: Block, tip_mm: Floats) -> None:
        super().__init__(source, undo_s=3.0)
        self._block, self._tip_mm = block, tip_mm
        self._visited = 0

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, as many points had been visited as the block has."""
        return self._visited >= len(self._block.points_mm)

    def advice(self) -> Advice:
        names = list(self._block.points_mm)
        self._visited = len(find_visits(self.stream(0), self._tip_mm)) if len(self) > 1 else 0
        seen = f"{self._visited} of {len(names)} points"
        if self.is_enough:
            return Advice.enough(seen)
        tilt = ", and tilt the tool to all sides about it" if self._visited == 0 else ""
        return Advice(f"hold the tip still on {names[self._visited]}{tilt}", self._visited / len(names), seen)


class PointTouches(CollectedPoses):
    """Satisfies `Collecting` for a tool that is put on one point again and again.

    Args:
        source: name of the device or room.
        point: name of the point.
        tip_mm: the tool's tip ``(3,)`` in its own frame.
    """

    def __init__(self, source: str, point: str, tip_mm: Floats) -> None:
        super().__init__(source, undo_s=3.0)
        self._point, self._tip_mm = point, tip_mm
        self._wanted, self._touches = F2554Settings().touches, 0

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the point had been touched often enough."""
        return self._touches >= self._wanted

    def advice(self) -> Advice:
        self._touches = len(find_touches(self.stream(0), self._tip_mm)) if len(self) > 1 else 0
        seen = f"{self._touches} of {self._wanted} touches"
        if self.is_enough:
            return Advice.enough(seen)
        step = f"hold the tip on {self._point} for two seconds, lift it by a centimetre, and put it back"
        return Advice(step, self._touches / self._wanted, seen)


class PointTurns(CollectedPoses):
    """Satisfies `Collecting` for a tool that is turned about each of its axes, with its tip in one point.

    Args:
        source: name of the device or room.
        point: name of the point.
        tip_mm: the tool's tip ``(3,)`` in its own frame.
    """

    def __init__(self, source: str, point: str, tip_mm: Floats) -> None:
        super().__init__(source, undo_s=3.0)
        self._point, self._tip_mm, self._settings = point, tip_mm, F2554Settings()
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the tool had been turned about each axis as far as is asked for."""
        return self._is_enough

    def advice(self) -> Advice:
        self._is_enough = False
        if len(self) < 2:
            return Advice(f"put the tip into {self._point}", 0.0, "no poses yet")
        turned = find_turns(self.stream(0), self._tip_mm, self._settings)
        spans = {AXES[axis]: float(np.ptp(turned.span_deg(axis))) for axis in range(3)}
        least = min(spans, key=lambda axis: spans[axis])
        seen = ", ".join(f"{axis} {span:.0f} degrees" for axis, span in spans.items())
        self._is_enough = spans[least] >= self._settings.least_span_deg
        if self._is_enough:
            return Advice.enough(seen)
        step = f"keep the tip in {self._point}, and turn the tool {_TURNS[least]}"
        return Advice(step, min(1.0, spans[least] / self._settings.least_span_deg), seen)
