"""Which pixels are ultrasound."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.sector import crop, sector


def test_a_crop_is_its_rectangle():
    mask = crop((10, 20), 3, 2, 5, 4)
    assert mask.sum() == 20
    assert mask[2:6, 3:8].all()


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 21, 5), (0, 0, 0, 5), (16, 0, 5, 5)])
def test_a_crop_beyond_the_image_is_refused(box):
    with pytest.raises(FreehandError, match="a crop of"):
        crop((10, 20), *box)


def test_a_sector_has_the_area_of_a_sector_whatever_the_pixels():
    area_mm2 = np.pi * (60.0**2 - 20.0**2) * 60.0 / 360.0
    square = sector((800, 1000), (500, -100), (200, 600), 30.0)
    assert square.sum() * 0.1**2 == pytest.approx(area_mm2, rel=0.01)
    wide = sector((800, 500), (250, -100), (200, 600), 30.0, (0.1, 0.2))
    assert wide.sum() * 0.1 * 0.2 == pytest.approx(area_mm2, rel=0.01)


def test_a_sector_beside_the_image_is_refused():
    with pytest.raises(FreehandError, match="a sector around"):
        sector((100, 100), (50, -1000), (10, 20), 30.0)
