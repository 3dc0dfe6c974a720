"""Pictures: what is on the patient's right lies on the left of the picture, and every number finds its place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from scipy.spatial.transform import Rotation

from case.colours import STRUCTURES, rgb, structure_colour
from geometry import Surface, Transform, Volume
from geometry.errors import FrameMismatchError
from navigation.pictures import (
    ResidualPictureData,
    ScenePictureData,
    ScenePictureSettings,
    SceneTool,
    residual_picture,
    scene_picture,
    slice_picture,
)
from navigation.pictures.offscreen import offscreen_rendering_available
from navigation.pictures.scene import _spread
from navigation.pictures.slices import _VIEWS, _Plane

BOUNDS = np.array([[-30.0, -25.0, -20.0], [30.0, 25.0, 20.0]])


def ramps(affine):
    """One volume per axis, whose values are that axis' coordinate."""
    k, j, i = np.indices((40, 50, 60))
    points = np.stack([i, j, k], axis=-1).reshape(-1, 3) @ affine[:3, :3].T + affine[:3, 3]
    return [Volume(points[:, axis].reshape(40, 50, 60).astype(np.float32), affine) for axis in range(3)]


def straight():
    affine = np.diag([1.2, 1.2, 1.2, 1.0])
    affine[:3, 3] = (-35.4, -29.4, -23.4)
    return affine


