"""Which spheres of one tool a tracker could take for those of another, or for its own in another order.

A tracker knows a tool by the distances between its spheres, and three are enough for a pose: two tools with one
triangle of the same sides can be taken for one another whenever only these three are seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from calibration.tool_geometry.correspondence import Match, matches
from calibration.tool_geometry.errors import LayoutRefusedError
from geometry.points import Floats, as_points


@dataclass(frozen=True)
class Confusion:
    """Spheres of two tools that lie alike.

    Attributes:
        spheres: pairs of indices, of the one tool and of the other.
        distances_mm: for each pair of these spheres the distance in the one tool and in the other.
        rms_mm: RMS distance when the ones are laid over the others.
    """

    spheres: tuple[tuple[int, int], ...]
    distances_mm: tuple[tuple[float, float], ...]
    rms_mm: float

    def __str__(self) -> str:
        pairs = ", ".join(f"{one + 1} and {other + 1}" for one, other in self.spheres)
        sides = ", ".join(f"{one:.2f} and {other:.2f}" for one, other in self.distances_mm)
        return f"spheres {pairs} lie alike to {self.rms_mm:.2f} mm RMS; their distances are {sides} mm"


def confusions(one_mm: Floats, other_mm: Floats | None = None, tolerance_mm: float = 1.0) -> list[Confusion]:
    """How the spheres ``(n, 3)`` of a tool can be taken for those of another, or for its own in another order.

    The worst comes first: with most spheres, then the most alike. Of ways that are part of a larger one, only that.

    Args:
        other_mm: the other tool; None for the same.
        tolerance_mm: how far a sphere may be off and still pass for the other.

    Raises:
        InvalidPointsError: points that are none, or fewer than three.
    """
    one = as_points(one_mm, "spheres", minimum=3)
    other = one if other_mm is None else as_points(other_mm, "spheres", minimum=3)
    found: list[Confusion] = []
    for match in matches(one, other, tolerance_mm):
        pairs = [(int(at), int(match.point_of[at])) for at in np.flatnonzero(match.point_of >= 0)]
        is_itself = other_mm is None and all(at == to for at, to in pairs)
        if is_itself or any(set(pairs) <= set(larger.spheres) for larger in found):
            continue
        distances = tuple(
            (float(np.linalg.norm(one[a] - one[b])), float(np.linalg.norm(other[c] - other[d])))
            for (a, c), (b, d) in combinations(pairs, 2)
        )
        found.append(Confusion(tuple(pairs), distances, match.rms_mm))
    return found


def laid_over(spheres_mm: Floats, design_mm: Floats, tolerance_mm: float = 1.0) -> Match:
    """How a measured layout lies in a design: the rigid motion into the design's frame, and which sphere is which.

    Raises:
        LayoutRefusedError: they are not the same tool, or one of them is a mirror image.
        InvalidPointsError: points that are none, or fewer than three.
    """
    spheres, design = as_points(spheres_mm, "spheres", minimum=3), as_points(design_mm, "spheres", minimum=3)
    count = min(len(spheres), len(design))
    found = next(iter(matches(spheres, design, tolerance_mm)), None)
    if found is not None and found.count == count and len(spheres) == len(design):
        return found
    mirrored = next(iter(matches(spheres * [1.0, 1.0, -1.0], design, tolerance_mm)), None)
    if mirrored is not None and mirrored.count == len(spheres) == len(design):
        raise LayoutRefusedError(
            f"a layout that is the mirror image of the design, to {mirrored.rms_mm:.2f} mm RMS",
            "points and a design in right-handed frames",
            "convert the left-handed one where it is read",
        )
    alike = 0 if found is None else found.count
    raise LayoutRefusedError(
        f"{len(spheres)} spheres of which {alike} lie as in the design with {len(design)}",
        f"all of them within {tolerance_mm:g} mm",
        "name the design of this tool, or check whether a sphere is bent or missing",
    )
