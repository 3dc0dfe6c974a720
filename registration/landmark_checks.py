"""Which landmarks cannot give a pose, or cannot belong together. Refused in words, before anybody trusts a number."""

from __future__ import annotations

from dataclasses import dataclass

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
    _check_units(ct_mm, reference_mm)
    for side, points_mm in (("ct", ct_mm), ("reference", reference_mm)):
        _check_separation(side, points_mm, names, limits)
        _check_line(side, points_mm, limits)
    _check_distances(ct_mm, reference_mm, sd_mm, names, limits)


def check_fit(ct_mm: Floats, reference_mm: Floats, weights: Floats, chi_square: float) -> None:
    """Raises `LandmarksRefusedError` if the mirror image of one side fits although the side itself does not."""
    # One in a million by chance; and the mirror image must explain nearly all of the misfit.
    if chi_square <= chdtri(3 * len(ct_mm) - 6, 1e-6):
        return
    left = ct_mm * (-1.0, 1.0, 1.0)
    left, right = (points - weights @ points / weights.sum() for points in (left, reference_mm))
    rotation, _ = Rotation.align_vectors(right, left, weights)
    mirrored = float(weights @ np.sum((right - rotation.apply(left)) ** 2, axis=1))
    if mirrored < 0.1 * chi_square:
        raise LandmarksRefusedError(
            "landmarks that fit their mirror image, not themselves",
            "the same handedness on both sides",
            "check the orientation of the CT (left and right) and of the landmark file",
        )


def _check_units(ct_mm: Floats, reference_mm: Floats) -> None:
    spreads = [float(np.sqrt(np.mean(np.sum((p - p.mean(axis=0)) ** 2, axis=1)))) for p in (ct_mm, reference_mm)]
    small, large = min(spreads), max(spreads)
    if small > 0 and MM_PER_M / 2 < large / small < MM_PER_M * 2:
        side = "ct" if spreads[0] < spreads[1] else "reference"
        raise LandmarksRefusedError(
            f"landmarks that spread over {spreads[0]:.4g} in ct and {spreads[1]:.4g} in reference",
            "millimetres on both sides",
            f"convert those in '{side}' from metres to millimetres",
        )


def _check_separation(side: str, points_mm: Floats, names: tuple[str, ...], limits: LandmarkLimits) -> None:
    distances = squareform(pdist(points_mm))
    np.fill_diagonal(distances, np.inf)
    first, second = np.unravel_index(int(distances.argmin()), distances.shape)
    if distances[first, second] < limits.minimum_separation_mm:
        raise LandmarksRefusedError(
            f"landmarks '{names[first]}' and '{names[second]}' {distances[first, second]:.2f} mm apart in {side}",
            f"at least {limits.minimum_separation_mm:g} mm between landmarks",
            "remove one, or touch the right place",
        )


def _check_line(side: str, points_mm: Floats, limits: LandmarkLimits) -> None:
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
    # The landmark in most of the disagreements, the larger sum breaking ties.
    worst = int(np.lexsort((disagreement.sum(axis=1), gross.sum(axis=1)))[-1])
    partner = _swap_partner(ct_mm, reference_mm, worst)
    hint = "" if partner is None else f"; swapping it with '{names[partner]}' would fit"
    raise LandmarksRefusedError(
        f"landmark '{names[worst]}', whose distances to the others differ by up to {disagreement[worst].max():.1f} mm "
        f"between ct and reference{hint}",
        f"differences up to {allowed[worst].min():.1f} mm",
        "touch it again, exchange what is swapped, or leave it out",
    )


def _swap_partner(ct_mm: Floats, reference_mm: Floats, worst: int) -> int | None:
    """The landmark with which `worst` was exchanged, if exchanging them back removes most of the disagreement."""

    def misfit(order: list[int]) -> float:
        return float(np.abs(pdist(ct_mm) - pdist(reference_mm[order])).sum())

    straight = list(range(len(ct_mm)))
    results: list[tuple[float, int]] = []
    for other in straight:
        if other != worst:
            order = straight.copy()
            order[worst], order[other] = other, worst
            results.append((misfit(order), other))
    best, partner = min(results)
    return partner if best < 0.2 * misfit(straight) else None
