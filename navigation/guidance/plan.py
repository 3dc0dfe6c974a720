"""What guidance leads along: planned trajectories with their screws, and the structures that must not be touched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from geometry.points import Floats
from navigation.errors import PlanError
from registration.distance.distance_grid import DistanceGrid

# Sizes of screws that makers sell for the spine, generously: what lies outside is in another unit.
DIAMETERS_MM, LENGTHS_MM = (1.5, 12.0), (5.0, 150.0)
# Shorter than this, entry and target give no direction: a millimetre of one of them turns it by 10 degrees.
SHORTEST_MM = 5.0


@dataclass(frozen=True)
class Screw:
    """A screw, as the cylinder that its thread fills.

    Raises:
        PlanError: sizes that no screw has.
    """

    diameter_mm: float
    length_mm: float

    def __post_init__(self) -> None:
        for what, size_mm, (least, most) in (
            ("diameter", self.diameter_mm, DIAMETERS_MM),
            ("length", self.length_mm, LENGTHS_MM),
        ):
            if not least <= size_mm <= most:
                raise PlanError(f"a screw with a {what} of {size_mm:g} mm", f"{least:g} to {most:g} mm", "state mm")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A straight way into the patient.

    Attributes:
        name: its name in the case.
        entry_ct_mm, target_ct_mm: where it begins and ends, ``(3,)`` in ``ct``.
        screw: what is put in along it, its head at the entry; None for a way alone.

    Raises:
        PlanError: entry and target are so near to one another that they give no direction.
    """

    name: str
    entry_ct_mm: Floats
    target_ct_mm: Floats
    screw: Screw | None = None

    def __post_init__(self) -> None:
        if not self.length_mm >= SHORTEST_MM:
            came = f"the trajectory '{self.name}' with entry and target {self.length_mm:.2f} mm apart"
            raise PlanError(came, f"at least {SHORTEST_MM:g} mm", "place entry and target in 3D Slicer again, in mm")

    @cached_property
    def length_mm(self) -> float:
        return float(np.linalg.norm(self.target_ct_mm - self.entry_ct_mm))

    @cached_property
    def direction_ct(self) -> Floats:
        """Unit vector from entry to target, ``(3,)``."""
        return (self.target_ct_mm - self.entry_ct_mm) / self.length_mm


@dataclass(frozen=True, eq=False)
class SurgicalPlan:
    """All that guidance rests on; can be sent to another process.

    Attributes:
        trajectories: by name; one of them is followed at a time.
        at_risk: name of a structure -> signed distance to its surface in ``ct``.
        bone: signed distance to the surface of the bone that screws lie in, in ``ct``; None without one.
        problem: why there is no guidance at all; empty if there is.
    """

    trajectories: tuple[Trajectory, ...] = ()
    at_risk: tuple[tuple[str, DistanceGrid], ...] = ()
    bone: DistanceGrid | None = None
    problem: str = ""
