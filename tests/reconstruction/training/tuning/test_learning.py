"""What is learnt in a voxel, and which classes a label's name means, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reconstruction.network.classes import CLASSES
from reconstruction.training.tuning.learning import between, target
from reconstruction.training.tuning.names import classes_of, group_name, without_shared

FIFTEEN = ("outside", "body", "bone", "rib", "vertebra_cervical", "vertebra_thoracic", "vertebra_lumbar", "sacrum",
           "lung", "liver", "spleen", "kidney", "aorta", "vessel", "bowel")  # fmt: skip


def test_the_label_counts_where_there_is_one_and_the_old_answer_elsewhere():
    old = torch.tensor([0.1, 0.2, 0.3, 0.0, 0.4]).reshape(1, 5, 1, 1, 1).repeat(1, 1, 1, 1, 3)
    liver = torch.tensor([1.0, 0.25, 0.0]).reshape(1, 1, 1, 1, 3)
    found = target(old, {(4,): liver})[0, :, 0, 0].numpy()
    np.testing.assert_allclose(found[:, 0], [0, 0, 0, 0, 1], atol=1e-6)
    # No label: it is no liver, and else what the old network said.
    np.testing.assert_allclose(found[:, 2], [1 / 6, 1 / 3, 1 / 2, 0, 0], atol=0.005)
    np.testing.assert_allclose(found[:, 1], 0.75 * found[:, 2] + [0, 0, 0, 0, 0.25], atol=1e-6)


def test_within_a_label_of_several_classes_the_old_network_decides():
    old = torch.tensor([0.6, 0.1, 0.3, 0.0, 0.0]).reshape(1, 5, 1, 1, 1)
    found = target(old, {(1, 2): torch.ones(1, 1, 1, 1, 1)})[0, :, 0, 0, 0].numpy()
    np.testing.assert_allclose(found, [0, 0.25, 0.75, 0, 0], atol=0.005)


def test_between_old_and_new():
    old, new = {"a": torch.tensor([1.0])}, {"a": torch.tensor([3.0])}
    assert [float(between(old, new, share)["a"]) for share in (0.0, 0.25, 1.0)] == [1.0, 1.5, 3.0]


@pytest.mark.parametrize(
    ("label", "five", "fifteen"),
    [
        ("vertebrae_L1", ["bone"], ["vertebra_lumbar"]),
        ("vertebrae_T12", ["bone"], ["vertebra_thoracic"]),
        ("rib_left_4", ["bone"], ["rib"]),
        ("hip_left", ["bone"], ["bone"]),
        ("bone", ["bone"], list(FIFTEEN[2:8])),
        ("lung_upper_lobe_left", ["lung"], ["lung"]),
        ("kidney_right", [], ["kidney"]),
        ("kidney_cyst_left", [], []),
        ("inferior_vena_cava", [], ["vessel"]),
        ("skin", list(CLASSES[1:]), list(FIFTEEN[1:])),
        ("outside", ["outside"], ["outside"]),
    ],
)
def test_which_classes_a_label_means(label: str, five: list[str], fifteen: list[str]):
    assert [CLASSES[index] for index in classes_of(label, CLASSES)] == five
    assert [FIFTEEN[index] for index in classes_of(label, FIFTEEN)] == fifteen


def test_a_wide_label_leaves_what_narrow_ones_claim():
    skeleton, lumbar, skin = (classes_of(name, FIFTEEN) for name in ("bone", "vertebra_l3", "skin"))
    own = without_shared([skin, skeleton, lumbar])
    assert group_name(own[skeleton], FIFTEEN) == "bone + rib + vertebra_cervical + vertebra_thoracic + sacrum"
    assert group_name(own[skin], FIFTEEN) == "body"
    assert set(own[skin]) & set(skeleton) == set()
