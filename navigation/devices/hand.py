"""The Protocol for whoever holds the stylus: the program makes a request, then watches the tracker.

A person reads the request on the screen. In a rehearsal the simulated hand is called instead.
"""

from __future__ import annotations

from typing import Protocol

from geometry.points import Floats


class Hand(Protocol):
    """Is called with each request just before the tracker is read."""

    def pivot(self) -> None:
        """Put the tip into a divot and tilt the stylus about it."""
        ...

    def touch(self, point_ct_mm: Floats) -> None:
        """Hold the tip on the point ``(3,)`` in ``ct``."""
        ...

    def sweep(self, duration_s: float) -> None:
        """Draw the tip over the surface for `duration_s`."""
        ...

    def touch_surface(self) -> None:
        """Hold the tip on the surface, anywhere."""
        ...


class PersonsHand:
    """The hand of a person: every method does nothing, since the screen shows the request."""

    def pivot(self) -> None: ...
    def touch(self, point_ct_mm: Floats) -> None: ...
    def sweep(self, duration_s: float) -> None: ...
    def touch_surface(self) -> None: ...
