"""Labels on another grid than the CT's: their surfaces lie where their own voxels are, not where the CT's are."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from case.nifti_files import write_nifti
from geometry import Surface, Volume
from geometry.orientation import flip_affine_ras_lps
from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from reconstruction.errors import LabelsError
from reconstruction.labels.grid import place_labels
from reconstruction.labels.read import read_labels
from reconstruction.surfaces.from_labels import surface_from_labels, surfaces_from_labels
from reconstruction.surfaces.simplification import surface_distance
from tests.reconstruction.labels.label_files import (
    ORIGIN,
    SHAPE,
    SPACING,
    affine_ras,
    boxes,
    ct_dicom,
    label_map,
    slicer_segment,
    write_label_nifti,
    write_seg,
    write_slicer,
)

CENTRE = np.array([12.0, -31.0, 55.3])
RADIUS_MM = 8.0
AXES = {  # what i, j and k of the labels run along, as signed LPS axes; the last is turned about all three
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "LAI": np.diag([1.0, -1.0, -1.0]),
    "RPI": np.diag([-1.0, 1.0, -1.0]),
    "PSL": np.eye(3)[:, [1, 2, 0]],
    "SLP": np.eye(3)[:, [2, 0, 1]],
    "ARS": np.array([[0, -1.0, 0], [-1.0, 0, 0], [0, 0, 1.0]]),  # left-handed
    "oblique": Rotation.from_euler("xyz", [13, -7, 29], degrees=True).as_matrix(),
}
FINER, COARSER = (0.6, 0.75, 0.9), (1.9, 1.6, 2.3)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> CtScan:
    return read_ct(ct_dicom(tmp_path_factory.mktemp("ct")))


@pytest.fixture(scope="module")
def ball_scan(tmp_path_factory: pytest.TempPathFactory) -> CtScan:
    """A CT of 1.5 x 1.5 x 5 mm around the ball."""
    affine = np.diag([1.5, 1.5, 5.0, 1.0])
    affine[:3, 3] = CENTRE - np.array([36.0, 36.0, 47.5])
    _, j, i = np.indices((20, 49, 49))
    hu = np.where(np.hypot(i - 24, j - 24) < 22, 40, -1000).astype(np.int16)
    hu[8:12, 20:28, 20:28] = 400
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    write_nifti(path, Volume(hu, affine))
    return read_ct(path)


def ball_of(axes: np.ndarray, spacing: tuple[float, ...], cropped: bool) -> tuple[np.ndarray, np.ndarray]:
    """Voxels ``(ni, nj, nk)`` of the ball and their affine to LPS; cropped, the grid ends where the ball does."""
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    counts = np.ceil(2 * (RADIUS_MM + 6.0) / np.array(spacing)).astype(int)
    affine[:3, 3] = CENTRE + [0.31, -0.17, 0.23] - affine[:3, :3] @ ((counts - 1) / 2)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in counts], indexing="ij"), axis=-1)
    mask = np.linalg.norm(index @ affine[:3, :3].T + affine[:3, 3] - CENTRE, axis=-1) < RADIUS_MM
    if cropped:
        low, high = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0) + 1
        mask = mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        affine[:3, 3] += affine[:3, :3] @ low
    return mask.astype(np.uint8), affine


def write_ball(folder: Path, kind: str, voxels: np.ndarray, affine: np.ndarray) -> Path:
    path = folder / f"ball.{kind}"
    if kind == "nii.gz":
        nibabel.save(nibabel.Nifti1Image(voxels, flip_affine_ras_lps(affine)), path)
        return path
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def own_grids_surface(voxels: np.ndarray, affine: np.ndarray) -> Surface:
    """The ball's surface in its own voxels, room around it, put into the patient by the affine alone."""
    if np.linalg.det(affine[:3, :3]) < 0:  # read backwards along i
        affine = affine @ np.array([[-1.0, 0, 0, len(voxels) - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        voxels = voxels[::-1]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    grid = Volume(np.pad(voxels, 2).T, np.diag([*spacing, 1.0]))
    made = surface_from_labels(grid, 1, "ball").surface
    ijk = made.vertices_mm / spacing - 2.0
    return Surface(ijk @ affine[:3, :3].T + affine[:3, 3], made.triangles, "ct", "ball")


@pytest.mark.parametrize("cropped", [False, True], ids=["whole", "cropped"])
@pytest.mark.parametrize("spacing", [FINER, COARSER], ids=["finer", "coarser"])
@pytest.mark.parametrize("axes", AXES)
def test_surfaces_lie_where_their_own_grid_has_them(tmp_path, ball_scan, axes, spacing, cropped) -> None:
    voxels, affine = ball_of(AXES[axes], spacing, cropped)
    kind = ("nii.gz", "nrrd", "mha")[(list(AXES).index(axes) + cropped) % 3]
    reading = read_labels(write_ball(tmp_path, kind, voxels, affine), ball_scan)
    made = surfaces_from_labels(reading.layers[0], {1: "ball"})["ball"]
    apart = surface_distance(made.surface, own_grids_surface(voxels, affine))
    print(f"{axes} {spacing} {'cropped' if cropped else 'whole'}: at most {apart.max_mm:.4f} mm from its own grid's")
    assert apart.max_mm < 0.05
    errors = np.linalg.norm(made.surface.vertices_mm - CENTRE, axis=1) - RADIUS_MM
    assert np.percentile(np.abs(errors), 95) < 0.25 * max(spacing)  # and that is where the ball is
    assert made.open_at_border == ()  # the CT goes on around a cropped grid
    assert made.watertight
    # Flat triangles cut corners where a radius has four voxels.
    assert made.surface.volume_ml == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3 / 1000, rel=0.06)
    assert any("on a grid of their own" in warning for warning in reading.warnings)


def test_a_grid_shifted_by_half_a_voxel_says_by_how_much(tmp_path: Path, scan: CtScan) -> None:
    shifted = affine_ras(origin=(ORIGIN[0] + 0.4, ORIGIN[1], ORIGIN[2] + 0.5))
    reading = read_labels(write_label_nifti(tmp_path / "a.nii", label_map(), shifted), scan)
    assert reading.warnings == (
        "labels on a grid as large as the CT's but shifted by (0.40, 0.00, 0.50) mm, where their surfaces are made",
    )
    np.testing.assert_array_equal(reading.layers[0].voxels, label_map())
    np.testing.assert_allclose(reading.layers[0].origin_mm - scan.volume.origin_mm, [0.4, 0.0, 0.5], atol=1e-5)


@given(
    axes=st.permutations([0, 1, 2]),
    flips=st.tuples(*[st.booleans()] * 3),
    crop=st.tuples(*[st.integers(-2, 2)] * 6),
)
@settings(max_examples=60)
def test_where_voxel_centres_coincide_labels_come_on_the_cts_grid(scan: CtScan, axes, flips, crop) -> None:
    """Axes exchanged and reversed, cropped and padded: the same voxels of the patient, to the last one."""
    truth = np.zeros(SHAPE, np.uint16)
    inner = (slice(2, 10), slice(2, 14), slice(2, 18))
    truth[inner] = np.arange(1, 8 * 12 * 16 + 1).reshape(8, 12, 16)
    low, high = np.array(crop[:3]), np.array(SHAPE) - crop[3:]
    padded = np.pad(truth, 2)[tuple(slice(a + 2, b + 2) for a, b in zip(low, high, strict=True))]
    order = [2 - axis for axis in axes[::-1]]  # array axes, slowest first
    voxels = padded.transpose(order)
    affine = scan.volume.affine.copy()
    affine[:3, 3] = scan.volume.index_to_mm([low[::-1]])[0]
    columns = affine[:3, list(axes)]
    for axis, flip in enumerate(flips):
        if flip:
            voxels = np.flip(voxels, 2 - axis)
            affine[:3, 3] += columns[:, axis] * (voxels.shape[2 - axis] - 1)
            columns[:, axis] *= -1
    affine[:3, :3] = columns
    if np.linalg.det(columns) < 0:
        return  # no such volume: the readers make them right-handed
    placed = place_labels(Volume(np.ascontiguousarray(voxels), affine), scan.volume)
    np.testing.assert_array_equal(placed.labels.voxels, truth)
    np.testing.assert_array_equal(placed.labels.affine, scan.volume.affine)
    assert placed.warnings == ()


def test_masks_of_several_grids_come_in_a_layer_each(tmp_path: Path, scan: CtScan) -> None:
    finer = affine_ras(tuple(s / 2 for s in SPACING), ORIGIN)
    write_label_nifti(tmp_path / "a.nii", boxes()[1].astype(np.uint8))
    write_label_nifti(tmp_path / "b.nii", boxes()[2].astype(np.uint8))
    write_label_nifti(tmp_path / "c.nii", boxes()[1].astype(np.uint8), finer)
    write_label_nifti(tmp_path / "d.nii", boxes()[2].astype(np.uint8), finer)
    reading = read_labels(tmp_path, scan)
    assert [(s.name, s.value, s.layer) for s in reading.structures] == [
        ("a", 1, 0),
        ("b", 2, 0),
        ("c", 3, 1),
        ("d", 4, 1),
    ]
    np.testing.assert_allclose(reading.layers[1].spacing_mm, np.array(SPACING) / 2, atol=1e-6)
    assert len(reading.warnings) == 1


@pytest.mark.parametrize("kind", ["DICOM SEG", "3D Slicer, cropped"])
def test_segmentations_with_a_header_of_their_own_stay_on_their_grid(tmp_path: Path, kind: str) -> None:
    """On a CT of other spacing: the layers have the file's grid, and every voxel lies where it was drawn."""
    write_nifti(tmp_path / "ct.nii", Volume(np.resize(np.int16([-1000, 40]), (9, 13, 12)), wide_affine()))
    scan = read_ct(tmp_path / "ct.nii")
    if kind == "DICOM SEG":
        path = write_seg(tmp_path / "a.dcm", boxes())
    else:
        pairs = slicer_segment(0, "a", 1, 0)
        path = write_slicer(tmp_path / "a.seg.nrrd", [boxes()[1].astype(np.uint8)], pairs, crop=1)
    reading = read_labels(path, scan)
    layer = reading.layers[0]
    np.testing.assert_allclose(layer.spacing_mm, SPACING, atol=1e-5)
    k, j, i = np.nonzero(layer.voxels == reading.structures[0].value)
    drawn = np.argwhere(boxes()[1])[:, ::-1] * SPACING + ORIGIN
    np.testing.assert_allclose(layer.index_to_mm(np.stack([i, j, k], axis=1)), drawn, atol=1e-4)


def wide_affine() -> np.ndarray:
    affine = np.diag([1.7, 1.1, 1.9, 1.0])
    affine[:3, 3] = np.array(ORIGIN) - 1.3
    return affine


# --------------------------------------------------------------------------------------------- outside, and nowhere
def test_labels_that_reach_out_of_the_ct_are_counted_and_kept(tmp_path: Path, scan: CtScan) -> None:
    moved = affine_ras(origin=(ORIGIN[0], ORIGIN[1], ORIGIN[2] - 4.0))  # box 1 begins in slice 3, box 2 in slice 2
    reading = read_labels(write_label_nifti(tmp_path / "a.nii", label_map(), moved), scan)
    out = int((label_map()[:4] > 0).sum()) / int((label_map() > 0).sum())
    assert reading.warnings == (
        f"{out:.1%} of the labelled voxels lie outside of the CT; they are kept where their header says",
    )
    np.testing.assert_array_equal(reading.layers[0].voxels, label_map())
    np.testing.assert_allclose(reading.layers[0].origin_mm[2], ORIGIN[2] - 4.0, atol=1e-5)


def test_a_structure_cut_by_the_scan_is_cut_there_on_its_own_grid_too(tmp_path: Path, scan: CtScan) -> None:
    """Labels that touch the last slice of a grid which ends with the CT; the other five faces have room."""
    finer = affine_ras(tuple(s / 2 for s in SPACING), tuple(o - s / 4 for o, s in zip(ORIGIN, SPACING, strict=True)))
    mask = np.zeros([2 * n for n in SHAPE], np.uint8)
    mask[4:, 8:20, 10:24] = 1
    cropped = np.ascontiguousarray(mask[4:, 8:20, 10:24])
    origin = [o - s / 4 + n * s / 2 for o, s, n in zip(ORIGIN, SPACING, (10, 8, 4), strict=True)]
    for voxels, affine in ((mask, finer), (cropped, affine_ras(tuple(s / 2 for s in SPACING), tuple(origin)))):
        reading = read_labels(write_label_nifti(tmp_path / "a.nii", voxels, affine), scan)
        made = surfaces_from_labels(reading.layers[0], {1: "a"})["a"]
        assert made.open_at_border == ("k_max",)
        assert made.surface.bounds_mm[1][2] == pytest.approx(ORIGIN[2] + (SHAPE[0] - 0.5) * SPACING[2], abs=1e-5)


def test_labels_of_another_patient_are_refused(tmp_path: Path, scan: CtScan) -> None:
    far = affine_ras(origin=(500.0, 0.0, 0.0))
    with pytest.raises(LabelsError, match="wholly outside"):
        read_labels(write_label_nifti(tmp_path / "a.nii", label_map(), far), scan)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), SPACING], ids=["identity", "spacing kept"])
