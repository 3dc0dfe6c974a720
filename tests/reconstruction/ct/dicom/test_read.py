"""DICOM in: every voxel where its header says, every bad input refused with its reason, never a name."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation

from reconstruction.ct.choice import CtChoice
from reconstruction.ct.dicom.headers import read_headers
from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.read import read_ct
from tests.reconstruction.bad_input import Bad
from tests.reconstruction.ct.dicom.bad_series import (
    BAD,
    EVEN,
    SMALL,
    _placed,
)
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, nothing, ramp, write_series


def test_values_place_and_origin_of_a_plain_series(tmp_path: Path) -> None:
    hu = ramp((12, 8, 10))
    write_series(tmp_path, hu, spacing_ij_mm=(0.7, 0.9), step_mm=0.8)
    scan = read_ct(tmp_path, SMALL)
    assert scan.volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(scan.volume.voxels, hu)
    np.testing.assert_allclose(scan.volume.spacing_mm, [0.7, 0.9, 0.8], atol=1e-9)
    np.testing.assert_allclose(scan.volume.origin_mm, [-100.0, -50.0, 30.0], atol=1e-9)
    assert scan.volume.frame == "ct"
    assert (scan.verdict.level, scan.verdict.reasons) == ("good", ())
    assert scan.source == "DICOM series 3, 10 x 8 x 12"


@given(
    quaternion=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    spacing=st.tuples(*[st.floats(0.2, 3.0)] * 3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=20)
def test_every_voxel_lies_where_its_header_says(
    tmp_path_factory: pytest.TempPathFactory,
    quaternion: tuple[float, ...],
    spacing: tuple[float, float, float],
    seed: int,
) -> None:
    """Any orientation, slices in any file order: pixel (i, j) of slice k is at origin + R @ (spacing * ijk)."""
    rotation = Rotation.from_quat(quaternion).as_matrix()
    spacing = tuple(round(value, 4) for value in spacing)
    hu, origin = ramp((5, 3, 4)), np.array([-12.5, 300.25, -800.125])
    write_series(
        folder := tmp_path_factory.mktemp("any"),
        hu,
        rotation=rotation,
        spacing_ij_mm=spacing[:2],
        step_mm=spacing[2],
        origin_mm=origin,
        order=np.random.default_rng(seed).permutation(5),
    )
    volume = read_ct(folder, SMALL).volume
    k, j, i = (axis.ravel() for axis in np.indices(hu.shape))
    expected = origin + (np.stack([i, j, k], axis=1) * spacing) @ rotation.T
    # Decimal strings of at least 10 decimals: nothing near a nanometre is lost over these few voxels.
    index = volume.mm_to_index(expected)
    np.testing.assert_allclose(index, np.round(index), atol=1e-6)
    found = np.round(index).astype(int)
    np.testing.assert_array_equal(volume.voxels[found[:, 2], found[:, 1], found[:, 0]], hu.ravel())
    assert np.linalg.det(volume.direction) > 0


def test_slices_stacked_downwards_come_out_upwards(tmp_path: Path) -> None:
    hu = ramp((12, 8, 10))
    write_series(tmp_path, hu, step_mm=-1.0)
    volume = read_ct(tmp_path, SMALL).volume
    np.testing.assert_array_equal(volume.voxels, hu[::-1])
    np.testing.assert_allclose(volume.origin_mm, [-100.0, -50.0, 19.0], atol=1e-9)


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    def scale(dataset: Dataset, k: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = str(k + 1), str(-1024 - k)

    hu = ramp((4, 8, 10))
    write_series(tmp_path, hu, edit=scale)
    expected = [(hu[k].astype(int) + 1024) * (k + 1) - 1024 - k for k in range(4)]
    np.testing.assert_array_equal(read_ct(tmp_path, SMALL).volume.voxels, expected)


def test_fractional_hu_stay_fractional(tmp_path: Path) -> None:
    def halve_last(dataset: Dataset, k: int) -> None:
        dataset.RescaleSlope = "0.5" if k == 3 else "1"

    hu = ramp((4, 8, 10))
    write_series(tmp_path, hu, edit=halve_last)
    voxels = read_ct(tmp_path, SMALL).volume.voxels
    assert voxels.dtype == np.float32
    np.testing.assert_array_equal(voxels[:3], hu[:3])
    np.testing.assert_array_equal(voxels[3], (hu[3].astype(float) + 1024) * 0.5 - 1024)


def test_localizer_report_and_stray_files_are_left_out_and_noted(tmp_path: Path) -> None:
    def localizer(dataset: Dataset, _: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    def report(dataset: Dataset, _: int) -> None:
        dataset.Modality, dataset.SOPClassUID = "SR", "1.2.840.10008.5.1.4.1.1.88.67"

    write_series(tmp_path)
    write_series(tmp_path, ramp((2, 8, 10)), series="b", number=1, edit=localizer)
    write_series(tmp_path, ramp((3, 8, 10)), series="c", number=2)
    write_series(tmp_path, ramp((1, 8, 10)), series="d", number=9, edit=report)
    (tmp_path / "readme.txt").write_text("not DICOM")
    (tmp_path / ".DS_Store").write_text("not even looked at")
    scan = read_ct(tmp_path, SMALL)
    assert scan.info.series_number == 3
    assert scan.verdict.level == "good"
    notes = " | ".join(scan.verdict.notes)
    for word in ("2 localizer", "series 2 (3 slices)", "1 SR", "1 file not DICOM"):
        assert word in notes


def test_series_number_chooses_among_several(tmp_path: Path) -> None:
    write_series(tmp_path, ramp((12, 8, 10)), number=3)
    write_series(tmp_path, ramp((14, 8, 10)), number=5, series="b")
    assert read_ct(tmp_path, SMALL, CtChoice(series="5")).volume.shape_ijk == (10, 8, 14)
    with pytest.raises(UnreadableInputError, match=r"no CT series number 4.*series 3 \(12 slices\)"):
        read_ct(tmp_path, SMALL, CtChoice(series="4"))


def test_frame_of_reference_of_its_own_in_every_slice_is_only_noted(tmp_path: Path) -> None:
    """LIDC-IDRI's de-identification did this; the positions still agree."""

    def own(dataset: Dataset, k: int) -> None:
        dataset.FrameOfReferenceUID = f"1.2.3.{k + 1}"

    write_series(tmp_path, edit=own)
    verdict = read_ct(tmp_path, SMALL).verdict
    assert verdict.level == "good"
    assert "its own frame of reference" in verdict.notes[0]


