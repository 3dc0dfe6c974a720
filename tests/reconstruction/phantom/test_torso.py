"""The phantom against its own formulas: what other tests take as truth has to be true."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from geometry import Volume
from reconstruction.network.classes import CLASS_INDEX
from reconstruction.phantom.shapes import capsule, ellipsoid, rounded_box, signed_distance_mm, tube, union
from reconstruction.phantom.torso import (
    MARKER_HU,
    InvalidPhantomError,
    TorsoPhantomSettings,
    _grid,
    _inside_share,
    make_torso_phantom,
)
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface

CLEAN = TorsoPhantomSettings(spacing_mm=(2.0, 2.0, 2.0), noise_hu=0.0, texture_hu=0.0)


@pytest.fixture(scope="module")
def phantom():
    return make_torso_phantom(CLEAN, np.random.default_rng(0))


def voxel_centres_ct(volume, mask):
    k, j, i = np.nonzero(mask)
    return volume.index_to_mm(np.stack([i, j, k], axis=1))


def test_right_is_right(phantom):
    """LPS: +x is the patient's left, +y the back, +z the head."""

    def mean_of(name):
        return voxel_centres_ct(phantom.labels, phantom.labels.voxels == CLASS_INDEX[name]).mean(axis=0)

    body, liver, bone, lung = (mean_of(name) for name in ("body", "liver", "bone", "lung"))
    assert liver[0] < body[0] - 30.0
    assert lung[2] > liver[2] + 50.0
    assert bone[1] > body[1] + 20.0  # the spine is at the back
    assert phantom.targets_ct["pedicle_right"][0] < phantom.targets_ct["vertebral_body"][0]


@pytest.mark.parametrize(
    ("name", "least_ml", "most_ml"), [("liver", 1000, 1800), ("lung", 2000, 5000), ("bone", 400, 1200)]
)
def test_organs_have_an_adults_size(phantom, name, least_ml, most_ml):
    counted = (phantom.labels.voxels == CLASS_INDEX[name]).sum() * phantom.labels.voxel_volume_ml
    assert least_ml < counted < most_ml


def test_ball_volumes_are_those_of_the_formula(phantom):
    rng = np.random.default_rng(1)
    centre = phantom.targets_ct["liver_lesion"]
    inside = phantom.signed_distance_mm("lesion", centre + rng.uniform(-10, 10, (100_000, 3))) < 0.0
    # Binomial standard deviation 0.16 % of the box, 0.4 % of the ball: five of them.
    assert inside.mean() * 8.0 == pytest.approx(phantom.exact_volumes_ml["lesion"], rel=0.02)


def test_marker_mass_and_place_survive_the_scan(phantom):
    """Markers alone are the difference to the same scan with markers of a micrometre."""
    without = make_torso_phantom(replace(CLEAN, marker_diameter_mm=1e-3), np.random.default_rng(0)).ct
    alone = (phantom.ct.voxels.astype(float) - without.voxels) / (MARKER_HU + 1000.0)
    centres = np.array(list(phantom.marker_centres_ct.values()))
    off_skin = phantom.signed_distance_mm("body", centres)
    np.testing.assert_allclose(off_skin, CLEAN.marker_diameter_mm / 2.0 + 1.0, atol=1e-3)
    assert cKDTree(centres).query(centres, k=2)[0][:, 1].min() > 40.0
    # 1 % of the mass lies where the point spread mixes skin and ball; voxels are whole HU.
    mass_ml = alone.sum() * phantom.ct.voxel_volume_ml
    assert mass_ml == pytest.approx(phantom.exact_volumes_ml["marker"], rel=0.03)
    for centre in centres:
        i, j, k = np.round(phantom.ct.mm_to_index(centre)[0]).astype(int)
        near = np.zeros(alone.shape, dtype=bool)
        near[k - 4 : k + 5, j - 4 : j + 5, i - 4 : i + 5] = True
        weights = alone[near]
        centroid = weights @ voxel_centres_ct(phantom.ct, near) / weights.sum()
        np.testing.assert_allclose(centroid, centre, atol=0.04)  # 2 % of a voxel


def test_the_skin_in_the_image_is_the_skin_of_the_formula(phantom):
    """Half-maximum between air and a uniform body: the iso-surface of CT against the signed distance."""
    share = phantom.ct.with_voxels(np.clip(phantom.ct.voxels, -1000, -100))  # fat and all denser as one
    made = extract_surface(share, "body", SurfaceSettings(level=-550.0, outside=-1000.0, smallest_part_ml=100.0))
    assert made.watertight
    assert made.open_at_border == ("k_min", "k_max")
    vertices = made.surface.vertices_mm
    index, last = phantom.ct.mm_to_index(vertices), np.array(phantom.ct.shape_ijk) - 1
    markers = np.array(list(phantom.marker_centres_ct.values()))
    fair = ((index > 1) & (index < last - 1)).all(axis=1) & (cKDTree(markers).query(vertices)[0] > 9.0)
    distance = phantom.signed_distance_mm("body", vertices[fair])
    skin = np.abs(distance) < 5.0  # the lungs, cut open by the scan's upper face, belong to this surface too
    assert skin.sum() > 30_000
    # Clipping at fat makes the skin's 2 mm layer overshoot: a tenth of a voxel of bias is left, no more.
    assert abs(np.median(distance[skin])) < 0.2
    assert np.percentile(np.abs(distance[skin]), 95) < 0.35


