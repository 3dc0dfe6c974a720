"""Simplifies surfaces for the headset, and measures the error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.errors import FrameMismatchError
from geometry.extras import from_extra
from geometry.points import Floats
from geometry.surface import Surface
from reconstruction.surfaces.pinched_edges import cut_pinched_edges

# Points measured in each direction. The 95th percentile of so many is known to about 0.2 of a percentile.
_MAX_SAMPLES = 10_000

# A simplified surface that encloses more or less than this share is another shape.
MOST_VOLUME_LOST = 0.1

# fast-simplification collapses in passes up to errors that grow from pass to pass, from 1e-9 squared units. For voxels
# of about 1 mm the first passes find nothing; in this unit they do, and it takes 30 % less time for 8 % more error.
_SCALE = 0.25


@dataclass(frozen=True)
class SurfaceDistance:
    """Symmetric distance between two surfaces, from samples (vertices and triangle centres) of both.

    Attributes:
        mean_mm, p95_mm, max_mm: over all samples of both; the maximum is the Hausdorff distance of the samples.
        samples: the number of measured points.
    """

    mean_mm: float
    p95_mm: float
    max_mm: float
    samples: int


@dataclass(frozen=True)
class Simplification:
    """What simplifying a surface did.

    Attributes:
        triangles_before, triangles_after: counts.
        distance: distance between the simplified and the full surface.
        note: why more triangles are left than asked for; empty where the request was met.
    """

    triangles_before: int
    triangles_after: int
    distance: SurfaceDistance
    note: str


def simplify_surface(
    surface: Surface, max_triangles: int, *, keep_watertight: bool = True
) -> tuple[Surface, Simplification]:
    """Collapses edges by quadric error (Garland & Heckbert, SIGGRAPH 1997) and measures what it cost.

    A collapse can fold two triangles onto each other, back to back: these are taken out. It can also pinch a thin part
    into an edge of four triangles: these are cut apart. A watertight surface stays watertight here: where the wish
    still breaks it, or changes its volume by more than a tenth, twice as many triangles are left, and so on up to all
    of them; the note then says so.

    Args:
        keep_watertight: False takes what comes at the first try, for surfaces that are only looked at.
    """
    before, wish, note = len(surface.triangles), max_triangles, ""
    simplified = surface
    keep = keep_watertight and surface.is_watertight
    while wish < before:
        attempt = _collapsed(surface, wish, keep)
        problem = _problem(attempt, surface, keep)
        if not problem:
            simplified = attempt
            break
        note = note or f"at {max_triangles:,} triangles it would {problem}"
        wish *= 2
    distance = surface_distance(simplified, surface)
    return simplified, Simplification(before, len(simplified.triangles), distance, note)


def _collapsed(surface: Surface, wish: int, keep_watertight: bool) -> Surface:
    """At most `wish` triangles, those that cutting adds included, where collapsing goes so far."""
    ask = wish
    for _ in range(3):
        attempt = _collapsed_once(surface, ask, keep_watertight)
        too_many = len(attempt.triangles) - wish
        if too_many <= 0 or ask - 2 * too_many < 4:
            break
        ask -= 2 * too_many
    return attempt


def _collapsed_once(surface: Surface, ask: int, keep_watertight: bool) -> Surface:
    with from_extra("reconstruction"):
        from fast_simplification import simplify

    # Single precision inside: centred, so that a scan far from the origin loses no digits.
    centre = surface.vertices_mm.mean(axis=0)
    scaled = ((surface.vertices_mm - centre) * _SCALE).astype(np.float32)
    vertices, triangles = simplify(scaled, surface.triangles.copy(), target_count=ask)
    vertices, triangles = _without_flaps(np.asarray(vertices, dtype=np.float64) / _SCALE + centre, triangles)
    if keep_watertight:
        vertices, triangles = cut_pinched_edges(vertices, triangles)
    return Surface(vertices, triangles, surface.frame, surface.name)


def _problem(attempt: Surface, full: Surface, keep_watertight: bool) -> str:
    """Why an attempt is not taken; empty where it is."""
    if not len(attempt.triangles):
        return "not be any surface"
    if keep_watertight and not attempt.is_watertight:
        return "not be watertight"
    if keep_watertight and abs(attempt.volume_ml - full.volume_ml) > MOST_VOLUME_LOST * abs(full.volume_ml):
        return f"enclose {attempt.volume_ml:.3g} ml instead of {full.volume_ml:.3g}"
    return ""


def _without_flaps(vertices: Floats, triangles: NDArray[np.int32]) -> tuple[Floats, NDArray[np.int32]]:
    """Takes out pairs of triangles over the same three vertices: they enclose nothing and make an edge of four."""
    low, middle, high = np.sort(triangles.astype(np.int64), axis=1).T
    keys = (low * len(vertices) + middle) * len(vertices) + high  # below 2^63 up to two million vertices
    _, group, counts = np.unique(keys, return_inverse=True, return_counts=True)
    if (counts == 1).all():
        return vertices, triangles
    used, corners = np.unique(triangles[counts[group] != 2], return_inverse=True)
    return vertices[used], corners.reshape(-1, 3).astype(np.int32)


def surface_distance(first: Surface, second: Surface) -> SurfaceDistance:
    """Exact distances from samples of each surface to the other one (open3d's ``RaycastingScene``)."""
    if first.frame != second.frame:
        raise FrameMismatchError(
            f"the surfaces '{first.name}' in '{first.frame}' and '{second.name}' in '{second.frame}'",
            "two surfaces in one frame",
            "transform one of them first",
        )
    both = np.concatenate([_distances_mm(first, second), _distances_mm(second, first)])
    return SurfaceDistance(float(both.mean()), float(np.percentile(both, 95)), float(both.max()), len(both))


def _distances_mm(samples_of: Surface, to: Surface) -> Floats:
    with from_extra("reconstruction"):
        import open3d

    centre = to.vertices_mm.mean(axis=0)  # single precision there: centred it resolves 0.00002 mm
    vertices, triangles = samples_of.vertices_mm, samples_of.triangles
    stride = max(1, -(-(len(vertices) + len(triangles)) // _MAX_SAMPLES))
    points = np.concatenate([vertices[::stride], vertices[triangles[::stride]].mean(axis=1)])
    scene = open3d.t.geometry.RaycastingScene()
    tensor = open3d.core.Tensor.from_numpy
    scene.add_triangles(tensor((to.vertices_mm - centre).astype(np.float32)), tensor(to.triangles.astype(np.uint32)))
    return scene.compute_distance(tensor((points - centre).astype(np.float32))).numpy().astype(np.float64)
