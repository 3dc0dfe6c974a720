"""Refuses landmarks that cannot determine a pose, or whose pairs contradict one another, with the likely cause."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.special import chdtri

from geometry.points import Floats
from registration.errors import LandmarksRefusedError
from registration.landmarks.blame import names_of, possibly_wrong
from registration.landmarks.rigid_fit import misfit
from registration.landmarks.touch_order import order_in_words, orders_that_fit
from registration.landmarks.units import unit_of


@dataclass(frozen=True, kw_only=True)
class LandmarkLimits:
    """Limits beyond which landmarks are refused.

    Attributes:
        minimum_separation_mm: smallest distance between two landmarks; nearer ones are taken for the same.
        minimum_off_line_rms_mm: smallest RMS distance of the landmarks from the line through them, needed to fix the
            rotation about it. With four landmarks, 1 mm of FLE and 10 mm off the line, that rotation is uncertain by
            some 2 degrees.
        maximum_disagreement_mm: largest difference of a distance between two landmarks between CT and patient (skin
            moves by a few mm). Landmarks are refused beyond both this and six standard deviations of the stated FLE.
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


def check_fit(ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, chi_square: float, names: tuple[str, ...]) -> None:
    """Raises `LandmarksRefusedError` if a mirror image, or another order, fits although the pairs do not."""
    # Only for a misfit that chance gives once in a million; the alternative must explain at least 90 % of it.
    if chi_square <= chdtri(3 * len(ct_mm) - 6, 1e-6):
        return
    if misfit(ct_mm * (-1.0, 1.0, 1.0), reference_mm, sd_mm**-2.0) < 0.1 * chi_square:
        raise LandmarksRefusedError(
            "landmarks that fit their mirror image, not themselves",
            "the same handedness on both sides",
            "check the orientation of the CT (left and right) and of the landmark file",
        )
    _check_order(ct_mm, reference_mm, sd_mm, names)


def check_units(ct_mm: Floats, reference_mm: Floats) -> None:
    """Raises `LandmarksRefusedError` if one side seems to be in metres, centimetres or inches, the other in mm."""
    spreads = [float(np.sqrt(np.mean(np.sum((p - p.mean(axis=0)) ** 2, axis=1)))) for p in (ct_mm, reference_mm)]
    small, large = min(spreads), max(spreads)
    unit = unit_of(large / small) if small > 0.0 else None
    if unit is not None:
        side = "ct" if spreads[0] < spreads[1] else "reference"
        raise LandmarksRefusedError(
            f"landmarks that spread over {spreads[0]:.4g} in ct and {spreads[1]:.4g} in reference: "
            f"those in '{side}' look like {unit}",
            "millimetres on both sides",
            f"convert those in '{side}' from {unit} to millimetres",
        )


def check_separation(side: str, points_mm: Floats, names: tuple[str, ...], limits: LandmarkLimits) -> None:
    """Raises `LandmarksRefusedError` if two points ``(n, 3)`` of a side are too near each other."""
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
    """Raises `LandmarksRefusedError` if the points ``(n, 3)`` of a side are nearly collinear."""
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
    _check_order(ct_mm, reference_mm, sd_mm, names)
    if len(ct_mm) > 3:  # with three, exchanging two may fit by accident
        _check_exchanged(ct_mm, reference_mm, sd_mm**-2.0, names)
    wrong = possibly_wrong(ct_mm, reference_mm, sd_mm)
    worst = np.where(gross, disagreement, 0.0).max()
    said = f"differ by up to {worst:.1f} mm between ct and reference"
    limit = f"differences up to {allowed[gross].min():.1f} mm"
    if len(wrong) == 1:
        raise LandmarksRefusedError(
            f"landmark '{names[wrong[0]]}', whose distances to the others {said}",
            limit,
            "touch it again, or leave it out",
        )
    first, second = np.unravel_index(int(np.where(gross, disagreement, 0.0).argmax()), gross.shape)
    raise LandmarksRefusedError(
        f"landmarks whose mutual distances {said} ('{names[first]}' to '{names[second]}'), where {len(ct_mm)} "
        f"landmarks cannot tell which is wrong: {names_of(wrong, names)} may be",
        limit,
        "touch these again, in the order asked for, and one landmark more",
    )


def _check_order(ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, names: tuple[str, ...]) -> None:
    orders = orders_that_fit(ct_mm, reference_mm, sd_mm)
    if not orders or tuple(range(len(ct_mm))) in orders:
        return
    wrong = [i for i, planned in enumerate(orders[0]) if i != planned]
    if len(orders) > 1:
        ways = "; or ".join(order_in_words(order, names) for order in orders[:3])
        raise LandmarksRefusedError(
            f"landmarks that fit in {len(orders)} other orders, not as they are: {ways}",
            "the same order on both sides",
            "touch them again in the order asked for, and one landmark more, off their symmetry",
        )
    if len(wrong) == 2:
        raise _exchanged_error(names[wrong[0]], names[wrong[1]])
    raise LandmarksRefusedError(
        f"landmarks that fit in another order, and in no other: {order_in_words(orders[0], names)}",
        "the same order on both sides",
        "name them so, or touch them again in the order asked for",
    )


def _check_exchanged(ct_mm: Floats, reference_mm: Floats, weights: Floats, names: tuple[str, ...]) -> None:
    """Raises `LandmarksRefusedError` if exchanging two landmarks reduces the misfit to less than 5 %."""
    candidates: list[tuple[float, tuple[int, int]]] = []
    for pair in combinations(range(len(ct_mm)), 2):
        order = np.arange(len(ct_mm))
        order[list(pair)] = pair[::-1]
        candidates.append((misfit(ct_mm, reference_mm[order], weights), pair))
    best, pair = min(candidates)
    if best < 0.05 * misfit(ct_mm, reference_mm, weights):
        raise _exchanged_error(names[pair[0]], names[pair[1]])


def _exchanged_error(one: str, other: str) -> LandmarksRefusedError:
    return LandmarksRefusedError(
        f"landmarks '{one}' and '{other}' that fit once exchanged, not as they are",
        "the same order on both sides",
        "exchange the two, or touch them again in the order asked for",
    )
