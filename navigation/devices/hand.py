"""Whoever holds the stylus, as the program sees it: somebody who is asked to do something, and then is watched.

A person reads what the screen asks. In a rehearsal nobody reads the screen, so the simulated hand is told.
"""

from __future__ import annotations

from typing import Protocol

from geometry.points import Floats


class Hand(Protocol):
    """Hears each request just before the tracker is read."""

    def pivot(self) -> None:
        """Put the tip into a divot and tilt the stylus about it."""
        ...

    def touch(self, point_ct_mm: Floats) -> None:
        """Hold the tip on the point ``(3,)``."""
        ...

    def sweep(self, duration_s: float) -> None:
        """Draw the tip over the surface."""
        ...

    def touch_surface(self) -> None:
        """Hold the tip on the surface, anywhere."""
        ...


class PersonsHand:
    """A person's: the screen has told them already."""

    def pivot(self) -> None: ...
    def touch(self, point_ct_mm: Floats) -> None: ...
    def sweep(self, duration_s: float) -> None: ...
    def touch_surface(self) -> None: ...
