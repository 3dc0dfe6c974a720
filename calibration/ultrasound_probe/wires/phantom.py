"""N-wire phantoms: triples of wires, two parallel ones and a third from one to the other, as PLUS's fCal phantom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.ultrasound_probe.errors import ProbeInputError
from geometry.points import Floats, read_only

# Holes are drilled to a tenth of a millimetre; a wire off by more is a wire of another phantom.
MOST_OUT_OF_PLANE_MM = 0.5


@dataclass(frozen=True)
class Wire:
    """One straight wire between two holes.

    Attributes:
        name: as the phantom's own description has it.
        front_mm, back_mm: its ends in the phantom's frame, in mm.
    """

    name: str
    front_mm: tuple[float, float, float]
    back_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class NWirePhantom:
    """Wires of a phantom, three for each N: side, middle, side.

    Attributes:
        names: of all wires, three for each N in the order side, middle, side.
        starts_mm: a point of each wire, ``(w, 3)`` in mm, in the frame ``phantom``.
        directions: unit vectors along the wires, from front to back, ``(w, 3)``.
        lengths_mm: ``(w,)``.
    """

    names: tuple[str, ...]
    starts_mm: Floats
    directions: Floats
    lengths_mm: Floats

    @property
    def middles(self) -> Floats:
        """For each N, the middle wire's points nearest to its first and its second side wire, ``(k, 2, 3)`` in mm."""
        ends = np.empty((len(self.names) // 3, 2, 3))
        for k in range(len(ends)):
            for j, side in enumerate((3 * k, 3 * k + 2)):
                pair = np.column_stack([self.directions[3 * k + 1], -self.directions[side]])
                along = np.linalg.lstsq(pair, self.starts_mm[side] - self.starts_mm[3 * k + 1], rcond=None)[0][0]
                ends[k, j] = self.starts_mm[3 * k + 1] + along * self.directions[3 * k + 1]
        return ends

    def places(self, names: Sequence[str]) -> list[int]:
        """The places in `names` of the phantom that these wires have.

        Raises:
            ProbeInputError: a wire that the phantom has not.
        """
        if unknown := sorted(set(names) - set(self.names)):
            came = f"the wire {unknown[0]!r}"
            raise ProbeInputError(came, f"one of {', '.join(self.names)}", "name the points by the phantom's wires")
        return [self.names.index(name) for name in names]


def n_wire_phantom(patterns: Sequence[Sequence[Wire]]) -> NWirePhantom:
    """The phantom of these N-wires, each three wires in the order side, middle, side.

    Raises:
        ProbeInputError: no N, not three wires, a name twice, wires of no length or of a size that no phantom in mm has,
            side wires that are not parallel, or a middle wire out of their plane or along them.
    """
    wires = [wire for pattern in patterns for wire in pattern]
    names = [wire.name for wire in wires]
    if not patterns or any(len(pattern) != 3 for pattern in patterns) or len(set(names)) != len(names):
        came = f"N-wires of {[len(pattern) for pattern in patterns]} wires named {', '.join(names)}"
        raise ProbeInputError(came, "three wires for each N, each with its own name", "correct the phantom's file")
    fronts = np.array([wire.front_mm for wire in wires], np.float64)
    along = np.array([wire.back_mm for wire in wires], np.float64) - fronts
    lengths = np.linalg.norm(along, axis=1)
    if not np.isfinite(lengths).all() or not 5.0 <= lengths.min() <= lengths.max() <= 500.0:
        raise ProbeInputError(
            f"wires of {lengths.min():g} to {lengths.max():g} mm",
            "5 to 500 mm",
            "state the ends of the wires in mm, not in m",
        )
    phantom = NWirePhantom(tuple(names), read_only(fronts), read_only(along / lengths[:, None]), read_only(lengths))
    for k in range(len(patterns)):
        _check_pattern(phantom, k)
    return phantom


def _check_pattern(phantom: NWirePhantom, k: int) -> None:
    first, middle, second = phantom.directions[3 * k : 3 * k + 3]
    across = phantom.starts_mm[3 * k + 2] - phantom.starts_mm[3 * k]
    normal = np.cross(first, across)
    distance_mm = float(np.linalg.norm(normal))
    ends = phantom.starts_mm[3 * k + 1] + np.outer([0.0, phantom.lengths_mm[3 * k + 1]], middle)
    out_mm = np.abs((ends - phantom.starts_mm[3 * k]) @ normal) / max(distance_mm, 1e-9)
    slant_rad = float(np.arcsin(min(1.0, float(np.linalg.norm(np.cross(first, middle))))))
    parallel = np.linalg.norm(np.cross(first, second)) * phantom.lengths_mm[3 * k] < MOST_OUT_OF_PLANE_MM
    if distance_mm < 1.0 or out_mm.max() > MOST_OUT_OF_PLANE_MM or slant_rad < np.deg2rad(5.0) or not parallel:
        raise ProbeInputError(
            f"wires {', '.join(phantom.names[3 * k : 3 * k + 3])} that are no N",
            "two parallel wires, and between them a third in their plane, at 5 degrees or more to them",
            "order the wires as side, middle, side, and check the holes' coordinates",
        )
