"""Files damaged anywhere: read, or refused by a named error; never another exception, never a name in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, RLELossless

from geometry.errors import SurgNavError
from reconstruction.ct.inspection import inspect
from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from reconstruction.labels.read import read_labels
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, ramp, write_series
from tests.reconstruction.ct.dicom.dicom_formats import in_syntax, write_enhanced
from tests.reconstruction.ct.itk_files import meta, nrrd
from tests.reconstruction.labels.label_files import (
    boxes,
    ct_dicom,
    label_map,
    slicer_segment,
    write_label_nifti,
    write_seg,
    write_slicer,
)

HU = ramp((4, 8, 10))
CTS: dict[str, Callable[[Path], Path]] = {
    "slice": lambda folder: write_series(folder, HU)[2],
    "slice, RLE": lambda folder: write_series(folder, HU, edit=in_syntax(RLELossless))[2],
    "slice, JPEG 2000": lambda folder: write_series(folder, HU, edit=in_syntax(JPEG2000Lossless))[2],
    "enhanced": lambda folder: write_enhanced(folder / "a.dcm", HU),
    "enhanced, RLE": lambda folder: write_enhanced(folder / "a.dcm", HU, syntax=RLELossless),
    "NRRD": lambda folder: nrrd(folder / "a.nrrd"),
    "NRRD, gzip": lambda folder: nrrd(folder / "a.nrrd", encoding="gzip"),
    "MetaImage": lambda folder: meta(folder / "a.mha"),
    "NIfTI": lambda folder: write_label_nifti(folder / "a.nii", HU),
}
LABELS: dict[str, Callable[[Path], Path]] = {
    "SEG": lambda folder: write_seg(folder / "a.dcm", boxes()),
    "SEG, fractional": lambda folder: write_seg(folder / "a.dcm", boxes(), kind="FRACTIONAL"),
    "Slicer": lambda folder: write_slicer(
        folder / "a.seg.nrrd", [boxes()[1].astype(np.uint8)], slicer_segment(0, "a", 1, 0)
    ),
    "NIfTI with names": lambda folder: write_label_nifti(folder / "a.nii", label_map(), names={5: "liver"}),
}
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


def damaged(content: bytes, damage: list[tuple[float, int]], head: bool) -> bytes:
    """Bytes overwritten anywhere, or in the first 2 kB, where headers are."""
    changed = bytearray(content)
    reach = min(len(changed), 2000) if head else len(changed)
    for place, value in damage:
        changed[int(place * reach)] = value
    return bytes(changed)


def outcome(read: Callable[[], object]) -> str:
    """What came of it in words, warnings included; any exception that is not one of ours passes through."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            said = str(read())
        except SurgNavError as error:
            said = str(error)
    return " ".join([said, *(str(warning.message) for warning in warned)])


@pytest.mark.parametrize("kind", CTS)
@given(damage=DAMAGE, head=st.booleans())
@settings(max_examples=40)
def test_a_damaged_ct(tmp_path_factory: pytest.TempPathFactory, kind: str, damage, head: bool) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = CTS[kind](folder)
    path.write_bytes(damaged(path.read_bytes(), damage, head))
    given_path = folder if kind.startswith("slice") else path
    for read in (read_ct, inspect):
        said = outcome(lambda read=read: read(given_path))
        assert not [word for word in IDENTIFYING if word in said.lower()]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> CtScan:
    return read_ct(ct_dicom(tmp_path_factory.mktemp("ct")))


@pytest.mark.parametrize("kind", LABELS)
@given(damage=DAMAGE, head=st.booleans())
@settings(max_examples=40)
def test_a_damaged_segmentation(
    tmp_path_factory: pytest.TempPathFactory, scan: CtScan, kind: str, damage, head: bool
) -> None:
    path = LABELS[kind](tmp_path_factory.mktemp("damaged"))
    path.write_bytes(damaged(path.read_bytes(), damage, head))
    said = outcome(lambda: read_labels(path, scan))
    assert not [word for word in IDENTIFYING if word in said.lower()]
