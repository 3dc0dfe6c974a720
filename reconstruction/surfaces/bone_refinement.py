"""Bone surfaces moved onto the cortical edge that the CT itself shows.

A segmentation places a bone's border where its training labels had it; the CT knows better. Along each vertex' normal
the CT is sampled, and the vertex goes to the outer edge of the cortex (`cortical_edge`), never further than a stated
bound. Vertices whose profile shows no such edge (joints narrower than the point spread, the border of the scan) are
carried along by their neighbours and are said not to be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.errors import FrameMismatchError, SurgNavError
from geometry.points import Bools, Floats, read_only
from geometry.surface import Surface
from geometry.volume import Volume
from reconstruction.surfaces.cortical_edge import CortexModel, EdgeFits, estimate_cortex, fit_edges

FWHM_PER_SIGMA = 2.3548200450309493  # 2 sqrt(2 ln 2)

_SECOND_REACH_MM = 0.5
_LEAST_PROFILES = 200  # fewer do not tell point spread and density apart


class InvalidRefinementSettingsError(SurgNavError):
    """Refinement settings outside their range."""


@dataclass(frozen=True, kw_only=True)
class BoneRefinementSettings:
    """How bone is refined.

    Attributes:
        bound_mm: no vertex moves further than this.
        inside_mm, outside_mm: how far profiles reach beyond the places where the edge is searched. Outside, a longer
            profile meets the next organ.
        step_mm: between samples of a profile.
        least_contrast_hu: least difference in HU between cortex and outside for an edge to count.
        most_uncertain_mm: edges less certain than this (one standard deviation) are not measured.
        most_residual: root mean square of the fit's residual as a share of the contrast; more is another anatomy.
        smoothing_mm: displacements of neighbours that differ by this much are as unlikely as an edge that is off by
            its own uncertainty; 0 leaves each vertex to itself.
        least_measured: share of vertices below which nothing is moved at all.
    """

    bound_mm: float = 1.5
    inside_mm: float = 3.0
    outside_mm: float = 1.75
    step_mm: float = 0.25
    least_contrast_hu: float = 150.0
    most_uncertain_mm: float = 0.25
    most_residual: float = 0.12
    smoothing_mm: float = 0.1
    least_measured: float = 0.3

    def __post_init__(self) -> None:
        lengths = (self.bound_mm, self.inside_mm, self.outside_mm, self.step_mm, self.most_uncertain_mm)
        if not (np.isfinite(lengths).all() and min(lengths) > 0.0 and self.smoothing_mm >= 0.0):
            came = f"the settings {self}"
            raise InvalidRefinementSettingsError(came, "finite lengths above 0 mm", "correct the settings")


@dataclass(frozen=True, eq=False)
class BoneRefinement:
    """A refined surface, and what is known of each vertex; arrays ``(n,)``, read-only.

    Attributes:
        surface: same triangles, same frame, moved vertices.
        moved_mm: along the normal, outward positive; within the bound.
        measured: the vertex' own profile shows the edge; the others follow their neighbours.
        uncertainty_mm: standard deviation of the measured edge; infinity where not measured.
        cortex: point spread and density estimated from this CT; None where too few profiles were usable.
        refused: why nothing was moved; empty where it was.
    """

    surface: Surface
    moved_mm: Floats
    measured: Bools
    uncertainty_mm: Floats
    cortex: CortexModel | None
    refused: str

    @property
    def point_spread_fwhm_mm(self) -> float | None:
        """Full width at half maximum along the normals, voxel size included."""
        return FWHM_PER_SIGMA * self.cortex.sigma_mm if self.cortex else None


def refine_bone(ct: Volume, surface: Surface, settings: BoneRefinementSettings | None = None) -> BoneRefinement:
    """Moves the vertices of a bone's surface along their normals to the cortical edge.

    Args:
        ct: HU.
        surface: in the frame of `ct`, within ``settings.bound_mm`` of the bone; fine enough that its normals are the
            bone's (not yet simplified).

    Raises:
        FrameMismatchError: surface and CT in different frames.
    """
    settings = settings or BoneRefinementSettings()
    if ct.frame != surface.frame:
        raise FrameMismatchError(
            f"the surface '{surface.name}' in '{surface.frame}' and a CT in '{ct.frame}'",
            "one frame",
            "transform the surface",
        )
    mesh = _Mesh(surface)
    normals = mesh.smoothed_normals()
    sampler = _Sampler(ct, surface, settings)
    moved = np.zeros(len(normals))
    uncertainty_mm = np.full(len(normals), np.inf)
    cortex = None
    # Twice: the first pass looks everywhere within the bound, the second close by, on profiles that reach less far out.
    for reach_mm in (settings.bound_mm, min(_SECOND_REACH_MM, settings.bound_mm)):
        at_mm = np.arange(-reach_mm - settings.inside_mm, reach_mm + settings.outside_mm, settings.step_mm)
        profiles, within = sampler.profiles(surface.vertices_mm + moved[:, None] * normals, normals, at_mm)
        if within.sum() < _LEAST_PROFILES:
            return _unmoved(surface, None, f"{within.sum()} profiles within the scan; {_LEAST_PROFILES} are needed")
        cortex = estimate_cortex(profiles[within], at_mm, reach_mm)
        fits = fit_edges(profiles, at_mm, cortex, reach_mm, float(ct.spacing_mm.mean()))
        uncertainty_mm = np.where(within & _believed(fits, cortex, settings), fits.uncertainty_mm, np.inf)
        share = float(np.isfinite(uncertainty_mm).mean())
        if share < settings.least_measured:
            wanted = f"{settings.least_measured:.0%} are needed"
            return _unmoved(surface, cortex, f"a cortical edge on {share:.0%} of the vertices; {wanted}")
        step = mesh.carried_along(fits.edge_mm, uncertainty_mm, settings.smoothing_mm)
        moved = np.clip(moved + step, -settings.bound_mm, settings.bound_mm)
    vertices = surface.vertices_mm + moved[:, None] * normals
    refined = Surface(vertices, surface.triangles, surface.frame, surface.name)
    return BoneRefinement(
        refined, read_only(moved), read_only(np.isfinite(uncertainty_mm)), read_only(uncertainty_mm), cortex, ""
    )


def _unmoved(surface: Surface, cortex: CortexModel | None, refused: str) -> BoneRefinement:
    count = len(surface.vertices_mm)
    nothing, never = np.zeros(count), np.full(count, np.inf)
    return BoneRefinement(surface, read_only(nothing), read_only(nothing > 0.0), read_only(never), cortex, refused)


def _believed(fits: EdgeFits, cortex: CortexModel, settings: BoneRefinementSettings) -> Bools:
    contrast = cortex.cortex_hu - fits.outside_hu
    return (
        ~fits.at_end
        & (contrast > settings.least_contrast_hu)
        & (fits.inside_hu < cortex.cortex_hu + settings.least_contrast_hu)
        & (fits.uncertainty_mm < settings.most_uncertain_mm)
        & (fits.residual_hu < settings.most_residual * contrast)
    )


class _Sampler:
    """The CT's part around the surface, as a cubic B-spline (Unser 1999): linear interpolation would blur unevenly."""

    def __init__(self, ct: Volume, surface: Surface, settings: BoneRefinementSettings) -> None:
        from scipy.ndimage import spline_filter

        self._ct = ct
        margin = (2.0 * settings.bound_mm + max(settings.inside_mm, settings.outside_mm)) / ct.spacing_mm + 4.0
        ijk = ct.mm_to_index(surface.vertices_mm)
        shape = np.array(ct.shape_ijk)
        self._first = np.clip(np.floor(ijk.min(axis=0) - margin), 0.0, shape - 1).astype(int)
        last = np.clip(np.ceil(ijk.max(axis=0) + margin) + 1, self._first + 1, shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(self._first[::-1], last[::-1], strict=True))
        self._spline = spline_filter(ct.voxels[box].astype(np.float32), order=3, output=np.float32, mode="nearest")

    def profiles(self, start_mm: Floats, normals: Floats, at_mm: Floats) -> tuple[Floats, Bools]:
        """``(n, m)`` HU, and which profiles lie within the scan."""
        from scipy.ndimage import map_coordinates

        start, along = self._ct.mm_to_index(start_mm), normals @ np.linalg.inv(self._ct.affine[:3, :3]).T
        ends = [start + along * at for at in (at_mm[0], at_mm[-1])]
        within = np.logical_and.reduce([((e >= 0.0) & (e <= np.array(self._ct.shape_ijk) - 1.0)).all(1) for e in ends])
        places = (start - self._first)[:, None, :] + along[:, None, :] * at_mm[None, :, None]
        kji = places[..., ::-1].reshape(-1, 3).T
        values = map_coordinates(self._spline, kji, order=3, mode="nearest", prefilter=False, output=np.float32)
        return values.reshape(len(start), len(at_mm)), within


