"""Closed triangle surfaces from probability fields, at sub-voxel accuracy.

The iso-surface of the probability itself is taken (flying edges, Schroeder, Maynard & Geveci, LDAV 2015), not that of a
binary mask: a partial-volume voxel of probability 0.3 then says where in the voxel the border runs, and no smoothing,
which shrinks small structures, is needed to hide a staircase.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InvalidSurfaceError, InvalidVolumeError, SurgNavError
from geometry.extras import from_extra
from geometry.points import Floats, Singles, Triangles
from geometry.surface import Surface
from geometry.volume import Volume
from reconstruction.surfaces.simplification import Simplification, simplify_surface

FACES = ("i_min", "j_min", "k_min", "i_max", "j_max", "k_max")

# A voxel exactly at the level would put the vertices of its three edges onto one another: zero-area triangles. Moved
# away by this fraction of the field's range, the vertices stay apart and marching cubes' topology stays a closed one;
# at a border one voxel wide the surface moves by less than 0.0002 voxel.
_NUDGE = 2e-4


class EmptyStructureError(InvalidSurfaceError):
    """Nothing in the field reaches the level, or nothing is left above the smallest part."""


class InvalidSurfaceSettingsError(SurgNavError):
    """Surface settings outside their range."""


@dataclass(frozen=True, kw_only=True)
class SurfaceSettings:
    """How a surface is made.

    Attributes:
        level: the iso-value; 0.5 for probabilities, a value in HU when `extract_surface` is given a CT.
        outside: the value beyond the scan, below `level`: 0 for probabilities, -1000 for HU. The surface is closed
            there, on the outer faces of the outermost voxels.
        smallest_part_ml: connected parts enclosing less are dropped; 0 keeps all.
        keep_cavities: keep inner surfaces (air inside the body); False leaves the outer ones only.
        max_triangles: simplify down to about this number; None keeps all.
    """

    level: float = 0.5
    outside: float = 0.0
    smallest_part_ml: float = 0.1
    keep_cavities: bool = True
    max_triangles: int | None = None

    def __post_init__(self) -> None:
        if not np.isfinite([self.level, self.outside]).all() or self.outside >= self.level:
            raise InvalidSurfaceSettingsError(
                f"the level {self.level} with the value {self.outside} outside",
                "a value outside that is below the level",
                "swap the two, or negate the field",
            )
        check_part_settings(self, InvalidSurfaceSettingsError)


@dataclass(frozen=True)
class ExtractedSurface:
    """A surface and what is known about it.

    Attributes:
        surface: outward winding, in the field's frame.
        watertight: closed, manifold and consistently oriented.
        not_watertight_reason: empty where watertight.
        open_at_border: the faces of the grid through which the structure leaves the scan (of `FACES`, by the voxel
            index that ends there); the surface was closed there by a cap which is no anatomy.
        parts_kept: connected parts in the surface, cavities included.
        parts_dropped: parts left out, as too small or as cavities.
        simplification: measured error and counts, None where nothing was simplified.
    """

    surface: Surface
    watertight: bool
    not_watertight_reason: str
    open_at_border: tuple[str, ...]
    parts_kept: int
    parts_dropped: int
    simplification: Simplification | None

    def simplified(self) -> dict[str, Any]:
        """What simplifying did, for the case's manifest; empty where nothing was simplified."""
        if self.simplification is None:
            return {}
        done = self.simplification
        distance = done.distance
        moved = {"mean_mm": distance.mean_mm, "p95_mm": distance.p95_mm, "max_mm": distance.max_mm}
        return {"simplified": {"triangles_before": done.triangles_before, **moved, "note": done.note}}


def extract_surface(probability: Volume, name: str, settings: SurfaceSettings | None = None) -> ExtractedSurface:
    """Extracts where `probability` crosses ``settings.level``, as a closed surface in the field's frame.

    Args:
        probability: one structure's probability, any real type; or a CT, with a level in HU.
        name: the surface's name.
        settings: see `SurfaceSettings`.

    Raises:
        EmptyStructureError: nothing reaches the level, or no part is large enough.
        InvalidVolumeError: NaN or infinity in the field, or values that are no real numbers.
    """
    settings = settings or SurfaceSettings()
    block, first_index = _cropped_and_padded(probability, name, settings)
    vertices_ijk, triangles = flying_edges(block, settings.level)
    vertices_ijk += first_index
    vertices_mm = probability.index_to_mm(vertices_ijk)
    triangles, rows, kept, dropped = chosen_parts(vertices_mm, triangles, name, settings)
    vertices_mm, border = vertices_mm[rows], capped_faces(vertices_ijk[rows], probability.shape_ijk)
    surface = Surface(vertices_mm, triangles, probability.frame, name)
    return described_surface(surface, border, (kept, dropped), settings.max_triangles)


