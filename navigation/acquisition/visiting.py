"""A block whose points are touched one after the other, live."""

from __future__ import annotations

from calibration.accuracy.block import Block
from calibration.accuracy.visits import find_visits
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses


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
            return Advice("it is enough: end it with Enter", 1.0, seen)
        tilt = ", and tilt the tool to all sides about it" if self._visited == 0 else ""
        return Advice(f"hold the tip still on {names[self._visited]}{tilt}", self._visited / len(names), seen)
