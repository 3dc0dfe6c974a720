"""Segmentations of other programs: the same voxels of the patient whatever the format, grid and axes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from reconstruction.errors import LabelsError
from reconstruction.labels.dicom_seg import cielab_to_srgb, read_dicom_seg
from reconstruction.labels.read import LabelReading, read_labels
from tests.reconstruction.labels.label_files import (
    SHAPE,
    boxes,
    ct_dicom,
    label_map,
    slicer_segment,
    write_label_nifti,
    write_seg,
    write_slicer,
)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> CtScan:
    return read_ct(ct_dicom(tmp_path_factory.mktemp("ct")))


def mask_of(reading: LabelReading, name: str) -> np.ndarray:
    (found,) = (structure for structure in reading.structures if structure.name == name)
    mask = reading.layers[found.layer].voxels == found.value
    assert int(mask.sum()) == found.voxels
    return mask


# ------------------------------------------------------------------------------------------ DICOM SEG
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("stated_step", [True, False])
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_seg_of_overlapping_segments(tmp_path: Path, scan: CtScan, kind: str, sparse: bool, stated_step: bool) -> None:
    path = write_seg(tmp_path / "a.dcm", boxes(), kind=kind, sparse=sparse, stated_step=stated_step)
    reading = read_labels(path, scan)
    assert len(reading.layers) == 2  # the third overlaps the first, the second neither
    for number, mask in boxes().items():
        np.testing.assert_array_equal(mask_of(reading, f"segment_n_{number}"), mask)
    assert all(layer.frame == "ct" and np.array_equal(layer.affine, scan.volume.affine) for layer in reading.layers)
    assert reading.structures[0].colour == pytest.approx((1, 1, 1, 1), abs=0.01)
    assert any("half the largest value" in warning for warning in reading.warnings) == (kind == "FRACTIONAL")


def test_seg_with_a_hole_in_its_slices_keeps_the_hole(tmp_path: Path, scan: CtScan) -> None:
    """Two pieces, nothing between: without a stated slice distance the smallest step among the frames is taken."""
    mask = np.zeros(SHAPE, bool)
    mask[[1, 2, 8], 5:9, 5:9] = True
    reading = read_labels(write_seg(tmp_path / "a.dcm", {1: mask}, stated_step=False), scan)
    np.testing.assert_array_equal(mask_of(reading, "segment_n_1"), mask)


def test_folder_of_several_seg(tmp_path: Path, scan: CtScan) -> None:
    write_seg(tmp_path / "a.dcm", {1: boxes()[1]})
    write_seg(tmp_path / "b.dcm", {1: boxes()[3]})
    reading = read_labels(tmp_path, scan)
    assert [structure.name for structure in reading.structures] == ["segment_n_1", "segment_n_1_2"]
    np.testing.assert_array_equal(mask_of(reading, "segment_n_1_2"), boxes()[3])


def test_cielab_of_known_colours() -> None:
    """sRGB red is L* 54.29, a* 80.80, b* 69.89 against D50 (lindbloom.com); 8 bits resolve 0.004."""
    encoded = [54.29 / 100 * 65535, (80.80 + 128) / 255 * 65535, (69.89 + 128) / 255 * 65535]
    assert cielab_to_srgb(encoded) == pytest.approx((1, 0, 0, 1), abs=0.01)
    assert cielab_to_srgb([0, 32896, 32896]) == pytest.approx((0, 0, 0, 1), abs=0.01)


# ------------------------------------------------------------------------------------------ 3D Slicer
@pytest.mark.parametrize("crop", [0, 1])
def test_slicer_layers_names_colours_and_crop(tmp_path: Path, scan: CtScan, crop: int) -> None:
    """Values may come again in another layer; a file cropped to its segments is placed by its own origin."""
    one = np.zeros(SHAPE, np.uint8)
    one[boxes()[1]], one[boxes()[2]] = 1, 2
    pairs = (
        slicer_segment(0, "Left Lung", 1, 0) | slicer_segment(1, "Tumor: µ", 2, 0) | slicer_segment(2, "Aorta", 1, 1)
    )
    path = write_slicer(tmp_path / "a.seg.nrrd", [one, boxes()[3].astype(np.uint8)], pairs, crop)
    reading = read_labels(path, scan)
    for name, number in (("left_lung", 1), ("tumor_2", 2), ("aorta", 3)):
        np.testing.assert_array_equal(mask_of(reading, name), boxes()[number])
    assert reading.structures[0].colour == (0.5, 0.25, 1.0, 1.0)
    assert [structure.given_name for structure in reading.structures] == ["Left Lung", "Tumor: µ", "Aorta"]
    assert reading.warnings == ("the header names no unit of length; taken as mm",)


def test_slicer_extent_that_the_voxels_leave_is_said(tmp_path: Path, scan: CtScan) -> None:
    pairs = slicer_segment(0, "a", 1, 0, extent="5 11 4 9 3 7")
    reading = read_labels(write_slicer(tmp_path / "a.seg.nrrd", [boxes()[1].astype(np.uint8)], pairs), scan)
    assert any("42 voxels beyond the extent" in warning for warning in reading.warnings)  # one slice of 6 x 7


# ------------------------------------------------------------------------------------------ NIfTI
def test_names_from_the_header_and_from_a_table(tmp_path: Path, scan: CtScan) -> None:
    path = write_label_nifti(tmp_path / "a.nii.gz", label_map(), names={5: "liver", 9: "vertebrae_L1", 7: "absent"})
    reading = read_labels(path, scan)
    assert [(s.name, s.value, s.given_name) for s in reading.structures] == [
        ("liver", 5, "liver"),
        ("vertebrae_l1", 9, "vertebrae_L1"),
    ]
    assert reading.structures[0].colour == (1.0, 0.5, 0.0, 1.0)
    (tmp_path / "names.csv").write_text("id;name\n0;outside\n5;Spleen\n")
    reading = read_labels(path, scan, names_csv=tmp_path / "names.csv")
    assert [s.name for s in reading.structures] == ["spleen", "vertebrae_l1"]
    np.testing.assert_array_equal(reading.layers[0].voxels, label_map())
    assert reading.warnings == ()


@pytest.mark.parametrize("code", [2, 4, 6, 18, 28, 30, 32, 36, 44, 99])
def test_the_label_table_is_read_whatever_code_its_extension_has(tmp_path: Path, scan: CtScan, code: int) -> None:
    names = {5: "liver", 9: "vertebrae_L1"}
    path = write_label_nifti(tmp_path / "a.nii", label_map(), names=names, extension_code=code)
    assert {structure.given_name for structure in read_labels(path, scan).structures} == set(names.values())


def test_a_label_table_in_an_encoding_that_nobody_knows_is_refused(tmp_path: Path, scan: CtScan) -> None:
    path = write_label_nifti(tmp_path / "labels.nii", label_map(), names={5: "liver"})
    path.write_bytes(path.read_bytes().replace(b"UTF-8", b"ATF-8"))
    with pytest.raises(LabelsError, match="label table is broken"):
        read_labels(path, scan)


def test_names_in_any_script_stay_for_display_and_files_get_a_name_of_their_own(tmp_path: Path, scan: CtScan) -> None:
    """Left and right lung differ only in letters that ASCII lacks; an accent alone loses nothing."""
    path = write_label_nifti(tmp_path / "a.nii.gz", label_map())
    (tmp_path / "names.csv").write_text("value,name\n5,左 lung\n9,右 lung\n", encoding="utf-8")
    reading = read_labels(path, scan, names_csv=tmp_path / "names.csv")
    assert [(s.name, s.given_name) for s in reading.structures] == [("lung_5", "左 lung"), ("lung_9", "右 lung")]
    (tmp_path / "names.csv").write_text("value,name\n5,肝臓\n9,Größe Øst\n", encoding="utf-16")  # as spreadsheets do
    reading = read_labels(path, scan, names_csv=tmp_path / "names.csv")
    assert [(s.name, s.given_name) for s in reading.structures] == [("label_5", "肝臓"), ("grosse_ost", "Größe Øst")]


def test_masks_in_a_folder_are_named_by_their_files(tmp_path: Path, scan: CtScan) -> None:
    for number, name in ((1, "liver"), (2, "rib_left_1"), (3, "aorta")):
        write_label_nifti(tmp_path / f"{name}.nii.gz", boxes()[number].astype(np.uint8))
    reading = read_labels(tmp_path, scan)
    assert len(reading.layers) == 2
    for number, name in ((1, "liver"), (2, "rib_left_1"), (3, "aorta")):
        np.testing.assert_array_equal(mask_of(reading, name), boxes()[number])


# ------------------------------------------------------------------------------------------ real data
def test_totalsegmentator_table_counts_every_voxel(shared_data: Path) -> None:
    folder = shared_data / "ct" / "totalseg_example"
    table = folder / "totalseg_example_labels.csv"
    scan = read_ct(folder / "totalseg_example_ct_3mm.nii.gz")
    reading = read_labels(folder / "totalseg_example_seg_3mm.nii.gz", scan, names_csv=table)
    with table.open() as lines:
        expected = {row["name"].lower(): int(row["voxels"]) for row in csv.DictReader(lines)}
    assert {s.name: s.voxels for s in reading.structures} == expected
    assert reading.warnings == ()


def test_totalsegmentator_names_in_the_header_lie_on_the_dicom_series(shared_data: Path) -> None:
    folder = shared_data / "ct" / "totalseg_example"
    scan = read_ct(folder / "example_ct_dicom")
    reading = read_labels(folder / "example_seg_dicom.nii.gz", scan)
    assert (len(reading.structures), reading.warnings) == (31, ())
    assert 20 < np.median(scan.volume.voxels[mask_of(reading, "liver")]) < 180


def test_dcmqi_objects(shared_data: Path) -> None:
    """Counts as pydicom's own unpacking has them, and overlaps as the object's name promises."""
    folder = shared_data / "ct" / "dcmqi_dicomseg"
    scan = read_ct(folder / "ct-3slice")
    liver = read_labels(folder / "liver.dcm", scan)
    assert [(s.name, s.voxels) for s in liver.structures] == [("liver", 107_098)]
    hu = scan.volume.voxels[mask_of(liver, "liver")]
    # 83 % and 0.3 % as it lies; mirrored along i or j, at most 56 % and at least 5 %.
    assert ((hu > 0) & (hu < 150)).mean() > 0.8
    assert (hu < -300).mean() < 0.01
    overlapping = read_labels(folder / "partial_overlaps.dcm", scan)
    assert len(overlapping.layers) == 3
    assert {s.name for s in overlapping.structures} == {"green", "orange", "purple", "light_blue", "dark_blue"}
    for name in ("sparse-labelmap-noppv.dcm", "sparse-labelmap-ppv5.dcm"):
        with pytest.raises(LabelsError, match="another frame of reference"):
            read_labels(folder / name, scan)


@pytest.mark.parametrize("name", ["sparse-labelmap-noppv.dcm", "sparse-labelmap-ppv5.dcm"])
def test_sparse_label_maps_keep_the_slice_that_was_left_out(shared_data: Path, name: str) -> None:
    """Frames at -177.75 and -172.75 mm, 2.5 mm apart as stated: the middle slice is there, and empty."""
    read = read_dicom_seg(shared_data / "ct" / "dcmqi_dicomseg" / name)
    (layer,) = read.layers
    assert layer.shape_ijk == (24, 38, 3)
    np.testing.assert_allclose(layer.spacing_mm, [0.7, 0.7, 2.5], atol=1e-6)
    np.testing.assert_allclose(layer.origin_mm, [46.464901, 5.0188098, -177.75], atol=1e-5)
    assert set(np.unique(layer.voxels)) == {0, 1}
    assert [int(part.any()) for part in layer.voxels] == [1, 0, 1]
    assert [(segment.value, segment.name) for segment in read.segments] == [(1, "Liver")]
