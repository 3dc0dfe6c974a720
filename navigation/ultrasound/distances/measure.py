"""Measures the contours of each placed frame: to the structures of the plan in ``ct``, and to tips in ``reference``.

Fails closed, as guidance does: unless the frame is placed without doubt there is no number, a structure has none where
the patient is not registered, and a tip none where it was not seen at the instant that the image shows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.live.pose_mirror import MirroredTool
from navigation.live.timeline.tip_error import BASELINE_NS
from navigation.ultrasound.distances.distance import ContourDistance
from navigation.ultrasound.distances.length_error import length_p95_mm, plane_distance_p95_mm
from navigation.ultrasound.distances.outline import nearest, points_along_px, points_within_px
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.live.seen_tool import Seen, SeenTool
from reconstruction.ultrasound.contours import Contour
from registration.distance.closest_point import unit
from registration.distance.distance_grid import DistanceGrid
from unity_bridge.wire.generated.constants import Validity

NOT_REGISTERED = "the patient is not registered"


AtRisk = tuple[tuple[str, DistanceGrid], ...]
"""What contours are measured to: name of a structure, and the signed distance to its surface in ``ct``."""


class Distances:
    """Measures frames as they are placed.

    Args:
        tips: names of the tools whose poses are those of a tip.
    """

    def __init__(self, tips: Collection[str] = ()) -> None:
        self._tips = {name: SeenTool(name) for name in tips}
        self._structures: list[_Structure] = []

    def follow(self, at_risk: AtRisk) -> None:
        """Measures to these structures from now on."""
        self._structures = [_Structure(name, grid) for name, grid in at_risk]

    def note(self, tools: Iterable[MirroredTool]) -> None:
        """Takes in the states of one batch of the `PoseMirror`."""
        for tool in tools:
            if tool.tool in self._tips:
                self._tips[tool.tool].note(tool)

    def measured(self, placed: PlacedFrame) -> PlacedFrame:
        """The frame with the distances of its contours; without any where it has no place, or one that is in doubt."""
        if placed.validity is not Validity.VALID or placed.shows_ns is None:
            return placed
        tips = [_Tip(tool, placed.shows_ns) for tool in self._tips.values()]
        found = [
            measured
            for number, contour in enumerate(placed.result.contours)
            if len(contour.points_px)
            for measured in (
                *(each.measured(number, contour, placed) for each in self._structures),
                *(each.measured(number, contour, placed) for each in tips),
            )
        ]
        return replace(placed, distances=tuple(found))


class _Structure:
    """One structure of the plan."""

    def __init__(self, name: str, grid: DistanceGrid) -> None:
        self._name, self._grid = name, grid
        self._low_mm, self._high_mm = grid.lookups[0].origin_mm, grid.lookups[0].end_mm

    def measured(self, number: int, contour: Contour, placed: PlacedFrame) -> ContourDistance:
        """The smallest signed distance of the contour's line, and of its area if it is closed."""
        nothing = ContourDistance(contour=number, structure=contour.structure, to=self._name, is_tip=False)
        if placed.T_ct_reference is None:
            return replace(nothing, validity=Validity.LOST, reason=NOT_REGISTERED)
        pixel_mm = _pixel_mm(placed.T_probe_image_px)
        points_px = points_along_px(contour.points_px, closed=contour.closed, pixel_mm=pixel_mm)
        if contour.closed:
            points_px = np.concatenate([points_px, points_within_px(contour.points_px, pixel_mm)])
        points_ct = placed.place_mm(points_px)
        if points_ct is None:
            return replace(nothing, validity=Validity.LOST, reason=placed.reason)
        # Beyond its grid the structure, which is all within, may be nearer than the grid's border shows.
        border_ct = points_ct.clip(self._low_mm, self._high_mm)
        found, beyond_mm = self._grid.distance(border_ct), np.linalg.norm(points_ct - border_ct, axis=1)
        distances_mm = np.where(beyond_mm > 0.0, np.hypot(beyond_mm, found.signed_mm), found.signed_mm)
        best = int(distances_mm.argmin())
        signed_mm = float(distances_mm[best])
        towards = points_ct[best] - border_ct[best] + found.signed_mm[best] * found.gradient[best]
        gradient = unit(towards[None])[0] if beyond_mm[best] > 0.0 else found.gradient[best]
        return replace(
            nothing,
            in_frame=CT,
            distance_mm=signed_mm,
            p95_mm=_plane_p95_mm(placed, points_px[best], gradient),
            is_inside=signed_mm < 0.0,
            is_least=bool(beyond_mm[best] > 0.0),
            nearest_px=(float(points_px[best, 0]), float(points_px[best, 1])),
        )


