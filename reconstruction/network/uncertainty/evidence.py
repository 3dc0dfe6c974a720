"""From the passes on the network's grid to what is known of each voxel of the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Floats, Singles
from geometry.volume import Volume
from reconstruction.network.classes import OUTSIDE_INDEX
from reconstruction.network.grid import NetworkGrid, resample
from reconstruction.network.uncertainty.calibration import Calibration, features
from reconstruction.network.uncertainty.passes import Passes
from reconstruction.network.uncertainty.regions import Evidence

# The neighbourhood over which doubt is averaged: the standard deviation of a Gaussian.
AROUND_MM = 3.0
# Air further than this from the patient is no question.
NEAR_PATIENT_MM = 6.0


class Collected:
    """The passes beside the answer, on the answer's grid.

    Args:
        passes: on the grid of `hu`.
        hu: the CT as the network saw it.
        labels: class of the answer.
        entropy: of the answer, 0 to 1, on the grid of `labels`.
    """

    def __init__(self, passes: Passes, hu: Volume, labels: Volume, entropy: Volume) -> None:
        from scipy import ndimage

        self.labels = np.asarray(labels.voxels, np.uint8)
        self.spacing_mm = float(labels.spacing_mm[0])
        self.given = np.zeros(self.labels.shape, np.float32)
        self.instead = np.zeros(self.labels.shape, np.uint8)
        most = np.full(self.labels.shape, -1.0, np.float32)
        for index, plane in enumerate(passes.mean):
            probability = onto(hu.with_voxels(plane), labels)
            its = self.labels == index
            self.given[its] = probability[its]
            better = (probability > most) & ~its
            most[better], self.instead[better] = probability[better], index
        np.clip(self.given, 0.0, 1.0, out=self.given)
        self.mutual_information = onto(hu.with_voxels(passes.mutual_information), labels)
        self._entropy = np.asarray(entropy.voxels, np.float32)
        self._around = ndimage.gaussian_filter(1.0 - self.given, AROUND_MM / self.spacing_mm)
        patient = self.labels != OUTSIDE_INDEX
        near = ndimage.binary_dilation(patient, iterations=max(1, round(NEAR_PATIENT_MM / self.spacing_mm)))
        self.asked: Bools = np.asarray(near)

    def features(self, where: Bools) -> Floats:
        """What `Calibration` takes, for the voxels of a mask."""
        return features(
            1.0 - self.given[where], self._entropy[where], self.mutual_information[where], self._around[where]
        )

    def judged(self, calibration: Calibration, classes: Sequence[str]) -> tuple[Singles, Evidence]:
        """The probability that each voxel of the answer is wrong, and what regions are made from."""
        wrong, far = np.zeros((2, *self.labels.shape), np.float32)
        for index, name in enumerate(classes):
            its = self.asked & (self.labels == index)
            if its.any():
                taken = self.features(its)
                wrong[its] = calibration.wrong_probability(name, taken)
                far[its] = calibration.far_probability(name, taken)
        return wrong, Evidence(self.labels, far, self.given, self.instead, self.mutual_information)


def onto(values: Volume, grid: Volume) -> Singles:
    """Values on another grid along the same axes, each voxel the average over its extent."""
    if values.shape_ijk == grid.shape_ijk and np.allclose(values.affine, grid.affine, atol=1e-6):
        return np.asarray(values.voxels, np.float32)
    k, j, i = grid.voxels.shape
    return resample(values, NetworkGrid((k, j, i), grid.affine, grid.frame))


def far_errors(labels: NDArray[np.uint8], reference: NDArray[np.uint8], far_mm: float, spacing_mm: float) -> Bools:
    """Voxels whose class differs from the reference by more than a border's shift of `far_mm`.

    Either the reference has the given class nowhere that near, or the answer the reference's: a rib that was missed
    counts in full, however thin, and a border that is off by less does not count.
    """
    from scipy import ndimage

    differs = labels != reference
    far = np.zeros(labels.shape, bool)
    for index in np.union1d(np.unique(labels[differs]), np.unique(reference[differs])):
        for one, other in ((labels, reference), (reference, labels)):
            is_class = other == index
            beyond = ndimage.distance_transform_edt(~is_class) * spacing_mm > far_mm if is_class.any() else True
            far |= differs & (one == index) & beyond
    return far
