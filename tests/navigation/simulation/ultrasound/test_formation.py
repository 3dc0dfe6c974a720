"""Formed images against tissues of which the answer is known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry import Volume
from navigation.errors import DeviceError
from navigation.simulation.ultrasound.formation import BeamSettings, UltrasoundSimulator
from navigation.simulation.ultrasound.tissue import BLOOD, BONE, FAT, GAS, MUSCLE, TissueGrid

PIXEL_MM = 0.25
LINEAR = ScanGeometry.linear((200, 200), (PIXEL_MM, PIXEL_MM), width_mm=45.0, depth_mm=48.0)
CONVEX = ScanGeometry.convex((260, 240), (PIXEL_MM, PIXEL_MM), radius_mm=40.0, half_angle_rad=0.5, depth_mm=48.0)
BOX = np.array([[-40.0, -40.0, -2.0], [40.0, 40.0, 60.0]])
FLAT = BeamSettings(gain_db=0.0, tgc_db_per_cm=0.0, noise=0.0)


def plane(geometry: ScanGeometry, shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """The face's middle at a place of ``ct``, image x along x and depth along z."""
    matrix = np.eye(4)
    matrix[:3, :3] = PIXEL_MM * np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    matrix[:3, 3] = shift_mm - matrix[:3, :2] @ geometry.face_px
    return matrix


def of_layers(*layers, box=BOX) -> TissueGrid:
    """Muscle, with shapes in it."""
    return TissueGrid.of_shapes(dict(layers), MUSCLE, box)


def below(depth_mm: float, slope: float = 0.0):
    return lambda points: depth_mm + slope * points[:, 0] - points[:, 2]


def sphere(middle, radius_mm: float):
    return lambda points: np.linalg.norm(points - middle, axis=1) - radius_mm


def test_the_same_plane_and_seed_give_the_same_image_and_nothing_outside_the_scan():
    grid = of_layers((BONE, below(30.0)))
    first, again = (UltrasoundSimulator(grid, CONVEX, seed=3).image(plane(CONVEX), 5) for _ in range(2))
    assert (first == again).all()
    assert not first[~CONVEX.mask].any()
    assert np.median(first[CONVEX.mask]) > 0
    assert (UltrasoundSimulator(grid, CONVEX, seed=4).image(plane(CONVEX), 5) != first).any()


@pytest.mark.parametrize("geometry", [LINEAR, CONVEX])
def test_bone_is_a_bright_line_where_it_is_with_a_shadow_behind_it(geometry):
    simulator = UltrasoundSimulator(of_layers((BONE, below(30.0))), geometry)
    image = simulator.image(plane(geometry)).astype(float)
    x_px, y_px = (round(each) for each in geometry.face_px)
    middle = image[:, x_px - 20 : x_px + 20].mean(axis=1)
    assert (middle.argmax() - y_px) * PIXEL_MM == pytest.approx(30.0, abs=0.75)
    assert middle.max() > 220.0
    assert (
        middle[y_px + round(40.0 / PIXEL_MM) :][: round(6.0 / PIXEL_MM)].mean()
        < 0.1 * middle[y_px + 40 : y_px + 80].mean()
    )
    surface = simulator.surface_px(plane(geometry), BONE)
    assert len(surface) == simulator.settings.lines
    assert (surface[:, 1] - geometry.face_px[1]) * PIXEL_MM == pytest.approx(30.0, abs=0.6)


def test_what_is_met_at_an_angle_comes_back_weaker():
    echoes = []
    for slope in (0.0, 0.6, 1.5):
        simulator = UltrasoundSimulator(of_layers((BLOOD, below(20.0, slope))), LINEAR, FLAT)
        points = simulator._on_beams(plane(LINEAR))
        _, mirrored = simulator._interfaces(points, simulator._met(points))
        echoes.append(mirrored[:, 60:68].max())
    assert echoes[0] > 2.0 * echoes[1] > 4.0 * echoes[2] > 0.0


def test_speckle_stays_in_the_tissue_when_the_probe_moves():
    simulator = UltrasoundSimulator(of_layers(), LINEAR)
    inner = np.s_[40:150, 40:150]
    here, there = (simulator.image(plane(LINEAR, (x_mm, 0.0, 0.0))).astype(float) for x_mm in (0.0, 16 * PIXEL_MM))
    moved = np.roll(there, 16, axis=1)[inner]
    assert np.corrcoef(here[inner].ravel(), moved.ravel())[0, 1] > 0.8
    assert np.corrcoef(here[inner].ravel(), there[inner].ravel())[0, 1] < 0.2
    out_of_plane = simulator.image(plane(LINEAR, (0.0, 3.0, 0.0))).astype(float)
    assert np.corrcoef(here[inner].ravel(), out_of_plane[inner].ravel())[0, 1] < 0.2


def test_speckle_is_that_of_many_scatterers():
    """The envelope of many scatterers is Rayleigh's: its mean over its standard deviation is 1.91."""
    simulator = UltrasoundSimulator(of_layers(), LINEAR, replace(FLAT, focus_mm=30.0))
    points = simulator._on_beams(plane(LINEAR))
    classes = simulator._met(points)
    speckle = simulator._tables.scatter[classes] * simulator._speckle(points)
    envelope = simulator._blurred(speckle, np.zeros(classes.shape, np.float32))[20:-20]
    assert envelope.mean() / envelope.std() == pytest.approx(1.91, abs=0.15)


