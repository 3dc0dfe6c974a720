"""Finds radio-opaque balls on the skin in a CT, to a fraction of a voxel, and gives reasons for rejected spots."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geometry.errors import FrameMismatchError
from geometry.frames import CT
from geometry.points import Floats, read_only
from geometry.volume import Volume
from reconstruction.errors import MarkerSearchError
from reconstruction.skin_markers.ball import NOISE_HU, TISSUE_ABOVE_HU, BallFit, Window, fit_ball
from reconstruction.skin_markers.candidates import Skin, Spot, find_skin, find_spots

OVERLAP = 0.8  # of the distance at which two balls touch
_HALF_WAY = 0.55  # above the middle, so that bone below a marker of 3 mm stays apart from it


@dataclass(frozen=True, kw_only=True)
class MarkerSettings:
    """What counts as a marker.

    Attributes:
        diameters_mm: diameters of the smallest and the largest ball.
        band_mm: how far from the skin the centre may lie, inwards (negative) and outwards.
        levels_hu: brighter than the first is looked at; what hangs together at one level (a marker over a rib, a streak
            between two) is taken apart at the next.
        least_contrast_hu: least difference in HU between the ball and its surroundings.
        largest_misfit: largest RMS residual of the ball's fit, as a share of its contrast.
        largest_typical_misfit: the same limit for the median residual, in addition to 40 HU of noise.
        largest_sigma_mm: largest standard deviation of the point spread; a blurrier spot is not a ball.
        stretch: by how much the spot may be narrower or longer than the ball along any axis.
        least_shown_share: how bright the brightest voxel has to be, as a share of the ball that is to explain it.
        largest_attached_share: how much of what is around the ball may be bright without being skin: wires, plates.
        near_perfect_misfit, attached_to_near_perfect: more may be there where the ball's typical misfit is this small:
            then it is a ball, whatever lies beside it.
        least_air_share: how much of the shell around the ball has to be air that is open to a side of the scan: what
            lies under the skin has none, and a tooth only that of the mouth.
        known_diameter_tolerance: by how much a ball may differ from the diameter asked for, as a share of it; never
            less than 0.8 mm.
    """

    diameters_mm: tuple[float, float] = (2.4, 11.5)
    band_mm: tuple[float, float] = (-8.0, 16.0)
    levels_hu: tuple[float, ...] = (450.0, 800.0, 1400.0, 2200.0)
    least_contrast_hu: float = 400.0
    largest_misfit: float = 0.2
    largest_typical_misfit: float = 0.06
    largest_sigma_mm: float = 0.95
    stretch: tuple[float, float] = (0.85, 1.15)
    least_shown_share: float = 0.5
    largest_attached_share: float = 0.02
    near_perfect_misfit: float = 0.03
    attached_to_near_perfect: float = 0.12
    least_air_share: float = 0.15
    known_diameter_tolerance: float = 0.25


@dataclass(frozen=True, eq=False)
class SkinMarker:
    """A ball on the skin.

    Attributes:
        centre_ct_mm: ``(3,)``, read-only.
        centre_sd_mm: RMS length of the centre's expected error, from the fit's residuals.
        diameter_mm: the ball's diameter; the given one, where one was given.
        contrast_hu: difference in HU between the ball and its surroundings, limited to the range of the scan.
        misfit: RMS residual of the fit as a share of the contrast.
    """

    centre_ct_mm: Floats
    centre_sd_mm: float
    diameter_mm: float
    contrast_hu: float
    misfit: float


@dataclass(frozen=True, eq=False)
class RejectedSpot:
    """A bright spot near the skin that is no marker.

    Attributes:
        centre_ct_mm: ``(3,)``, roughly.
        reason: why it is not a marker.
        near_miss: whether it is as small as a marker and lies in open air, so that a ball was fitted to it.
    """

    centre_ct_mm: Floats
    reason: str
    near_miss: bool = False


@dataclass(frozen=True, eq=False)
class SkinMarkers:
    """Markers from head to foot, the spots that are none, and a note where the skin itself was not found."""

    markers: tuple[SkinMarker, ...]
    rejected: tuple[RejectedSpot, ...]
    note: str = field(default="")

    @property
    def centres_ct_mm(self) -> Floats:
        """All centres, ``(n, 3)``."""
        return np.array([marker.centre_ct_mm for marker in self.markers]).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A ball fitted to a spot, and why it is no marker; empty if it is one."""

    marker: SkinMarker
    reason: str


