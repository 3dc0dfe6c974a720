"""Surfaces from binary labels against shapes known in closed form, at 1 mm voxels and random positions.

Shapes are turned against the grid: a face that runs along the voxels lies anywhere in the half voxel that the mask
leaves open, and nothing can tell where (`test_a_face_along_the_grid_is_known_to_half_a_voxel`).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import Surface, Volume
from geometry.errors import InvalidVolumeError
from reconstruction.surfaces.extract import EmptyStructureError
from reconstruction.surfaces.from_labels import (
    InvalidLabelSurfaceSettingsError,
    LabelSurfaceSettings,
    surface_from_labels,
    surfaces_from_labels,
)
from tests.reconstruction.shapes import SHAPES, TURN, binary, centre_of, plate_mm, sphere_mm, straight, turned
from tests.reconstruction.shapes import oblique as oblique_grid
from tests.reconstruction.shapes import voxel_centres_mm as centres_mm

KEEP_ALL = LabelSurfaceSettings(smallest_part_ml=0.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_analytic_shapes_are_met_within_a_fifth_of_a_voxel(shape):
    grid, distance = straight(n=64), turned(SHAPES[shape])
    points = centres_mm(grid)
    errors = []
    for seed in range(4):
        centre = centre_of(grid, np.random.default_rng(seed).uniform(-0.5, 0.5, 3))
        made = surface_from_labels(binary(grid, distance(points, centre)), 1, shape)
        assert made.watertight
        errors.append(distance(made.surface.vertices_mm, centre))
    every = np.concatenate(errors)
    print(f"{shape}, from labels: 95 % within {np.percentile(np.abs(every), 95):.3f} mm, mean {every.mean():+.3f}")
    # mm. The mask alone says 0.5; the plate's rim, of 1.5 mm radius, is the worst.
    assert np.percentile(np.abs(every), 95) <= 0.2
    assert abs(every.mean()) < 0.02  # neither shrunk nor grown


def test_a_small_sphere_does_not_shrink():
    """Surface nets as they come take 8 % of a sphere of 8 mm. 2 % is 0.05 mm of radius, 0.02 of them flat triangles."""
    grid = straight(n=28)
    points, volumes = centres_mm(grid), []
    for seed in range(4):
        centre = centre_of(grid, np.random.default_rng(seed).uniform(-0.5, 0.5, 3))
        volumes.append(surface_from_labels(binary(grid, sphere_mm(points, centre, 8.0)), 1, "s").surface.volume_ml)
    print(f"sphere of 8 mm radius: {np.mean(volumes) / (4.0 / 3.0 * np.pi * 0.8**3) - 1.0:+.1%} of its volume")
    assert np.mean(volumes) == pytest.approx(4.0 / 3.0 * np.pi * 0.8**3, rel=0.02)


def test_a_face_along_the_grid_is_known_to_half_a_voxel():
    grid = straight(n=40)
    centre = centre_of(grid, 0.0)
    distance = plate_mm(centres_mm(grid), centre, (15.0, 15.0, 3.9), 1.0)  # voxel centres at 3.5 are in, at 4.5 out
    vertices = surface_from_labels(binary(grid, distance), 1, "slab").surface.vertices_mm - centre
    face = vertices[(np.abs(vertices[:, :2]) < 8.0).all(axis=1) & (vertices[:, 2] > 0.0), 2]
    np.testing.assert_allclose(face, 4.0, atol=0.1)  # the middle of what the mask leaves open


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.05, 0.9))
@settings(max_examples=20)
def test_any_mask_is_watertight_and_given_back_by_its_surface(seed, share):
    """Every voxel centre lies on its own side; every vertex within half a voxel of the middle of a grid edge that the
    border crosses."""
    mask = np.random.default_rng(seed).random((5, 6, 7)) < share
    mask[2, 3, 4] = True
    spacing = np.array([0.7, 0.7, 2.5])
    made = surface_from_labels(Volume(mask, np.diag([*spacing, 1.0])), 1, "noise", KEEP_ALL)
    assert made.watertight
    assert made.surface.volume_ml > 0.0
    padded = np.pad(mask, 1)
    k, j, i = np.indices(padded.shape)
    centres = (np.stack([i, j, k], axis=-1).reshape(-1, 3) - 1 + 1e-5) * spacing  # beside edges of the surface
    np.testing.assert_array_equal(windings(made.surface, centres) > 0.5, padded.ravel())
    middles = []
    for axis in range(3):  # array axes: k, j, i
        crossed = np.argwhere(np.diff(padded.astype(np.int8), axis=axis) != 0)[:, ::-1].astype(float)
        crossed[:, 2 - axis] += 0.5
        middles.append(crossed - 1)
    assert len(made.surface.vertices_mm) == sum(map(len, middles))
    away = made.surface.vertices_mm[:, None] / spacing - np.concatenate(middles)
    assert np.abs(away).max(axis=2).min(axis=1).max() < 0.5


def windings(surface: Surface, points: np.ndarray) -> np.ndarray:
    """How often the surface goes around each point: 1 inside, 0 outside (van Oosterom & Strackee, IEEE TBME 1983)."""
    a, b, c = (surface.vertices_mm[corner] - points[:, None] for corner in surface.triangles.T)
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    top = np.einsum("pti,pti->pt", a, np.cross(b, c))
    bottom = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
    return np.arctan2(top, bottom).sum(axis=1) / (2.0 * np.pi)


def test_surfaces_are_smooth_to_the_eye():
    """Angles between neighbouring triangles. Of a sphere of 8 mm the exact border has 5.4 degrees in marching cubes'
    triangles, 3D Slicer's windowed sinc 4.5; with vertices on their grid edges it was 6.0, a twentieth beyond 20."""
    grid = straight(n=28)
    made = surface_from_labels(binary(grid, sphere_mm(centres_mm(grid), centre_of(grid), 8.0)), 1, "sphere")
    degrees = dihedral_degrees(made.surface)
    assert np.median(degrees) < 4.3
    assert np.percentile(degrees, 95) < 8.0


