"""Surfaces against shapes known in closed form, on straight and oblique grids.

The probability of a voxel is the share of its point spread (a Gaussian of 1.5 mm FWHM, a sharp CT kernel) that lies
inside the shape: `erf` of the signed distance, exact for planes.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from geometry import Surface, Volume
from geometry.errors import FrameMismatchError, InvalidVolumeError
from reconstruction.surfaces.extract import (
    EmptyStructureError,
    InvalidSurfaceSettingsError,
    SurfaceSettings,
    extract_surface,
)
from reconstruction.surfaces.pinched_edges import cut_pinched_edges
from reconstruction.surfaces.simplification import simplify_surface, surface_distance
from tests.reconstruction.shapes import (
    SHAPES,
    centre_of,
    oblique,
    sphere_mm,
    straight,
    torus_mm,
    turned,
    voxel_centres_mm,
)

SIGMA_MM = 1.5 / 2.355


def from_signed_distance(grid, distance_mm):
    inside = 0.5 - 0.5 * erf(distance_mm / (np.sqrt(2.0) * SIGMA_MM))
    return grid.with_voxels(inside.reshape(grid.voxels.shape).astype(np.float32))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("grid", [straight(), oblique()], ids=["straight", "oblique"])
def test_analytic_shapes_are_met_within_a_twentieth_of_a_voxel(shape, grid):
    centre = centre_of(grid)
    distance = turned(SHAPES[shape])
    probability = from_signed_distance(grid, distance(voxel_centres_mm(grid), centre))
    made = extract_surface(probability, shape)
    errors = np.abs(distance(made.surface.vertices_mm, centre))
    print(f"{shape}, from probabilities: 95 % within {np.percentile(errors, 95):.3f} mm")  # pytest -s
    # A twentieth of a voxel, 0.05 mm at 1 mm: what linear interpolation of erf leaves.
    assert np.percentile(errors, 95) < 0.05 * grid.spacing_mm.max()
    assert made.watertight
    assert made.not_watertight_reason == ""
    assert made.open_at_border == ()
    assert made.surface.frame == "ct"
    assert made.surface.volume_ml > 0.0  # outward winding


def test_volume_of_the_sphere():
    grid = straight()
    probability = from_signed_distance(grid, sphere_mm(voxel_centres_mm(grid), centre_of(grid), 18.0))
    truth_ml = 4.0 / 3.0 * np.pi * 18.0**3 / 1000.0
    # 0.02 mm of systematic offset on a radius of 18 mm would be 0.3 %.
    assert extract_surface(probability, "sphere").surface.volume_ml == pytest.approx(truth_ml, rel=3e-3)


def test_sharp_box_partial_volume_is_met_within_the_bound_of_linear_interpolation():
    """No point spread at all: between p0 = 1/2 + x and p1 = 0 the crossing lands at x / (1/2 + x), off by at most
    (3 - 2 sqrt 2) / 2 = 0.086 voxel along an axis; that is the 95th percentile's bound here."""
    grid, fine = straight(n=48), 6
    centre = centre_of(grid)
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    points = voxel_centres_mm(grid)
    share = np.zeros(len(points), np.float32)
    for shift in np.stack(np.meshgrid(offsets, offsets, offsets), axis=-1).reshape(-1, 3):
        share += sphere_mm(points + shift, centre, 15.0) < 0.0
    made = extract_surface(grid.with_voxels((share / fine**3).reshape(grid.voxels.shape)), "sphere")
    errors = np.abs(sphere_mm(made.surface.vertices_mm, centre, 15.0))
    assert np.percentile(errors, 95) < 0.086
    assert errors.mean() < 0.05


def test_left_stays_left():
    """An L-shaped structure with its long arm toward the patient's left (+x): a mirrored one has it at -x."""
    grid = straight(n=40, origin=(-20.0, -20.0, -20.0))
    voxels = np.zeros_like(grid.voxels)
    voxels[10:14, 10:14, 10:34] = 1.0  # k, j, i: the arm along +x
    voxels[10:30, 10:14, 10:14] = 1.0  # the shorter one along +z
    low, high = extract_surface(grid.with_voxels(voxels), "angle").surface.bounds_mm
    np.testing.assert_allclose(low, [-10.5, -10.5, -10.5], atol=1e-3)  # half a voxel beyond the first centres
    np.testing.assert_allclose(high, [13.5, -6.5, 9.5], atol=1e-3)


def test_a_structure_that_leaves_the_scan_is_closed_and_says_where():
    grid = straight(n=40, origin=(0.0, 0.0, 0.0))
    points = voxel_centres_mm(grid)
    cylinder = np.hypot(points[:, 0] - 0.0, points[:, 1] - 20.0) - 10.0  # along z, cut in half by the face i = 0
    made = extract_surface(from_signed_distance(grid, cylinder), "aorta")
    assert made.open_at_border == ("i_min", "k_min", "k_max")
    assert made.watertight
    # Half a disc and half a voxel more, 40 voxels long.
    assert made.surface.volume_ml == pytest.approx((np.pi * 50.0 + 0.5 * 20.0) * 40.0 / 1000.0, rel=0.01)
    low, high = made.surface.bounds_mm
    np.testing.assert_allclose([low[0], low[2], high[2]], [-0.5, -0.5, 39.5], atol=0.02)