def find_skin_markers(
    ct: Volume, diameter_mm: float | None = None, settings: MarkerSettings | None = None
) -> SkinMarkers:
    """Finds the markers in a CT.

    Args:
        ct: HU in the frame ``ct``.
        diameter_mm: of the balls, where it is known: other sizes are then rejected, and centres are a little sharper.

    Raises:
        FrameMismatchError: another frame.
        MarkerSearchError: a diameter outside the settings' range.
    """
    settings = settings or MarkerSettings()
    if ct.frame != CT:
        raise FrameMismatchError(f"a volume in '{ct.frame}'", f"a volume in '{CT}'", "search the CT itself for markers")
    low, high = settings.diameters_mm
    if diameter_mm is not None and not low <= diameter_mm <= high:
        raise MarkerSearchError(
            f"balls of {diameter_mm:g} mm", f"a diameter from {low:g} to {high:g} mm", "give the ball's diameter in mm"
        )
    skin = find_skin(ct)
    if not skin.found:
        return SkinMarkers((), (), "no skin: the scan shows no patient in air (HU expected, air near -1000)")
    blur_mm = 4.0 + 2.0 * float(ct.spacing_mm.max())
    small, large = find_spots(ct, skin, settings.levels_hu, settings.band_mm, high + blur_mm)
    rejected = [_rejected(ct, spot, _too_large(spot)) for spot in large]
    fitted: list[_Fitted] = []
    for spot in small:
        judged = _judge(ct, skin, spot, diameter_mm, settings)
        if isinstance(judged, RejectedSpot):
            rejected.append(judged)
        else:
            fitted.append(judged)
    distinct = _distinct(fitted)
    markers = [one.marker for one in distinct if not one.reason]
    rejected += [RejectedSpot(one.marker.centre_ct_mm, one.reason, True) for one in distinct if one.reason]
    return SkinMarkers(tuple(sorted(markers, key=lambda marker: -marker.centre_ct_mm[2])), tuple(rejected))


def _judge(
    ct: Volume, skin: Skin, spot: Spot, diameter_mm: float | None, limits: MarkerSettings
) -> _Fitted | RejectedSpot:
    """A ball fitted to the spot, or why none was."""
    rough_mm = _rough_radius_mm(ct, spot, limits.diameters_mm[1])
    if rough_mm is None:
        return _rejected(ct, spot, "part of something larger: bone, a wire or the table")
    start_mm = rough_mm if diameter_mm is None else diameter_mm / 2.0
    window, middle_mm = _window(ct, skin, spot, start_mm)
    if not _air_near(window, start_mm, limits):
        return _rejected(ct, spot, "no open air beside it: under the skin (bone, calcification, contrast, a tooth)")
    fit = fit_ball(window, start_mm)
    reason = _why_not(fit, spot, diameter_mm, limits)
    if not reason and diameter_mm is not None:
        fit = fit_ball(window, diameter_mm / 2.0, fixed_radius=True)
    centre = middle_mm + fit.centre_mm
    if not reason and _cut_off(ct, centre, fit.radius_mm):
        reason = "cut off by the edge of the scan"
    marker = SkinMarker(read_only(centre), fit.centre_sd_mm, 2.0 * fit.radius_mm, fit.contrast_hu, fit.misfit)
    return _Fitted(marker, reason)


def _why_not(fit: BallFit, spot: Spot, diameter_mm: float | None, limits: MarkerSettings) -> str:
    low, high = limits.diameters_mm
    across_mm = 2.0 * fit.radius_mm
    if not low <= across_mm <= high:
        return f"{across_mm:.1f} mm across, not {low:g} to {high:g}"
    if diameter_mm is not None:
        allowed_mm = max(0.8, limits.known_diameter_tolerance * diameter_mm)
        if abs(across_mm - diameter_mm) > allowed_mm:
            return f"{across_mm:.1f} mm across, not {diameter_mm:g}"
    if fit.contrast_hu < limits.least_contrast_hu:
        return f"only {fit.contrast_hu:.0f} HU brighter than its surroundings"
    if fit.shown_share < limits.least_shown_share:
        return f"too faint for a ball: {fit.shown_share:.0%} of the brightness that would explain its shape"
    allowed = limits.largest_typical_misfit + NOISE_HU / fit.contrast_hu
    wrong_shape = fit.stretch > limits.stretch[1] or fit.squeeze < limits.stretch[0]
    if fit.typical_misfit > allowed or fit.misfit > limits.largest_misfit or wrong_shape:
        shape = "ring-shaped" if spot.hollow else "no ball"
        return (
            f"{shape}: misfit {fit.misfit:.2f}, mostly {fit.typical_misfit:.2f}, extents {fit.squeeze:.2f} to "
            f"{fit.stretch:.2f} of a ball's"
        )
    if fit.sigma_mm > limits.largest_sigma_mm:
        return f"blurrier than a ball behind a scanner's kernel ({2.3548 * fit.sigma_mm:.1f} mm full width)"
    near_perfect = fit.typical_misfit < limits.near_perfect_misfit
    allowed = limits.attached_to_near_perfect if near_perfect else limits.largest_attached_share
    if fit.attached_share > allowed:
        return (
            f"something bright hangs on it ({fit.attached_share:.0%} of its surroundings): an electrode, a wire, bone"
        )
    if fit.air_share < limits.least_air_share:
        return f"only {fit.air_share:.0%} open air around it: under the skin"
    return ""


