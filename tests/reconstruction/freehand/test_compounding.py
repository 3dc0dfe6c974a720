"""A body that is known everywhere, swept by both kinds of probe: the volume is that body, in its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconstruction.freehand.compounding import Compounded, Compounder
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import FreehandGrid, grid_around
from reconstruction.freehand.holes import fill_holes
from reconstruction.freehand.settings import Compounding, CompoundingSettings, Interpolation
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface
from tests.reconstruction.freehand.sweeps import BALL_CENTRE_MM, BALL_RADIUS_MM, Sweep, ball_at, sweep

IDENTITY_PX = np.eye(4)


def compounded(swept: Sweep, settings: CompoundingSettings | None = None, spacing_mm: float = 1.0) -> Compounded:
    grid = grid_around(swept.mask, swept.T_reference_image_px, spacing_mm, "reference")
    compounder = Compounder(grid, swept.mask, settings)
    for frame, pose in zip(swept.frames, swept.T_reference_image_px, strict=True):
        compounder.add(frame, pose)
    assert compounder.n_frames == len(swept.frames)
    return compounder.read()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("pixel_mm", [(0.5, 0.5), (0.3, 0.7)])
@pytest.mark.parametrize("motion", ["parallel", "fan"])
@pytest.mark.parametrize("probe", ["linear", "convex"])
def test_a_swept_ball_is_a_ball_in_its_place(probe, motion, pixel_mm, mirrored):
    volume = fill_holes(compounded(sweep(probe, motion, pixel_mm, mirrored))).compounded.volume

    surface = extract_surface(volume, "ball", SurfaceSettings(level=120.0)).surface

    radii = np.linalg.norm(surface.vertices_mm - BALL_CENTRE_MM, axis=1)
    assert abs(np.median(radii) - BALL_RADIUS_MM) < 0.25
    assert np.percentile(np.abs(radii - BALL_RADIUS_MM), 95) < 0.9  # voxels of 1 mm
    assert np.linalg.norm(surface.vertices_mm.mean(axis=0) - BALL_CENTRE_MM) < 0.3
    assert surface.frame == "reference"


@pytest.mark.parametrize("compounding", list(Compounding))
@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_every_rule_shows_the_body_where_all_agree(interpolation, compounding):
    if compounding is Compounding.MEAN_8_BIT and interpolation is Interpolation.NEAREST:
        pytest.skip("PLUS's mean in 8 bits is that of linear interpolation")
    volume = compounded(sweep("convex", "fan"), CompoundingSettings(interpolation, compounding))
    centres = np.argwhere(volume.seen)[:, ::-1]
    places_mm = volume.volume.index_to_mm(centres)
    border_mm = np.abs(np.linalg.norm(places_mm - BALL_CENTRE_MM, axis=1) - BALL_RADIUS_MM)
    clear = border_mm > 2.0  # farther than a voxel's diagonal
    np.testing.assert_array_equal(volume.grey[volume.seen][clear], ball_at(places_mm[clear]))


def small(settings: CompoundingSettings, shape_ijk: tuple[int, int, int] = (4, 3, 2)) -> Compounder:
    grid = FreehandGrid("reference", np.zeros(3), np.ones(3), shape_ijk)
    return Compounder(grid, np.ones((3, 4), bool), settings)


def two_frames(interpolation: Interpolation, compounding: Compounding) -> np.ndarray:
    compounder = small(CompoundingSettings(interpolation, compounding))
    compounder.add(np.full((3, 4), 90, np.uint8), IDENTITY_PX)
    compounder.add(np.full((3, 4), 30, np.uint8), IDENTITY_PX)
    return compounder.read().grey[0]


@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_mean_maximum_and_latest_of_two_frames(interpolation):
    np.testing.assert_array_equal(two_frames(interpolation, Compounding.MEAN), 60)
    np.testing.assert_array_equal(two_frames(interpolation, Compounding.MAXIMUM), 90)
    np.testing.assert_array_equal(two_frames(interpolation, Compounding.LATEST), 30)


def test_linear_interpolation_shares_a_pixel_and_nearest_does_not():
    quarter = np.eye(4)
    quarter[2, 3] = 0.25
    one = np.zeros((3, 4), np.uint8)
    one[1, 2] = 100
    linear, nearest = small(CompoundingSettings()), small(CompoundingSettings(Interpolation.NEAREST))
    for compounder in (linear, nearest):
        compounder.add(one, quarter)
    assert linear.read().seen.all()
    np.testing.assert_array_equal(nearest.read().seen[1], False)
    other = one.copy()
    other[1, 2] = 20
    above = np.eye(4)
    above[2, 3] = 1.0
    linear.add(other, above)
    assert linear.read().grey[1, 1, 2] == round((0.25 * 100 + 20) / 1.25)


def test_black_that_was_seen_is_not_unseen():
    compounder = small(CompoundingSettings(compounding=Compounding.MAXIMUM))
    compounder.add(np.zeros((3, 4), np.uint8), IDENTITY_PX)
    assert compounder.read().seen[0].all()
    assert not compounder.read().seen[1].any()


def test_pixels_beyond_the_grid_are_counted_and_change_nothing():
    compounder = small(CompoundingSettings(), (2, 2, 1))
    compounder.add(np.full((3, 4), 50, np.uint8), IDENTITY_PX)
    assert compounder.n_outside == 12 - 4
    np.testing.assert_array_equal(compounder.read().grey, 50)
    far = np.eye(4)
    far[:3, 3] = 1000.0
    compounder.add(np.full((3, 4), 99, np.uint8), far)
    assert compounder.n_outside == 8 + 12
    np.testing.assert_array_equal(compounder.read().grey, 50)


poses = st.tuples(*[st.floats(-3.0, 3.0) for _ in range(3)], *[st.floats(-1.0, 1.0) for _ in range(3)])


@given(st.lists(poses, min_size=1, max_size=6), st.sampled_from(list(Compounding)), st.integers(0, 5), st.data())
def test_a_volume_read_between_frames_is_the_one_of_those_frames(given_poses, compounding, seed, data):
    """Live is offline: reading in between changes nothing, and shows what the frames until then give."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (len(given_poses), 3, 4)).astype(np.uint8)
    maps = []
    for *at, a, b, c in given_poses:
        pose = np.eye(4)
        pose[:3, :3] += np.array([[0, a, b], [c, 0, a], [b, c, 0]]) * 0.3
        pose[:3, 3] = at
        maps.append(pose)
    reads = data.draw(st.integers(0, len(frames)))
    live, offline, first = (small(CompoundingSettings(compounding=compounding)) for _ in range(3))
    for number, (frame, pose) in enumerate(zip(frames, maps, strict=True)):
        if number < reads:
            first.add(frame, pose)
        live.add(frame, pose)
        if number == reads - 1:
            middle = live.read()
            np.testing.assert_array_equal(middle.grey, first.read().grey)
    for frame, pose in zip(frames, maps, strict=True):
        offline.add(frame, pose)
    np.testing.assert_array_equal(live.read().grey, offline.read().grey)
    np.testing.assert_array_equal(live.read().seen, offline.read().seen)


