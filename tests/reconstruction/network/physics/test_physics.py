"""Borders lie where the CT shows them; marrow is bone and an enhanced aorta is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from geometry.volume import Volume
from reconstruction.network.classes import CLASS_INDEX, CLASSES, OUTSIDE_INDEX
from reconstruction.network.grid import network_grid
from reconstruction.network.physics.answer import answer, onto
from reconstruction.network.physics.bone import bone_posterior, enclosing_directions
from reconstruction.network.physics.borders import half_maximum
from reconstruction.network.physics.lung import lung_mask
from reconstruction.network.physics.places import is_no_trunk, largest_section_cm2

SPACING = 1.5


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * (a & b).sum() / (a.sum() + b.sum())


def axes(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, y, x in mm from the middle."""
    k, j, i = np.indices(shape)
    return tuple((a - (n - 1) / 2) * SPACING for a, n in zip((k, j, i), shape, strict=True))


# -------------------------------------------------------------------------------------------------------------- borders
@pytest.mark.parametrize(("inside_hu", "outside_hu"), [(500.0, 40.0), (-850.0, 50.0)], ids=["bone", "lung"])
@pytest.mark.parametrize("edge", [10.2, 10.5, 10.9])
def test_the_border_is_the_half_maximum(edge: float, inside_hu: float, outside_hu: float) -> None:
    share = np.clip(edge + 0.5 - np.arange(24), 0.0, 1.0).astype(np.float32)  # of each voxel, from the left
    hu = np.broadcast_to(outside_hu + share * (inside_hu - outside_hu), (12, 12, 24)).astype(np.float32)
    field = half_maximum(np.broadcast_to(np.arange(24) < 11, hu.shape), hu)[6, 6]
    last = int(np.flatnonzero(field > 0.5)[-1])
    found = last + (field[last] - 0.5) / (field[last] - field[last + 1])
    # The voxel of the border is in the mean of one side, which draws the level a tenth of a voxel towards it.
    assert found == pytest.approx(edge, abs=0.2)


def test_without_a_step_the_mask_is_believed() -> None:
    z, y, x = axes((12, 12, 12))
    mask = x + y + z < 0.0
    np.testing.assert_array_equal(half_maximum(mask, np.full(mask.shape, 100.0, np.float32)) > 0.5, mask)


