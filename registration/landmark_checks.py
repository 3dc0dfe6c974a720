"""Which landmarks cannot give a pose, or cannot belong together. Refused in words, before anybody trusts a number."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.spatial.transform import Rotation
from scipy.special import chdtri

from geometry.points import Floats
from registration.errors import LandmarksRefusedError

# Spreads that differ by about this factor are metres against millimetres, whatever the anatomy.
MM_PER_M = 1000.0


@dataclass(frozen=True, kw_only=True)
class LandmarkLimits:
    """Beyond these, landmarks are refused.

    Attributes:
        minimum_separation_mm: two landmarks nearer than this are one, touched twice.
        minimum_off_line_rms_mm: RMS distance of the landmarks from the line through them that is needed to fix the
            rotation about it. With four landmarks, 1 mm of FLE and 10 mm off the line, that rotation is uncertain by
            some 2 degrees.
        maximum_disagreement_mm: by how much the distance between two landmarks may differ between CT and patient (skin
            moves by a few mm). Beyond it, and beyond six standard deviations of the stated FLE, a pair is swapped or
            mistaken.
    """

    minimum_separation_mm: float = 2.0
    minimum_off_line_rms_mm: float = 10.0
    maximum_disagreement_mm: float = 10.0


def check_pairs(
    ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, names: tuple[str, ...], limits: LandmarkLimits
) -> None:
    """Raises `LandmarksRefusedError` unless the pairs can determine a pose and agree in their mutual distances."""
    if len(ct_mm) < 3:
        raise LandmarksRefusedError(f"{len(ct_mm)} landmarks", "at least three", "touch more landmarks")
    check_units(ct_mm, reference_mm)
    for side, points_mm in (("ct", ct_mm), ("reference", reference_mm)):
        check_separation(side, points_mm, names, limits)
        check_line(side, points_mm, limits)
    _check_distances(ct_mm, reference_mm, sd_mm, names, limits)


def check_fit(ct_mm: Floats, reference_mm: Floats, weights: Floats, chi_square: float) -> None:
    """Raises `LandmarksRefusedError` if the mirror image of one side fits although the side itself does not."""
    # One in a million by chance; and the mirror image must explain nearly all of the misfit.
    significant = chi_square > chdtri(3 * len(ct_mm) - 6, 1e-6)
    if significant and _misfit(ct_mm * (-1.0, 1.0, 1.0), reference_mm, weights) < 0.1 * chi_square:
        raise LandmarksRefusedError(
            "landmarks that fit their mirror image, not themselves",
            "the same handedness on both sides",
            "check the orientation of the CT (left and right) and of the landmark file",
        )


def _misfit(ct_mm: Floats, reference_mm: Floats, weights: Floats) -> float:
    """Weighted sum of squared residuals of the best rigid fit."""
    ct_mm, reference_mm = (points - weights @ points / weights.sum() for points in (ct_mm, reference_mm))
    rotation, _ = Rotation.align_vectors(reference_mm, ct_mm, weights)
    return float(weights @ np.sum((reference_mm - rotation.apply(ct_mm)) ** 2, axis=1))


def check_units(ct_mm: Floats, reference_mm: Floats) -> None:
    spreads = [float(np.sqrt(np.mean(np.sum((p - p.mean(axis=0)) ** 2, axis=1)))) for p in (ct_mm, reference_mm)]
    small, large = min(spreads), max(spreads)
    if small > 0 and MM_PER_M / 2 < large / small < MM_PER_M * 2:
        side = "ct" if spreads[0] < spreads[1] else "reference"
        raise LandmarksRefusedError(
            f"landmarks that spread over {spreads[0]:.4g} in ct and {spreads[1]:.4g} in reference",
            "millimetres on both sides",
            f"convert those in '{side}' from metres to millimetres",
        )


def check_separation(side: str, points_mm: Floats, names: tuple[str, ...], limits: LandmarkLimits) -> None:
    distances = squareform(pdist(points_mm))
    np.fill_diagonal(distances, np.inf)
    first, second = np.unravel_index(int(distances.argmin()), distances.shape)
    if distances[first, second] < limits.minimum_separation_mm:
        raise LandmarksRefusedError(
            f"landmarks '{names[first]}' and '{names[second]}' {distances[first, second]:.2f} mm apart in {side}",
            f"at least {limits.minimum_separation_mm:g} mm between landmarks",
            "remove one, or touch the right place",
        )


def check_line(side: str, points_mm: Floats, limits: LandmarkLimits) -> None:
    spreads = np.linalg.svd(points_mm - points_mm.mean(axis=0), compute_uv=False) / np.sqrt(len(points_mm))
    off_line_mm = float(np.hypot(spreads[1], spreads[2]))
    if off_line_mm < limits.minimum_off_line_rms_mm:
        raise LandmarksRefusedError(
            f"landmarks that lie within {off_line_mm:.1f} mm RMS of one line in {side}",
            f"at least {limits.minimum_off_line_rms_mm:g} mm RMS off any line",
            "add a landmark to the side of that line: without it the rotation about it is unknown",
        )


def _check_distances(
    ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, names: tuple[str, ...], limits: LandmarkLimits
) -> None:
    disagreement = np.abs(squareform(pdist(ct_mm) - pdist(reference_mm)))
    allowed = np.maximum(limits.maximum_disagreement_mm, 6.0 * np.hypot(sd_mm[:, None], sd_mm[None, :]))
    gross = disagreement > allowed
    if not gross.any():
        return
    weights = sd_mm**-2.0
    exchanged = _exchanged(ct_mm, reference_mm, weights)
    if exchanged is not None:
        raise LandmarksRefusedError(
            f"landmarks '{names[exchanged[0]]}' and '{names[exchanged[1]]}' that fit once exchanged, not as they are",
            "the same order on both sides",
            "exchange the two, or touch them again in the order asked for",
        )
    # The landmark in most of the disagreements, the larger sum breaking ties.
    worst = int(np.lexsort((disagreement.sum(axis=1), gross.sum(axis=1)))[-1])
    raise LandmarksRefusedError(
        f"landmark '{names[worst]}', whose distances to the others differ by up to {disagreement[worst].max():.1f} mm "
        f"between ct and reference",
        f"differences up to {allowed[worst].min():.1f} mm",
        "touch it again, or leave it out",
    )


def _exchanged(ct_mm: Floats, reference_mm: Floats, weights: Floats) -> tuple[int, int] | None:
    """The two landmarks whose exchange makes the rest fit, if there are two."""
    candidates: list[tuple[float, tuple[int, int]]] = []
    for pair in combinations(range(len(ct_mm)), 2):
        order = np.arange(len(ct_mm))
        order[list(pair)] = pair[::-1]
        candidates.append((_misfit(ct_mm, reference_mm[order], weights), pair))
    best, pair = min(candidates)
    return pair if best < 0.05 * _misfit(ct_mm, reference_mm, weights) else None