def test_labels_whose_header_places_them_nowhere_are_refused_unless_asked_for(tmp_path, scan, spacing) -> None:
    affine = np.diag([*spacing, 1.0])
    path = write_label_nifti(tmp_path / "a.nii", label_map(), affine)
    with pytest.raises(LabelsError, match="places them nowhere") as refused:
        read_labels(path, scan)
    assert "--labels-on-ct-grid" in refused.value.action
    reading = read_labels(path, scan, on_ct_grid=True)
    np.testing.assert_array_equal(reading.layers[0].voxels, label_map())
    np.testing.assert_array_equal(reading.layers[0].affine, scan.volume.affine)
    assert len(reading.warnings) == 1
    assert "as asked" in reading.warnings[0]


def test_labels_without_a_place_and_of_another_size_are_refused_even_then(tmp_path: Path, scan: CtScan) -> None:
    path = write_label_nifti(tmp_path / "a.nii", label_map()[:, :, 1:], np.eye(4))
    with pytest.raises(LabelsError, match="places them nowhere") as refused:
        read_labels(path, scan)
    assert "--labels-on-ct-grid" not in refused.value.action
    with pytest.raises(LabelsError, match="19 x 16 x 12 voxels for a CT of 20 x 16 x 12"):
        read_labels(path, scan, on_ct_grid=True)


