"""Sizes of a pixel against those stated: the speed of sound, another depth, a resized image, another unit."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.ultrasound_probe.flips import ProbeAxes
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.targets.judging import (
    ProbeImage,
    flips_refused,
    said_and_refused_spacings,
    said_sizes,
)

IMAGE = ProbeImage(size_px=(640, 480), stated_spacing_mm=(0.1, 0.12))


def a_map(width_mm: float, height_mm: float, sd: float = 1e-4) -> ImageToProbe:
    columns = np.column_stack([[width_mm, 0.0, 0.0], [0.0, height_mm, 0.0], [0.0, 80.0, 0.0]])
    return ImageToProbe(columns, np.diag([sd**2] * 6 + [0.01] * 3))


def judged(width_mm, height_mm, sd=1e-4, image=IMAGE):
    return said_and_refused_spacings(a_map(width_mm, height_mm, sd), image, 1.0)


def test_what_the_machine_states_is_confirmed():
    said, refused = judged(0.1001, 0.1201)
    assert said
    assert not refused


def test_water_at_room_temperature_is_named_by_its_speed_of_sound():
    _, refused = judged(0.1, 0.12 * 1482 / 1540)
    assert len(refused) == 1
    assert "1482 +- " in refused[0]
    assert "2.1 mm at the image's bottom" in refused[0]


def test_a_small_error_of_the_depth_is_said_and_not_refused():
    said, refused = judged(0.1, 0.12 * 1.01)
    assert any("sound runs at 1555" in sentence for sentence in said)
    assert not refused


def test_a_difference_within_its_error_is_none():
    said, refused = judged(0.1, 0.12 * 1.01, sd=1e-3)
    assert not any("sound" in sentence for sentence in said)
    assert not refused


@pytest.mark.parametrize(("width", "height", "why"), [(0.15, 0.18, "another depth or zoom"), (0.13, 0.12, "resized")])
def test_other_sizes_are_not_taken_for_a_speed_of_sound(width, height, why):
    _, refused = judged(width, height)
    assert why in refused[0]


def test_metres_are_told():
    _, refused = judged(1e-4, 1.2e-4, sd=1e-8, image=replace(IMAGE, stated_spacing_mm=None))
    assert "not in metres" in refused[0]


def test_sizes_are_said_with_their_errors():
    said = said_sizes(a_map(0.1, 0.12, 0.0005))
    assert "0.1000 +- 0.0005 mm wide and 0.1200 +- 0.0005 mm high" in said
    # 0.0005 of 0.1 and of 0.12: 5.0 and 4.2 mrad, 6.5 mrad together.
    assert "0.00 +- 0.37 degrees" in said


def test_a_side_across_the_image_is_no_side_of_it():
    sides = ProbeAxes(marked=np.array([0.0, 0.0, 1.0]))
    assert "90 degrees from the stated side 'marked'" in flips_refused(a_map(0.1, 0.12), replace(IMAGE, axes=sides))[0]


def test_an_image_over_its_own_marker_is_upside_down_unless_its_direction_is_stated():
    looks_back = a_map(0.1, -0.12)
    behind = ImageToProbe(looks_back.columns_mm, looks_back.covariance)
    assert "upside down" in flips_refused(behind, IMAGE)[0]
    stated = replace(IMAGE, axes=ProbeAxes(far=np.array([0.0, -1.0, 0.0])))
    assert not flips_refused(behind, stated)
