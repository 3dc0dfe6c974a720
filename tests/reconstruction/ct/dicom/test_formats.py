"""A CT in every form that hospitals send it: the same voxels at the same place, or an error that says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.quality import CtReadSettings
from reconstruction.ct.read import read_ct
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, ramp, write_series
from tests.reconstruction.ct.dicom.dicom_formats import CODECS, PLAIN, in_syntax, without_preamble, write_enhanced

SMALL = CtReadSettings(good_matrix=8, good_coverage_mm=1.0, good_cut_fraction=1.0, max_inverted_fraction=1.0)
HU = ramp((4, 8, 10))


@pytest.mark.parametrize("syntax", [*PLAIN, *CODECS], ids=lambda uid: uid.name)
def test_every_transfer_syntax_gives_the_same_scan(tmp_path: Path, syntax: str) -> None:
    write_series(tmp_path / "plain", HU)
    write_series(tmp_path / "other", HU, edit=in_syntax(syntax))
    scan = read_ct(tmp_path / "other", SMALL)
    np.testing.assert_array_equal(scan.volume.voxels, HU)
    assert scan.content_sha256 == read_ct(tmp_path / "plain", SMALL).content_sha256


def test_a_lossy_syntax_costs_good_whatever_the_header_says(tmp_path: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        in_syntax(JPEGLSLossless)(dataset, k)
        dataset.file_meta.TransferSyntaxUID = JPEGLSNearLossless  # of which the lossless code is a case

    write_series(tmp_path, HU, edit=edit)
    scan = read_ct(tmp_path, SMALL)
    np.testing.assert_array_equal(scan.volume.voxels, HU)
    assert scan.verdict.reasons == ("lossy image compression",)


def test_signed_values_in_big_endian(tmp_path: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        dataset.PixelRepresentation, dataset.RescaleIntercept = 1, "0"
        dataset.PixelData = HU[k].astype("<i2").tobytes()
        in_syntax(PLAIN[2])(dataset, k)

    write_series(tmp_path, HU, edit=edit)
    np.testing.assert_array_equal(read_ct(tmp_path, SMALL).volume.voxels, HU)


@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_preamble_are_dicom_too(tmp_path: Path, implicit: bool) -> None:
    without_preamble(write_series(tmp_path, HU), implicit)
    (tmp_path / "notes").write_bytes(b"\x08\x00 something that only begins alike, but is longer than a header")
    scan = read_ct(tmp_path, SMALL)
    np.testing.assert_array_equal(scan.volume.voxels, HU)
    assert "1 file not DICOM" in " ".join(scan.verdict.notes)


def test_a_file_without_preamble_that_is_cut_is_an_error(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU)
    without_preamble(paths)
    content = paths[3].read_bytes()
    for length in range(8, len(content) - 2 * 80, 7):
        paths[3].write_bytes(content[:length])
        with pytest.raises(UnreadableInputError, match="file 4 of 4"):
            read_ct(tmp_path, SMALL)


# ---------------------------------------------------------------------------------------------------- enhanced
@pytest.mark.parametrize("syntax", [PLAIN[0], RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_enhanced_ct_by_file_and_by_folder(tmp_path: Path, syntax: str) -> None:
    path = write_enhanced(tmp_path / "quixote" / "toboso.dcm", HU, syntax=syntax, order=[2, 0, 3, 1])
    for place in (path, path.parent):
        scan = read_ct(place, SMALL)
        np.testing.assert_array_equal(scan.volume.voxels, HU)
        np.testing.assert_allclose(scan.volume.spacing_mm, [0.8, 0.7, 1.5], atol=1e-9)
        np.testing.assert_allclose(scan.volume.origin_mm, [-10, -20, 0], atol=1e-9)
        assert scan.source == "DICOM series 7, 10 x 8 x 4"
        assert not [word for word in IDENTIFYING if word in f"{scan.verdict} {scan.info}".lower()]


def test_each_frame_has_its_own_rescale(tmp_path: Path) -> None:
    hu = np.stack([np.full((8, 10), 1000 * k - 1024) for k in range(4)])
    path = write_enhanced(tmp_path / "a.dcm", hu, slopes=[1.0, 0.5, 2.0, 4.0])
    np.testing.assert_array_equal(read_ct(path, SMALL).volume.voxels, hu)


def test_an_attribute_outside_the_functional_groups_does_not_place_a_frame(tmp_path: Path) -> None:
    def edit(dataset: Dataset) -> None:
        for group in dataset.PerFrameFunctionalGroupsSequence:
            del group.PlanePositionSequence
        dataset.ImagePositionPatient = [0, 0, 0]

    path = write_enhanced(tmp_path / "a.dcm", HU, edit=edit)
    with pytest.raises(CtRefusedError, match="4 of 4 slices without"):
        read_ct(path, SMALL)


def test_enhanced_geometry_is_judged_as_any_other(tmp_path: Path) -> None:
    def move_last(dataset: Dataset) -> None:
        position = dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0]
        position.ImagePositionPatient = [-10, -20, 6.0]

    with pytest.raises(CtRefusedError, match="1 missing slice"):
        read_ct(write_enhanced(tmp_path / "gap.dcm", HU, edit=move_last), SMALL)


def test_stacks_are_series_of_their_own(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "two.dcm", HU, stacks=["1", "1", "2", "2"])
    with pytest.raises(UnreadableInputError, match=r"2 CT series.*stack 2"):
        read_ct(path, SMALL)


def test_a_header_that_places_too_few_frames(tmp_path: Path) -> None:
    def drop(dataset: Dataset) -> None:
        del dataset.PerFrameFunctionalGroupsSequence[3]

    with pytest.raises(UnreadableInputError, match="does not place each"):
        read_ct(write_enhanced(tmp_path / "few.dcm", HU, edit=drop), SMALL)


def test_enhanced_file_cut_in_its_pixels(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "a.dcm", HU)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UnreadableInputError, match="cut short"):
        read_ct(path, SMALL)


# ---------------------------------------------------------------------------------------------------- what is decided
@pytest.mark.parametrize("syntax", [PLAIN[0], RLELossless])
def test_monochrome1_is_display_only_and_costs_good(tmp_path: Path, syntax: str) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"
        in_syntax(syntax)(dataset, k)

    write_series(tmp_path, HU, edit=edit)
    scan = read_ct(tmp_path, SMALL)
    np.testing.assert_array_equal(scan.volume.voxels, HU)
    assert (scan.verdict.level, scan.verdict.reasons[0][:11]) == ("usable", "MONOCHROME1")


def test_monochrome1_with_inverted_values_is_refused(tmp_path: Path) -> None:
    body = np.full((12, 8, 10), -1000)
    body[:, 2:6, 2:8] = 40

    def edit(dataset: Dataset, _: int) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"

    write_series(tmp_path / "plain", body, edit=edit)
    assert read_ct(tmp_path / "plain", CtReadSettings(good_matrix=8)).verdict.level == "usable"
    write_series(tmp_path / "inverted", -body, edit=edit)
    with pytest.raises(CtRefusedError, match="as if its values were inverted"):
        read_ct(tmp_path / "inverted")


def test_copies_byte_for_byte_are_left_out_and_others_refused(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU)
    for path in paths[:2]:
        (tmp_path / f"copy_{path.name}").write_bytes(path.read_bytes())
    scan = read_ct(tmp_path, SMALL)
    np.testing.assert_array_equal(scan.volume.voxels, HU)
    assert "left out: 2 slices sent twice, byte for byte" in scan.verdict.notes
    content = bytearray(paths[0].read_bytes())
    content[-1] ^= 1
    (tmp_path / f"copy_{paths[0].name}").write_bytes(content)
    with pytest.raises(CtRefusedError, match="1 slice at a place already taken"):
        read_ct(tmp_path, SMALL)


def test_a_codec_that_nothing_here_decodes_is_named(tmp_path: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        in_syntax(RLELossless)(dataset, k)
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless

    write_series(tmp_path, HU, edit=edit)
    with pytest.raises(UnreadableInputError, match="High-Throughput JPEG 2000"):
        read_ct(tmp_path, SMALL)


@pytest.mark.parametrize(("name", "words"), [("a.zip", "unpack"), ("ct.nii.gz", "give that file itself")])
def test_a_folder_of_something_else_says_what(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(UnreadableInputError, match=words):
        read_ct(tmp_path)


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\x1f\x8b\x08", b"Rar!\x1a", b"7z\xbc\xaf\x27\x1c"])
def test_an_archive_is_known_by_its_bytes(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "study").write_bytes(head + bytes(300))
    with pytest.raises(UnreadableInputError, match=r"an archive.*unpack it"):
        read_ct(tmp_path / "study")
