"""The cortical edge on profiles made by formula, and bone on the torso phantom (point spread 1.4 mm, noise 14 HU)."""

from functools import cache

import numpy as np
import pytest
from scipy.special import ndtr

from geometry import Surface, Volume
from geometry.errors import FrameMismatchError
from reconstruction.network.classes import CLASS_INDEX
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom
from reconstruction.surfaces.bone_refinement import BoneRefinementSettings, InvalidRefinementSettingsError, refine_bone
from reconstruction.surfaces.cortical_edge import CortexModel, estimate_cortex, fit_edges
from reconstruction.surfaces.from_labels import surface_from_labels

AT_MM = np.arange(-4.0, 2.75, 0.25)
SIGMA_MM, CORTEX_HU = 0.66, 900.0


def profiles_hu(edge_mm, thickness_mm, rng, noise_hu=10.0):
    """Soft tissue 40 HU, cortex, spongy bone 200 HU, each blurred: ``(n, m)``."""
    edge_mm, thickness_mm = np.broadcast_arrays(edge_mm, thickness_mm)
    outer = ndtr((AT_MM - edge_mm[:, None]) / SIGMA_MM)
    inner = ndtr((edge_mm[:, None] - thickness_mm[:, None] - AT_MM) / SIGMA_MM)
    clean = 40.0 * outer + CORTEX_HU * (1.0 - outer - inner) + 200.0 * inner
    return clean + noise_hu * rng.standard_normal(clean.shape)


@pytest.mark.parametrize("thickness_mm", [0.6, 1.0, 1.8, 3.0])
def test_thin_cortex_does_not_shift_the_edge(thickness_mm):
    rng = np.random.default_rng(2)
    edges = rng.uniform(-0.8, 0.8, 400)
    fits = fit_edges(profiles_hu(edges, thickness_mm, rng), AT_MM, CortexModel(SIGMA_MM, CORTEX_HU), 1.5, 0.25)
    errors = fits.edge_mm - edges
    # A slope of 250 to 500 HU/mm, 10 HU of noise and about 6 samples on it: 0.02 to 0.04 mm.
    assert np.percentile(np.abs(errors), 95) < 0.1
    assert abs(errors.mean()) < 0.03
    assert np.median(fits.thickness_mm) == pytest.approx(thickness_mm, abs=0.16)  # the table's steps
    assert 0.5 < np.median(fits.uncertainty_mm) / errors.std() < 2.0  # what it says of itself is true
    assert not fits.at_end.any()


def test_point_spread_and_density_are_told_apart():
    rng = np.random.default_rng(3)
    edges, thicknesses = rng.uniform(-0.5, 0.5, 600), rng.uniform(0.8, 2.5, 600)
    model = estimate_cortex(profiles_hu(edges, thicknesses, rng), AT_MM, 1.0)
    assert model.sigma_mm == pytest.approx(SIGMA_MM, rel=0.05)
    assert model.cortex_hu == pytest.approx(CORTEX_HU, rel=0.05)


def test_an_edge_beyond_the_range_says_so():
    far = profiles_hu(np.full(20, 1.6), 1.5, np.random.default_rng(4))
    assert fit_edges(far, AT_MM, CortexModel(SIGMA_MM, CORTEX_HU), 1.0, 0.25).at_end.all()


@cache
def scanned(spacing_mm):
    settings = TorsoPhantomSettings(spacing_mm=(spacing_mm,) * 3, extent_mm=(150.0, 140.0, 60.0))
    return make_torso_phantom(settings, np.random.default_rng(1))


@cache
def misplaced_in(spacing_mm):
    """The true label's surface, moved off by 0.25 mm outward and a wave of 0.5 mm, as a network might place it."""
    surface = surface_from_labels(scanned(spacing_mm).labels, CLASS_INDEX["bone"], "bone").surface
    wave = np.sin(surface.vertices_mm @ [0.21, 0.0, 0.13]) * np.cos(surface.vertices_mm @ [0.0, 0.17, 0.05])
    moved = surface.vertices_mm + (0.25 + 0.7 * wave)[:, None] * surface.vertex_normals()
    return Surface(moved, surface.triangles, "ct", "bone")