# ----------------------------------------------------------------------------------------------------------------- bone
def spine() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, bone and aorta: bodies with a cortex and marrow of 140 HU, discs, an enhanced aorta."""
    z, y, x = axes((60, 64, 64))
    body = ((x / 22.0) ** 2 + (y / 17.0) ** 2 < 1.0) & (np.abs(np.mod(z + 15.0, 30.0) - 15.0) < 12.0)
    core = ((x / 19.5) ** 2 + (y / 14.5) ** 2 < 1.0) & (np.abs(np.mod(z + 15.0, 30.0) - 15.0) < 10.0)
    aorta = np.hypot(x - 8.0, y + 28.0) < 10.0
    hu = np.full(x.shape, 50.0, np.float32)
    hu[body], hu[core], hu[aorta] = 550.0, 140.0, 320.0
    noise = np.random.default_rng(3).normal(0.0, 15.0, hu.shape)
    return (ndimage.gaussian_filter(hu, 0.6) + noise).astype(np.float32), body, aorta


def test_marrow_that_the_network_missed_is_bone_and_the_aorta_is_not() -> None:
    hu, bone, aorta = spine()
    z, _, x = axes(hu.shape)
    seen = ndimage.gaussian_filter(bone.astype(np.float32), 1.5) * np.where((z > 0) & (x > 0), 0.3, 1.0)
    prior = np.clip(seen, 0.02, 0.95).astype(np.float32)
    found = bone_posterior(hu, prior, np.ones(hu.shape, bool), SPACING) > 0.5
    threshold = ndimage.binary_opening(hu > 200.0)
    threshold = np.stack([ndimage.binary_fill_holes(plane) for plane in threshold])
    print(
        f"Dice: {dice(found, bone):.3f}, network {dice(prior > 0.5, bone):.3f}, threshold {dice(threshold, bone):.3f}"
    )
    assert dice(found, bone) > 0.9
    assert dice(found, bone) > max(dice(prior > 0.5, bone), dice(threshold, bone)) + 0.03
    assert found[aorta].mean() < 0.02


def test_enclosing_directions_by_hand() -> None:
    dense = np.zeros((7, 7, 7), bool)
    dense[:, 1], dense[:, 5] = True, True  # two plates
    count = enclosing_directions(dense, 3)
    assert (count[3, 3, 3], count[3, 0, 3], count[3, 1, 3]) == (2, 1, 6)
    assert enclosing_directions(dense, 1)[3, 3, 3] == 0


# ----------------------------------------------------------------------------------------------------------------- lung
def test_vessels_are_lung_and_windpipe_and_bowel_gas_are_none() -> None:
    z, y, x = axes((40, 60, 90))
    lung = (((np.abs(x) - 35.0) / 22.0) ** 2 + (y / 30.0) ** 2) < 1.0
    vessel = (np.hypot(np.abs(x) - 35.0, y) < 2.5) & lung
    windpipe = (np.hypot(x, y) < 9.0) | ((np.abs(y) < 4.0) & (np.abs(x) < 14.0) & (z > 10.0))
    gas = (np.hypot(x, y - 34.0) < 8.0) & ~lung
    hu = np.full(x.shape, 40.0, np.float32)
    hu[lung], hu[vessel], hu[windpipe & ~lung], hu[gas] = -860.0, 30.0, -995.0, -995.0
    prior = np.where(lung, 0.95, 0.03).astype(np.float32)
    prior[gas] = 0.6  # the network takes the gas for lung
    found = lung_mask(hu, prior, np.ones(hu.shape, bool), SPACING)
    assert dice(found, lung) > 0.98
    assert found[vessel].mean() > 0.95
    assert not found[gas].any()
    assert found[windpipe & ~lung].mean() < 0.05


# --------------------------------------------------------------------------------------------------------------- places
def network_of(hu: np.ndarray, **wrong: np.ndarray) -> np.ndarray:
    """Tissues of a network that is sure, and wrong as told."""
    label = np.where(hu > -500.0, CLASS_INDEX["body"], OUTSIDE_INDEX)
    for name, where in wrong.items():
        label[where] = CLASS_INDEX[name]
    tissues = np.full((len(CLASSES), *hu.shape), 0.01, np.float32)
    np.put_along_axis(tissues, label[None], 0.96, axis=0)
    return tissues


@pytest.mark.parametrize("cropped", [False, True], ids=["a head", "a crop of a trunk"])
def test_no_liver_and_no_lung_in_a_head_and_its_skull_is_bone(cropped: bool) -> None:
    z, y, x = axes((60, 150, 150))
    away = np.sqrt((x / 75.0) ** 2 + (y / 90.0) ** 2)
    hu = np.where(away < 1.0, 40.0, -1000.0).astype(np.float32)
    hu[(away < 0.95) & (away > 0.87)] = 900.0
    sinus = np.sqrt(x**2 + (y + 50.0) ** 2 + z**2) < 14.0
    hu[sinus] = -900.0
    liver = np.sqrt(x**2 + (y - 20.0) ** 2 + z**2) < 25.0
    tissues = network_of(hu, liver=liver, lung=sinus)
    if cropped:
        part = (slice(None), slice(40, 110), slice(40, 110))
        hu, liver, tissues = hu[part], liver[part], tissues[(slice(None), *part)]
    volume = Volume(hu, np.diag([SPACING, SPACING, SPACING, 1.0]))
    found = answer(volume, network_grid(volume, SPACING), tissues)
    np.testing.assert_allclose(found.tissues.sum(axis=0), 1.0, atol=1e-5)
    assert found.tissues.min() >= -1e-6
    shown = found.tissues[CLASS_INDEX["liver"]] > 0.5
    if cropped:
        assert dice(shown, liver) > 0.95
        return
    assert not shown.any()
    assert not (found.tissues[CLASS_INDEX["lung"]] > 0.5).any()
    skull = hu > 500.0
    assert dice(found.tissues[CLASS_INDEX["bone"]] > 0.5, skull) > 0.95  # the network saw none of it; the brain is none
    assert any("ml of liver were cleared" in said for said in found.overruled)
    assert any("denser than 200 HU" in said for said in found.overruled)


def test_a_trunk_with_lungs_is_a_trunk_however_small() -> None:
    patient = np.zeros((30, 120, 120), bool)
    patient[:, 30:90, 30:90] = True
    lung = np.zeros_like(patient)
    assert largest_section_cm2(patient, SPACING) == pytest.approx(60 * 60 * 0.0225)
    assert is_no_trunk(patient, lung, SPACING)
    lung[:, 40:80, 40:80] = True
    assert not is_no_trunk(patient, lung, SPACING)


# ----------------------------------------------------------------------------------------------------------------- grid
def test_probabilities_keep_their_place_on_the_finer_grid() -> None:
    volume = Volume(np.zeros((9, 20, 31), np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    coarse, fine = network_grid(volume, 3.0), network_grid(volume, 1.5)
    for axis in range(3):
        step = coarse.affine[axis, axis]
        index = np.indices(coarse.shape)[2 - axis]
        found = onto((coarse.affine[axis, 3] + step * index).astype(np.float32), coarse, fine)
        wanted = fine.affine[axis, 3] + fine.affine[axis, axis] * np.indices(fine.shape)[2 - axis]
        inner = (slice(2, -2),) * 3
        np.testing.assert_allclose(found[inner], wanted[inner], atol=1e-4)
