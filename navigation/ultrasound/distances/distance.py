"""The distance of a contour from a structure of the plan or a tool's tip, with its error, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from unity_bridge.wire.generated.constants import Validity


@dataclass(frozen=True, kw_only=True, slots=True)
class ContourDistance:
    """How far a contour is from something; a closed contour is the area in it, an open one is its line.

    Attributes:
        contour: number of the contour in its frame, from 0.
        structure: what the contour is of.
        to: name of the structure of the plan, or of the tool whose tip it is.
        is_tip: whether `to` is a tool.
        in_frame: where it was measured: ``ct`` for structures, ``reference`` for tips; empty without a distance.
        validity: ``valid`` exactly if there is a distance.
        reason: why there is none; empty if there is.
        distance_mm: the smallest; of a structure negative where the contour reaches into it, by how deep.
        p95_mm: 95 of 100 such distances are off by less; None where a part of the error is not known.
        is_inside: of a structure, whether the contour reaches into it; of a tip, whether it lies above, in or below the
            area of the contour, seen along the image's normal. False of open contours. None without a distance.
        is_least: whether `distance_mm` is only the least that is possible, so far away is the structure.
        nearest_px: the place on the contour, or in its area, that is nearest: x and y in px.
    """

    contour: int
    structure: str
    to: str
    is_tip: bool
    in_frame: str = ""
    validity: Validity = Validity.VALID
    reason: str = ""
    distance_mm: float | None = None
    p95_mm: float | None = None
    is_inside: bool | None = None
    is_least: bool = False
    nearest_px: tuple[float, float] | None = None

    @property
    def words(self) -> str:
        """In one line, for people."""
        whose = f"{self.structure} to {'the tip of ' if self.is_tip else ''}{self.to}"
        if self.distance_mm is None:
            return f"{whose}: no distance, {self.reason}"
        least = "at least " if self.is_least else ""
        off = ", error not known" if self.p95_mm is None else f" ± {self.p95_mm:.1f}"
        into = "" if not self.is_inside else " (within its outline)" if self.is_tip else " (reaches into it)"
        return f"{whose}: {least}{self.distance_mm:.1f} mm{off}{into}"


def smallest(distances: Iterable[ContourDistance]) -> tuple[str, ...]:
    """In words, for each structure and tip the smallest of all contours of a kind; the reason where there is none."""
    least: dict[tuple[str, str, bool], ContourDistance] = {}
    for each in sorted(distances, key=lambda each: math.inf if each.distance_mm is None else each.distance_mm):
        least.setdefault((each.structure, each.to, each.is_tip), each)
    return tuple(each.words for each in least.values())