def extract_surfaces(
    probabilities: Mapping[str, Volume], settings: SurfaceSettings, progress: Callable[[float], None]
) -> tuple[dict[str, ExtractedSurface], dict[str, str]]:
    """The surface of each structure that has one; for each other structure, why it has none.

    Args:
        progress: called before each structure with the share done, 0 to below 1.
    """
    surfaces, absent = {}, {}
    for done, (name, probability) in enumerate(probabilities.items()):
        progress(done / len(probabilities))
        try:
            surfaces[name] = extract_surface(probability, name, settings)
        except EmptyStructureError as error:
            absent[name] = error.came
    return surfaces, absent


def described_surface(
    surface: Surface, open_at_border: tuple[str, ...], parts: tuple[int, int], max_triangles: int | None
) -> ExtractedSurface:
    """Simplifies a surface down to `max_triangles`, if it has more, and says what is known of the result.

    Args:
        parts: numbers of kept and of dropped parts.
    """
    simplification = None
    if max_triangles is not None and len(surface.triangles) > max_triangles:
        surface, simplification = simplify_surface(surface, max_triangles)
    return ExtractedSurface(
        surface=surface,
        watertight=surface.is_watertight,
        not_watertight_reason=_watertight_problem(surface),
        open_at_border=open_at_border,
        parts_kept=parts[0],
        parts_dropped=parts[1],
        simplification=simplification,
    )


def _cropped_and_padded(field: Volume, name: str, settings: SurfaceSettings) -> tuple[Singles, Floats]:
    """The structure's box with one voxel around it as float32, and the (i, j, k) of its first voxel.

    Only the box is copied: a 512 x 512 x 275 grid costs one boolean per voxel beside it.
    """
    voxels: NDArray[Any] = field.voxels
    if voxels.dtype.kind not in "iuf":
        raise InvalidVolumeError(f"voxels of type {voxels.dtype}", "real numbers", "convert to float32 first")
    lowest, highest = float(voxels.min()), float(voxels.max())
    if not np.isfinite([lowest, highest]).all():
        raise InvalidVolumeError(f"NaN or infinity in the field of '{name}'", "finite values", "check the network")
    if highest < settings.level:
        raise EmptyStructureError(
            f"the structure '{name}' with values from {lowest:g} to {highest:g}",
            f"values above the level {settings.level:g} somewhere",
            "treat the structure as absent, or lower the level",
        )
    inside = voxels >= settings.level
    first, last = [], []
    for axis in range(3):
        hit = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        first.append(int(hit[0]) - 1)
        last.append(int(hit[-1]) + 1)
    block = np.full([b - a + 1 for a, b in zip(first, last, strict=True)], settings.outside, dtype=np.float32)
    source = tuple(slice(max(a, 0), min(b + 1, n)) for a, b, n in zip(first, last, voxels.shape, strict=True))
    target = tuple(slice(s.start - a, s.stop - a) for s, a in zip(source, first, strict=True))
    block[target] = voxels[source]
    _keep_off_level(block, settings.level, max(highest - min(lowest, settings.outside), 1e-6))
    return block, np.array(first[::-1], dtype=np.float64)


def _keep_off_level(block: Singles, level: float, value_range: float) -> None:
    nudge = _NUDGE * value_range
    near = np.abs(block - np.float32(level)) < nudge
    block[near] = np.where(block[near] >= level, level + nudge, level - nudge)


