"""NRRD and MetaImage in: the same place in the patient whatever the space, and an error where none is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.quality import CtReadSettings
from reconstruction.ct.read import read_ct
from tests.reconstruction.ct.itk_files import BAD, HU, meta, nrrd

SMALL = CtReadSettings(good_matrix=8, good_coverage_mm=1.0, good_cut_fraction=1.0)
LPS_FROM = {"left-posterior-superior": (1, 1, 1), "RAS": (-1, -1, 1), "left-anterior-superior": (1, -1, 1)}


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("space", LPS_FROM)
def test_nrrd_of_every_space_lies_where_it_says(tmp_path: Path, space: str, encoding: str) -> None:
    volume = read_ct(nrrd(tmp_path / "a.nrrd", space=space, encoding=encoding), SMALL).volume
    k, j, i = (axis.ravel() for axis in np.indices(HU.shape))
    expected = (np.stack([i, j, k], axis=1) * [0.8, 0.7, 1.0] + [-10, -20, 30]) * LPS_FROM[space]
    index = np.round(volume.mm_to_index(expected)).astype(int)
    # Plain decimals in the header: nothing is lost but float64's own rounding.
    np.testing.assert_allclose(volume.index_to_mm(index), expected, atol=1e-9)
    np.testing.assert_array_equal(volume.voxels[index[:, 2], index[:, 1], index[:, 0]], HU.ravel())


def test_left_handed_nrrd_is_righted_with_its_voxels(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd", space_directions="(0.8,0,0) (0,-0.7,0) (0,0,1)")
    volume = read_ct(path, SMALL).volume
    assert np.linalg.det(volume.direction) == pytest.approx(1.0)
    index = np.round(volume.mm_to_index([[-10 + 0.8 * 3, -20 - 0.7 * 2, 30 + 4]])[0]).astype(int)
    assert volume.voxels[index[2], index[1], index[0]] == HU[4, 2, 3]


def test_metaimage_with_its_data_inside_and_beside(tmp_path: Path) -> None:
    inside = read_ct(meta(tmp_path / "a.mha"), SMALL)
    (tmp_path / "b.raw").write_bytes(HU.astype("<i2").tobytes())
    beside = read_ct(meta(tmp_path / "b.mhd", HU[:0], ElementDataFile="b.raw"), SMALL)
    np.testing.assert_array_equal(inside.volume.voxels, HU)
    np.testing.assert_allclose(inside.volume.origin_mm, [-10, -20, 30], atol=1e-9)
    assert inside.content_sha256 == beside.content_sha256
    assert inside.source == "MetaImage, 10 x 8 x 5"


def test_turned_metaimage(tmp_path: Path) -> None:
    """TransformMatrix holds the axes one after the other: i points along y, j along -x."""
    volume = read_ct(meta(tmp_path / "a.mha", TransformMatrix="0 1 0 -1 0 0 0 0 1"), SMALL).volume
    np.testing.assert_allclose(volume.index_to_mm([[1, 0, 0]])[0], [-10, -20 + 0.8, 30], atol=1e-9)
    np.testing.assert_allclose(volume.index_to_mm([[0, 1, 0]])[0], [-10 - 0.7, -20, 30], atol=1e-9)


@pytest.mark.parametrize("name", ["a.nrrd", "z.nrrd", "a.mha", "z.mha", "b.mhd"])
def test_a_file_cut_at_any_byte_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("nrrd"):
        cut = nrrd(path, encoding="gzip" if name[0] == "z" else "raw")
    elif name.endswith("mha"):
        cut = meta(path, CompressedData="True" if name[0] == "z" else "False")
    else:
        meta(path, HU[:0], ElementDataFile="b.raw")
        cut = tmp_path / "b.raw"
        cut.write_bytes(HU.astype("<i2").tobytes())
    content = cut.read_bytes()
    assert read_ct(path, SMALL).volume.shape_ijk == (10, 8, 5)
    for length in [*range(0, len(content), 13), len(content) - 1]:
        cut.write_bytes(content[:length])
        with pytest.raises((UnreadableInputError, CtRefusedError)):
            read_ct(path, SMALL)


@pytest.mark.parametrize(("make", "error", "words"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_bad_files_are_refused_with_their_reason(tmp_path: Path, make, error, words, capfd) -> None:
    (folder := tmp_path / "toboso").mkdir()
    make(folder)
    with pytest.raises((CtRefusedError, UnreadableInputError), match=words) as caught:
        read_ct(next(folder.iterdir()), SMALL)
    assert type(caught.value) is error
    said = f"{caught.value} {caught.value.__cause__} {capfd.readouterr()}".lower()
    assert "toboso" not in said
    assert "quixote" not in said
