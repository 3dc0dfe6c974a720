"""Where the outer edge of cortical bone lies on intensity profiles across it.

The half maximum of the CT alone is off where the cortex is thin: the point spread then lowers the peak, and with it the
half of the peak. As Treece, Gee, Mayhew & Poole do (Medical Image Analysis 14, 2010, eq. 1), the profile is taken for
three constant densities, soft tissue, cortex, spongy bone, blurred by a Gaussian; the cortex has the same density all
over the scan, so that a low peak means a thin cortex and not a shifted edge.

Their five parameters are fitted one profile at a time. Here the two that are not linear, the outer edge and the
thickness, take all pairs of a table, the linear ones follow in closed form (variable projection, Golub & Pereyra 1973),
and one matrix product serves all profiles; a parabola then finds the edge between the table's steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

from geometry.points import Bools, Floats, Singles

# The thickest stands for "no inner edge within the profile". Coarser steps hide the shallow minimum by which point
# spread and density are told apart: at 0.3 mm they came out 20 % too high, and the edges 0.2 mm too far in.
THICKNESSES_MM = (*np.arange(0.3, 3.4, 0.15).round(2).tolist(), 8.0)
EDGE_STEP_MM = 0.125

_CHUNK = 20_000  # profiles; 40 MB of squared errors
_START_HU, _START_SIGMA_MM = 850.0, 0.6
_FIT_PROFILES = 800


@dataclass(frozen=True)
class CortexModel:
    """What all profiles of a scan share.

    Attributes:
        sigma_mm: standard deviation of the Gaussian point spread along the profile, with voxel size and interpolation.
        cortex_hu: density of compact bone.
    """

    sigma_mm: float
    cortex_hu: float


@dataclass(frozen=True)
class EdgeFits:
    """The outer edge on each profile, all ``(n,)``.

    Attributes:
        edge_mm: place of the edge along the profile, outward positive.
        uncertainty_mm: standard deviation of `edge_mm` from the fit's residual and curvature.
        thickness_mm: thickness of the cortex.
        outside_hu, inside_hu: densities beyond and within the cortex.
        residual_hu: root mean square of what the model leaves.
        at_end: the best edge lies at the end of the range that was searched: the true one may be beyond.
    """

    edge_mm: Floats
    uncertainty_mm: Floats
    thickness_mm: Floats
    outside_hu: Floats
    inside_hu: Floats
    residual_hu: Floats
    at_end: Bools


def estimate_cortex(profiles_hu: Floats, at_mm: Floats, reach_mm: float) -> CortexModel:
    """The point spread and the density with which the better half of the profiles fits best.

    Args:
        profiles_hu: ``(n, m)``; about 800 of them are used.
        at_mm: ``(m,)``, evenly spaced.
        reach_mm: edges lie within this distance of 0.
    """
    profiles = profiles_hu[:: max(1, len(profiles_hu) // _FIT_PROFILES)].astype(np.float32)

    half = len(profiles) // 2

    def badness(parameters: Floats) -> float:
        sigma_mm, cortex_hu = np.exp(parameters)
        table = _Table(at_mm, CortexModel(sigma_mm, cortex_hu), reach_mm)
        least = table.squared_errors(profiles).min(axis=(1, 2))
        # The better half only: profiles that meet two bones, or a rim, are no reason to blur.
        return float(np.log(np.partition(least, half)[: half + 1].mean()))

    start = np.log([_START_SIGMA_MM, _START_HU])
    simplex = start + np.array([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2]])
    found = minimize(
        badness,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 0.005, "fatol": 0.002, "maxfev": 80},
    )
    sigma_mm, cortex_hu = np.exp(found.x)
    return CortexModel(float(sigma_mm), float(cortex_hu))


def fit_edges(profiles_hu: Floats, at_mm: Floats, model: CortexModel, reach_mm: float, voxel_mm: float) -> EdgeFits:
    """Fits the model to each profile.

    Args:
        profiles_hu: ``(n, m)``.
        at_mm: ``(m,)``, evenly spaced, outward positive.
        reach_mm: the edge is searched within this distance of 0.
        voxel_mm: samples closer together than this are not independent; it enters the uncertainty only.
    """
    table = _Table(at_mm, model, reach_mm)
    samples_per_voxel = max(1.0, voxel_mm / float(at_mm[1] - at_mm[0]))
    parts = [
        _fit(table, profiles_hu[start : start + _CHUNK].astype(np.float32), samples_per_voxel)
        for start in range(0, len(profiles_hu), _CHUNK)
    ]
    return EdgeFits(*(np.concatenate(values) for values in zip(*parts, strict=True)))


class _Table:
    """The model's three parts for every pair of thickness (rows) and edge (columns), and what is orthogonal to them."""

    def __init__(self, at_mm: Floats, model: CortexModel, reach_mm: float) -> None:
        self.edges_mm = np.linspace(-reach_mm, reach_mm, 2 * round(reach_mm / EDGE_STEP_MM) + 1)
        outer = ndtr((at_mm - self.edges_mm[None, :, None]) / model.sigma_mm)
        thickness = np.array(THICKNESSES_MM)[:, None, None]
        inner = ndtr((self.edges_mm[None, :, None] - thickness - at_mm) / model.sigma_mm)
        outer = np.broadcast_to(outer, inner.shape)
        self.cortex = model.cortex_hu * (1.0 - outer - inner)  # (thicknesses, edges, m)
        linear = np.stack([outer, inner], axis=-1)
        self.solve = np.linalg.pinv(linear, rcond=0.03)  # an inner edge beyond the profile drops out
        left, size, _ = np.linalg.svd(linear, full_matrices=False)
        self.explained = left * (size > 0.03 * size[..., :1])[..., None, :]
        self.linear = linear

    def squared_errors(self, profiles: Singles) -> Singles:
        """``(n, thicknesses, edges)``: least over the linear parameters.

        With r = profile - cortex and an orthonormal basis Q of the linear parts, |r|^2 - |Q^T r|^2.
        """
        shape = self.cortex.shape[:2]
        cortex = self.cortex.reshape(-1, self.cortex.shape[2]).astype(np.float32)
        errors = (profiles**2).sum(axis=1)[:, None] - 2.0 * (profiles @ cortex.T) + (cortex**2).sum(axis=1)
        for part in range(2):
            basis = self.explained[..., part].reshape(cortex.shape).astype(np.float32)
            errors -= (profiles @ basis.T - (basis * cortex).sum(axis=1)) ** 2
        return np.maximum(errors, 0.0).reshape(len(profiles), *shape)