@pytest.mark.parametrize("name", ["liver", "lesion", "aorta"])
def test_partial_volume_recovers_the_surface(phantom, name):
    """Labels' own field through the whole image chain would mix neighbours; a lone structure shows the chain itself."""
    settings = TorsoPhantomSettings(spacing_mm=(1.2, 1.2, 1.5), extent_mm=(300.0, 220.0, 200.0))
    axes, affine = _grid(settings)
    window, field = phantom._shapes[name].on_grid(axes)
    share = np.zeros([len(axis) for axis in axes[::-1]], dtype=np.float32)
    share[window] = _inside_share(field)
    volume = Volume(share, affine)
    made = extract_surface(volume, name, SurfaceSettings(smallest_part_ml=1.0))
    vertices = made.surface.vertices_mm
    index = volume.mm_to_index(vertices)
    inner = ((index > 1) & (index < np.array(share.shape[::-1]) - 2)).all(axis=1)
    distance = phantom.signed_distance_mm(name, vertices[inner])
    # Linear interpolation of a sharp ramp: at most 0.086 voxel along an axis, 0.13 mm at 1.5 mm.
    assert np.percentile(np.abs(distance), 95) < 0.13
    assert abs(distance.mean()) < 0.03


def test_the_same_seed_gives_the_same_voxels():
    settings = TorsoPhantomSettings(spacing_mm=(5.0, 5.0, 5.0))
    first, again, other = (make_torso_phantom(settings, np.random.default_rng(seed)).ct.voxels for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_noise_is_as_strong_as_asked():
    settings = TorsoPhantomSettings(spacing_mm=(4.0, 4.0, 4.0), texture_hu=0.0, noise_hu=20.0)
    noisy = make_torso_phantom(settings, np.random.default_rng(0)).ct
    corner = noisy.voxels[:, :4, :8].astype(float)  # air
    assert corner.mean() == pytest.approx(-1000.0, abs=4.0)
    assert 10.0 < corner.std() < 21.0  # the scale ends at -1024: the lower tail is cut


@pytest.mark.parametrize("name", ["liver", "lung", "bone", "vessel", "body"])
def test_signed_distances_are_distances(phantom, name):
    """|gradient| = 1, and the foot point lies on the surface: both hold for a distance and for nothing else."""
    rng = np.random.default_rng(2)
    shape = phantom._shapes[name]
    low = np.maximum(shape.low_mm, -np.array(CLEAN.extent_mm) / 2.0)
    high = np.minimum(shape.high_mm, np.array(CLEAN.extent_mm) / 2.0)
    points = rng.uniform(low, high, (12_000, 3)) + CLEAN.centre_ct
    points = points[np.abs(phantom.signed_distance_mm(name, points)) < 1.0]
    assert len(points) > 50
    distance, step = phantom.signed_distance_mm(name, points), 0.05
    shifts = np.concatenate([np.eye(3), -np.eye(3)])[:, None, :] * step
    shifted = phantom.signed_distance_mm(name, (points + shifts).reshape(-1, 3)).reshape(2, 3, len(points))
    gradient = (shifted[0] - shifted[1]).T / (2 * step)
    foot = points - distance[:, None] * gradient
    assert np.percentile(np.abs(np.linalg.norm(gradient, axis=1) - 1.0), 99) < 0.01
    assert np.percentile(np.abs(phantom.signed_distance_mm(name, foot)), 99) < 0.01


def test_simple_shapes_by_hand():
    points = np.array([[0.0, 0.0, 7.0], [0.0, 4.0, 0.0], [12.0, 0.0, 0.0]])
    np.testing.assert_allclose(signed_distance_mm(ellipsoid([0, 0, 0], [5, 5, 5]), points), [2.0, -1.0, 7.0], atol=1e-6)
    np.testing.assert_allclose(
        signed_distance_mm(ellipsoid([0, 0, 0], [12, 6, 5]), points), [2.0, -2.0, 0.0], atol=1e-6
    )
    np.testing.assert_allclose(
        signed_distance_mm(capsule([0, 0, 0], [10, 0, 0], 2.0), points), [5.0, 2.0, 0.0], atol=1e-6
    )
    np.testing.assert_allclose(
        signed_distance_mm(rounded_box([0, 0, 0], [10.0, 3.0, 6.0], 1.0), points), [1.0, 1.0, 2.0], atol=1e-6
    )
    bent = tube([[0, 0, 0], [10, 0, 0], [10, 10, 0]], 2.0, blend_mm=1e-6)
    np.testing.assert_allclose(signed_distance_mm(bent, points), [5.0, 2.0, 0.0], atol=1e-6)
    two = union([ellipsoid([0, 0, 0], [5, 5, 5]), ellipsoid([30, 0, 0], [5, 5, 5])])
    np.testing.assert_allclose(signed_distance_mm(two, np.array([[24.0, 0.0, 0.0]])), [1.0], atol=1e-6)


def test_broken_settings_and_names_are_refused(phantom):
    for wrong in ({"spacing_mm": (1.0, 0.0, 1.0)}, {"noise_hu": -1.0}, {"extent_mm": (4.0, 300.0, 300.0)}):
        with pytest.raises(InvalidPhantomError):
            TorsoPhantomSettings(**wrong)
    with pytest.raises(InvalidPhantomError, match=r"structure 'tail'.*liver"):
        phantom.signed_distance_mm("tail", np.zeros((1, 3)))