def turned():
    """The same place, indexed from left to right and from back to front, and a little oblique."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("zyx", [187.0, 4.0, -3.0], degrees=True).as_matrix() * 1.6
    affine[:3, 3] = -affine[:3, :3] @ np.array([29.5, 24.5, 19.5])
    return affine


@pytest.mark.parametrize("affine", [straight(), turned()], ids=["straight", "turned"])
def test_slices_lie_as_radiologists_expect(affine):
    """Rows come bottom first. Axial: left of the picture is R, top is A. Coronal: R, S. Sagittal: A, S."""
    x, y, z = ramps(affine)
    point = np.array([3.0, -4.0, 5.0])
    axial, coronal, sagittal = (_Plane(view, BOUNDS, point, 1.0) for view in _VIEWS)

    def spans(plane, volume):
        values = plane.sample(volume, outside=np.nan)
        row, column = values.shape[0] // 2, values.shape[1] // 2
        # Over 10 mm around the middle: to the right, and up.
        return values[row, column + 5] - values[row, column - 5], values[row + 5, column] - values[row - 5, column]

    for plane, right, up, across, sign in ((axial, x, y, z, -1), (coronal, x, z, y, 1), (sagittal, y, z, x, 1)):
        np.testing.assert_allclose(spans(plane, right), (10.0, 0.0), atol=1e-3)
        np.testing.assert_allclose(spans(plane, up), (0.0, sign * 10.0), atol=1e-3)
        values = plane.sample(across, outside=np.nan)
        np.testing.assert_allclose(values[20, 25], point[plane.view.across], atol=1e-3)


def test_outside_the_scan_is_outside():
    plane = _Plane(_VIEWS[0], BOUNDS * 3.0, np.zeros(3), 2.0)
    values = plane.sample(ramps(straight())[0], outside=-1024.0)
    assert values[0, 0] == values[-1, -1] == -1024.0
    assert abs(values[values.shape[0] // 2, values.shape[1] // 2]) < 2.0
    beyond = _Plane(_VIEWS[0], BOUNDS, np.array([0.0, 0.0, 500.0]), 2.0)
    assert (beyond.sample(ramps(straight())[0], outside=-1024.0) == -1024.0).all()


def test_a_liver_on_the_right_is_drawn_on_the_left(tmp_path):
    volume = ramps(straight())[0]
    x, y, z = (ramp.voxels for ramp in ramps(straight()))
    body = volume.with_voxels((np.hypot(x, y) < 22).astype(np.float32))
    liver = volume.with_voxels((np.sqrt((x + 11) ** 2 + y**2 + z**2) < 8).astype(np.float32))
    ct = volume.with_voxels(np.where(np.hypot(x, y) < 22, 40, -1000).astype(np.int16))
    path = slice_picture(ct, {"body": body, "liver": liver}, liver, tmp_path / "slice.png", title="test")
    picture = imread(path)[..., :3]
    assert picture.shape[1] == 1600
    axial = picture[60 : picture.shape[0] // 2, :520]
    red = (axial[..., 0] - axial[..., 2] > 0.2) & (axial[..., 0] - axial[..., 1] > 0.2)  # no letter is that red
    assert red.sum() > 200
    assert np.median(np.nonzero(red)[1]) < 240


def test_slices_refuse_another_frame(tmp_path):
    ct = ramps(straight())[0]
    elsewhere = Volume(ct.voxels, ct.affine, "reference")
    with pytest.raises(FrameMismatchError, match="reference"):
        slice_picture(ct, {"liver": elsewhere}, None, tmp_path / "slice.png", title="test")


def ball(name, centre, radius):
    """An octahedron refined into a ball, outward winding."""
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=float)
    triangles = np.array([[a, b, c] if s > 0 else [b, a, c] for a, b, c, s in _octants()])
    for _ in range(3):
        a, b, c = vertices[triangles].transpose(1, 0, 2)
        ab, bc, ca = a + b, b + c, c + a
        corners = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))])
        corners /= np.linalg.norm(corners, axis=2, keepdims=True)
        vertices, triangles = corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3)
    return Surface(np.asarray(centre) + radius * vertices, triangles, "ct", name)


def _octants():
    for x in (0, 1):
        for y in (2, 3):
            for z in (4, 5):
                yield x, y, z, (1 if x == 0 else -1) * (1 if y == 2 else -1) * (1 if z == 4 else -1)


needs_rendering = pytest.mark.skipif(
    not offscreen_rendering_available().ok, reason=offscreen_rendering_available().reason
)


@needs_rendering
def test_the_scene_shows_everything_on_its_side(tmp_path):
    assert ball("liver", (0, 0, 0), 1.0).volume_ml > 0.0
    settings = ScenePictureSettings(width_px=800, height_px=500)
    pose = Transform.from_rotation(Rotation.from_euler("x", 120, degrees=True), [0.0, -120.0, 60.0], "ct", "stylus")
    data = ScenePictureData(
        surfaces=[
            ball("body", (0, 0, 0), 100.0),
            ball("vena_cava", (-45, 0, 20), 18.0),
            ball("aorta", (45, 0, -20), 18.0),
        ],
        tools=[SceneTool("stylus", pose, np.array([0.0, 0.0, -80.0]))],
        landmarks_ct={"sternum": [0.0, -100.0, 0.0]},
        targets_ct={"lesion": [-45.0, 0.0, 20.0]},
        swept_ct=[[10.0, -99.0, 10.0], [20.0, -97.0, 10.0]],
        swept_residuals_mm=[0.1, -0.7],
        numbers=[("FRE", "0.7 mm")],
    )
    path = scene_picture(data, tmp_path / "scene.png", title="test", settings=settings)
    picture = imread(path)[..., :3]
    assert picture.shape == (500, 800, 3)
    red_over_blue = picture[50:450, :590, 0] - picture[50:450, :590, 2]
    aorta, cava = np.argwhere(red_over_blue > 0.35), np.argwhere(red_over_blue < -0.3)
    assert len(aorta) > 300
    assert len(cava) > 300
    assert np.median(cava[:, 1]) < np.median(aorta[:, 1]) - 60  # the patient's right on the left
    assert np.median(cava[:, 0]) < np.median(aorta[:, 0]) - 20  # z is up


@needs_rendering
def test_labels_point_at_what_was_drawn():
    from navigation.pictures.canvas import Canvas

    canvas, centre = Canvas(300, 240), np.array([12.0, 5.0, -30.0])
    canvas.add_surface(ball("body", (0, 0, 0), 60.0), "#ffffff", np.array([0.0, -1.0, 0.0]))
    canvas.add_ball(centre, 8.0, "#0000ff")
    canvas.look_from(np.array([-0.4, -1.0, 0.3]) / np.linalg.norm([-0.4, -1.0, 0.3]))
    picture = canvas.draw().astype(float)
    rows, columns = np.nonzero(picture[..., 2] - picture[..., 0] > 60.0)
    x, y = canvas.pixel_of(centre)
    # One pixel of rounding, and the light that falls on the ball from one side.
    assert columns.mean() == pytest.approx(x, abs=2.0)
    assert 239 - rows.mean() == pytest.approx(y, abs=2.0)
    right, up = canvas.direction_on_screen(np.array([0.0, 0.0, 1.0]))
    assert up > 0.9
    assert abs(right) < 1e-6
    assert canvas.direction_on_screen(np.array([1.0, 0.0, 0.0]))[0] > 0.8  # L to the right


def test_scene_refuses_other_frames():
    pose = Transform(np.eye(4), "reference", "stylus")
    with pytest.raises(FrameMismatchError, match="stylus"):
        SceneTool("stylus", pose, np.zeros(3))
    liver = ball("liver", (0, 0, 0), 10.0)
    with pytest.raises(FrameMismatchError, match="liver"):
        ScenePictureData(surfaces=[Surface(liver.vertices_mm, liver.triangles, "reference", "liver")])


@given(st.lists(st.floats(0, 500), max_size=8))
def test_labels_keep_apart_and_in_order(heights):
    placed = _spread(heights, apart=30.0)
    order = np.argsort(heights)
    assert (np.diff(placed[order]) > 29.0).all()
    if len(heights) == 1:
        assert placed[0] == heights[0]


def test_residuals_whole_and_with_nothing_measured(tmp_path):
    rng = np.random.default_rng(0)
    full = ResidualPictureData(
        stages_rms_mm={"pivot": 0.3, "surface": 0.5},
        landmarks_mm={"sternum": 0.4, "flank_left": 0.0},
        surface_mm=rng.normal(0, 0.4, 500),
        expected_tre_mm={"lesion": 1.0, "pedicle": 0.8},
        true_tre_mm={"lesion": 0.4},
        latency_ms=rng.lognormal(0, 0.3, 400),
        tre_limit_mm=1.5,
    )
    drawn = [
        imread(residual_picture(data, tmp_path / f"{name}.png", title="test"))
        for name, data in (("full", full), ("empty", ResidualPictureData()))
    ]
    assert all(picture.shape[:2] == (1000, 1600) for picture in drawn)
    ink = [(picture[..., :3].min(axis=2) < 0.9).mean() for picture in drawn]
    assert ink[0] > 5.0 * ink[1]
    one_value = ResidualPictureData(surface_mm=np.zeros(3), latency_ms=np.array([0.5]), stages_rms_mm={"pivot": 0.0})
    assert residual_picture(one_value, tmp_path / "one.png", title="test").stat().st_size > 0


def test_every_structure_has_its_own_colour():
    assert len(set(STRUCTURES.values())) == len(STRUCTURES)
    assert structure_colour("gallbladder") not in STRUCTURES.values()
    assert rgb("#ff8000") == pytest.approx((1.0, 128 / 255, 0.0))