@pytest.fixture
def phantom():
    return scanned(1.0)


@pytest.fixture
def misplaced():
    return misplaced_in(1.0)


def errors_mm(phantom, surface):
    """Of 3000 vertices, 6 mm and more from the scan's border: there the bone was cut."""
    half = np.array(phantom.settings.extent_mm) / 2.0 - 6.0
    inner = (np.abs(surface.vertices_mm - phantom.settings.centre_ct) < half).all(axis=1)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(inner))[:3000]
    return phantom.signed_distance_mm("bone", surface.vertices_mm[chosen]), chosen


@pytest.mark.parametrize("spacing_mm", [1.0, 1.5])
def test_cortical_bone_on_the_phantom(spacing_mm):
    phantom, misplaced = scanned(spacing_mm), misplaced_in(spacing_mm)
    before, _ = errors_mm(phantom, misplaced)
    assert np.abs(before).mean() > 0.3  # there is something to do
    made = refine_bone(phantom.ct, misplaced)
    errors, chosen = errors_mm(phantom, made.surface)
    assert made.refused == ""
    for title, off in (("before", np.abs(before)), ("after", np.abs(errors))):
        print(f"{title}: mean {off.mean():.3f} mm, 95 % within {np.percentile(off, 95):.3f} mm")
    print(f"{made.point_spread_fwhm_mm:.2f} mm FWHM, cortex {made.cortex.cortex_hu:.0f} HU, {made.measured.mean():.0%}")
    # The bars of the project, over all vertices, measured or not: 0.1 and 0.25 mm. Voxels of 1.5 mm, wider than the
    # point spread, come so near to the first that another machine's rounding may pass it.
    assert np.abs(errors).mean() < 0.1 * max(1.0, spacing_mm / 1.25)
    assert np.percentile(np.abs(errors), 95) < 0.25
    measured = made.measured[chosen]
    assert measured.mean() > 0.6
    assert np.abs(errors[measured]).mean() < np.abs(errors[~measured]).mean()  # the word is worth something
    voxel = 2.355 * spacing_mm / np.sqrt(12.0)  # of a box as wide as a voxel
    assert made.point_spread_fwhm_mm == pytest.approx(np.hypot(1.4, voxel), rel=0.08)
    assert made.cortex.cortex_hu == pytest.approx(780.0, rel=0.08)
    np.testing.assert_array_equal(made.surface.triangles, misplaced.triangles)
    assert np.isinf(made.uncertainty_mm[~made.measured]).all()


def test_never_further_than_the_bound(phantom, misplaced):
    made = refine_bone(phantom.ct, misplaced, BoneRefinementSettings(bound_mm=0.5, least_measured=0.1))
    lengths = np.linalg.norm(made.surface.vertices_mm - misplaced.vertices_mm, axis=1)
    assert made.refused == ""  # edges further off count as not measured
    assert 0.4 < lengths.max() <= 0.5 + 1e-9
    np.testing.assert_allclose(np.abs(made.moved_mm), lengths, atol=1e-9)


def test_where_the_ct_shows_no_cortex_nothing_moves(misplaced, phantom):
    flat = phantom.ct.with_voxels(
        (40.0 + 10.0 * np.random.default_rng(5).standard_normal(phantom.ct.voxels.shape)).astype(np.float32)
    )
    made = refine_bone(flat, misplaced)
    assert "of the vertices" in made.refused
    assert not made.measured.any()
    np.testing.assert_array_equal(made.surface.vertices_mm, misplaced.vertices_mm)


def test_far_from_the_scan_and_in_other_frames(phantom, misplaced):
    away = Volume(phantom.ct.voxels, phantom.ct.affine + _shift(5000.0))
    assert "profiles within the scan" in refine_bone(away, misplaced).refused
    with pytest.raises(FrameMismatchError):
        refine_bone(phantom.ct, Surface(misplaced.vertices_mm, misplaced.triangles, "reference", "bone"))
    with pytest.raises(InvalidRefinementSettingsError):
        BoneRefinementSettings(bound_mm=0.0)


def _shift(mm):
    shift = np.zeros((4, 4))
    shift[0, 3] = mm
    return shift
