"""The spine's curve against the torso phantom's formula, and on a real labelled CT."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.errors import InvalidVolumeError
from geometry.volume import Volume
from reconstruction.centrelines.field import NoCentrelineError
from reconstruction.centrelines.spine import spine_centreline
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.phantom.skeleton import along_spine, vertebra_centre_mm
from tests.reconstruction.centrelines.vertebrae import turn, vertebrae

NAMES = {1: "L4", 2: "vertebrae_L3", 3: "L2", 4: "vertebrae_L1"}


@pytest.fixture(scope="module")
def phantom() -> Volume:
    return vertebrae()


def test_body_centres_and_curve_are_the_phantoms(phantom: Volume):
    spine = spine_centreline(phantom, NAMES)
    assert spine.names == ("L1", "L2", "L3", "L4")
    truth = np.array([vertebra_centre_mm(level) for level in (2, 1, 0, -1)]) @ turn()[:3, :3].T
    # Pedicles pull the core back a little: 1.5 mm of a body 30 mm deep, one voxel.
    assert np.linalg.norm(spine.body_centres_ct_mm - truth, axis=1).max() < 1.5
    fine = along_spine(np.linspace(-27.0, 54.0, 500), 0.0) @ turn()[:3, :3].T
    off = np.linalg.norm(spine.points_ct_mm[:, None] - fine[None], axis=2).min(axis=1)
    assert off.max() < 1.5
    assert spine.length_mm == pytest.approx(np.linalg.norm(np.diff(fine, axis=0), axis=1).sum(), abs=1.5)


def test_axes_are_left_back_up(phantom: Volume):
    spine = spine_centreline(phantom, NAMES)
    expected = turn()[:3, :3]  # the phantom's own axes are left, back, up
    for axes in spine.axes:
        assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(axes) == pytest.approx(1.0)
        assert np.degrees(Rotation.from_matrix(axes @ expected.T).magnitude()) < 12.0  # the phantom's own curvature


def test_a_vertebra_at_the_edge_of_the_scan_is_left_out_and_said(phantom: Volume):
    labels = np.asarray(phantom.voxels)
    cut = int(np.argwhere(labels == 1)[:, 0].min()) + 6
    spine = spine_centreline(Volume(labels[cut:], phantom.affine), {**NAMES, 9: "L5"})
    assert spine.names == ("L1", "L2", "L3")
    assert dict(spine.left_out) == {"L4": "cut by the edge of the scan", "L5": "not in the volume"}


@pytest.mark.parametrize("names", [{1: "rib_left_1", 2: "L3"}, {1: "L3", 2: "vertebrae_L3"}])
def test_names_that_give_no_order_are_refused(phantom: Volume, names: dict):
    with pytest.raises(InvalidVolumeError):
        spine_centreline(phantom, names)


def test_one_vertebra_is_no_curve(phantom: Volume):
    with pytest.raises(NoCentrelineError, match="1 whole"):
        spine_centreline(phantom, {1: "L4"})


def test_the_lumbar_spine_of_a_real_ct(shared_data: Path):
    folder = shared_data / "ct" / "totalseg_example"
    with (folder / "totalseg_example_labels.csv").open() as file:
        names = {int(row["id"]): row["name"] for row in csv.DictReader(file)}
    stored = read_nifti_volume(folder / "totalseg_example_seg_3mm.nii.gz")
    labels = Volume(np.rint(stored.voxels).astype(np.int16), stored.affine)
    spine = spine_centreline(labels, {label: name for label, name in names.items() if name.startswith("vertebrae")})
    assert spine.names == ("L1", "L2", "L3", "L4", "L5")
    steps = np.linalg.norm(np.diff(spine.body_centres_ct_mm, axis=0), axis=1)
    assert ((steps > 30.0) & (steps < 45.0)).all()  # body and disc of an adult's lumbar vertebra
    assert (spine.axes[:, 2, 2] > 0.8).all()  # up is up
    assert (spine.axes[:, 1, 1] > 0.8).all()  # behind is behind, in LPS
