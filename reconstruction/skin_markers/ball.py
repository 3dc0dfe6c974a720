"""A ball on the skin as a scanner sees it, and its fit to the voxels around a candidate.

A ball of radius R behind a Gaussian point spread sigma has a closed form in the distance d to its centre,
``(erf((R-d)/s) + erf((R+d)/s)) / 2 - sigma / (d sqrt(2 pi)) (exp(-(R-d)^2/s^2) - exp(-(R+d)^2/s^2))``, ``s = sqrt(2)
sigma`` (the convolution integral in spherical coordinates). What slices add to the blur along their axis is averaged
over Gauss-Hermite nodes. The ball lies over two backgrounds, air and tissue, parted by a blurred, curved skin: a
constant one would draw the centre towards the tissue, which is 1000 HU brighter than the air on the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import erf, ndtr

from geometry.points import Bools, Floats

AIR_HU, TISSUE_HU = -1000.0, 0.0
TISSUE_ABOVE_HU = -400.0
SIGMA_MM, SIGMA_SPREAD_MM = 0.65, 0.25  # CT kernels: 0.9 to 2.2 mm full width at half maximum
LARGEST_SIGMA_MM = 1.05  # 2.5 mm full width: blurrier spots are no balls
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
# Residuals count in units of this noise; beyond three of it a voxel belongs to something else (a streak, a rib).
NOISE_HU, ROBUST_SCALE = 40.0, 3.0
# A scan that ends at 3071 HU shows metal as a plateau of equal voxels.
PLATEAU_VOXELS = 3
ATTACHED_CONTRAST, BRIGHTEST_METAL_HU = 0.1, 10000.0
# Reconstruction kernels correlate neighbouring voxels: about this many share one independent value.
CORRELATED_VOXELS = 6.5
# A ball that shows in few slices hides where between them it lies, and the profile of a slice is no Gaussian: measured,
# this share of the spacing at balls as large as it, and falling with the cube of it over the diameter. Never more than
# knowing nothing but the slice.
SLICE_ERROR, LARGEST_SLICE_ERROR = 0.16, 12.0**-0.5
NORMAL_MAD = 1.4826  # standard deviation over median absolute value, of normal noise


@dataclass(frozen=True, eq=False)
class Window:
    """The voxels around a candidate.

    Attributes:
        offsets_mm: ``(n, 3)`` from the candidate's rough centre, in `ct`.
        values_hu: ``(n,)``.
        open_air: ``(n,)``, whether it is air that is open to a side of the scan.
        slice_axis: unit vector ``(3,)`` in `ct` along which the voxels are largest.
        slice_extra_mm: standard deviation that the largest side of the voxel adds to the blur.
        plane_sigma_mm: standard deviation that the other sides add.
    """

    offsets_mm: Floats
    values_hu: Floats
    open_air: Bools
    slice_axis: Floats
    slice_extra_mm: float
    plane_sigma_mm: float


@dataclass(frozen=True, eq=False)
class BallFit:
    """A ball fitted to a window.

    Attributes:
        centre_mm: ``(3,)`` from the window's middle, in `ct`.
        centre_sd_mm: RMS length of the centre's expected error.
        radius_mm: the ball's radius.
        contrast_hu: difference in HU between the ball and its surroundings, limited to the range of the scan.
        sigma_mm: standard deviation of the point spread in the slice plane.
        misfit: RMS residual within the ball and its blurred edge, as a share of the contrast.
        typical_misfit: the same from the median residual: a streak across a part of the ball leaves it alone, and so
            does the rim of steel, which is so steep on a scale that ends at 3,071 HU that nothing fits it to the voxel.
        stretch: largest extent of the voxels' mass over the ball's, along any axis; 1 for a ball.
        squeeze: smallest extent, likewise.
        shown_share: brightest blurred voxel over the ball's own brightness; next to nothing where a faint spot was
            explained by a tiny, enormously bright ball.
        attached_share: how much of the shell around the ball is brighter than ball and skin explain, by a tenth of the
            contrast: wires, plates, bone.
        air_share: how much of the shell around the ball is open air.
    """

    centre_mm: Floats
    centre_sd_mm: float
    radius_mm: float
    contrast_hu: float
    sigma_mm: float
    misfit: float
    typical_misfit: float
    stretch: float
    squeeze: float
    shown_share: float
    attached_share: float
    air_share: float


def blurred_ball(distance_mm: Floats, radius_mm: float, sigma_mm: float) -> Floats:
    """Share of a ball behind an isotropic Gaussian point spread at distances ``(...)`` from its centre."""
    d = np.maximum(distance_mm, 1e-3)
    s = np.sqrt(2.0) * sigma_mm
    near, far = (radius_mm - d) / s, (radius_mm + d) / s
    rim = sigma_mm / (d * np.sqrt(2.0 * np.pi)) * (np.exp(-(near**2)) - np.exp(-(far**2)))
    return 0.5 * (erf(near) + erf(far)) - rim


def fit_ball(window: Window, radius_mm: float, *, fixed_radius: bool = False) -> BallFit:
    """Fits centre, radius, blur and brightness of a ball, and the skin behind it, by robust least squares.

    Args:
        radius_mm: to start from; with `fixed_radius` it stays.
    """
    start = _start(window, radius_mm)
    low = np.array([-4.0] * 3 + [0.5, 0.2, 0.0, 50.0, -1100.0, -250.0] + [-6.0] * 3 + [-40.0, -0.3])
    high = np.array([4.0] * 3 + [8.0, LARGEST_SIGMA_MM, 2.0, 40000.0, -600.0, 600.0] + [6.0] * 3 + [40.0, 0.3])
    if fixed_radius:
        low[3], high[3] = radius_mm - 1e-6, radius_mm + 1e-6
    start = np.clip(start, low + 1e-7, high - 1e-7)
    ceiling = _ceiling(window.values_hu)
    prior = _prior(window, start)

    def residuals(p: Floats) -> Floats:
        shown = np.minimum(_render(p, window)[0], ceiling)
        return np.concatenate([(shown - window.values_hu) / NOISE_HU, (p - prior[0]) / prior[1]])

    solved = least_squares(
        residuals,
        start,
        bounds=(low, high),
        loss="soft_l1",
        f_scale=ROBUST_SCALE,
        x_scale=prior[2],
        max_nfev=40,
        ftol=1e-6,
        xtol=1e-6,
    )
    return _summary(solved.x, solved.jac, window, ceiling)


def _start(window: Window, radius_mm: float) -> Floats:
    """Parameters: centre 3, radius, sigma, sigma added along the slices, ball, air, tissue (HU), skin 5."""
    distance = np.linalg.norm(window.offsets_mm, axis=1)
    around = distance > radius_mm + 1.0
    tissue = around & (window.values_hu > TISSUE_ABOVE_HU)
    air = around & ~tissue
    direction = np.zeros(3)
    tissue_hu, air_hu, offset = TISSUE_HU, AIR_HU, -2.0
    if tissue.any():
        tissue_hu = float(np.median(window.values_hu[tissue]))
    if air.any():
        air_hu = float(np.median(window.values_hu[air]))
    if tissue.any() and air.any():
        towards = window.offsets_mm[tissue].mean(axis=0) - window.offsets_mm[air].mean(axis=0)
        direction = towards / max(float(np.linalg.norm(towards)), 1e-6)
        along = window.offsets_mm[around] @ direction
        offset = -float(np.quantile(along, air.sum() / around.sum()))
    elif tissue.any():
        offset = 20.0
    elif air.any():
        offset = -20.0
    return np.array(
        [
            *np.zeros(3), radius_mm, SIGMA_MM, window.slice_extra_mm, window.values_hu.max(), air_hu, tissue_hu,
            *direction, offset, 0.0,
        ]
    )  # fmt: skip


def _prior(window: Window, start: Floats) -> tuple[Floats, Floats, Floats]:
    """Where each parameter is expected, how widely, and its scale: decides only what the voxels leave open."""
    mean = start.copy()
    mean[4] = SIGMA_MM
    wide = np.array(
        [3.0] * 3 + [5.0, SIGMA_SPREAD_MM / 2.0, 0.15 + window.slice_extra_mm / 4.0, 3000.0, 50.0, 100.0]
        + [2.0] * 3 + [8.0, 0.02]
    )  # fmt: skip
    scale = np.array([0.3] * 3 + [0.3, 0.2, 0.2, 300.0, 50.0, 50.0] + [0.3] * 3 + [0.5, 0.01])
    return mean, wide, scale


def _ceiling(values_hu: Floats) -> float:
    top = float(values_hu.max())
    return top if int((values_hu == top).sum()) >= PLATEAU_VOXELS else np.inf


def _render(p: Floats, window: Window) -> tuple[Floats, Floats, Floats]:
    """HU, share of the ball and background ``(n,)`` each."""
    sigma = float(np.hypot(p[4], window.plane_sigma_mm))
    centred = window.offsets_mm - p[:3]
    along = centred @ window.slice_axis
    across2 = np.maximum((centred**2).sum(axis=1) - along**2, 0.0)
    shifted = along[:, None] + p[5] * _NODES
    share = blurred_ball(np.sqrt(across2[:, None] + shifted**2), float(p[3]), sigma) @ _WEIGHTS
    depth = window.offsets_mm @ p[9:12] + p[12] - p[13] * (window.offsets_mm**2).sum(axis=1)
    edge = depth / np.hypot(sigma, p[5] * abs(window.slice_axis @ p[9:12]))
    background = p[7] + (p[8] - p[7]) * ndtr(edge)
    return background + share * (p[6] - background), share, background


def _summary(p: Floats, jacobian: Floats, window: Window, ceiling: float) -> BallFit:
    rendered, share, background = _render(p, window)
    error_hu = np.minimum(rendered, ceiling) - window.values_hu
    distance = np.linalg.norm(window.offsets_mm - p[:3], axis=1)
    core = share > 0.05
    around_hu = float(background[core].mean()) if core.any() else float(p[7])
    contrast = max(min(float(p[6]), ceiling) - around_hu, 1.0)
    misfit = float(np.sqrt(np.mean(error_hu[core] ** 2))) / contrast if core.any() else np.inf
    typical = NORMAL_MAD * float(np.median(np.abs(error_hu[core]))) / contrast if core.any() else np.inf
    shell = (distance > p[3] + 1.0) & (distance < p[3] + 3.5)
    rim = ~core & (distance < p[3] + 3.5)
    # Metal's streaks grow with its own brightness, which lies far beyond what the scan can show.
    attached = -error_hu[rim] > ATTACHED_CONTRAST * np.clip(float(p[6]) - around_hu, contrast, BRIGHTEST_METAL_HU)
    squeeze, stretch = _extents(p, window, np.minimum(rendered, ceiling), background, core)
    information = jacobian.T @ jacobian
    # The robust loss already scaled the rows down; what is left of the residuals says how noisy this place is.
    noise = float(np.sqrt(np.mean(np.minimum(np.abs(error_hu) / NOISE_HU, ROBUST_SCALE) ** 2)))
    covariance = np.linalg.pinv(information)[:3, :3] * noise**2 * CORRELATED_VOXELS
    return BallFit(
        centre_mm=p[:3].copy(),
        centre_sd_mm=float(np.hypot(np.sqrt(np.trace(covariance)), _slice_error_mm(window, 2.0 * float(p[3])))),
        radius_mm=float(p[3]),
        contrast_hu=contrast,
        sigma_mm=float(p[4]),
        misfit=misfit,
        typical_misfit=typical,
        stretch=stretch,
        squeeze=squeeze,
        shown_share=float(share.max()),
        attached_share=float(attached.mean()) if rim.any() else 0.0,
        air_share=float(window.open_air[shell].mean()) if shell.any() else 0.0,
    )


def _slice_error_mm(window: Window, diameter_mm: float) -> float:
    """Standard deviation along the slices' axis of what the fit's residuals do not show."""
    spacing_mm = float(np.sqrt(12.0) * np.hypot(window.slice_extra_mm, window.plane_sigma_mm))
    share = SLICE_ERROR * (spacing_mm / diameter_mm) ** 3
    return spacing_mm * min(share, LARGEST_SLICE_ERROR)


def _extents(p: Floats, window: Window, rendered: Floats, background: Floats, core: Bools) -> tuple[float, float]:
    """Smallest and largest extent of what is brighter than the background over what the ball would have."""
    if core.sum() < 8:
        return 0.0, np.inf
    centred = window.offsets_mm[core] - p[:3]
    spreads = []
    for values in (window.values_hu, rendered):
        mass = np.maximum(values[core] - background[core], 0.0)
        spreads.append((centred.T * mass) @ centred / max(float(mass.sum()), 1e-9))
    ratios = np.linalg.eigvals(np.linalg.solve(spreads[1] + 1e-6 * np.eye(3), spreads[0])).real
    return tuple(np.sqrt(np.maximum([ratios.min(), ratios.max()], 0.0)).tolist())
