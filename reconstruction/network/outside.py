"""Corrects the network from the scan itself: which air is outside the patient, and where exactly the skin lies.

A window that shows nothing but air cannot know whether it lies in a lung or beside the table. The scan can: air that
reaches the sides of the scan is outside. Lungs and bowel gas do not reach the sides; at the scan's upper and lower end
lungs may be cut open, so those two ends do not count.

The network finds the patient, and tells him from the table. His skin lies at the half maximum between air and tissue,
which the CT shows to a fraction of a voxel; a network trained on two scans is off by more.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from geometry.points import Bools, Singles
from reconstruction.network.classes import CLASS_INDEX, OUTSIDE_INDEX
from reconstruction.network.patient import patient_hull

# Half maximum between air and skin: what is below it belongs to the air, up to the point spread.
AIR_BELOW_HU = -500.0
AIR_TO_WATER_HU = 1000.0
# Lungs have -700 to -900 HU, with emphysema some -950; a lung cut by the field of view must not be taken for the room.
FAR_AIR_BELOW_HU = -960.0
_NOTHING = 1e-6
# Within this distance of anything denser the network decides where the skin is; a blurred edge is narrower.
SKIN_BAND_MM = 6.0


def air_around(hu: Singles) -> Bools:
    """Air that is connected to a side (not an end) of the scan ``(nk, nj, ni)``, whose k axis runs head to foot."""
    parts, _ = ndimage.label(hu < AIR_BELOW_HU)
    sides = np.concatenate(
        [parts[:, face].ravel() for face in (0, -1)] + [parts[:, :, face].ravel() for face in (0, -1)]
    )
    reached = np.unique(sides)
    return np.isin(parts, reached[reached > 0])


def far_air(hu: Singles, spacing_mm: float) -> Bools:
    """Air that no network need be asked about: it is outside, whatever `clear_outside` makes of the rest.

    Thinner than any lung, connected with a side (not an end) of the scan ``(nk, nj, ni)``, and at least `SKIN_BAND_MM`
    from anything denser.
    """
    margin = max(1, round(SKIN_BAND_MM / spacing_mm))
    parts, count = ndimage.label(ndimage.binary_erosion(hu < FAR_AIR_BELOW_HU, iterations=margin, border_value=1))
    reached = np.zeros(count + 1, bool)
    for side in (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1]):
        reached[side] = True
    reached[0] = False
    return np.asarray(reached[parts])


def clear_outside(probabilities: Singles, hu: Singles, spacing_mm: float) -> None:
    """Corrects class probabilities ``(5, nk, nj, ni)`` in place; they still sum to one.

    In the air around the patient nothing is lung; further than `SKIN_BAND_MM` from anything denser, all is outside.
    """
    air = air_around(hu)
    lung = CLASS_INDEX["lung"]
    probabilities[OUTSIDE_INDEX][air] += probabilities[lung][air]
    probabilities[lung][air] = 0.0
    band = ndimage.binary_dilation(~air, iterations=max(1, round(SKIN_BAND_MM / spacing_mm)))
    probabilities[:, ~band] = 0.0
    probabilities[OUTSIDE_INDEX][~band] = 1.0


def clear_beside_patient(probabilities: Singles, hu: Singles, spacing_mm: float) -> None:
    """Makes table, head holder, tubes and clothes outside, in place, with the foam and the air in them.

    Air near the patient is left to the network and to `place_skin`: there the skin lies.
    """
    hull = patient_hull(hu, probabilities[OUTSIDE_INDEX] < 0.5, spacing_mm)
    beside = ~hull & ndimage.binary_dilation(~hull & (hu >= AIR_BELOW_HU))
    near = ndimage.binary_dilation(hull, iterations=max(1, round(SKIN_BAND_MM / spacing_mm)))
    outside = (beside & ~_touching(hull)) | (~hull & ~near)
    probabilities[:, outside] = 0.0
    probabilities[OUTSIDE_INDEX][outside] = 1.0
    lung = CLASS_INDEX["lung"]
    probabilities[OUTSIDE_INDEX][~hull] += probabilities[lung][~hull]
    probabilities[lung][~hull] = 0.0


def _touching(hull: Bools) -> Bools:
    """Neighbours of the patient: their partial volume is his skin."""
    return np.asarray(ndimage.binary_dilation(hull) & ~hull)


def place_skin(probabilities: Singles, hu: Singles) -> None:
    """Moves the border of the class outside to the CT's half maximum, in place, where the network saw it nearby.

    Voxels within two of both the air around and the patient get the share of air that their HU shows; what the network
    said of the rest keeps its proportions. A table is neither air nor patient and stays as it was.
    """
    air = air_around(hu)
    inside = probabilities[OUTSIDE_INDEX] < 0.5
    patient = inside | (ndimage.binary_dilation(inside) & ~air)
    border = (air & ndimage.binary_dilation(patient, iterations=2)) | (
        patient & ndimage.binary_dilation(air, iterations=2)
    )
    share = np.clip(-hu[border] / AIR_TO_WATER_HU, 0.0, 1.0)
    rest = probabilities[1:, border]
    total = rest.sum(axis=0)
    # Where the network was sure of outside there are no proportions to keep: then it is the body's soft tissue.
    rest[CLASS_INDEX["body"] - 1, total < _NOTHING] = 1.0
    probabilities[1:, border] = rest * ((1.0 - share) / np.where(total < _NOTHING, 1.0, total))
    probabilities[OUTSIDE_INDEX, border] = share
