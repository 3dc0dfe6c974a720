"""Checks how far the network's result can be believed.

The network gives an answer for any input. Three checks are applied to it: its own probabilities, thresholds of HU (bone
is dense, lung is air), and the size of the body in the field of view, since it was trained on trunks of adults. Passing
them does not prove the result right; failing one tells a person where to look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from geometry.points import Bools, Singles
from geometry.volume import Volume
from reconstruction.network.outside import air_around
from reconstruction.network.physics.places import TRUNK_SECTION_CM2, largest_section_cm2

INSIDE = 0.5  # probability from which on a voxel is the structure's
SURE = 0.9  # from which on the network counts as sure of a voxel
LOW_MEAN = {"body": 0.95, "lung": 0.9, "liver": 0.85, "bone": 0.75}  # below, a structure's mean probability is low
BONE_HU, DENSE_HU, AIR_HU = 200.0, 300.0, -500.0
LOW_DICE = {"bone": 0.75, "lung": 0.9}  # an expert's bone reaches 0.78 in 3D-IRCADb-01, patient 17
LOW_COVERED = 0.8  # of all that is denser than 300 HU in the patient; of experts' bone it is 0.9 and more
GAS_HU, TISSUE_HU = -950.0, -300.0  # a part of lung thinner, or denser, than this in the median is none
SMALLEST_PART_ML = 1.0
IN_THE_TRUNK = ("lung", "liver")


@dataclass(frozen=True)
class StructureDoubt:
    """How far one structure can be believed.

    Attributes:
        volume_ml: volume of the voxels with a probability above 0.5.
        mean_probability: mean over these voxels; 0.5 is a guess, 1 is certain.
        unsure_share: share of these voxels below 0.9; high for thin structures, which are all border.
        dice_with_hu: Dice overlap with a threshold of HU inside the patient (bone above 200 HU, lung below -500 HU), 0
            to 1; None for structures that no threshold gives.
        warnings: findings that a person must check.
    """

    volume_ml: float
    mean_probability: float
    unsure_share: float
    dice_with_hu: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class NetworkDoubts:
    """How far the network's result can be believed.

    Attributes:
        structures: by name; those that were found at all.
        mean_uncertainty: mean entropy of the classes inside the patient, 0 sure to 1 undecided.
        largest_section_cm2: the patient's largest section across the body.
        air_inside_ml: air inside the patient: lungs, airways, gas.
        warnings: about the scan as a whole.
    """

    structures: Mapping[str, StructureDoubt]
    mean_uncertainty: float
    largest_section_cm2: float
    air_inside_ml: float
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {
            "structures": {name: asdict(doubt) for name, doubt in self.structures.items()},
            "schema": "surgnav.network_doubts",
            "version": 1,
        }


def network_doubts(
    ct: Volume, probabilities: Mapping[str, Volume], uncertainty: Volume, overruled: tuple[str, ...] = ()
) -> NetworkDoubts:
    """Examines what the network made of a CT.

    Args:
        ct: HU on the answer's grid.
        probabilities: structure to probability there.
        uncertainty: entropy of the classes there, 0 to 1.
        overruled: what the CT set aside of the network's result; it is said with the warnings.
    """
    hu = np.asarray(ct.voxels, np.float32)
    masks = {name: np.asarray(volume.voxels) > INSIDE for name, volume in probabilities.items()}
    patient = masks.get("body", np.ones(hu.shape, bool)) & ~air_around(hu)
    voxel_ml = uncertainty.voxel_volume_ml
    section_cm2 = largest_section_cm2(patient, float(uncertainty.spacing_mm[0]))
    no_trunk = section_cm2 < TRUNK_SECTION_CM2
    air = patient & (hu < AIR_HU)
    found = {
        name: _doubt(name, np.asarray(probabilities[name].voxels, np.float32), hu, patient, voxel_ml, no_trunk)
        for name, mask in masks.items()
        if mask.any()
    }
    warnings = ((_no_trunk(section_cm2),) if no_trunk else ()) + overruled
    entropy = float(np.asarray(uncertainty.voxels)[patient].mean()) if patient.any() else 1.0
    return NetworkDoubts(
        found, round(entropy, 3), round(section_cm2, 1), round(float(air.sum()) * voxel_ml, 1), warnings
    )


def _doubt(
    name: str, probability: Singles, hu: Singles, patient: Bools, voxel_ml: float, no_trunk: bool
) -> StructureDoubt:
    mask = probability > INSIDE
    mean = float(probability[mask].mean())
    expected = _by_hu(name, hu, patient)
    dice = None if expected is None else _dice(mask, expected)
    warnings = []
    if mean < LOW_MEAN.get(name, 0.0):
        warnings.append(f"the network is not sure of it: mean probability {mean:.2f}, under {LOW_MEAN[name]:g}")
    if dice is not None and dice < LOW_DICE[name]:
        threshold = f"above {BONE_HU:g} HU" if name == "bone" else f"below {AIR_HU:g} HU"
        warnings.append(f"agrees with what lies {threshold} by Dice {dice:.2f}, under {LOW_DICE[name]:g}")
    warnings += _missed_bone(mask, hu, patient) if name == "bone" else []
    warnings += _no_lung(mask, hu, voxel_ml) if name == "lung" else []
    if no_trunk and name in IN_THE_TRUNK:
        warnings.append("outside its anatomy: the field of view shows no trunk")
    return StructureDoubt(
        volume_ml=round(float(mask.sum()) * voxel_ml, 1),
        mean_probability=round(mean, 3),
        unsure_share=round(float((probability[mask] < SURE).mean()), 3),
        dice_with_hu=None if dice is None else round(dice, 3),
        warnings=tuple(warnings),
    )


def _by_hu(name: str, hu: Singles, patient: Bools) -> Bools | None:
    if name == "bone":
        return patient & (hu > BONE_HU)
    return patient & (hu < AIR_HU) if name == "lung" else None


def _dice(first: Bools, second: Bools) -> float:
    total = int(first.sum()) + int(second.sum())
    return 2.0 * float((first & second).sum()) / total if total else 1.0


def _missed_bone(mask: Bools, hu: Singles, patient: Bools) -> list[str]:
    dense = patient & (hu > DENSE_HU)
    covered = float((dense & mask).sum()) / max(1, int(dense.sum()))
    if not dense.any() or covered >= LOW_COVERED:
        return []
    return [f"{1.0 - covered:.0%} of what is denser than {DENSE_HU:g} HU is not in it: bone missed, metal or contrast"]


def _no_lung(mask: Bools, hu: Singles, voxel_ml: float) -> list[str]:
    """Parts that are as thin as gas, or as dense as tissue."""
    from scipy import ndimage

    parts, count = ndimage.label(mask)
    if not count:
        return []
    inside = parts[mask]
    sizes_ml = np.bincount(inside)[1:] * voxel_ml
    medians = np.asarray(ndimage.median(hu[mask], inside, np.arange(1, count + 1)))
    counted = sizes_ml >= SMALLEST_PART_ML
    said = []
    for what, wrong in (
        ("as thin as gas in the bowel or the room", medians < GAS_HU),
        ("as dense as tissue", medians > TISSUE_HU),
    ):
        volume_ml = float(sizes_ml[counted & wrong].sum())
        if volume_ml > 0.0:
            said.append(f"{volume_ml:.0f} ml of it, in parts of their own, are {what}")
    return said


def _no_trunk(section_cm2: float) -> str:
    return (
        f"no thorax or abdomen in the field of view, or a small part of one: its largest section has {section_cm2:.0f} "
        f"square cm, a trunk's over {TRUNK_SECTION_CM2:g}. The network was trained on trunks of adults"
    )
