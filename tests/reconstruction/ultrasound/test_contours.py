"""Outlines in the pixels of the frame, against shapes with a known border."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from reconstruction.network.letterbox import letterbox
from reconstruction.ultrasound.contours import find_contours

CLASSES = ("background", "nerve", "vessel")


def disc_probabilities(frame: tuple[int, int], centre: tuple[float, float], radius: float, index: int) -> np.ndarray:
    """Probabilities on the network's grid of a disc given in the frame's pixels: 0.5 exactly at its border."""
    placed = letterbox(frame, (256, 256))
    rows, columns = np.indices(frame, dtype=np.float32)
    distance = np.hypot(rows - centre[1], columns - centre[0]) - radius
    inside = placed.to_grid(expit(-distance / 4).astype(np.float32))
    probabilities = np.zeros((3, 256, 256), np.float32)
    probabilities[index], probabilities[0] = inside, 1 - inside
    return probabilities


@pytest.mark.parametrize("frame", [(512, 534), (761, 632), (240, 320)])
def test_a_disc_is_where_it_is_to_a_fifth_of_a_pixel(frame: tuple[int, int]) -> None:
    centre, radius = (0.4 * frame[1], 0.55 * frame[0]), 0.15 * frame[0]
    probabilities = disc_probabilities(frame, centre, radius, 2)
    (contour,) = find_contours(probabilities, letterbox(frame, (256, 256)), CLASSES)
    distances = np.hypot(*(contour.points_px - centre).T)
    assert contour.structure == "vessel"
    assert contour.closed
    assert distances.mean() == pytest.approx(radius, abs=0.2)
    assert np.ptp(distances) < 1.0
    assert contour.points_px.mean(axis=0) == pytest.approx(centre, abs=0.2)
    assert contour.area_px2 == pytest.approx(np.pi * radius**2, rel=0.03)
    assert 0.7 < contour.confidence <= 1.0


def test_an_outline_that_leaves_the_frame_runs_along_its_border() -> None:
    frame = (400, 300)
    probabilities = disc_probabilities(frame, (0.0, 200.0), 60.0, 1)
    (contour,) = find_contours(probabilities, letterbox(frame, (256, 256)), CLASSES)
    x, y = contour.points_px.T
    assert x.min() == 0.0
    assert x.max() == pytest.approx(60.0, abs=0.5)
    assert y[x < 1].min() == pytest.approx(140.0, abs=1.5)
    assert y[x < 1].max() == pytest.approx(260.0, abs=1.5)


def test_islands_apart_are_contours_of_their_own_and_specks_are_left_out() -> None:
    frame = (256, 256)
    two = [disc_probabilities(frame, at, radius, 2) for at, radius in (((70.0, 70.0), 20.0), ((180.0, 160.0), 30.0))]
    speck = disc_probabilities(frame, (30.0, 200.0), 2.0, 2)
    inside = np.maximum.reduce([found[2] for found in (*two, speck)])
    probabilities = np.stack([1 - inside, np.zeros_like(inside), inside])
    found = find_contours(probabilities, letterbox(frame, frame), CLASSES)
    assert [contour.structure for contour in found] == ["vessel", "vessel"]
    assert [round(float(contour.points_px[:, 0].mean())) for contour in found] == [180, 70]  # the largest first


def test_neighbours_of_different_classes_share_their_border() -> None:
    frame = (256, 256)
    columns = np.indices(frame, dtype=np.float32)[1]
    nerve = expit((100.25 - columns) / 4)
    probabilities = np.stack([np.full(frame, 0.0), nerve, 1 - nerve]).astype(np.float32)
    vessel, left = find_contours(probabilities, letterbox(frame, frame), CLASSES)
    assert (vessel.structure, left.structure) == ("vessel", "nerve")
    assert left.points_px[:, 0].max() == pytest.approx(100.25, abs=0.1)
    assert vessel.points_px[:, 0].min() == pytest.approx(100.25, abs=0.1)


def test_a_hole_is_filled() -> None:
    frame = (256, 256)
    outer, hole = (disc_probabilities(frame, (128.0, 128.0), radius, 2)[2] for radius in (60.0, 20.0))
    inside = np.minimum(outer, 1 - hole)
    (contour,) = find_contours(np.stack([1 - inside, 0 * inside, inside]), letterbox(frame, frame), CLASSES)
    assert np.hypot(*(contour.points_px - 128).T).min() > 55


def test_nothing_there_is_nothing_found() -> None:
    probabilities = np.zeros((3, 256, 256), np.float32)
    probabilities[0] = 1
    assert find_contours(probabilities, letterbox((512, 534), (256, 256)), CLASSES) == ()
