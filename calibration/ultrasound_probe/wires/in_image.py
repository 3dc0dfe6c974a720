"""The wires of an N-wire phantom in an ultrasound image: bright spots, and which spot is which wire.

Parallel wires cross every plane in the same pattern, but for an affine map: their cross-section, seen obliquely. So
two spots taken for the side wires of one N say where all other side wires should be seen, and the pair that most spots
agree with names them all; the middle wires lie on the lines between. Mirrored patterns are tried too: what is seen
decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from calibration.ultrasound_probe.errors import ProbeInputError
from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from geometry.points import Bools, Floats


@dataclass(frozen=True, kw_only=True)
class WireSettings:
    """How wires look.

    Attributes:
        spacing_mm: size of a pixel, roughly: within a quarter.
        largest_mm, smallest_mm: width and height of a wire's spot in the image, in mm.
        threshold: share of the brightest spot above which a pixel belongs to one.
        most_spots: the brightest so many are looked at.
        first_tolerance_mm: how far a side wire may be from where two others put it.
        tolerance_mm: how far wires may be from the pattern once all are fitted.
    """

    spacing_mm: float
    largest_mm: tuple[float, float] = (4.0, 3.0)
    smallest_mm: float = 0.25
    threshold: float = 0.15
    most_spots: int = 24
    first_tolerance_mm: float = 1.8
    tolerance_mm: float = 0.8


@dataclass(frozen=True, eq=False)
class WiresSeen:
    """The wires of one image.

    Attributes:
        names: of the wires, three for each N that was seen whole.
        points_px: ``(n, 2)`` in px, x and y.
        mirrored: the pattern is seen mirrored, from the back or in an image whose sides were exchanged.
    """

    names: tuple[str, ...]
    points_px: Floats
    mirrored: bool


def find_spots(image: np.ndarray, settings: WireSettings) -> Floats:
    """Bright spots of the size of a wire in a grey image ``(h, w)``, brightest first, ``(n, 2)`` in px."""
    smooth = ndimage.uniform_filter(image.astype(np.float32), max(3, round(0.25 / settings.spacing_mm)))
    level = max(settings.threshold * float(smooth.max()), float(smooth.mean() + 3.0 * smooth.std()), 1.0)
    labels, count = ndimage.label(smooth > level)
    if count == 0:
        return np.zeros((0, 2))
    boxes = np.array([[part.stop - part.start for part in box] for box in ndimage.find_objects(labels)])
    sizes_mm = boxes[:, ::-1] * settings.spacing_mm
    good = (sizes_mm <= settings.largest_mm).all(axis=1) & (sizes_mm >= settings.smallest_mm).all(axis=1)
    rows, columns = np.nonzero(labels)
    spot = labels[rows, columns] - 1
    weights = smooth[rows, columns] - level
    light = np.bincount(spot, weights, count)
    sums = [np.bincount(spot, weights * places, count) for places in (columns, rows)]
    points = np.column_stack(sums) / np.maximum(light, 1e-9)[:, None]
    order = np.argsort(-light[good], kind="stable")[: settings.most_spots]
    brightest: Floats = points[good][order]
    return brightest


def find_wires(image: np.ndarray, phantom: NWirePhantom, settings: WireSettings) -> WiresSeen | None:
    """Finds and names the wires in a grey image ``(h, w)``; None where fewer than two whole Ns are seen.

    Raises:
        ProbeInputError: a phantom of one N, whose wires cannot be told apart, or one whose Ns have no common direction.
    """
    return name_wires(find_spots(image, settings), phantom, settings)


def name_wires(spots_px: Floats, phantom: NWirePhantom, settings: WireSettings) -> WiresSeen | None:
    """As `find_wires`, of spots ``(n, 2)`` in px, brightest first."""
    pattern_mm = _cross_section(phantom)
    if len(spots_px) < 6:
        return None
    spots_mm = spots_px * settings.spacing_mm
    start = _best_pair(spots_mm, pattern_mm, settings.first_tolerance_mm)
    if start is None:
        return None
    affine, mirrored = start
    spot_of = np.full(len(pattern_mm), -1)
    for tolerance_mm in (settings.first_tolerance_mm, settings.tolerance_mm, settings.tolerance_mm):
        spot_of = _nearest(spots_mm, _rows(pattern_mm) @ affine, tolerance_mm)
        seen = spot_of >= 0
        if seen.sum() < 4:
            return None
        affine = np.linalg.lstsq(_rows(pattern_mm[seen]), spots_mm[spot_of[seen]], rcond=1e-9)[0]
    return _with_middles(spots_mm, spot_of, phantom, mirrored, settings)


def _cross_section(phantom: NWirePhantom) -> Floats:
    """The side wires, first and second of each N in turn, across their common direction, ``(2 k, 2)`` in mm."""
    sides = np.array([3 * k + j for k in range(len(phantom.names) // 3) for j in (0, 2)])
    along = phantom.directions[sides] * np.sign(phantom.directions[sides] @ phantom.directions[0])[:, None]
    mean = along.mean(axis=0) / np.linalg.norm(along.mean(axis=0))
    if len(sides) < 4 or np.linalg.norm(np.cross(along, mean), axis=1).max() > np.sin(np.deg2rad(2.0)):
        came = f"a phantom of {len(sides) // 2} N-wires, or of side wires in different directions"
        raise ProbeInputError(came, "two or more Ns with parallel side wires", "name the wires by hand")
    axes = np.linalg.svd(mean[None])[2][1:]
    axes[1] *= np.sign(np.linalg.det(np.vstack([axes, mean])))
    flat: Floats = phantom.starts_mm[sides] @ axes.T
    return flat


def _rows(points: Floats) -> Floats:
    return np.column_stack([points, np.ones(len(points))])


def _best_pair(spots_mm: Floats, pattern_mm: Floats, tolerance_mm: float) -> tuple[Floats, bool] | None:
    """The affine map ``(3, 2)`` from pattern to spots that two spots give and most agree with; None without four."""
    z = spots_mm[:, 0] + 1j * spots_mm[:, 1]
    first, second = (places.ravel() for places in np.meshgrid(np.arange(len(z)), np.arange(len(z)), indexing="ij"))
    best: tuple[int, float, Floats, bool] | None = None
    for mirrored in (False, True):
        w = pattern_mm[:, 0] + (-1j if mirrored else 1j) * pattern_mm[:, 1]
        for k in range(0, len(w), 2):
            turned = (z[second] - z[first]) / (w[k + 1] - w[k])
            near = np.abs(np.log(np.maximum(np.abs(turned), 1e-9))) < np.log(1.3)
            predicted = z[first[near], None] + turned[near, None] * (w - w[k])
            if not near.any():
                continue
            off = np.abs(predicted[:, :, None] - z).min(axis=2)
            agree, left = (off < tolerance_mm).sum(axis=1), np.minimum(off, tolerance_mm).sum(axis=1)
            place = int(np.lexsort((left, -agree))[0])
            if best is None or (-int(agree[place]), float(left[place])) < (-best[0], best[1]):
                found = np.column_stack([predicted[place].real, predicted[place].imag])
                affine = np.linalg.lstsq(_rows(pattern_mm), found, rcond=1e-9)[0]
                best = int(agree[place]), float(left[place]), affine, mirrored
    return None if best is None or best[0] < 4 else (best[2], best[3])


def _nearest(spots_mm: Floats, wanted_mm: Floats, tolerance_mm: float) -> np.ndarray:
    """Which spot lies nearest to each wanted place, ``(k,)``; -1 where none is near, or another place is nearer."""
    apart = np.linalg.norm(wanted_mm[:, None] - spots_mm, axis=2)
    nearest = apart.argmin(axis=1)
    wanted_by = apart.argmin(axis=0)
    good = (apart.min(axis=1) < tolerance_mm) & (wanted_by[nearest] == np.arange(len(wanted_mm)))
    return np.where(good, nearest, -1)


def _with_middles(
    spots_mm: Floats, spot_of: np.ndarray, phantom: NWirePhantom, mirrored: bool, settings: WireSettings
) -> WiresSeen | None:
    free = ~np.isin(np.arange(len(spots_mm)), spot_of)
    names: list[str] = []
    chosen: list[int] = []
    for k in range(len(spot_of) // 2):
        first, second = spot_of[2 * k : 2 * k + 2]
        if first < 0 or second < 0:
            continue
        between = np.flatnonzero(free & _between(spots_mm, spots_mm[first], spots_mm[second], settings.tolerance_mm))
        if len(between):
            names += phantom.names[3 * k : 3 * k + 3]
            chosen += [int(first), int(between[0]), int(second)]  # of several the brightest
    if len(chosen) < 6:
        return None
    return WiresSeen(tuple(names), spots_mm[chosen] / settings.spacing_mm, mirrored)


def _between(points: Floats, first: Floats, second: Floats, tolerance_mm: float) -> Bools:
    along = second - first
    length = float(np.linalg.norm(along))
    share = (points - first) @ along / length**2
    x, y = ((points - first) / length).T
    off_mm = np.abs(x * along[1] - y * along[0])
    inside: Bools = (share > 0.02) & (share < 0.98) & (off_mm < tolerance_mm)
    return inside
