"""The grid of a series from its slices' headers: the limit of a tilted gantry."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.ct.quality import CtReadSettings
from reconstruction.ct.slice_geometry import SeriesGrid, SlicePlane, fit_grid


def tilted(degrees: float) -> list[SlicePlane]:
    """Twenty axial slices, each 5 mm above the last and moved along y as a tilted gantry moves it."""
    step_mm = 5.0 * np.array([0.0, np.tan(np.radians(degrees)), 1.0])
    cosines = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    return [SlicePlane(64, 48, (0.9, 0.8), cosines, np.array([-30.0, -20.0, 10.0]) + k * step_mm) for k in range(20)]


@pytest.mark.parametrize("degrees", [0.1, -0.1, 0.3, 15.0])
def test_a_tilt_beyond_a_twentieth_of_a_degree_is_refused_with_its_angle(degrees: float) -> None:
    """Over 300 mm of scan, 0.1 degrees already place the last slice 0.5 mm off."""
    (fault,) = fit_grid(tilted(degrees), CtReadSettings())
    assert f"tilted by {abs(degrees):.2f} degrees" in fault.what


def test_what_rounding_tilts_passes_and_is_placed_by_its_headers() -> None:
    grid = fit_grid(tilted(0.03), CtReadSettings())
    assert isinstance(grid, SeriesGrid)
    # PixelSpacing names the distance between rows first: 0.9 along j, 0.8 along i.
    np.testing.assert_allclose(grid.affine[:3, :2], [[0.8, 0.0], [0.0, 0.9], [0.0, 0.0]])
    np.testing.assert_allclose(grid.affine @ [47, 63, 19, 1], [7.6, 36.7 + 95.0 * np.tan(np.radians(0.03)), 105.0, 1.0])