def flying_edges(block: NDArray[Any], level: float) -> tuple[Floats, Triangles]:
    """Vertices (i, j, k) within the block, and outward triangles. VTK reads the block in place."""
    with from_extra("reconstruction"):
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

    image = vtkImageData()
    image.SetDimensions(*block.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(block.reshape(-1), deep=False))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, level)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    output = contour.GetOutput()
    vertices = vtk_to_numpy(output.GetPoints().GetData()).astype(np.float64)
    triangles = vtk_to_numpy(output.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vertices, triangles.astype(np.int32)


class PartSettings(Protocol):
    """The settings that surfaces from probabilities and from labels have in common; see `SurfaceSettings`."""

    @property
    def smallest_part_ml(self) -> float: ...
    @property
    def keep_cavities(self) -> bool: ...
    @property
    def max_triangles(self) -> int | None: ...


def check_part_settings(settings: PartSettings, error: type[SurgNavError]) -> None:
    """Raises `error` for a smallest part below 0 ml, or a maximum below the 4 triangles of a closed surface."""
    if not settings.smallest_part_ml >= 0.0:
        raise error(f"a smallest part of {settings.smallest_part_ml} ml", "0 ml or more", "use 0 to keep every part")
    if settings.max_triangles is not None and settings.max_triangles < 4:
        raise error(f"a maximum of {settings.max_triangles} triangles", "4 or more, or None", "raise max_triangles")


def chosen_parts(
    vertices_mm: Floats, triangles: Triangles, name: str, settings: PartSettings
) -> tuple[Triangles, NDArray[np.intp], int, int]:
    """The triangles of the parts that stay, over the rows of their vertices, and how many parts stay and go.

    Raises:
        EmptyStructureError: no part is large enough.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(vertices_mm)
    tails, heads = triangles[:, [0, 1]].T.reshape(-1), triangles[:, [1, 2]].T.reshape(-1)
    graph = csr_matrix((np.ones(len(tails), dtype=np.int8), (tails, heads)), shape=(count, count))
    parts, part_of = connected_components(graph, directed=False)
    centred = vertices_mm - vertices_mm.mean(axis=0)
    a, b, c = (centred[triangles[:, corner]] for corner in range(3))
    six_volumes = np.einsum("ij,ij->i", a, np.cross(b, c))
    volumes_ml = np.bincount(part_of[triangles[:, 0]], weights=six_volumes, minlength=parts) / 6000.0
    stays = np.abs(volumes_ml) >= settings.smallest_part_ml
    if not settings.keep_cavities:
        stays &= volumes_ml > 0.0
    if not (stays & (volumes_ml > 0.0)).any():  # a cavity alone bounds nothing
        raise EmptyStructureError(
            f"the structure '{name}' in {parts} parts, all too small",
            f"at least one part of {settings.smallest_part_ml:g} ml",
            "lower smallest_part_ml, or treat the structure as absent",
        )
    kept = int(stays.sum())
    if kept == parts:
        return triangles, np.arange(count), kept, 0
    triangles, rows = compacted(triangles[stays[part_of][triangles[:, 0]]], count)
    return triangles, rows, kept, parts - kept


def compacted(triangles: Triangles, vertices: int) -> tuple[Triangles, NDArray[np.intp]]:
    """Triangles over the used vertices only, and the rows of those vertices."""
    used = np.zeros(vertices, dtype=bool)
    used[triangles.reshape(-1)] = True
    new_index = np.cumsum(used, dtype=np.int32) - 1
    return new_index[triangles].astype(np.int32), np.flatnonzero(used)


def capped_faces(vertices_ijk: Floats, shape_ijk: tuple[int, int, int]) -> tuple[str, ...]:
    """Faces of the grid beyond whose outermost voxel centres the surface reaches: only a cap can."""
    beyond = np.concatenate([vertices_ijk.min(axis=0) < 0.0, vertices_ijk.max(axis=0) > np.array(shape_ijk) - 1.0])
    return tuple(face for face, reached in zip(FACES, beyond, strict=True) if reached)


def _watertight_problem(surface: Surface) -> str:
    """Why a surface is not watertight, for a person; empty if it is."""
    if surface.is_watertight:
        return ""
    edges = np.concatenate([surface.triangles[:, [0, 1]], surface.triangles[:, [1, 2]], surface.triangles[:, [2, 0]]])
    _, counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    open_edges, crowded = int((counts == 1).sum()), int((counts > 2).sum())
    if open_edges or crowded:
        return f"{open_edges} open edges, {crowded} edges shared by more than two triangles"
    return "neighbouring triangles of opposite winding"
