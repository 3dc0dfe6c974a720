"""How the swept volume of live ultrasound stands at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SweepStanding:
    """What the process that compounds says of itself.

    Attributes:
        number: which sweep of this service; 0 before the first.
        is_running: whether frames enter.
        frames: that entered.
        left_out: frames that did not.
        why: the most frequent reason; empty where none was left out.
        lost: frames that it was too slow for.
        triangles: of the newest surface; 0 without one.
        took_s: how long that took.
        problem: why there is none although something reaches the level; empty otherwise.
        is_offered: whether headsets are offered it.
    """

    number: int = 0
    is_running: bool = False
    frames: int = 0
    left_out: int = 0
    why: str = ""
    lost: int = 0
    triangles: int = 0
    took_s: float = 0.0
    problem: str = ""
    is_offered: bool = False

    @property
    def words(self) -> str:
        """In one line."""
        if not self.number:
            return "no sweep yet"
        state = "running" if self.is_running else "ended"
        left = f", {self.left_out} left out ({self.why})" if self.left_out else ""
        lost = f", {self.lost} lost" if self.lost else ""
        surface = f"no surface{': ' if self.problem else ''}{self.problem}"
        if self.triangles:
            surface = f"surface of {self.triangles} triangles in {self.took_s:.1f} s"
        offered = "on offer, not approved" if self.is_offered else "not on offer"
        return f"{state}: {self.frames} frames{left}{lost}; {surface}, {offered}"
