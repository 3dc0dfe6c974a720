"""What a model finds in the frames becomes a surface in its place."""

from __future__ import annotations

import numpy as np

from navigation.ultrasound.freehand.structures import StructureSettings, drawn, open_pipeline, structure_surfaces
from navigation.ultrasound.freehand.sweep import RecordedSweep
from reconstruction.freehand.grid import grid_around
from reconstruction.ultrasound.contours import Contour
from tests.reconstruction.ultrasound.frames import bone_frame

PIXEL_MM = 0.1


def test_the_bone_of_a_sweep_lies_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    frames = [bone_frame(8 * number) for number in range(8)]  # of one bone, with speckle of their own
    poses = np.tile(np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0]), (len(frames), 1, 1))
    poses[:, 2, 3] = 0.4 * np.arange(len(frames))
    times_ns = tuple(50_000_000 * number for number in range(len(frames)))
    sweep = RecordedSweep("reference", tuple(frames), poses, times_ns, {})
    mask = np.ones(sweep.shape, bool)
    grid = grid_around(mask, poses, 0.4, "reference")
    shares: list[float] = []
    found = structure_surfaces(
        sweep, grid, mask, open_pipeline("bone", sweep), StructureSettings(max_triangles=20_000), shares.append
    )
    assert list(found) == ["bone"]
    x_mm, y_mm, _ = found["bone"].surface.vertices_mm.T
    depth_mm = PIXEL_MM * (200.0 + 30.0 * np.sin(x_mm / PIXEL_MM / 60.0))
    off_mm = y_mm - depth_mm
    assert np.abs(np.median(off_mm)) < 0.3
    assert np.percentile(np.abs(off_mm), 95) < 1.2  # half of its thickness of 7 px, and a voxel
    assert x_mm.max() - x_mm.min() > 15.0  # of the 30 mm of the image
    assert shares == sorted(shares)


def contour(points_px: list[list[float]], closed: bool) -> Contour:
    return Contour("vessel", np.array(points_px, np.float64), closed, None, 0.0)


def test_a_closed_contour_is_drawn_with_its_inside_and_an_open_one_as_a_line():
    square = contour([[10, 5], [20, 5], [20, 15], [10, 15]], closed=True)
    line = contour([[10, 5], [20, 5]], closed=False)
    inside, along = drawn([square], (40, 60)), drawn([line], (40, 60))
    assert inside[10, 15] == along[5, 15] == along[8, 15] == 255
    assert along[9, 15] == inside[30, 15] == inside[10, 25] == 0
    assert not drawn([], (40, 60)).any()


def test_a_line_that_leaves_the_image_ends_at_its_border():
    assert drawn([contour([[-5, 3], [70, 3]], closed=False)], (40, 60))[3].all()
