"""Voxels turned to the axes that a network wants lie where they lay before."""

from __future__ import annotations

import numpy as np
import pytest

from geometry.orientation import flip_affine_ras_lps
from geometry.volume import Volume
from reconstruction.guests.axes import along, from_ras_array
from reconstruction.guests.errors import ModelError


@pytest.mark.parametrize(("orientation", "signs"), [("LPS", (1, 1, 1)), ("RAS", (-1, -1, 1))])
def test_every_voxel_stays_where_it_was(oblique_ct: Volume, orientation: str, signs: tuple[int, ...]):
    turned = along(oblique_ct, orientation)
    assert (np.diag(turned.affine[:3, :3]) * signs > 0).all()
    corners = np.random.default_rng(0).integers(0, oblique_ct.shape_ijk, (20, 3))
    there = np.rint(turned.mm_to_index(oblique_ct.index_to_mm(corners))).astype(int)
    before = [oblique_ct.voxels[k, j, i] for i, j, k in corners]
    assert before == [turned.voxels[k, j, i] for i, j, k in there]


def test_other_orientations_are_refused(oblique_ct: Volume):
    with pytest.raises(ModelError, match="PIR"):
        along(oblique_ct, "PIR")


@pytest.mark.parametrize("reversed_i", [False, True])
def test_arrays_of_left_handed_files_become_right_handed_volumes(oblique_ct: Volume, reversed_i: bool):
    voxels, affine = oblique_ct.voxels.transpose(2, 1, 0), flip_affine_ras_lps(oblique_ct.affine)
    if reversed_i:
        voxels = voxels[::-1]
        affine = affine @ np.array([[-1, 0, 0, len(voxels) - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    volume = from_ras_array(voxels, affine, "ct")
    np.testing.assert_array_equal(volume.voxels, oblique_ct.voxels)
    np.testing.assert_allclose(volume.affine, oblique_ct.affine, atol=1e-9)
