"""From labels to what the network learns."""

from pathlib import Path

import numpy as np
import pytest

from geometry.volume import Volume
from reconstruction.network.classes import CLASS_INDEX
from reconstruction.training.config import BoneRefinement
from reconstruction.training.scans import LabelledScan
from reconstruction.training.targets import body_mask, prepare, refined_bone
from tests.reconstruction.training.tiny_training import tiny_config

SPACING_MM = 2.0


def patient_on_a_table() -> Volume:
    """A cylinder of tissue (radius 50 mm) with a gas bubble, on a 6 mm board that it touches along a line."""
    _, j, i = np.indices((20, 80, 80))
    radius_mm = np.hypot(i - 40, j - 35) * SPACING_MM
    hu = np.where(radius_mm < 50, 40, -1000)
    hu[radius_mm < 12] = -900
    hu[:, 60:63, 5:75] = 100
    return Volume(hu.astype(np.int16), np.diag([SPACING_MM] * 3 + [1.0]))


def test_the_body_has_no_table_and_no_holes():
    mask = body_mask(patient_on_a_table())
    assert mask[:, 35, 40].all(), "the gas bubble is inside"
    assert not mask[:, 60:63, :25].any(), "the board is gone"
    assert not mask[:, 60:63, 55:].any(), "the board is gone"
    # The disc of 50 mm radius, to 2 %: a little of the board stays at the line of contact.
    area_mm2 = mask[10].sum() * SPACING_MM**2
    assert area_mm2 == pytest.approx(np.pi * 50**2, rel=0.02)


def test_no_tissue_no_body():
    air = Volume(np.full((5, 5, 5), -1000, np.int16), np.eye(4))
    assert not body_mask(air).any()


def test_bone_grows_into_dense_unlabelled_neighbours_only():
    hu = np.full((1, 1, 12), 500, np.int16)
    hu[0, 0, 8] = 50
    bone = np.zeros(hu.shape, bool)
    bone[0, 0, :5] = True
    free = ~bone
    free[0, 0, 5] = False  # labelled as something else: never taken
    grown, nearest = refined_bone(bone, Volume(hu, np.eye(4)), free, BoneRefinement(above_hu=180, within_mm=3.5))
    assert np.flatnonzero(grown[0, 0]).tolist() == [6, 7]
    assert nearest[2].tolist() == [4, 4]


def test_fractions_add_up_and_follow_the_label_names(tmp_path: Path):
    config = tiny_config(tmp_path)
    ct = patient_on_a_table()
    labels = np.zeros(ct.voxels.shape, np.uint8)
    labels[5:10, 30:34, 50:54] = 7
    scan = LabelledScan("made", ct, ct.with_voxels(labels), {7: "liver", 9: "vertebrae_L1"})
    volume = prepare(scan, config)
    assert volume.fractions.shape == (5, *volume.hu.shape)
    # Rounded to 1/255 each.
    assert np.abs(volume.fractions.astype(int).sum(axis=0) - 255).max() <= 3
    liver_ml = volume.fractions[CLASS_INDEX["liver"]].sum() / 255 * config.network.spacing_mm**3
    assert liver_ml == pytest.approx(5 * 4 * 4 * SPACING_MM**3, rel=0.01)
    assert volume.part_means_hu.size == int(volume.parts.max()) + 1
