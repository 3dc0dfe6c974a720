"""The answer: tissues on a finer grid than the network's, where the CT decides the borders of bone, lung and skin.

A network at 3 mm says where what is; a cortex is half as thick as its voxels. The answer's grid has voxels of 1.5 mm,
on which HU are averaged from the CT and probabilities are interpolated. Bone and lung are then decided from the CT with
the network as prior, the skin lies at the CT's half maximum, and the other tissues share what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geometry.points import Bools, Singles
from geometry.volume import Volume
from reconstruction.network.classes import CLASS_INDEX, OUTSIDE_INDEX
from reconstruction.network.grid import NetworkGrid, network_grid, resample_hu
from reconstruction.network.outside import place_skin
from reconstruction.network.physics.bone import bone_posterior
from reconstruction.network.physics.borders import half_maximum
from reconstruction.network.physics.lung import lung_mask
from reconstruction.network.physics.places import is_no_trunk

ANSWER_SPACING_MM = 1.5
BONE_HU = 200.0  # the plain threshold that is fallen back to
SMALLEST_BONE_ML = 0.3
LIVER_HU = (-100.0, 350.0)
BONE, LUNG, LIVER, BODY = (CLASS_INDEX[name] for name in ("bone", "lung", "liver", "body"))


@dataclass(frozen=True, eq=False)
class Answer:
    """Tissues as the CT and the network give them together.

    Attributes:
        grid: the answer's.
        hu: ``(nk, nj, ni)`` on it.
        tissues: ``(5, nk, nj, ni)`` on it, in the order of `reconstruction.network.classes.CLASSES`; they sum to one.
        overruled: what of the network's was set aside, and how much; sentences for a person.
    """

    grid: NetworkGrid
    hu: Singles
    tissues: Singles
    overruled: tuple[str, ...]

    def volume(self, voxels: NDArray[Any]) -> Volume:
        """Voxels of the answer's grid as a volume."""
        return Volume(voxels, self.grid.affine, self.grid.frame)


def answer(lps: Volume, grid: NetworkGrid, tissues: Singles, spacing_mm: float = ANSWER_SPACING_MM) -> Answer:
    """Decides the borders on a grid of `spacing_mm`.

    Args:
        lps: the CT, HU.
        grid: the network's, made from it.
        tissues: ``(5, nk, nj, ni)`` on it, tidied: without room and table.
    """
    fine = network_grid(lps, spacing_mm)
    hu = resample_hu(lps, fine)
    found = np.stack([onto(tissue, grid, fine) for tissue in tissues])
    inside = found[OUTSIDE_INDEX] < 0.5
    lung = lung_mask(hu, found[LUNG], inside, spacing_mm)
    overruled = []
    if is_no_trunk(inside, lung, spacing_mm):
        overruled += _cleared(found, spacing_mm)
        lung &= False
    overruled += _gas(found[LUNG], lung, hu, spacing_mm)
    bone = _bone_mask(hu, found[BONE], inside & ~lung, spacing_mm)
    _share(found, half_maximum(bone, hu), half_maximum(lung, hu), hu)
    place_skin(found, hu)
    return Answer(fine, hu, found, tuple(overruled))


def onto(values: NDArray[np.floating[Any]], grid: NetworkGrid, fine: NetworkGrid) -> Singles:
    """Values on the network's grid, interpolated linearly at the voxels of a finer one of the same axes and centre."""
    ratio = float(np.linalg.norm(fine.affine[:3, 0]) / np.linalg.norm(grid.affine[:3, 0]))
    result = np.asarray(values, np.float32)
    for axis, count in enumerate(fine.shape):
        last = result.shape[axis] - 1
        place = np.clip(last / 2.0 + (np.arange(count) - (count - 1) / 2.0) * ratio, 0.0, last)
        low = np.minimum(place.astype(int), max(last - 1, 0))
        part = (place - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        result = result.take(low, axis) * (1.0 - part) + result.take(np.minimum(low + 1, last), axis) * part
    return np.asarray(result, np.float32)


def all_onto(classes: NDArray[np.float16], grid: NetworkGrid, fine: NetworkGrid) -> NDArray[np.float16]:
    """`onto` for each class of ``(classes, nk, nj, ni)``, in half precision."""
    result = np.empty((len(classes), *fine.shape), np.float16)
    for index, values in enumerate(classes):
        result[index] = onto(values, grid, fine)
    return result


def _cleared(found: Singles, spacing_mm: float) -> list[str]:
    """No liver and no lung where there is no trunk; bone by the plain threshold there, since no network knows it."""
    said = []
    for name, index in (("liver", LIVER), ("lung", LUNG)):
        volume_ml = float((found[index] > 0.5).sum()) * spacing_mm**3 / 1000.0
        found[BODY] += found[index]
        found[index] = 0.0
        if volume_ml > 0.0:
            said.append(f"{volume_ml:.0f} ml of {name} were cleared: the field of view shows no trunk")
    found[BONE] = -1.0
    return [*said, f"bone is grown from what is denser than {BONE_HU:g} HU: the network knows trunks only"]


def _gas(prior: Singles, lung: Bools, hu: Singles, spacing_mm: float) -> list[str]:
    """What the network took for lung though it is gas in the bowel, or tissue."""
    volume_ml = float(((prior > 0.5) & ~lung & (hu < BONE_HU)).sum()) * spacing_mm**3 / 1000.0
    whole_ml = float((prior > 0.5).sum()) * spacing_mm**3 / 1000.0
    if volume_ml < max(5.0, 0.1 * whole_ml):
        return []
    return [f"{volume_ml:.0f} of {whole_ml:.0f} ml that the network calls lung are none: gas in the bowel, or tissue"]


def _bone_mask(hu: Singles, prior: Singles, inside: Bools, spacing_mm: float) -> Bools:
    if prior.min() < 0.0:  # no trunk: the threshold is the prior
        prior = np.where(ndimage.binary_opening(inside & (hu > BONE_HU)), 0.9, 0.05).astype(np.float32)
    bone = bone_posterior(hu, prior, inside, spacing_mm) > 0.5
    parts, _ = ndimage.label(bone)
    sizes = np.bincount(parts.ravel()) * spacing_mm**3 / 1000.0
    sizes[0] = 0.0
    return np.asarray((sizes >= SMALLEST_BONE_ML)[parts])


def _share(found: Singles, bone: Singles, lung: Singles, hu: Singles) -> None:
    """Writes bone and lung into the tissues, in place; body and liver share the rest in the network's proportions."""
    found[LIVER][(hu < LIVER_HU[0]) | (hu > LIVER_HU[1])] = 0.0
    free = 1.0 - np.clip(found[OUTSIDE_INDEX], 0.0, 1.0)
    found[OUTSIDE_INDEX] = 1.0 - free
    found[BONE] = bone * free
    found[LUNG] = lung * (free - found[BONE])
    rest = free - found[BONE] - found[LUNG]
    liver = found[LIVER] / np.maximum(found[LIVER] + np.maximum(found[BODY], 0.0), 1e-6)
    found[LIVER] = liver * rest
    found[BODY] = rest - found[LIVER]
