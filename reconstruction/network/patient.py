"""Separates the patient in a CT from table, head holder, tubes and clothes, even where they touch.

What lies under and beside a patient is thin: plates, shells around foam, tubes, folds of cloth. Tissue is thick. So
what is thin is cut off where it hangs on what is thick; ears, fingers and folds of skin are thin too, but small, and
stay. The foam inside a board is air that reaches the room as soon as its shells are gone; lungs stay enclosed.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from geometry.points import Bools, Singles

SOLID_HU = -500.0  # half way between air and water
THIN_MM = 8.0  # plates and shells up to this thickness
GROW_MM = 6.0  # beyond thick tissue: what shrinking by half of THIN_MM took from it, at corners too
SMALL_MM = 45.0  # longest side of a thin part that stays: an ear has some 60 mm by 35, half of it within GROW_MM
LUNG_THICK_MM = 40.0  # enclosed air thinner than this is foam in a board, or bowel gas, which needs no filling
SECOND_SHARE = 0.1  # of the largest thick part: a second leg or arm, where the network takes it for the patient
MOUTH_MM = 4.0  # outside air does not enter through narrower openings: noses, mouths, gaps in a thin wall


def patient_hull(hu: Singles, inside: Bools, spacing_mm: float) -> Bools:
    """True for the patient with all that he encloses; the room, the table and what lies on it are False.

    Args:
        hu: ``(nk, nj, ni)``, whose k axis runs head to foot.
        inside: what the network takes for the patient; it says which thick parts are.
        spacing_mm: isotropic.
    """
    solid = hu > SOLID_HU
    filled = solid | _lungs(~solid, spacing_mm)
    thick = ndimage.distance_transform_edt(filled) * spacing_mm > THIN_MM / 2.0
    core = _patients_parts(thick, inside)
    if not core.any():
        return inside
    patient = filled & _grown(core, GROW_MM, spacing_mm)
    patient |= _small_parts(solid & ~patient, spacing_mm)
    return ~_reached_from_the_sides(~patient, spacing_mm)


def _lungs(air: Bools, spacing_mm: float) -> Bools:
    """Thick air that does not reach the sides."""
    enclosed = air & ~_touching_sides(air)
    thick = ndimage.distance_transform_edt(enclosed) * spacing_mm > LUNG_THICK_MM / 2.0
    parts, _ = ndimage.label(enclosed)
    return np.isin(parts, np.unique(parts[thick]))


def _patients_parts(thick: Bools, inside: Bools) -> Bools:
    parts, count = ndimage.label(thick)
    sizes = np.bincount(parts.ravel(), minlength=count + 1).astype(float)
    patients = np.bincount(parts.ravel(), weights=inside.ravel(), minlength=count + 1)
    sizes[0] = patients[0] = 0.0
    if not patients.any():
        return np.zeros_like(thick)
    stays = (patients > 0.5 * sizes) & (sizes >= SECOND_SHARE * patients.max())
    stays[int(patients.argmax())] = True
    stays[0] = False
    return np.asarray(stays[parts])


def _small_parts(thin: Bools, spacing_mm: float) -> Bools:
    parts, count = ndimage.label(thin)
    small = np.zeros(count + 1, bool)
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        small[number] = max(part.stop - part.start for part in box) * spacing_mm <= SMALL_MM
    return np.asarray(small[parts])


def _reached_from_the_sides(open_space: Bools, spacing_mm: float) -> Bools:
    """Space that a ball of `MOUTH_MM` can reach from a side, and as far into narrower folds again."""
    wide = ~_grown(~open_space, MOUTH_MM / 2.0, spacing_mm)
    reached = _touching_sides(wide | _rim(open_space))
    return np.asarray(open_space & _grown(reached, MOUTH_MM, spacing_mm))


def _grown(mask: Bools, by_mm: float, spacing_mm: float) -> Bools:
    """A little more than asked along diagonals: far faster than exact distances."""
    around = ndimage.generate_binary_structure(3, 2)
    return np.asarray(ndimage.binary_dilation(mask, around, iterations=max(1, round(by_mm / spacing_mm))))


def _rim(space: Bools) -> Bools:
    """What of it lies on a side of the scan."""
    rim = np.zeros_like(space)
    for face in (0, -1):
        rim[:, face], rim[:, :, face] = space[:, face], space[:, :, face]
    return rim


def _touching_sides(space: Bools) -> Bools:
    parts, _ = ndimage.label(space)
    reached = np.unique(parts[_rim(space)])
    return np.isin(parts, reached[reached > 0])
