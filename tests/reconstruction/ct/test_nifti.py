"""NIfTI in and out: every voxel keeps its place in the patient; what leaves a doubt is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from case.nifti_files import write_nifti, write_probability_nifti
from geometry.orientation import flip_affine_ras_lps
from geometry.volume import Volume
from reconstruction.ct.errors import CtRefusedError
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.ct.read import read_ct
from tests.reconstruction.bad_input import Bad
from tests.reconstruction.ct.bad_nifti import (
    AXIAL,
    BAD,
    save,
)
from tests.reconstruction.ct.dicom.dicom_factory import ramp


def qform_w(affine_ras: np.ndarray) -> float:
    """Of its quaternion a qform holds x, y and z alone: w is ``sqrt(1 - x^2 - y^2 - z^2)``, near half a turn of little.

    Known to 1e-7 / w in float32, and there to the root of twice 1e-7.
    """
    axes = affine_ras[:3, :3] / np.linalg.norm(affine_ras[:3, :3], axis=0)
    axes[:, 2] *= np.sign(np.linalg.det(axes))  # a left-handed one is stored with its k reversed
    return max(float(abs(Rotation.from_matrix(axes).as_quat()[3])), 1e-9)


@given(
    quaternion=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    spacing=st.tuples(*[st.floats(0.2, 5.0)] * 3),
    flips=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    forms=st.sampled_from([(1, 0), (0, 1), (1, 1), (2, 0)]),
    kind=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
)
@settings(max_examples=60)
def test_every_voxel_keeps_its_place(
    tmp_path_factory: pytest.TempPathFactory,
    quaternion: tuple[float, ...],
    spacing: tuple[float, ...],
    flips: tuple[float, ...],
    origin: tuple[float, ...],
    forms: tuple[int, int],
    kind: type,
) -> None:
    """Any rotation, any handedness, either form: the value found at a point in the patient is the value put there."""
    affine_ras = np.eye(4)
    affine_ras[:3, :3] = Rotation.from_quat(quaternion).as_matrix() * np.array(spacing) * np.array(flips)
    affine_ras[:3, 3] = origin
    w = qform_w(affine_ras)
    assume(w > 1e-6 or kind is nibabel.Nifti1Image)  # nibabel cannot write half a turn in float64
    data = ramp((6, 5, 4)).T
    path = tmp_path_factory.mktemp("any") / "ct.nii"
    save(path, data, affine_ras, sform_code=forms[0], qform_code=forms[1], kind=kind)
    volume = read_ct(path).volume
    ijk = np.indices(data.shape).reshape(3, -1).T
    points_ras = ijk @ affine_ras[:3, :3].T + affine_ras[:3, 3]
    index = volume.mm_to_index(points_ras * [-1, -1, 1])
    # NIfTI-1 stores float32: origins up to 500 mm to 3e-5 mm, and a quaternion to 1e-7 rad over 25 mm; where the qform
    # counts, a turn of twice what w is known to, over 35 mm.
    atol_mm = 2e-4 + (2.0 * min(5e-4, 1e-7 / w) * 35.0 if forms == (0, 1) else 0.0)
    np.testing.assert_allclose(volume.index_to_mm(np.round(index)), points_ras * [-1, -1, 1], atol=atol_mm)
    i, j, k = np.round(index).astype(int).T
    np.testing.assert_array_equal(volume.voxels[k, j, i], data.ravel())
    assert np.linalg.det(volume.direction) == pytest.approx(1.0, abs=1e-6)
    assert volume.voxels.flags.c_contiguous


def test_left_handed_file_is_righted_with_its_voxels(tmp_path: Path) -> None:
    """Axes L, A, S, as radiological NIfTI files have: by hand, voxel (0, 0, 0) is at RAS (100, -50, 30)."""
    left_handed = AXIAL * np.array([-1.0, 1, 1, 1])
    left_handed[0, 3] = 100.0
    data = ramp((6, 5, 4)).T
    volume = read_ct(save(tmp_path / "las.nii.gz", data, left_handed)).volume
    np.testing.assert_allclose(volume.index_to_mm([[3, 0, 0]]), [[-100.0, 50.0, 30.0]], atol=1e-5)
    assert volume.voxels[0, 0, 3] == data[0, 0, 0]
    assert np.linalg.det(volume.affine[:3, :3]) > 0


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@given(
    quaternion=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    dtype=st.sampled_from([np.uint8, np.int16, np.float32]),
)
@settings(max_examples=15)
def test_written_volumes_come_back(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, quaternion: tuple[float, ...], dtype: type
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_quat(quaternion).as_matrix() * [0.7, 0.7, 2.5]
    affine[:3, 3] = [100.0, -187.597, -340.0]
    volume = Volume(ramp((6, 5, 4)).astype(dtype), affine)
    folder = tmp_path_factory.mktemp("out")
    write_nifti(folder / f"a{suffix}", volume)
    write_nifti(folder / f"b{suffix}", volume)
    assert (folder / f"a{suffix}").read_bytes() == (folder / f"b{suffix}").read_bytes()
    back = read_nifti_volume(folder / f"a{suffix}")
    np.testing.assert_array_equal(back.voxels, volume.voxels)
    assert back.voxels.dtype == dtype
    np.testing.assert_allclose(back.affine, affine, atol=2e-5)  # float32 in the header, origins of some 300 mm


def test_another_program_sees_a_written_volume_in_place(tmp_path: Path) -> None:
    """SimpleITK reads NIfTI on its own and speaks LPS: the same origin, spacing and direction must come out."""
    import SimpleITK

    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [0.3, -0.2, 2.0]).as_matrix() * [0.7, 0.8, 2.5]
    affine[:3, 3] = [100.0, -187.5, -340.0]
    write_nifti(tmp_path / "v.nii.gz", volume := Volume(ramp((6, 5, 4)), affine))
    image = SimpleITK.ReadImage(str(tmp_path / "v.nii.gz"))
    np.testing.assert_allclose(image.GetOrigin(), volume.origin_mm, atol=1e-4)
    np.testing.assert_allclose(image.GetSpacing(), volume.spacing_mm, atol=1e-6)
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3)), volume.direction, atol=1e-6)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), volume.voxels)


def test_probabilities_take_a_byte_and_read_as_zero_to_one_everywhere(tmp_path: Path) -> None:
    import SimpleITK

    fractions = np.linspace(0.0, 1.0, 120, dtype=np.float32).reshape(6, 5, 4)
    write_probability_nifti(path := tmp_path / "p.nii.gz", Volume(fractions, np.eye(4)))
    assert nibabel.load(path).get_data_dtype() == np.uint8
    half_a_step = 1.0 / 510.0 + 1e-6
    np.testing.assert_allclose(read_nifti_volume(path).voxels, fractions, atol=half_a_step)
    elsewhere = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    np.testing.assert_allclose(elsewhere, fractions, atol=half_a_step)
    in_255ths = np.arange(120, dtype=np.uint8).reshape(6, 5, 4)
    write_probability_nifti(path, Volume(in_255ths, np.eye(4)))
    np.testing.assert_array_equal(np.asarray(nibabel.load(path).dataobj.get_unscaled()).T, in_255ths)


def test_values_are_scaled_as_the_header_says_and_kept_compact(tmp_path: Path) -> None:
    whole = nibabel.Nifti1Image(ramp((6, 5, 4)).T.astype(np.float64), AXIAL)
    nibabel.save(whole, tmp_path / "whole.nii")
    voxels = read_ct(tmp_path / "whole.nii").volume.voxels
    assert voxels.dtype == np.int16
    np.testing.assert_array_equal(voxels, ramp((6, 5, 4)))
    halves = nibabel.Nifti1Image(ramp((6, 5, 4)).T.astype(np.float64) + 0.5, AXIAL)
    nibabel.save(halves, tmp_path / "halves.nii")
    voxels = read_ct(tmp_path / "halves.nii").volume.voxels
    assert voxels.dtype == np.float32
    np.testing.assert_array_equal(voxels, ramp((6, 5, 4)) + np.float32(0.5))
    scaled = nibabel.Nifti1Image(ramp((6, 5, 4)).T, AXIAL)
    scaled.header.set_slope_inter(2.0, -24.0)
    scaled.to_filename(tmp_path / "scaled.nii")
    expected = nibabel.load(tmp_path / "scaled.nii").get_fdata().T
    np.testing.assert_allclose(read_ct(tmp_path / "scaled.nii").volume.voxels, expected, atol=1e-3)


def test_a_single_fourth_dimension_is_no_time_series(tmp_path: Path) -> None:
    volume = read_ct(save(tmp_path / "ct.nii", ramp((6, 5, 4)).T[..., None])).volume
    np.testing.assert_array_equal(volume.voxels, ramp((6, 5, 4)))


def test_unknown_units_are_noted_and_atlas_coordinates_cost_good(tmp_path: Path) -> None:
    verdict = read_ct(save(tmp_path / "u.nii", units="unknown")).verdict
    assert any("no unit of length" in note for note in verdict.notes)
    verdict = read_ct(save(tmp_path / "m.nii", sform_code=4, qform_code=0)).verdict
    assert any("MNI" in reason for reason in verdict.reasons)


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_bad_input_is_refused_with_its_reason(tmp_path: Path, bad: Bad, suffix: str) -> None:
    path = tmp_path / f"ct{suffix}"
    bad.make(path)
    with pytest.raises(bad.error) as caught:
        read_ct(path)
    for word in bad.words:
        assert word in str(caught.value)


def test_a_left_handed_sheared_file_is_refused_before_it_is_flipped(tmp_path: Path) -> None:
    affine = AXIAL * np.array([-1.0, 1, 1, 1])
    affine[0, 1] = 0.2
    with pytest.raises(CtRefusedError, match="sheared"):
        read_ct(save(tmp_path / "ct.nii", affine_ras=affine, qform_code=0))


def test_dicom_and_nifti_of_one_scan_have_one_fingerprint(tmp_path: Path) -> None:
    """The case may keep a CT as NIfTI: it must come back as the same CT, bit by bit."""
    from tests.reconstruction.ct.dicom.dicom_factory import write_series

    write_series(tmp_path / "dicom", spacing_ij_mm=(0.7, 0.9), step_mm=1.1, origin_mm=(-201.3, -59.1, -679.800049))
    scan = read_ct(tmp_path / "dicom")
    write_nifti(tmp_path / "ct.nii.gz", scan.volume)
    assert read_ct(tmp_path / "ct.nii.gz").content_sha256 == scan.content_sha256
    affine = flip_affine_ras_lps(nibabel.load(tmp_path / "ct.nii.gz").affine)
    np.testing.assert_allclose(affine, scan.volume.affine, atol=4e-5)  # float32 near 700 mm