def _fit(table: _Table, profiles: Singles, samples_per_voxel: float) -> tuple[Any, ...]:
    errors = table.squared_errors(profiles)
    rows = np.arange(len(profiles))
    over_thickness = errors.min(axis=1).astype(np.float64)
    edge = over_thickness.argmin(axis=1)
    thickness = errors[rows, :, edge].argmin(axis=1)

    last = len(table.edges_mm) - 1
    middle = np.clip(edge, 1, last - 1)
    before, at, after = (over_thickness[rows, middle + step] for step in (-1, 0, 1))
    bend = np.maximum(before - 2.0 * at + after, 1e-6)
    shift = np.clip(0.5 * (before - after) / bend, -1.0, 1.0)
    least = over_thickness[rows, edge]
    free = max(1.0, profiles.shape[1] / samples_per_voxel - 4.0)
    step_mm = table.edges_mm[1] - table.edges_mm[0]
    variance = least / profiles.shape[1] * (profiles.shape[1] / samples_per_voxel) / free
    uncertainty = step_mm * np.sqrt(2.0 * variance * samples_per_voxel / bend)

    beyond_cortex = profiles - table.cortex[thickness, edge]
    densities = np.einsum("npm,nm->np", table.solve[thickness, edge], beyond_cortex)
    return (
        table.edges_mm[middle] + shift * step_mm,
        uncertainty,
        np.array(THICKNESSES_MM)[thickness],
        densities[:, 0],
        densities[:, 1],
        np.sqrt(least / profiles.shape[1]),
        (edge == 0) | (edge == last),
    )
