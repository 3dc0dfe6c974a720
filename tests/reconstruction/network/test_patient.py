"""The skin takes neither the table nor what lies on it along, even where they touch; ears and lungs stay.

A patient with an ear, lungs and a spine on the network's grid, and around him what scanners have: HU as they show it.
The network is imitated at its worst: whatever is dense is body, whatever air is enclosed is lung.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from reconstruction.network.classes import CLASS_INDEX, CLASSES, OUTSIDE_INDEX
from reconstruction.network.islands import IslandRule
from reconstruction.network.patient import patient_hull
from reconstruction.network.segmentation import DEFAULT_ISLANDS, tidy

SPACING_MM = 2.0
VOXEL_ML = 0.008
SHAPE = (40, 100, 120)
LUNG = CLASS_INDEX["lung"]
FURNITURE = ("holder plates", "board", "wooden board", "tube", "cloth", "wedge")


def coordinates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, y, x in mm from the middle of the patient's chest."""
    k, j, i = np.indices(SHAPE)
    return (k - 19.5) * SPACING_MM, (j - 42.5) * SPACING_MM, (i - 59.5) * SPACING_MM


def patient() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, what is inside the skin, and the ear in it: a sheet 4 mm thick that stands 18 mm out."""
    z, y, x = coordinates()
    body = (x / 84.0) ** 2 + (y / 58.0) ** 2 < 1.0
    ear = (np.abs(z) < 16.0) & (x > 70.0) & (x < 102.0) & (np.abs(y - 10.0) < 2.5) & ~body
    hu = np.where(body | ear, 40.0, -1000.0).astype(np.float32)
    for side in (-1.0, 1.0):
        hu[((x - side * 38.0) / 26.0) ** 2 + (y / 40.0) ** 2 < 1.0] = -850.0  # cut open at both ends of the scan
    hu[x**2 + (y - 38.0) ** 2 < 12.0**2] = 500.0
    return hu, body | ear, ear


def furnish(hu: np.ndarray, kind: str) -> None:
    """Puts it around the patient, touching him."""
    _, y, x = coordinates()
    air = hu < -900.0
    if kind == "holder plates":
        hu[air & (np.abs(x + 84.0) < 3.0) & (np.abs(y) < 60.0)] = 900.0
        hu[air & (np.abs(x - 104.0) < 3.0) & (np.abs(y) < 60.0)] = 900.0  # on the ear
    elif kind == "board":  # a shell around foam, and a pocket of air in it
        slab = air & (y > 56.0) & (y < 96.0) & (np.abs(x) < 100.0)
        hu[slab] = -930.0
        hu[slab & ((y < 60.0) | (y > 92.0) | (np.abs(x) > 96.0))] = 100.0
        hu[slab & (np.abs(x) < 20.0) & (np.abs(y - 76.0) < 12.0)] = -1000.0
    elif kind == "wooden board":
        hu[air & (np.abs(y - 60.0) < 4.0) & (np.abs(x) < 110.0)] = -300.0
    elif kind == "tube":
        away = np.hypot(y + 63.0, x)
        hu[air & (away < 8.0) & (away > 4.0)] = 200.0
    elif kind == "cloth":
        around = (x / 90.0) ** 2 + (y / 64.0) ** 2
        hu[air & (around > 0.96) & (around < 1.03) & (y < 0.0)] = -250.0
    else:  # foam that is dense enough to be seen, under the patient's side
        hu[air & (x < -40.0) & (y > 30.0) & (y < 80.0) & (x > -110.0)] = -880.0


def network_at_its_worst(hu: np.ndarray) -> np.ndarray:
    probabilities = np.full((len(CLASSES), *SHAPE), 0.02, np.float32)
    dense = hu > -500.0
    room, _ = ndimage.label(~dense)
    enclosed = ~dense & (room != room[20, 0, 0])
    wanted = np.select(
        [hu > 300.0, dense, enclosed | (hu > -950.0)], [CLASS_INDEX["bone"], CLASS_INDEX["body"], LUNG], 0
    )
    np.put_along_axis(probabilities, wanted[None], 0.92, axis=0)
    return probabilities


def segmented(kinds: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    hu, _, _ = patient()
    for kind in kinds:
        furnish(hu, kind)
    hu = ndimage.gaussian_filter(hu, 0.5)
    probabilities = network_at_its_worst(hu)
    tidy(probabilities, hu, DEFAULT_ISLANDS, SPACING_MM)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1.0, atol=1e-4)
    return probabilities[OUTSIDE_INDEX] < 0.5, probabilities[LUNG]


@pytest.mark.parametrize("kinds", [*((kind,) for kind in FURNITURE), FURNITURE], ids=" ".join)
def test_the_skin_is_the_patients_alone(kinds: tuple[str, ...]) -> None:
    _, truth, ear = patient()
    alone, _ = segmented(())
    body, lung = segmented(kinds)
    assert body[ear].mean() > 0.9 or "holder plates" in kinds  # where a plate grows out of the ear, its tip goes
    assert body[truth & ~ear].mean() > 0.999
    away_mm = ndimage.distance_transform_edt(~truth) * SPACING_MM
    skin = body & ndimage.binary_dilation(~body)
    far = (away_mm[skin] > 10.0).mean()
    print(f"{' '.join(kinds)}: {far:.1%} of the skin over 10 mm away")
    assert far < 0.01
    assert away_mm[body].max() < 12.0  # a board of 8 mm is no thin plate where it touches: what grows back is the limit
    assert (body & ~alone).sum() < 0.07 * alone.sum()  # beside the contact some mm of it stay, with all six together
    assert not (lung[~truth] > 0.5).any()  # no foam, no pocket of air
    assert lung[(patient()[0] == -850.0)].min() > 0.5


def test_a_patient_alone_is_left_as_he_is() -> None:
    hu, truth, ear = patient()
    hull = patient_hull(hu, truth, SPACING_MM)
    np.testing.assert_array_equal(hull[truth], True)
    assert not (hull & (ndimage.distance_transform_edt(~truth) > 4.0)).any()
    assert ear.sum() * VOXEL_ML > 1.0


def test_a_wall_as_thin_as_a_plate_around_a_lung_is_the_patients() -> None:
    """A small child's chest: 6 mm of tissue between lung and room, no plate to be cut off."""
    hu, truth, _ = patient()
    _, y, x = coordinates()
    hu[((x / 78.0) ** 2 + (y / 52.0) ** 2 < 1.0) & (np.abs(x) > 12.0)] = -850.0
    hull = patient_hull(hu, truth, SPACING_MM)
    assert hull[truth].mean() > 0.999