def test_voxels_exactly_at_the_level_make_no_degenerate_triangles():
    grid = straight(n=24)
    distance = sphere_mm(voxel_centres_mm(grid), grid.index_to_mm([12, 12, 12])[0], 6.0)
    voxels = np.clip(0.5 - np.round(distance * 2) / 8.0, 0.0, 1.0).astype(np.float32)
    assert (voxels == 0.5).sum() > 100
    made = extract_surface(grid.with_voxels(voxels.reshape(grid.voxels.shape)), "steps")
    corners = made.surface.vertices_mm[made.surface.triangles]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert made.watertight
    assert areas.min() > 0.0


@given(seed=st.integers(0, 2**32 - 1), smooth=st.floats(0.0, 2.0))
def test_any_field_gives_a_watertight_surface(seed, smooth):
    voxels = gaussian_filter(np.random.default_rng(seed).random((9, 10, 11)), smooth)
    voxels = ((voxels - voxels.min()) / np.ptp(voxels)).astype(np.float32)
    made = extract_surface(Volume(voxels, np.eye(4)), "noise", SurfaceSettings(smallest_part_ml=0.0))
    assert made.watertight
    assert made.surface.volume_ml > 0.0


def test_small_parts_and_cavities():
    grid = straight(n=64)
    points, centre = voxel_centres_mm(grid), centre_of(grid)
    shell = np.maximum(sphere_mm(points, centre, 18.0), -sphere_mm(points, centre, 9.0))
    crumb = sphere_mm(points, centre + np.array([24.0, 0.0, 0.0]), 3.0)  # 0.11 ml
    probability = from_signed_distance(grid, np.minimum(shell, crumb))

    all_parts = extract_surface(probability, "shell", SurfaceSettings(smallest_part_ml=0.0))
    assert (all_parts.parts_kept, all_parts.parts_dropped) == (3, 0)
    without_crumb = extract_surface(probability, "shell", SurfaceSettings(smallest_part_ml=0.5))
    assert (without_crumb.parts_kept, without_crumb.parts_dropped) == (2, 1)
    outer = extract_surface(probability, "shell", SurfaceSettings(smallest_part_ml=0.5, keep_cavities=False))
    assert (outer.parts_kept, outer.parts_dropped) == (1, 2)

    ball_ml = 4.0 / 3.0 * np.pi / 1000.0
    assert without_crumb.surface.volume_ml == pytest.approx(ball_ml * (18.0**3 - 9.0**3), rel=5e-3)
    assert outer.surface.volume_ml == pytest.approx(ball_ml * 18.0**3, rel=5e-3)
    assert outer.watertight
    assert len(outer.surface.vertices_mm) == len(np.unique(outer.surface.triangles))  # no orphans left


def test_a_ct_can_be_contoured_at_a_level_in_hounsfield_units():
    grid = straight(n=40, origin=(0.0, 0.0, 0.0))
    share = from_signed_distance(grid, sphere_mm(voxel_centres_mm(grid), centre_of(grid), 12.0)).voxels
    ct = grid.with_voxels(np.round(-1000 + 1040 * share).astype(np.int16))
    made = extract_surface(ct, "ball", SurfaceSettings(level=-480.0, outside=-1000.0))
    assert np.percentile(np.abs(sphere_mm(made.surface.vertices_mm, centre_of(grid), 12.0)), 95) < 0.05


def test_simplified_within_the_error_it_states():
    grid = straight()
    centre = centre_of(grid)
    probability = from_signed_distance(grid, torus_mm(voxel_centres_mm(grid), centre, 18.0, 7.0))
    made = extract_surface(probability, "torus", SurfaceSettings(max_triangles=3000))
    stated = made.simplification
    assert made.watertight
    assert stated.triangles_after == len(made.surface.triangles) <= 3000 < stated.triangles_before
    assert stated.note == ""
    assert 0.0 < stated.distance.p95_mm < stated.distance.max_mm < 0.5
    # Against the truth: what marching cubes leaves (0.05) and what simplifying was measured to add.
    errors = np.abs(torus_mm(made.surface.vertices_mm, centre, 18.0, 7.0))
    assert np.percentile(errors, 95) < 0.05 + stated.distance.max_mm


def sponge(n: int = 40):
    """Holes and threads: collapsing edges pinches them."""
    field = gaussian_filter(np.random.default_rng(3).standard_normal((n, n, n)), 2.0)
    probability = Volume((0.5 + field / field.std() / 4).astype(np.float32), np.eye(4))
    return extract_surface(probability, "sponge", SurfaceSettings(smallest_part_ml=0.0)).surface