def test_echoes_fall_by_the_attenuation_there_and_back():
    simulator = UltrasoundSimulator(of_layers(), LINEAR, replace(FLAT, gain_db=20.0))
    rows = simulator.image(plane(LINEAR)).astype(float).mean(axis=1)
    depth_cm = 0.1 * PIXEL_MM * np.arange(len(rows))
    kept = (depth_cm > 0.3) & (depth_cm < 4.0)
    slope = np.polyfit(depth_cm[kept], rows[kept] / 255.0 * FLAT.dynamic_range_db, 1)[0]
    assert slope == pytest.approx(-2.0 * MUSCLE.attenuation * FLAT.frequency_mhz, rel=0.1)


def test_the_point_spread_is_wider_beyond_the_focus():
    widths = []
    for depth_mm in (15.0, 42.0):
        grid = of_layers((BLOOD, lambda points: points[:, 2] - 60.0), (BONE, sphere((0.0, 0.0, depth_mm), 0.8)))
        row = UltrasoundSimulator(grid, LINEAR, replace(FLAT, focus_mm=15.0)).image(plane(LINEAR)).max(axis=0)
        widths.append(np.count_nonzero(row > 0.8 * row.max()))
    assert widths[1] > 1.3 * widths[0]


def test_a_vessel_is_dark_and_the_truth_says_where_it_is():
    grid = of_layers((BLOOD, sphere((4.0, 0.0, 22.0), 6.2)))
    simulator = UltrasoundSimulator(grid, CONVEX)
    image, labels = simulator.image(plane(CONVEX)).astype(float), simulator.labels(plane(CONVEX))
    inside = labels == grid.tissues.index(BLOOD)
    assert inside.sum() * PIXEL_MM**2 == pytest.approx(np.pi * 6.2**2, rel=0.03)
    y, x = np.nonzero(inside)
    middle_px = [CONVEX.face_px[0] + 4.0 / PIXEL_MM, CONVEX.face_px[1] + 22.0 / PIXEL_MM]
    assert [x.mean(), y.mean()] == pytest.approx(middle_px, abs=1.0)
    around = (labels == grid.tissues.index(MUSCLE)) & (np.abs(np.indices(labels.shape)[0] - y.mean()) < 20)
    assert image[inside].mean() < 0.5 * image[around].mean()
    assert (labels[~CONVEX.mask] == 255).all()


def test_a_little_air_before_the_skin_is_gel_and_much_of_it_is_no_contact():
    grid = of_layers((GAS, lambda points: points[:, 2] - 20.0))
    simulator = UltrasoundSimulator(grid, LINEAR)
    close, far = (simulator.image(plane(LINEAR, (0.0, 0.0, z_mm))) for z_mm in (14.0, 2.0))
    assert close[60:90].mean() > 60.0
    assert far[100:150].mean() < 0.3 * close[60:90].mean()


def test_tissues_of_a_ct_by_its_grey_values():
    voxels = np.full((20, 20, 20), -1000, np.int16)
    voxels[2:, :, :], voxels[6:, :, :], voxels[12:, :, :] = -100, 40, 700
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    grid = TissueGrid.of_ct(Volume(voxels, affine), np.array([[4.0, 4.0, 0.0], [20.0, 20.0, 55.0]]))
    names = [
        grid.tissues[n].name for n in grid.classes_at(np.array([[10.0, 10.0, z] for z in (0.0, 12.0, 25.0, 45.0)]).T)
    ]
    assert names == [tissue.name for tissue in (GAS, FAT, MUSCLE, BONE)]
    # Between 40 and 700 HU, 200 HU lie at a quarter of the way from voxel 11 to voxel 12.
    edge = grid.classes_at(np.array([[10.0, 10.0, z] for z in np.arange(30.0, 40.0, 0.5)]).T)
    assert 30.0 + 0.5 * (edge == 3).argmax() == pytest.approx(33.0 + 3.0 * 160.0 / 660.0, abs=0.5)


def test_tissues_of_labels_and_a_label_without_one():
    labels = np.zeros((30, 30, 30), np.uint8)
    k, j, i = np.indices(labels.shape)
    labels[(i - 15) ** 2 + (j - 15) ** 2 + (k - 15) ** 2 < 64] = 7
    volume = Volume(labels, np.diag([1.5, 1.5, 1.5, 1.0]))
    corners = np.array([[0.0, 0.0, 0.0], [43.0, 43.0, 43.0]])
    grid = TissueGrid.of_labels(volume, {0: MUSCLE, 7: BLOOD}, corners)
    found_mm3 = np.count_nonzero(grid.classes == 1) * 0.5**3
    assert found_mm3 == pytest.approx(np.count_nonzero(labels) * 1.5**3, rel=0.02)
    with pytest.raises(DeviceError, match=r"labels \[7\] without a tissue"):
        TissueGrid.of_labels(volume, {0: MUSCLE}, corners)