def _rough_radius_mm(ct: Volume, spot: Spot, largest_mm: float) -> float | None:
    """Radius of the ball with the volume that is brighter than halfway up to the spot's peak.

    None where that goes on for more than the largest ball with its blur: nearly all that is bright near the skin of a
    patient on a table does, and needs no fit.
    """
    box, low = _box(ct, spot, largest_mm / 2.0 + 3.0)
    level = _HALF_WAY * spot.peak_hu + (1.0 - _HALF_WAY) * max(float(np.median(box)), 0.0)  # over air, tissue too
    parts, _ = ndimage.label(box > level)
    peak = tuple(np.rint(spot.kji - low).astype(int))
    near = parts[tuple(slice(max(index - 1, 0), index + 2) for index in peak)]
    own = parts == (np.bincount(near[near > 0]).argmax() if near.any() else -1)
    index = np.argwhere(own)
    if not len(index) or ((np.ptp(index, axis=0) + 1) * ct.spacing_mm[::-1] > largest_mm + 3.0).any():
        return None
    radius = (len(index) * ct.voxel_volume_ml * 1000.0 * 0.75 / np.pi) ** (1.0 / 3.0)
    return float(np.clip(radius, 1.2, largest_mm / 2.0))


def _box(ct: Volume, spot: Spot, reach_mm: float) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Voxels up to `reach_mm` from the spot along each axis, and the index (k, j, i) of the first."""
    half = np.ceil(reach_mm / ct.spacing_mm[::-1]).astype(int)
    middle = np.rint(spot.kji).astype(int)
    low = np.maximum(middle - half, 0)
    high = np.minimum(middle + half + 1, ct.voxels.shape)
    return ct.voxels[low[0] : high[0], low[1] : high[1], low[2] : high[2]], low


def _window(ct: Volume, skin: Skin, spot: Spot, radius_mm: float) -> tuple[Window, Floats]:
    """Voxels in a ball around the spot, a few mm wider than it, and the spot's place in `ct`."""
    reach_mm = radius_mm + 3.0 + float(ct.spacing_mm.max())
    box, low = _box(ct, spot, reach_mm)
    k, j, i = (index.ravel() for index in np.indices(box.shape))
    middle_mm = ct.index_to_mm(spot.kji[None, ::-1])[0]
    kji = np.stack([k, j, i], axis=1) + low
    offsets = ct.index_to_mm(kji[:, ::-1]) - middle_mm
    near = np.linalg.norm(offsets, axis=1) < reach_mm
    axis = int(ct.spacing_mm.argmax())
    plane_mm = float(np.sqrt(np.mean(np.delete(ct.spacing_mm, axis) ** 2) / 12.0))
    extra_mm = float(np.sqrt(max(ct.spacing_mm[axis] ** 2 / 12.0 - plane_mm**2, 0.0)))
    values = box.ravel()[near].astype(np.float64)
    open_air = (values < TISSUE_ABOVE_HU) & skin.outside_at(kji[near])
    return Window(offsets[near], values, open_air, ct.direction[:, axis], extra_mm, plane_mm), middle_mm


def _air_near(window: Window, radius_mm: float, limits: MarkerSettings) -> bool:
    """A cheap first look, so that hundreds of pieces of rib need no fit."""
    outer = np.linalg.norm(window.offsets_mm, axis=1) > radius_mm
    return bool(window.open_air[outer].mean() > limits.least_air_share / 2.0)


def _cut_off(ct: Volume, centre_mm: Floats, radius_mm: float) -> bool:
    index = ct.mm_to_index(centre_mm)[0]
    margin = radius_mm / ct.spacing_mm
    return bool((index - margin < -0.5).any() or (index + margin > np.array(ct.shape_ijk) - 0.5).any())


def _distinct(fitted: list[_Fitted]) -> list[_Fitted]:
    """Balls cannot overlap: of several fits to one (a spot that fell apart, a streak beside it) the surest stays.

    That holds for rejected ones too: where the surest fit is no ball, the others are no better.
    """
    kept: list[_Fitted] = []
    for one in sorted(fitted, key=lambda one: one.marker.centre_sd_mm):
        gaps = [float(np.linalg.norm(one.marker.centre_ct_mm - other.marker.centre_ct_mm)) for other in kept]
        reach = [OVERLAP * (one.marker.diameter_mm + other.marker.diameter_mm) / 2.0 for other in kept]
        if all(gap > touching for gap, touching in zip(gaps, reach, strict=True)):
            kept.append(one)
    return kept


def _too_large(spot: Spot) -> str:
    size = " x ".join(f"{side:.0f}" for side in sorted(spot.size_mm))
    return f"{size} mm large: bone, a wire or the table"


def _rejected(ct: Volume, spot: Spot, reason: str) -> RejectedSpot:
    return RejectedSpot(read_only(ct.index_to_mm(spot.kji[None, ::-1])[0]), reason)