def test_simplifying_stops_before_it_breaks_a_thin_structure():
    """A sponge asked down to fewer triangles than its topology can have: missed, and said by how much and why."""
    simplified, report = simplify_surface(sponge(), 60)
    assert simplified.is_watertight
    assert report.triangles_after == len(simplified.triangles) > 60
    assert "at 60 triangles it would" in report.note


@pytest.mark.parametrize("limit", [12_000, 6_000, 3_000])
def test_the_triangle_limit_holds_where_collapsing_pinches_thin_parts(limit):
    """Edges of four triangles are cut apart, not answered with twice as many triangles."""
    full = sponge()
    assert len(full.triangles) > 25_000
    simplified, report = simplify_surface(full, limit)
    assert (report.triangles_after, report.note) == (len(simplified.triangles), "")
    assert 0.9 * limit < report.triangles_after <= limit
    assert simplified.is_watertight
    assert simplified.volume_ml == pytest.approx(full.volume_ml, rel=0.1)


def test_an_edge_of_four_triangles_is_cut_apart_along_the_material():
    """Two tetrahedra that share an edge: afterwards each is closed by itself, and nothing has moved."""
    points = np.array([[0, 0, -1], [0, 0, 1], [1, 0.5, 0], [1, -0.5, 0], [-1, 0.5, 0], [-1, -0.5, 0]], dtype=float)
    one, other = [[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], [[0, 1, 5], [0, 4, 1], [0, 5, 4], [1, 4, 5]]
    both = np.array(one + other, np.int32)
    pinched = Surface(points, both, "ct", "pair")
    assert not pinched.is_watertight
    vertices, triangles = cut_pinched_edges(points, both)
    cut = Surface(vertices, triangles, "ct", "pair")
    assert cut.is_watertight
    assert len(triangles) == 8 + 4
    assert cut.volume_ml == pytest.approx(pinched.volume_ml) == pytest.approx(2 / 3 / 1000)
    np.testing.assert_array_equal(vertices[6:], np.zeros((2, 3)))  # midpoints of the edge
    for middle in (6, 7):  # each has the corners of one tetrahedron around it
        around = np.unique(triangles[(triangles == middle).any(axis=1)])
        assert set(around) - {0, 1, middle} in ({2, 3}, {4, 5})


def test_distance_between_concentric_spheres():
    grid = straight()
    points, centre = voxel_centres_mm(grid), centre_of(grid)
    inner, outer = (
        extract_surface(from_signed_distance(grid, sphere_mm(points, centre, r)), "ball").surface for r in (15.0, 17.0)
    )
    distance = surface_distance(inner, outer)
    assert distance.mean_mm == pytest.approx(2.0, abs=0.02)
    assert distance.max_mm == pytest.approx(2.0, abs=0.15)
    with pytest.raises(FrameMismatchError):
        surface_distance(inner, Surface(outer.vertices_mm, outer.triangles, "reference", "ball"))


def test_nothing_there_is_an_error_of_its_own():
    grid = straight(n=8)
    with pytest.raises(EmptyStructureError, match="'liver' with values from 0 to 0"):
        extract_surface(grid, "liver")
    speck = np.zeros_like(grid.voxels)
    speck[4, 4, 4] = 1.0
    with pytest.raises(EmptyStructureError, match="all too small"):
        extract_surface(grid.with_voxels(speck), "liver")


def test_broken_fields_and_settings_are_refused():
    grid = straight(n=8)
    voxels = np.ones_like(grid.voxels)
    voxels[2, 2, 2] = np.nan
    with pytest.raises(InvalidVolumeError, match="NaN"):
        extract_surface(grid.with_voxels(voxels), "liver")
    with pytest.raises(InvalidVolumeError, match="complex"):
        extract_surface(grid.with_voxels(np.ones_like(voxels, dtype=complex)), "liver")
    for wrong in ({"level": 0.0}, {"level": np.nan}, {"smallest_part_ml": -1.0}, {"max_triangles": 3}):
        with pytest.raises(InvalidSurfaceSettingsError):
            SurfaceSettings(**wrong)


def test_triangles_folded_onto_each_other_are_taken_out():
    """A tetrahedron with a flap: two triangles back to back on one of its edges, and a vertex of theirs alone."""
    from reconstruction.surfaces.simplification import _without_flaps

    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=float)
    solid = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    flapping = np.concatenate([[[0, 1, 4]], solid, [[1, 0, 4]]]).astype(np.int32)
    assert not Surface(vertices, flapping, "ct", "t").is_watertight
    cleaned = Surface(*_without_flaps(vertices, flapping), "ct", "t")
    assert cleaned.is_watertight
    assert len(cleaned.vertices_mm) == 4
    assert cleaned.volume_ml == pytest.approx(1 / 6000)
