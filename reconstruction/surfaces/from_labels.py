"""Closed surfaces from binary labels, without staircase and without shrinking.

A label says of each voxel centre on which side of the border it lies, so on each grid edge between an inside and an
outside voxel the border is known to half a voxel. `smoothed_within_voxels` finds a smooth surface among those that the
label allows; its vertices slide along their own grid edges and cannot leave them. A small structure therefore cannot
shrink away, and cutting the surface at the voxel centres gives the label back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InvalidVolumeError, SurgNavError
from geometry.surface import Surface
from geometry.volume import Volume
from reconstruction.surfaces.evening import evened_within_voxels
from reconstruction.surfaces.extract import (
    EmptyStructureError,
    ExtractedSurface,
    capped_faces,
    check_part_settings,
    chosen_parts,
    compacted,
    described_surface,
    flying_edges,
)
from reconstruction.surfaces.shared_borders import shared_net
from reconstruction.surfaces.staircase import smoothed_within_voxels

Box = tuple[slice, slice, slice]


class InvalidLabelSurfaceSettingsError(SurgNavError):
    """Settings for surfaces from labels outside their range."""


@dataclass(frozen=True, kw_only=True)
class LabelSurfaceSettings:
    """How surfaces are made from labels.

    Attributes:
        smallest_part_ml: connected parts enclosing less are dropped; 0 keeps all.
        keep_cavities: keep inner surfaces; False leaves the outer ones only.
        max_triangles: simplify each structure down to about this number; None keeps all.
        shared_borders: structures that touch hold the very same triangles at their border (`shared_borders`). It
            excludes `max_triangles`: simplified one by one, they would part. Where parts of a structure touch at an
            edge or a corner only, the surface is not manifold there, and the result says so.
    """

    smallest_part_ml: float = 0.1
    keep_cavities: bool = True
    max_triangles: int | None = None
    shared_borders: bool = False

    def __post_init__(self) -> None:
        check_part_settings(self, InvalidLabelSurfaceSettingsError)
        if self.shared_borders and self.max_triangles is not None:
            raise InvalidLabelSurfaceSettingsError(
                "shared_borders together with max_triangles", "one of the two", "leave one of the two out"
            )


def surface_from_labels(
    labels: Volume, value: int, name: str, settings: LabelSurfaceSettings | None = None
) -> ExtractedSurface:
    """The surface of all voxels that hold `value`, in the frame of `labels`. Alone it has no border to share.

    Args:
        labels: whole numbers or booleans, any integer type.
        value: above 0; what lies beyond the grid counts as another value, and the surface is closed there.
        name: the surface's name.

    Raises:
        EmptyStructureError: the value does not occur, or only in parts that are too small.
        InvalidVolumeError: voxels that are no whole numbers, or a value that no label can have.
    """
    _check(labels, (value,))
    box = _boxes(labels.voxels, value).get(value)
    if box is None:
        raise EmptyStructureError(
            f"the structure '{name}' as label {value}, which no voxel holds",
            "a value that occurs",
            "treat the structure as absent, or look up its value",
        )
    return _surface(labels, value, name, box, settings or LabelSurfaceSettings())


def surfaces_from_labels(
    labels: Volume, names: Mapping[int, str], settings: LabelSurfaceSettings | None = None
) -> dict[str, ExtractedSurface]:
    """The surfaces of several structures, each cropped to its own box: name -> surface.

    A structure whose value does not occur, or only in parts that are too small, is left out: the caller sees it by
    its missing name, as label tables often list more structures than a scan shows.

    Args:
        labels: whole numbers, 0 for nothing.
        names: value -> name, of the structures wanted; names must differ.

    Raises:
        InvalidVolumeError: as for `surface_from_labels`, or two values of one name.
    """
    settings = settings or LabelSurfaceSettings()
    _check(labels, tuple(names))
    if len(set(names.values())) != len(names):
        came = f"the names {sorted(names.values())}, some of them for several values"
        raise InvalidVolumeError(came, "one value per name", "merge the labels first")
    boxes = _boxes(labels.voxels, max(names, default=0))
    if settings.shared_borders:
        return _sharing(labels, {value: name for value, name in names.items() if value in boxes}, boxes, settings)
    surfaces = {}
    for value, name in names.items():
        if value in boxes:
            try:
                surfaces[name] = _surface(labels, value, name, boxes[value], settings)
            except EmptyStructureError:
                continue
    return surfaces


def _check(labels: Volume, values: tuple[int, ...]) -> None:
    if labels.voxels.dtype.kind not in "iub":
        raise InvalidVolumeError(
            f"labels of type {labels.voxels.dtype}", "whole numbers", "use extract_surface for probabilities"
        )
    wrong = [value for value in values if value <= 0]
    if wrong:
        raise InvalidVolumeError(f"the label values {wrong}", "1 or more: 0 is no structure", "correct the label table")


def _boxes(voxels: NDArray[Any], highest: int) -> dict[int, Box]:
    """Where each label from 1 to `highest` lies: the slices (k, j, i) of its box; one pass over the grid."""
    from scipy.ndimage import find_objects

    found = find_objects(voxels.view(np.uint8) if voxels.dtype == bool else voxels, max_label=highest)
    return {value: box for value, box in enumerate(found, start=1) if box is not None}


def _surface(labels: Volume, value: int, name: str, box: Box, settings: LabelSurfaceSettings) -> ExtractedSurface:
    mask = np.pad(labels.voxels[box] == value, 1).view(np.uint8)
    vertices, triangles = flying_edges(mask, 0.5)
    triangles, rows, kept, dropped = chosen_parts(vertices * labels.spacing_mm, triangles, name, settings)
    first = np.array([part.start - 1 for part in box[::-1]])
    vertices = vertices[rows] + first
    border = capped_faces(vertices, labels.shape_ijk)
    on_edges = smoothed_within_voxels(vertices, triangles, labels.spacing_mm, labels.shape_ijk)
    smooth = first + evened_within_voxels(mask, vertices - first, on_edges - first, triangles, labels.spacing_mm)
    surface = Surface(labels.index_to_mm(smooth), triangles, labels.frame, name)
    return described_surface(surface, border, (kept, dropped), settings.max_triangles)


def _sharing(
    labels: Volume, names: Mapping[int, str], boxes: Mapping[int, Box], settings: LabelSurfaceSettings
) -> dict[str, ExtractedSurface]:
    if not names:
        return {}
    wanted = [boxes[value] for value in names]
    first, last = (
        edge([[getattr(part, end) for part in box] for box in wanted], axis=0)
        for edge, end in ((np.min, "start"), (np.max, "stop"))
    )
    box = (slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2]))
    vertices, per_value = shared_net(labels, box, names)
    surfaces = {}
    for value, name in names.items():
        triangles, own = compacted(per_value[value], len(vertices))
        try:
            triangles, rows, kept, dropped = chosen_parts(vertices[own] * labels.spacing_mm, triangles, name, settings)
        except EmptyStructureError:
            continue
        ijk = vertices[own][rows]
        surface = Surface(labels.index_to_mm(ijk), triangles, labels.frame, name)
        surfaces[name] = described_surface(surface, capped_faces(ijk, labels.shape_ijk), (kept, dropped), None)
    return surfaces