class _Mesh:
    """Averages over neighbours."""

    def __init__(self, surface: Surface) -> None:
        from scipy.sparse import csr_matrix, diags

        self._surface = surface
        triangles, count = surface.triangles, len(surface.vertices_mm)
        tails, heads = triangles.T.reshape(-1), np.roll(triangles, -1, axis=1).T.reshape(-1)
        edges = csr_matrix((np.ones(len(tails)), (tails, heads)), shape=(count, count))
        edges = edges + edges.T
        degree = np.asarray(edges.sum(axis=1)).reshape(-1)
        self._mean = diags(1.0 / np.maximum(degree, 1.0)) @ edges

    def smoothed_normals(self, times: int = 3) -> Floats:
        normals = self._surface.vertex_normals()
        for _ in range(times):
            normals = normals + self._mean @ normals
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    def carried_along(self, values: Floats, uncertainty: Floats, smoothing: float, times: int = 30) -> Floats:
        """The most likely displacements if neighbours differ by `smoothing`: Jacobi steps of that linear system."""
        if smoothing == 0.0:
            return np.where(np.isfinite(uncertainty), values, 0.0)
        trust, tie = 1.0 / np.maximum(uncertainty, 0.02) ** 2, 1.0 / smoothing**2
        result = np.where(np.isfinite(uncertainty), values, 0.0)
        for _ in range(times):
            result = (trust * values + tie * (self._mean @ result)) / (trust + tie)
        return result
