"""Air around the patient is outside; air within is left to the network."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Volume
from reconstruction.network.classes import CLASS_INDEX, CLASSES, OUTSIDE_INDEX
from reconstruction.network.outside import air_around, clear_outside, place_skin
from reconstruction.surfaces.extract import extract_surface


@pytest.fixture
def chest() -> np.ndarray:
    """A box of tissue in air, with a lung that the scan's upper and lower end cut open."""
    hu = np.full((10, 40, 40), -1000.0, np.float32)
    hu[:, 12:30, 10:30] = 40.0
    hu[:, 16:24, 14:22] = -850.0
    return hu


def test_only_air_that_reaches_a_side_is_around(chest: np.ndarray) -> None:
    air = air_around(chest)
    assert air[5, 2, 2]
    assert not air[:, 16:24, 14:22].any()
    assert not air[chest > -500].any()
    assert int(air.sum()) == chest.size - 10 * 18 * 20


def test_lung_beside_the_patient_becomes_outside_and_the_true_lung_stays(chest: np.ndarray) -> None:
    probabilities = np.full((len(CLASSES), *chest.shape), 0.1, np.float32)
    probabilities[CLASS_INDEX["lung"]] = 0.6
    clear_outside(probabilities, chest, spacing_mm=2.0)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1.0, atol=1e-6)
    assert probabilities[CLASS_INDEX["lung"], 5, 20, 18] == pytest.approx(0.6)
    assert probabilities[OUTSIDE_INDEX, 5, 2, 2] == 1.0
    # Within three voxels of the skin only the lung is ruled out; the rest is the network's to say.
    assert probabilities[OUTSIDE_INDEX, 5, 10, 20] == pytest.approx(0.7)
    assert probabilities[CLASS_INDEX["body"], 5, 10, 20] == pytest.approx(0.1)


def test_a_scan_filled_by_the_patient_is_left_alone() -> None:
    hu = np.full((4, 8, 8), 40.0, np.float32)
    hu[:, 3:5, 3:5] = -900.0
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), size=hu.shape).transpose(3, 0, 1, 2).astype("f4")
    before = probabilities.copy()
    clear_outside(probabilities, hu, spacing_mm=2.0)
    np.testing.assert_array_equal(probabilities, before)


def test_the_skin_of_a_cylinder_is_put_where_the_ct_shows_it_and_the_table_stays_outside() -> None:
    spacing_mm, radius_mm, blur_mm = 2.0, 40.0, 1.5
    _, j, i = np.indices((12, 60, 60))
    y_mm, x_mm = (j - 29.5) * spacing_mm, (i - 29.5) * spacing_mm
    inside_mm = radius_mm - np.hypot(x_mm, y_mm)
    share = np.clip(0.5 + inside_mm / (2.0 * blur_mm), 0.0, 1.0)
    hu = (-1000.0 + 1000.0 * share).astype(np.float32)
    hu[:, 54:56] = 200.0  # a table, 7 mm below
    too_large = inside_mm + 2.0 > 0  # the network's body, 2 mm beyond the skin
    probabilities = np.zeros((len(CLASSES), *hu.shape), np.float32)
    probabilities[OUTSIDE_INDEX] = ~too_large
    probabilities[CLASS_INDEX["body"]] = too_large
    place_skin(probabilities, hu)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1.0, atol=1e-6)
    assert (probabilities[OUTSIDE_INDEX, :, 54:56] == 1.0).all()
    body = Volume(1.0 - probabilities[OUTSIDE_INDEX], np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0]))
    vertices = extract_surface(body, "body").surface.vertices_mm
    vertices = vertices[(vertices[:, 2] > 2.0) & (vertices[:, 2] < 20.0)]  # the caps are no skin
    radii = np.hypot(vertices[:, 0] - 59.0, vertices[:, 1] - 59.0)
    # Linear interpolation of an edge narrower than two voxels is off by up to a tenth of one.
    assert np.abs(radii - radius_mm).max() < 0.25
    assert abs(np.median(radii) - radius_mm) < 0.05
