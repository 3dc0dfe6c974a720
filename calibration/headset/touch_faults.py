"""What is wrong with touches that cannot be used, as a sentence: each known mistake is tried, the best one is named."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calibration.headset.alignment import misfit_rms_mm, rigid_matrix
from calibration.headset.errors import HeadsetRefusedError
from geometry.points import Floats

if TYPE_CHECKING:
    from calibration.headset.touches import TargetTouch, TouchSettings

# All orders of up to six points are tried; of more, all exchanges of two.
_ALL_ORDERS = 6
# A mistake explains touches if they fit so much better without it.
_MUCH_BETTER = 3.0


def check_touches(touches: Sequence[TargetTouch], settings: TouchSettings) -> None:
    """Refuses what can be told before anything is fitted.

    Raises:
        HeadsetRefusedError: too few touches, a point that comes twice, two anchors, another unit, out of reach, or on
            a line.
    """
    if len(touches) < settings.minimum_touches:
        raise HeadsetRefusedError(
            f"{len(touches)} touched points", f"at least {settings.minimum_touches}, better six", "touch more of them"
        )
    names = [touch.name for touch in touches]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise HeadsetRefusedError(
            f"the point '{twice[0]}' {names.count(twice[0])} times",
            "each point once",
            "keep the last touch of each point, or undo the one before",
        )
    anchors = [touch.anchor for touch in touches]
    if len(set(anchors)) > 1:
        first = next(index for index, anchor in enumerate(anchors) if anchor != anchors[0])
        raise moved_meanwhile(f"from the touch of '{names[first]}' on, under another anchor")
    shown_mm = np.stack([touch.shown_headset_mm for touch in touches])
    tip_mm = np.stack([touch.tip_tracker_mm for touch in touches])
    _check_unit(_span_mm(shown_mm), _span_mm(tip_mm))
    _check_reach(names, shown_mm, tip_mm, settings)
    for points_mm, what in ((shown_mm, "shown"), (tip_mm, "touched")):
        _check_width(points_mm, what, settings)


def moved_meanwhile(how: str) -> HeadsetRefusedError:
    """The headset's world moved while it was measured."""
    return HeadsetRefusedError(
        f"a headset whose world moved meanwhile: {how}",
        "one place of the headset's world from the first measurement to the last",
        "keep the headset on and its cameras free, and begin again",
    )


def _check_unit(shown_span_mm: float, tip_span_mm: float) -> None:
    ratio = shown_span_mm / max(tip_span_mm, 1e-9)
    for factor, whose in ((1000.0, "tip are in metres"), (0.001, "headset are in metres")):
        if 0.2 < ratio / factor < 5.0:
            raise HeadsetRefusedError(
                f"shown points {shown_span_mm:.4g} mm across that are {tip_span_mm:.4g} mm across for the tip: "
                f"the positions of the {whose}",
                "both in millimetres",
                "multiply metres by 1000 where they are read",
            )


def _check_reach(names: Sequence[str], shown_mm: Floats, tip_mm: Floats, settings: TouchSettings) -> None:
    for points_mm, what in ((shown_mm, "shown"), (tip_mm, "touched")):
        if _span_mm(points_mm) > settings.maximum_span_mm:
            far = int(np.argmax(np.linalg.norm(points_mm - np.median(points_mm, axis=0), axis=1)))
            raise HeadsetRefusedError(
                f"the point '{names[far]}' {what} out of reach, {_span_mm(points_mm) / 1000.0:.1f} m from another one",
                f"points within {settings.maximum_span_mm / 1000.0:g} m of one another",
                "show the points around the place of the operation, and touch each where it is shown",
            )


def _check_width(points_mm: Floats, what: str, settings: TouchSettings) -> None:
    width_mm = float(np.linalg.svd(points_mm - points_mm.mean(axis=0), compute_uv=False)[1] / np.sqrt(len(points_mm)))
    if width_mm < settings.minimum_width_mm:
        raise HeadsetRefusedError(
            f"{what} points on a line: {width_mm:.0f} mm RMS beside it, so that the turn about it stays unknown",
            f"at least {settings.minimum_width_mm:g} mm RMS beside the line that fits them best",
            "show one point well beside the others",
        )


def same_when_exchanged(names: Sequence[str], shown_mm: Floats, minimum_mm: float) -> str:
    """The points, in words, that could be exchanged without a residual to show it; empty if there are none."""
    orders = _orders(len(shown_mm))
    misfits_mm = _misfits_rms_mm(shown_mm[orders], shown_mm)
    worst = int(np.argmin(misfits_mm))
    return _exchanged(names, orders[worst]) if misfits_mm[worst] < minimum_mm else ""


