"""Structures from classes: what the surfaces are made of."""

import numpy as np

from reconstruction.network.classes import CLASS_INDEX, CLASSES, STRUCTURES, structure_probability


def test_outside_comes_first_and_structures_follow_in_their_order():
    assert CLASSES == ("outside", "body", "bone", "lung", "liver")
    assert [CLASS_INDEX[name] for name in STRUCTURES] == [1, 2, 3, 4]


def test_body_is_everything_inside_the_skin():
    # One voxel that is half air and half lung, one that is all bone.
    classes = np.zeros((5, 1, 1, 2), np.float32)
    classes[CLASS_INDEX["outside"], 0, 0, 0] = classes[CLASS_INDEX["lung"], 0, 0, 0] = 0.5
    classes[CLASS_INDEX["bone"], 0, 0, 1] = 1.0
    np.testing.assert_array_equal(structure_probability(classes, "body"), [[[0.5, 1.0]]])
    np.testing.assert_array_equal(structure_probability(classes, "bone"), [[[0.0, 1.0]]])
