"""Regions to review: worst first, where they say they are, and small enough to look at."""

import numpy as np
import pytest

from geometry.volume import Volume
from reconstruction.network.uncertainty.evidence import far_errors, onto
from reconstruction.network.uncertainty.regions import LONGEST_MM, Evidence, described_regions, numbered_regions

CLASSES = ("outside", "body", "bone", "lung", "liver")
SPACING_MM = 2.0


def made_evidence() -> Evidence:
    labels = np.full((40, 40, 60), 1, np.uint8)
    labels[:, :, 30:] = 4
    far, given = np.zeros(labels.shape, np.float32), np.full(labels.shape, 0.9, np.float32)
    far[5:9, 5:9, 5:9], given[5:9, 5:9, 5:9] = 0.2, 0.7
    far[20:26, 20:26, 40:46], given[20:26, 20:26, 40:46] = 0.5, 0.4
    instead = np.full(labels.shape, 2, np.uint8)
    return Evidence(labels, far, given, instead, np.full(labels.shape, 0.1, np.float32))


def test_the_worst_comes_first_with_its_place_in_ct_and_its_slice() -> None:
    evidence = made_evidence()
    turn = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    turn[:3, 3] = (-50.0, 10.0, 300.0)
    answer = Volume(evidence.labels, turn)
    # The CT as it was read runs head to foot in slices of 4 mm; its first slice is the uppermost.
    ct_affine = np.array([[1.0, 0, 0, -50], [0, -1.0, 0, 100], [0, 0, -4.0, 376], [0, 0, 0, 1]])
    ct = Volume(np.zeros((20, 90, 120), np.int16), ct_affine)
    numbers = numbered_regions(evidence.labels, evidence.far, SPACING_MM)
    liver, body = described_regions(evidence, numbers, answer, ct, CLASSES)
    assert (liver.given, body.given, liver.instead) == ("liver", "body", "bone")
    assert liver.expected_wrong_ml == pytest.approx(0.5 * 216 * 0.008, abs=0.01)
    assert (liver.volume_ml, body.volume_ml) == (pytest.approx(1.73), pytest.approx(0.51))
    np.testing.assert_allclose(liver.centre_mm, (-50 + 2 * 42.5, 10 + 2 * 22.5, 300 + 2 * 22.5), atol=1.1)
    assert liver.slice_number == round((376 - liver.centre_mm[2]) / 4) + 1
    assert "the CT's HU decided" in liver.why
    assert "HU" not in body.why


def test_a_long_doubt_is_cut_and_nothing_of_it_is_lost() -> None:
    labels = np.ones((10, 10, 150), np.uint8)
    far = np.zeros(labels.shape, np.float32)
    far[3:6, 3:6, 5:145] = 0.4
    numbers = numbered_regions(labels, far, SPACING_MM)
    assert np.array_equal(numbers > 0, far > 0)
    for number in range(1, numbers.max() + 1):
        assert np.ptp(np.argwhere(numbers == number), axis=0).max() * SPACING_MM <= LONGEST_MM
    expected = np.bincount(numbers.ravel(), weights=far.ravel())[1:]
    assert (np.diff(expected) <= 0).all()


def test_a_border_off_by_a_voxel_is_no_far_error_and_a_missed_rib_is_one_in_full() -> None:
    reference = np.ones((20, 20, 40), np.uint8)
    reference[:, :, 20:] = 4
    reference[9:11, 9:11, 2:15] = 2
    labels = np.ones_like(reference)
    labels[:, :, 21:] = 4
    found = far_errors(labels, reference, 3.0, SPACING_MM)
    np.testing.assert_array_equal(found, reference == 2)
    labels[:, :, 20:24] = 1
    assert (far_errors(labels, reference, 3.0, SPACING_MM)[:, :, 20:24].any(axis=(0, 1)) == [0, 1, 1, 1]).sum() >= 2


def test_values_on_a_finer_grid_lie_where_they_were() -> None:
    coarse_affine, fine_affine = np.diag([3.0, 3.0, 3.0, 1.0]), np.diag([1.5, 1.5, 1.5, 1.0])
    fine_affine[:3, 3] = -0.75
    ramp = np.broadcast_to(np.arange(10.0), (10, 10, 10)).astype(np.float32)
    fine = onto(Volume(ramp, coarse_affine), Volume(np.zeros((20, 20, 20)), fine_affine))
    np.testing.assert_allclose(fine[5, 5, 2:18], (np.arange(2, 18) * 1.5 - 0.75) / 3.0, atol=1e-5)