def test_labels_with_a_place_of_their_own_are_not_moved_onto_the_ct(tmp_path: Path, scan: CtScan) -> None:
    moved = affine_ras(origin=(ORIGIN[0] + 3.1, ORIGIN[1], ORIGIN[2]))
    with pytest.raises(LabelsError, match="has a place of its own"):
        read_labels(write_label_nifti(tmp_path / "a.nii", label_map(), moved), scan, on_ct_grid=True)
    at_home = write_label_nifti(tmp_path / "b.nii", label_map())
    assert read_labels(at_home, scan, on_ct_grid=True).warnings == ()


def test_taken_for_the_cts_voxels_they_follow_the_order_of_its_file(tmp_path: Path) -> None:
    """A left-handed CT: this program counts its i the other way round, so it turns the labels as well."""
    hu = np.full(SHAPE, 40, np.int16)
    hu[:, :, :7] = -1000
    hu[4:9, 4:9, 8:12] = 900
    left_handed = np.diag([SPACING[0], -SPACING[1], SPACING[2], 1.0])
    left_handed[:3, 3] = 31.0, 12.0, -7.0
    nibabel.save(nibabel.Nifti1Image(hu.T, left_handed), tmp_path / "ct.nii")
    bone = (hu == 900).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(bone.T, np.eye(4)), tmp_path / "labels.nii")
    scan = read_ct(tmp_path / "ct.nii")
    reading = read_labels(tmp_path / "labels.nii", scan, on_ct_grid=True)
    assert set(scan.volume.voxels[reading.layers[0].voxels == 1]) == {900}


def test_a_ct_that_begins_at_the_origin_has_a_place(tmp_path: Path) -> None:
    """Finer labels from (0, 0, 0) mm on a CT from (0, 0, 0) mm are placed; an identity affine on it is not."""
    ct = Volume(np.zeros((12, 16, 20), np.int16), np.diag([1.5, 1.5, 2.0, 1.0]))
    voxels = np.zeros((24, 32, 40), np.uint8)
    voxels[4:9, 4:9, 4:9] = 1
    finer = Volume(voxels, np.diag([0.75, 0.75, 1.0, 1.0]))
    np.testing.assert_array_equal(place_labels(finer, ct).labels.affine, finer.affine)
    with pytest.raises(LabelsError, match="places them nowhere"):
        place_labels(Volume(np.ones((12, 16, 20), np.uint8), np.eye(4)), ct)