class _Tip:
    """The tip of one tool at the instant that an image shows."""

    def __init__(self, tool: SeenTool, shows_ns: int) -> None:
        self._name, self._seen, self._doubt = tool.name, tool.at(shows_ns), ""
        if self._seen.T_reference_tool is not None:
            self._doubt = tool.doubt(self._seen)
        self._velocity_mm_s = _velocity_mm_s(self._seen, tool.at(shows_ns - BASELINE_NS))

    def measured(self, number: int, contour: Contour, placed: PlacedFrame) -> ContourDistance:
        """The distance of the tip from the contour's area, or from its line if it is open."""
        nothing = ContourDistance(contour=number, structure=contour.structure, to=self._name, is_tip=True)
        pose, image_px_to_mm = self._seen.T_reference_tool, placed.T_reference_image_px
        if pose is None or image_px_to_mm is None:
            why = f"no pose at the time that the image shows: {self._seen.reason}"
            return replace(nothing, validity=Validity.LOST, reason=why)
        if self._doubt:
            return replace(nothing, validity=Validity.SUSPECT, reason=self._doubt)
        found = nearest(
            contour.points_px, closed=contour.closed, image_px_to_mm=image_px_to_mm, point_mm=pose.translation_mm
        )
        distance_mm = float(np.linalg.norm(found.away_mm))
        covariance_mm2 = self._covariance_mm2(placed, found.px)
        if covariance_mm2 is None:
            p95_mm = None
        elif found.is_above:
            normal = image_px_to_mm[:3, 2] / np.linalg.norm(image_px_to_mm[:3, 2])
            p95_mm = plane_distance_p95_mm(covariance_mm2, normal)
        else:
            p95_mm = length_p95_mm(covariance_mm2, found.away_mm)
        return replace(
            nothing,
            in_frame=REFERENCE,
            distance_mm=distance_mm,
            p95_mm=p95_mm,
            is_inside=found.is_above,
            nearest_px=(float(found.px[0]), float(found.px[1])),
        )

    def _covariance_mm2(self, placed: PlacedFrame, px: Floats) -> Floats | None:
        """Of the way from the contour to the tip; None where a part is not known: never a smaller error."""
        errors, told, velocity_mm_s = placed.errors_reference, self._seen.told, self._velocity_mm_s
        if errors is None or told is None or velocity_mm_s is None or told.own_tracking is None:
            return None
        beside = errors.beside_tip(px[None], velocity_mm_s)
        if beside is None:
            return None
        bound_s = self._seen.bound_ns / NS_PER_S
        late_mm2 = bound_s**2 / 3.0 * np.multiply.outer(velocity_mm_s, velocity_mm_s)
        covariance_mm2: Floats = beside[0] + told.own_tracking + late_mm2
        return covariance_mm2


def _velocity_mm_s(seen: Seen, before: Seen) -> Floats | None:
    if seen.T_reference_tool is None or before.T_reference_tool is None:
        return None
    moved_mm: Floats = seen.T_reference_tool.translation_mm - before.T_reference_tool.translation_mm
    return moved_mm * (NS_PER_S / BASELINE_NS)


def _plane_p95_mm(placed: PlacedFrame, px: Floats, gradient_ct: Floats) -> float | None:
    if placed.errors is None or placed.T_ct_reference is None:
        return None
    along_reference = placed.T_ct_reference.rotation_matrix.T @ gradient_ct
    return plane_distance_p95_mm(placed.errors.at(px[None])[0], along_reference)


def _pixel_mm(image_px_to_mm: Floats) -> float:
    """The larger side of a pixel."""
    return float(np.linalg.norm(image_px_to_mm[:3, :2], axis=0).max())