@given(st.permutations(range(5)), st.sampled_from([Compounding.MEAN, Compounding.MAXIMUM]))
def test_mean_and_maximum_do_not_depend_on_the_order_of_frames(order, compounding):
    rng = np.random.default_rng(3)
    frames, shifts = rng.integers(0, 256, (5, 3, 4)).astype(np.uint8), rng.uniform(-0.5, 0.5, (5, 3))
    volumes = []
    for numbers in (range(5), order):
        compounder = small(CompoundingSettings(compounding=compounding))
        for number in numbers:
            pose = np.eye(4)
            pose[:3, 3] = shifts[number]
            compounder.add(frames[number], pose)
        volumes.append(compounder.read())
    np.testing.assert_allclose(volumes[0].grey.astype(int), volumes[1].grey.astype(int), atol=1)  # half levels


def test_a_frame_without_a_pose_or_of_another_size_is_refused_and_adds_nothing():
    compounder = small(CompoundingSettings())
    flat, good = np.eye(4), np.full((3, 4), 50, np.uint8)
    flat[:3, 1] = flat[:3, 0]
    wrong = [(good, None), (good[:2], IDENTITY_PX), (good.astype(float), IDENTITY_PX), (good, flat)]
    for frame, pose in [*wrong, (good, np.full((4, 4), np.nan)), (good, np.eye(3))]:
        with pytest.raises(FreehandError):
            compounder.add(frame, pose)
    assert compounder.n_frames == 0
    assert not compounder.read().seen.any()


def test_a_grid_beyond_the_memory_that_is_promised_is_refused_with_a_spacing_that_fits():
    with pytest.raises(FreehandError, match=r"spacing of 0\.\d+ mm or more"):
        FreehandGrid("reference", np.zeros(3), np.full(3, 0.1), (2000, 2000, 2000))


@pytest.mark.parametrize("grid", [((0, 1, 1), 1.0), ((1, 1, 1), 0.0), ((1, 1, 1), np.nan)])
def test_a_grid_that_is_none_is_refused(grid):
    shape, spacing = grid
    with pytest.raises(FreehandError, match="a grid from"):
        FreehandGrid("reference", np.zeros(3), np.full(3, spacing), shape)


def test_the_grid_around_a_sweep_holds_all_its_pixels():
    swept = sweep("convex", "fan")
    grid = grid_around(swept.mask, swept.T_reference_image_px, 1.0, "reference")
    compounder = Compounder(grid, swept.mask)
    for frame, pose in zip(swept.frames, swept.T_reference_image_px, strict=True):
        compounder.add(frame, pose)
    assert compounder.n_outside == 0
    with pytest.raises(FreehandError, match="no frame"):
        grid_around(swept.mask, np.zeros((0, 4, 4)), 1.0, "reference")


def test_plus_mean_is_refused_with_nearest():
    with pytest.raises(FreehandError, match="linear"):
        small(CompoundingSettings(Interpolation.NEAREST, Compounding.MEAN_8_BIT))