def test_nothing_thick_leaves_it_to_the_network() -> None:
    inside = np.zeros(SHAPE, bool)
    inside[5:9, 5:9, 5:9] = True
    np.testing.assert_array_equal(patient_hull(np.full(SHAPE, -1000.0, np.float32), inside, SPACING_MM), inside)


# ------------------------------------------------------------------------------------------- no lung under 5 ml
def lungs_left(probabilities: np.ndarray, hu: np.ndarray) -> list[float]:
    """Volumes in ml of what the label volume and the surface at one half show of the lung."""
    tidy(probabilities, hu, {"lung": IslandRule(smallest_ml=5.0), "body": IslandRule(largest_only=True)}, SPACING_MM)
    found = []
    for shown in (probabilities.argmax(axis=0) == LUNG, probabilities[LUNG] > 0.5):
        parts, _ = ndimage.label(shown)
        found += list(np.bincount(parts.ravel())[1:] * VOXEL_ML)
    return found


def tissue_block() -> tuple[np.ndarray, np.ndarray]:
    hu = np.full(SHAPE, -1000.0, np.float32)
    hu[:, 20:80, 20:100] = 40.0
    probabilities = np.zeros((len(CLASSES), *SHAPE), np.float32)
    probabilities[OUTSIDE_INDEX] = hu < -500.0
    probabilities[CLASS_INDEX["body"]] = hu > -500.0
    return hu, probabilities


def put(probabilities: np.ndarray, where: tuple[slice, slice, slice], **shares: float) -> None:
    probabilities[(slice(None), *where)] = 0.0
    for name, share in shares.items():
        probabilities[(CLASS_INDEX[name], *where)] = share


def test_a_speck_beside_a_lung_is_cleared_too() -> None:
    hu, probabilities = tissue_block()
    put(probabilities, np.s_[10:30, 30:50, 30:50], lung=1.0)
    put(probabilities, np.s_[10:12, 30:32, 51:53], lung=1.0)  # one voxel from it
    left = lungs_left(probabilities, hu)
    assert left == pytest.approx([64.0, 64.0])


def test_a_speck_that_is_likeliest_under_one_half_is_cleared_too() -> None:
    hu, probabilities = tissue_block()
    put(probabilities, np.s_[10:14, 30:34, 30:34], lung=0.4, body=0.3, bone=0.3)
    assert lungs_left(probabilities, hu) == []


def test_gas_that_the_network_took_for_the_room_becomes_no_lung() -> None:
    """Given to the other classes in proportion, 0.05 of lung beside 0.01 of body would become 0.8."""
    hu, probabilities = tissue_block()
    hu[10:14, 40:44, 40:44] = -990.0
    put(probabilities, np.s_[10:14, 40:44, 40:44], outside=0.94, lung=0.05, body=0.01)
    assert lungs_left(probabilities, hu) == []


def test_the_skins_place_makes_no_lung() -> None:
    """Beside the room, where the network saw half outside and half lung, the CT says tissue."""
    hu, probabilities = tissue_block()
    put(probabilities, np.s_[10:16, 20:21, 40:46], outside=0.45, lung=0.45, body=0.1)
    assert lungs_left(probabilities, hu) == []