def test_small_jitter_of_positions_is_fitted_not_refused(tmp_path: Path) -> None:
    """Positions rounded to 0.1 mm, as some scanners write them: 0.05 mm off at most, under the tolerance of 0.1."""

    def rounded(dataset: Dataset, k: int) -> None:
        dataset.ImagePositionPatient = ["0", "0", f"{k * 0.75:.1f}"]

    write_series(tmp_path, edit=rounded)
    assert read_ct(tmp_path, SMALL).volume.spacing_mm[2] == pytest.approx(0.75, abs=0.05 / 11 * 2)


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_bad_input_is_refused_with_its_reason_and_without_a_name(
    tmp_path: Path, bad: Bad, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bad.make(tmp_path / "in")
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises((CtRefusedError, UnreadableInputError)) as caught:
            read_ct(tmp_path / "in", SMALL)
    message = str(caught.value)
    assert type(caught.value) is bad.error, message
    for word in bad.words:
        assert word in message
    out, err = capfd.readouterr()
    said = " ".join([message, repr(caught.value.__cause__), caplog.text, out, err, *(str(w.message) for w in warned)])
    assert not [word for word in IDENTIFYING if word in said.lower()]
    if isinstance(caught.value, CtRefusedError):
        assert caught.value.verdict.level == "refused"
        assert all(reason in message for reason in caught.value.verdict.reasons)


def test_a_file_cut_anywhere_never_shortens_the_series_in_silence(tmp_path: Path) -> None:
    """The last slice, cut at every byte: without it the rest would be a regular series.

    Only from byte 132 on is a file without an ending in its name known as DICOM.
    """
    path = write_series(tmp_path, ramp((3, 8, 10)))[-1]
    content = path.read_bytes()
    pixels = len(content) - 2 * 8 * 10
    for length in range(132, pixels - 12):  # the pixel element's own head is 12 bytes
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableInputError, match="file 1 of 1"):
            read_headers([path])
    for length in [*range(pixels - 12, pixels + 12), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableInputError, match="file 3 of 3"):
            read_ct(tmp_path, SMALL)


def test_every_reason_is_given_at_once(tmp_path: Path) -> None:
    _placed([*EVEN[:6], 6.5, 7.9, 9.0, 10, 11, 12], tilt_y=0.2)(tmp_path)
    with pytest.raises(CtRefusedError) as caught:
        read_ct(tmp_path, SMALL)
    assert len(caught.value.verdict.reasons) == 2


def test_path_that_is_no_folder(tmp_path: Path) -> None:
    archive = tmp_path / "ct.tar.gz"
    archive.write_bytes(b"\x1f\x8b")
    (slice_path, *_) = write_series(tmp_path)
    for path, words in [(archive, "unpack"), (slice_path, "give the folder"), (tmp_path / "none", "does not exist")]:
        with pytest.raises(UnreadableInputError, match=words):
            read_ct(path)


def test_what_comes_out_bears_no_name(tmp_path: Path) -> None:
    write_series(tmp_path, edit=nothing)
    scan = read_ct(tmp_path, SMALL)
    said = f"{scan.source} {scan.verdict} {scan.info}".lower()
    assert not [word for word in IDENTIFYING if word in said]


def test_fingerprint_follows_voxels_and_affine_only(tmp_path: Path) -> None:
    write_series(tmp_path / "one")
    write_series(tmp_path / "same", order=range(11, -1, -1), series="z", number=8)
    write_series(tmp_path / "moved", origin_mm=(-100.0, -50.0, 30.001))
    changed = ramp((12, 8, 10))
    changed[0, 0, 0] += 1
    write_series(tmp_path / "changed", changed)
    one, same, moved, other = (read_ct(tmp_path / n).content_sha256 for n in ("one", "same", "moved", "changed"))
    assert one == same
    assert len({one, moved, other}) == 3
