"""Classes of a network with more than the five tissues: what they sum to, and what each gets back."""

import numpy as np
import pytest

from reconstruction.network.classes import CLASSES, FIVE_TISSUES, Anatomy
from reconstruction.network.errors import WeightsError
from reconstruction.network.segmentation import structures_of

ANATOMY = Anatomy(
    ("outside", "body", "bone", "vertebra", "lung", "liver", "kidney"),
    {
        "body": ("body",),
        "bone": ("bone", "vertebra"),
        "lung": ("lung",),
        "liver": ("liver",),
        "vertebrae": ("vertebra",),
        "kidney": ("kidney",),
    },
    ("body", "bone", "vertebrae", "kidney"),
    100.0,
)


def random_classes() -> np.ndarray:
    p = np.random.default_rng(1).random((7, 4, 5, 6)).astype(np.float32)
    return p / p.sum(axis=0)


def test_uncorrected_tissues_give_back_the_very_classes():
    p = random_classes()
    tissues = ANATOMY.tissues(p)
    assert tissues.shape[0] == len(CLASSES)
    np.testing.assert_allclose(tissues[1], p[1] + p[6], rtol=1e-6)
    np.testing.assert_allclose(tissues.sum(axis=0), 1.0, rtol=1e-5)
    for index, share in ANATOMY.shares(p, tissues):
        np.testing.assert_allclose(share, p[index], rtol=1e-4)


def test_bone_that_the_scan_adds_belongs_to_the_nearest_bone_that_the_network_saw():
    p = np.zeros((7, 1, 1, 6), np.float32)
    p[3, 0, 0, :2], p[2, 0, 0, 5], p[1, 0, 0, 2:5] = 1.0, 1.0, 1.0
    tissues = ANATOMY.tissues(p)
    tissues[1], tissues[2] = 0.0, 1.0  # all six are bone now
    structures, labels, entropy = structures_of(ANATOMY, p.astype(np.float16), tissues)
    np.testing.assert_array_equal(structures["vertebrae"][0, 0], [1, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(structures["bone"][0, 0], np.ones(6))
    np.testing.assert_array_equal(labels[0, 0], [3, 3, 3, 3, 2, 2])
    assert list(structures) == list(ANATOMY.offered)
    np.testing.assert_allclose(entropy, 0.0, atol=1e-6)


def test_five_tissues_stay_as_they_are():
    p = random_classes()[:5]
    np.testing.assert_array_equal(FIVE_TISSUES.tissues(p), p)
    assert FIVE_TISSUES.channels == 5
    assert ANATOMY.channels == 10


@pytest.mark.parametrize(
    ("classes", "structures", "offered"),
    [
        (("body", "outside", "bone", "lung", "liver"), FIVE_TISSUES.structures, ()),
        (CLASSES, {"body": ("body",), "bone": ("bone",), "lung": ("lung",)}, ()),
        (CLASSES, {**FIVE_TISSUES.structures, "rib": ("rib",)}, ()),
        (CLASSES, FIVE_TISSUES.structures, ("spleen",)),
    ],
)
def test_a_description_that_does_not_fit_is_refused(classes, structures, offered):
    with pytest.raises(WeightsError, match="Fix: correct"):
        Anatomy(classes, structures, offered)
