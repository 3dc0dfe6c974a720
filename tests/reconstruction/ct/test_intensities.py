"""Values that are not HU are recognised by air and tissue; no genuine CT, and no crop of one, is taken for such."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from reconstruction.ct.choice import CtChoice
from reconstruction.ct.errors import CtRefusedError
from reconstruction.ct.intensities import examine_intensities
from reconstruction.ct.read import read_ct
from tests.reconstruction.ct.drawn_chest import mediastinum, trunk
from tests.reconstruction.ct.recorded_ct import unpacked

CORRECT = CtChoice(correct_hu=True)


def magnetic_resonance() -> np.ndarray:
    """Magnitudes: nothing below 0, background near 0, tissue anywhere above."""
    tissue = np.where(trunk() > -500.0, 700.0, 0.0)
    noise = np.random.default_rng(1).normal(0.0, 12.0, (2, *tissue.shape))
    return np.rint(np.hypot(tissue + noise[0], noise[1]))


def nifti(path: Path, values: np.ndarray) -> Path:
    image = nibabel.Nifti1Image(values.T.astype(np.int16), np.diag([-5.0, -5.0, 7.5, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def test_hu_are_confirmed_by_air_and_tissue() -> None:
    found = examine_intensities(trunk())
    assert found.kind == "hu"
    assert found.air == pytest.approx(-1000.0, abs=15.0)
    assert found.tissue == pytest.approx(40.0, abs=15.0)


@pytest.mark.parametrize("padding", [None, -2000.0, -2048.0, -3024.0])
@pytest.mark.parametrize("offset", [1024.0, 1000.0])
def test_an_offset_is_found_clipped_or_not_padded_or_not(offset: float, padding: float | None) -> None:
    hu = trunk()
    shifted = hu + offset
    if padding is not None:
        shifted[:, :25, :25] = padding + offset  # a seventh of all, which looks like air in HU where it is -1024
    for values in (shifted, shifted.clip(0.0)):
        found = examine_intensities(values)
        assert found.kind == "offset"
        # Where what lies below 0 was cut off, 1000 and 1024 are 24 HU apart and look alike.
        assert found.offset in ({1000.0, 1024.0} if offset == 1000.0 else {1024.0})
        assert f"HU + {found.offset:g}" in found.words


def test_a_crop_without_air_is_neither_confirmed_nor_refused_but_one_with_an_offset_is_known() -> None:
    crop = mediastinum()
    assert crop.min() > -300
    assert examine_intensities(crop).kind == "unconfirmed"
    assert examine_intensities(crop + 1024.0).kind == "offset"


def test_brain_in_a_skull_without_air_is_no_hu_plus_1024() -> None:
    """Brain where air would then be, bone where tissue would be: but bone is spread over a thousand HU."""
    rng = np.random.default_rng(3)
    values = rng.normal(30.0, 6.0, (20, 40, 40))
    skull = rng.random(values.shape) < 0.25
    values[skull] = rng.normal(1050.0, 300.0, int(skull.sum()))
    assert examine_intensities(values.clip(0.0)).kind == "unconfirmed"


def test_a_drawn_phantom_of_three_values_is_taken_for_what_it_says() -> None:
    """Air at -1000 without noise looks like padding, and what is left, 40 and 1064, like HU + 1024."""
    drawn = np.full((20, 40, 40), -1000.0)
    drawn[:, 8:32, 8:32] = 40.0
    drawn[:, 16:26, 16:26] = 1064.0
    assert examine_intensities(drawn).kind in ("hu", "unconfirmed")


def test_magnetic_resonance_is_no_ct(tmp_path: Path) -> None:
    assert examine_intensities(magnetic_resonance()).kind == "other"
    for choice in (None, CORRECT):  # and nothing makes it one
        with pytest.raises(CtRefusedError, match="not HU: no value below 0"):
            read_ct(nifti(tmp_path / "mr.nii.gz", magnetic_resonance()), choice=choice)


def test_air_that_is_not_at_minus_1000_is_noted_as_in_cone_beam_ct(tmp_path: Path) -> None:
    scan = read_ct(nifti(tmp_path / "cone_beam.nii.gz", trunk() * 0.8))
    assert any("may not be HU, as in cone-beam CT" in note for note in scan.verdict.notes)
    assert not any("cone-beam" in note for note in read_ct(nifti(tmp_path / "ct.nii.gz", trunk())).verdict.notes)


def test_too_few_voxels_have_no_histogram() -> None:
    assert examine_intensities(trunk()[:4, :10, :10] + 1024.0).kind == "unconfirmed"


def test_hu_plus_1024_is_refused_and_read_in_hu_where_that_was_asked_for(tmp_path: Path) -> None:
    """The body would be the whole box, and nothing would be bone."""
    path = nifti(tmp_path / "ct.nii.gz", (trunk() + 1024.0).clip(0.0))
    with pytest.raises(CtRefusedError) as caught:
        read_ct(path)
    assert "HU + 1024" in caught.value.verdict.reasons[0]
    assert "pass --correct-hu, which subtracts 1024" in caught.value.action
    assert "tilt" not in str(caught.value)
    scan = read_ct(path, choice=CORRECT)
    expected = read_ct(nifti(tmp_path / "hu.nii.gz", trunk().clip(-1024.0)))
    np.testing.assert_array_equal(scan.volume.voxels, expected.volume.voxels)
    assert scan.volume.voxels.dtype == np.int16
    assert any("1024 taken away, as asked" in reason for reason in scan.verdict.reasons)
    assert not any("taken away" in reason for reason in expected.verdict.reasons)


def test_hu_stay_as_they_are_where_a_correction_was_allowed(tmp_path: Path) -> None:
    path = nifti(tmp_path / "ct.nii.gz", trunk())
    assert read_ct(path, choice=CORRECT).content_sha256 == read_ct(path).content_sha256


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("lidc0314_dicom.tar.gz", marks=pytest.mark.slow),
        pytest.param("ircadb17_dicom_ct_and_masks.tar.gz", marks=pytest.mark.slow),
        "totalseg_example/totalseg_example_ct_3mm.nii.gz",
        "totalseg_example/example_ct_dicom",
        "tptbox_vertebra_crop/sub-ct_label-22_ct.nii.gz",
        "dcmqi_dicomseg/ct-3slice",
    ],
)
def test_no_genuine_scan_and_no_crop_of_one_is_refused_and_each_is_known_with_an_offset(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    path = shared_data / "ct" / name
    if name.endswith(".gz") and "tar" in name:
        path = unpacked(path, tmp_path)
        path = path / "PATIENT_DICOM" if (path / "PATIENT_DICOM").is_dir() else path
    voxels = np.asarray(read_ct(path).volume.voxels)[::2, ::2, ::2]
    assert examine_intensities(voxels + np.int32(1024)).offset == 1024.0
    rng = np.random.default_rng(7)
    for _ in range(40):
        sizes = np.minimum(voxels.shape, rng.integers(8, 80, 3))
        starts = rng.integers(0, np.array(voxels.shape) - sizes + 1)
        k, j, i = (slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
        assert examine_intensities(voxels[k, j, i]).kind in ("hu", "unconfirmed")