def explain_misfit(
    names: Sequence[str], tip_mm: Floats, shown_mm: Floats, rms_mm: float, settings: TouchSettings
) -> HeadsetRefusedError:
    """The error that says why the touches leave `rms_mm`."""
    good_mm = min(settings.maximum_residual_rms_mm, rms_mm / _MUCH_BETTER)
    allowed = f"touches that fit within {settings.maximum_residual_rms_mm:g} mm RMS"
    left = f"touches that leave {rms_mm:.1f} mm RMS"
    if len(names) > 3 and misfit_rms_mm(tip_mm, shown_mm, mirrored=True) < good_mm:
        return HeadsetRefusedError(
            f"{left}, and fit as a mirror image: one of the two frames is left-handed",
            "two right-handed frames",
            "convert Unity's axes once, by (x, y, z) -> (-x, -z, y) in mm, and not twice",
        )
    exchanged, misfit_mm = _best_order(names, tip_mm, shown_mm)
    if misfit_mm < good_mm and len(names) > 3:
        return HeadsetRefusedError(
            f"{left}, and {misfit_mm:.1f} mm with {exchanged} exchanged: touched in another order",
            allowed,
            "touch the point that is lit, and show one at a time",
        )
    shift = _jump(tip_mm, shown_mm, good_mm)
    if shift is not None:
        before, moved_mm = shift
        return moved_meanwhile(
            f"by {moved_mm:.0f} mm between the touches of '{names[before - 1]}' and '{names[before]}'"
        )
    if len(names) > 4:
        without = [
            misfit_rms_mm(np.delete(tip_mm, i, axis=0), np.delete(shown_mm, i, axis=0)) for i in range(len(names))
        ]
        worst = int(np.argmin(without))
        if without[worst] < good_mm:
            return HeadsetRefusedError(
                f"{left}, and {without[worst]:.1f} mm without '{names[worst]}': it was touched elsewhere",
                allowed,
                f"touch '{names[worst]}' again",
            )
    return HeadsetRefusedError(
        left, allowed, "check the stylus' calibration, hold its tip on each point until it is taken, and begin again"
    )


def _best_order(names: Sequence[str], tip_mm: Floats, shown_mm: Floats) -> tuple[str, float]:
    """The exchange of points, in words, with which the touches fit best, and what it leaves."""
    orders = _orders(len(names))
    misfits_mm = _misfits_rms_mm(tip_mm[orders], shown_mm)
    best = int(np.argmin(misfits_mm))
    return _exchanged(names, orders[best]), float(misfits_mm[best])


def _jump(tip_mm: Floats, shown_mm: Floats, good_mm: float) -> tuple[int, float] | None:
    """After how many touches the world moved, and how far at the points; None if no such moment explains them."""
    count, best = len(tip_mm), None
    for before in range(3, count - 2):
        parts = [(tip_mm[:before], shown_mm[:before]), (tip_mm[before:], shown_mm[before:])]
        left_mm = max(misfit_rms_mm(*part) for part in parts)
        if left_mm < good_mm and (best is None or left_mm < best[0]):
            first, second = (rigid_matrix(*part, np.ones(len(part[0]))) for part in parts)
            middle = np.append(tip_mm.mean(axis=0), 1.0)
            best = (left_mm, before, float(np.linalg.norm((second - first) @ middle)))
    return None if best is None else best[1:]


def _misfits_rms_mm(many_mm: Floats, points_mm: Floats) -> Floats:
    """`misfit_rms_mm` of each of many sets ``(k, n, 3)`` to the same points, from the singular values alone."""
    first_mm = many_mm - many_mm.mean(axis=1, keepdims=True)
    other_mm = points_mm - points_mm.mean(axis=0)
    mixed = np.einsum("kni,nj->kij", first_mm, other_mm)
    values = np.linalg.svd(mixed, compute_uv=False)
    overlap = values[:, 0] + values[:, 1] + np.sign(np.linalg.det(mixed)) * values[:, 2]
    squares = np.sum(first_mm**2, axis=(1, 2)) + np.sum(other_mm**2) - 2.0 * overlap
    return np.sqrt(np.maximum(squares, 0.0) / len(points_mm))


def _orders(count: int) -> NDArray[np.intp]:
    """Orders ``(k, count)`` of points other than their own."""
    if count <= _ALL_ORDERS:
        return np.array(list(permutations(range(count)))[1:])
    orders = np.tile(np.arange(count), (count * (count - 1) // 2, 1))
    for order, (one, other) in zip(orders, combinations(range(count), 2), strict=True):
        order[one], order[other] = other, one
    return orders


def _exchanged(names: Sequence[str], order: NDArray[np.intp]) -> str:
    others = [f"'{names[place]}'" for place, number in enumerate(order) if place != number]
    return f"{', '.join(others[:-1])} and {others[-1]}"


def _span_mm(points_mm: Floats) -> float:
    return float(np.linalg.norm(points_mm[:, None] - points_mm[None], axis=2).max())