def dihedral_degrees(surface: Surface) -> np.ndarray:
    corners = surface.vertices_mm[surface.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    edges = np.sort(np.concatenate([surface.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
    order = np.lexsort(edges.T)
    one, other = order.reshape(-1, 2).T % len(surface.triangles)  # watertight: each edge comes twice
    return np.degrees(np.arccos(np.clip((normals[one] * normals[other]).sum(axis=1), -1.0, 1.0)))


def test_a_plate_one_voxel_thin_and_a_thread_stay():
    grid = straight(n=24)
    voxels = np.zeros(grid.voxels.shape, np.uint8)
    voxels[12, 4:20, 4:20] = 1
    voxels[4:20, 2, 2] = 2
    labels = grid.with_voxels(voxels)
    for value in (1, 2):
        made = surface_from_labels(labels, value, "thin", KEEP_ALL)
        assert made.watertight
        inside = windings(made.surface, centres_mm(grid)[voxels.ravel() == value] + 1e-5)
        np.testing.assert_allclose(inside, 1.0, atol=1e-6)


def test_oblique_grids_left_stays_left():
    grid = oblique_grid(n=40)
    voxels = np.zeros(grid.voxels.shape, np.int16)
    voxels[10:14, 10:14, 10:34] = 7  # k, j, i: the long arm along +i
    voxels[10:30, 10:14, 10:14] = 7
    ijk = grid.mm_to_index(surface_from_labels(grid.with_voxels(voxels), 7, "angle").surface.vertices_mm)
    np.testing.assert_allclose(ijk.min(axis=0), 9.5, atol=0.25)
    np.testing.assert_allclose(ijk.max(axis=0), [33.5, 13.5, 29.5], atol=0.25)


def test_a_structure_that_leaves_the_scan_is_closed_and_says_where():
    grid = straight(n=30, origin=(0.0, 0.0, 0.0))
    points = centres_mm(grid)
    cylinder = np.hypot(points[:, 0], points[:, 1] - 15.0) - 8.3  # along z, cut in half by the face i = 0
    made = surface_from_labels(binary(grid, cylinder), 1, "aorta")
    assert made.open_at_border == ("i_min", "k_min", "k_max")
    assert made.watertight
    assert made.surface.volume_ml == pytest.approx((np.pi * 8.3**2 + 8.3 * 2) * 15.0 / 1000.0, rel=0.02)
    low, high = made.surface.bounds_mm
    np.testing.assert_allclose([low[0], low[2], high[2]], [-0.5, -0.5, 29.5], atol=1e-9)


def test_several_structures_each_like_alone():
    grid = straight(n=40)
    points, centre = centres_mm(grid), centre_of(grid)
    voxels = np.zeros(grid.voxels.shape, np.uint16)
    for value, x in ((3, -9.0), (300, 9.0)):
        voxels[(sphere_mm(points, centre + np.array([x, 0.0, 0.0]), 7.0) < 0).reshape(voxels.shape)] = value
    voxels[0, 0, 0] = 9
    labels = grid.with_voxels(voxels)
    made = surfaces_from_labels(labels, {300: "left", 3: "right", 5: "absent", 9: "speck"})
    assert list(made) == ["left", "right"]
    alone = surface_from_labels(labels, 300, "left").surface
    np.testing.assert_array_equal(made["left"].surface.vertices_mm, alone.vertices_mm)
    assert made["left"].surface.vertices_mm[:, 0].mean() > made["right"].surface.vertices_mm[:, 0].mean()
    small = surfaces_from_labels(labels, {3: "right"}, LabelSurfaceSettings(max_triangles=500))["right"]
    assert small.simplification.triangles_after <= 500
    assert small.simplification.distance.p95_mm < 0.2


def ball_of_three(grid):
    """A ball cut into three by two oblique planes: three borders and a line where all meet."""
    points, centre = centres_mm(grid), centre_of(grid)
    inside, away = sphere_mm(points, centre, 16.0) < 0, (points - centre) @ TURN
    values = np.where(away[:, 0] > 2.2, 7, np.where(away[:, 1] > 3.1, 9, 3))
    return grid.with_voxels(np.where(inside, values, 0).astype(np.int16).reshape(grid.voxels.shape))


def test_shared_borders_leave_no_gap():
    """Each structure is tight, and the three together, their inner borders taken out, are tight as well: every inner
    triangle has its opposite, vertex for vertex."""
    labels = ball_of_three(straight(n=44))
    labels = labels.with_voxels(np.where(labels.voxels == 0, -1, labels.voxels))  # other programs' "nothing"
    names = {3: "a", 7: "b", 9: "c", 12: "absent"}
    made = surfaces_from_labels(labels, names, LabelSurfaceSettings(shared_borders=True))
    assert list(made) == ["a", "b", "c"]
    assert all(one.watertight for one in made.values())
    for value, name in ((3, "a"), (7, "b"), (9, "c")):
        volume_ml = (labels.voxels == value).sum() / 1000.0
        assert made[name].surface.volume_ml == pytest.approx(volume_ml, rel=0.01)  # neither shrunk nor grown
    corners = np.concatenate([one.surface.vertices_mm[one.surface.triangles] for one in made.values()])
    vertices, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    triangles = index.reshape(-1, 3)
    same, counts = np.unique(np.sort(triangles, axis=1), axis=0, return_counts=True)
    assert set(counts) == {1, 2}  # borders are held by exactly two
    assert (counts == 2).sum() > 500
    outer = {tuple(row) for row in same[counts == 1]}
    hull = Surface(vertices, triangles[[tuple(sorted(row)) in outer for row in triangles]], "ct", "all")
    assert hull.is_watertight
    assert hull.volume_ml == pytest.approx(sum(one.surface.volume_ml for one in made.values()), rel=1e-9)
    errors = sphere_mm(vertices[np.unique(hull.triangles)], centre_of(straight(n=44)), 16.0)
    assert np.percentile(np.abs(errors), 95) < 0.3  # the seams, where three borders meet, are the worst
    assert abs(errors.mean()) < 0.02


def test_shared_borders_say_where_they_are_not_manifold():
    voxels = np.zeros((8, 8, 8), np.uint8)
    voxels[2:4, 2:4, 2:4] = voxels[4:6, 4:6, 2:4] = 1  # two blocks that touch at an edge
    settings = LabelSurfaceSettings(shared_borders=True, smallest_part_ml=0.0)
    made = surfaces_from_labels(Volume(voxels, np.eye(4)), {1: "pair"}, settings)["pair"]
    assert not made.watertight
    assert "shared by more than two triangles" in made.not_watertight_reason
    apart = surfaces_from_labels(Volume(voxels, np.eye(4)), {1: "pair"}, KEEP_ALL)["pair"]
    assert apart.watertight


def test_what_makes_no_surface_is_named():
    grid = straight(n=8)
    labels = grid.with_voxels(np.zeros(grid.voxels.shape, np.uint8))
    with pytest.raises(EmptyStructureError, match="label 4, which no voxel holds"):
        surface_from_labels(labels, 4, "liver")
    speck = labels.voxels.copy()
    speck[2, 2, 2] = 4
    with pytest.raises(EmptyStructureError, match="all too small"):
        surface_from_labels(labels.with_voxels(speck), 4, "liver")
    with pytest.raises(InvalidVolumeError, match="float32"):
        surface_from_labels(grid, 1, "liver")
    with pytest.raises(InvalidVolumeError, match=r"\[0\]"):
        surface_from_labels(labels, 0, "nothing")
    with pytest.raises(InvalidVolumeError, match="one value per name"):
        surfaces_from_labels(labels, {1: "lung", 2: "lung"})
    for wrong in ({"smallest_part_ml": -1.0}, {"max_triangles": 3}, {"max_triangles": 9, "shared_borders": True}):
        with pytest.raises(InvalidLabelSurfaceSettingsError):
            LabelSurfaceSettings(**wrong)
