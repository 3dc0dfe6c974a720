"""DICOM series that must be refused, each with one thing wrong, and what a series made for tests can reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.quality import CtReadSettings
from tests.reconstruction.bad_input import Bad
from tests.reconstruction.ct.dicom.dicom_factory import ramp, write_series

SMALL = CtReadSettings(good_matrix=8, good_coverage_mm=5.0, good_cut_fraction=1.0)  # what a test series can reach


def _edited(edit: Callable[[Dataset, int], None], **more: object) -> Callable[[Path], object]:
    return lambda folder: write_series(folder, edit=edit, **more)


def _set(only: int | None = None, **fields: object) -> Callable[[Path], object]:
    def edit(dataset: Dataset, k: int) -> None:
        if only in (None, k):
            for key, value in fields.items():
                setattr(dataset, key, value)

    return _edited(edit)


def _without(tag: str) -> Callable[[Path], object]:
    return _edited(lambda dataset, _: delattr(dataset, tag))


def _placed(heights: list[float], tilt_y: float = 0.0) -> Callable[[Path], object]:
    def edit(dataset: Dataset, k: int) -> None:
        dataset.ImagePositionPatient = ["0", f"{heights[k] * tilt_y:.6f}", f"{heights[k]:.6f}"]

    return lambda folder: write_series(folder, ramp((len(heights), 8, 10)), edit=edit)


def _two(**second: object) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        write_series(folder)
        write_series(folder, series="b", number=4, **second)

    return make


def _two_patients(folder: Path) -> None:
    write_series(folder, edit=lambda dataset, k: setattr(dataset, "PatientID", "other" if k > 5 else "one"))


def _turned(folder: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        if k == 4:
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    write_series(folder, edit=edit)


def _resized(folder: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        if k == 4:
            dataset.Rows, dataset.Columns = 4, 20

    write_series(folder, edit=edit)


def _cut(keep: float) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        path = write_series(folder)[6]
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])

    return make


def _zeroed(folder: Path) -> None:
    """A file system that had reserved the space but not yet written it."""
    path = write_series(folder)[11]
    path.with_suffix(".dcm").write_bytes(bytes(path.stat().st_size))
    path.unlink()


def _cut_compressed(folder: Path) -> None:
    path = write_series(folder, edit=lambda dataset, _: dataset.compress(RLELossless))[6]
    path.write_bytes(path.read_bytes()[:-90])


def _colour(dataset: Dataset, k: int) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.PixelData = bytes(8 * 10 * 3)


def _text_only(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "quixote.txt").write_text("no DICOM at all")


EVEN = [float(k) for k in range(12)]
BAD = [
    Bad(
        "missing slice",
        _placed([z for z in range(13) if z != 6]),
        CtRefusedError,
        ("1 missing slice:", "slices 6 and 7"),
    ),
    Bad(
        "variable gap", _placed([*EVEN[:6], 6.5, 7.9, 9.0, 10, 11, 12]), CtRefusedError, ("variable slice gap", "1.50")
    ),
    Bad(
        "creeping gap", _placed([z + 0.005 * z * z for z in range(12)]), CtRefusedError, ("off a regular grid", "0.15")
    ),
    Bad(
        "duplicate", _placed([*EVEN[:6], 5.0, *EVEN[6:]]), CtRefusedError, ("1 slice at a place already taken", "5.00")
    ),
    Bad("all in one place", _placed([4.0] * 12), CtRefusedError, ("11 slices at a place already taken",)),
    Bad("tilt", _placed(EVEN, tilt_y=np.tan(np.radians(12.0))), CtRefusedError, ("12.00 degrees", "gantry tilt")),
    Bad("small tilt", _placed(EVEN, tilt_y=np.tan(np.radians(0.5))), CtRefusedError, ("0.50 degrees",)),
    Bad("turned slice", _turned, CtRefusedError, ("1 of 12 slices turned",)),
    Bad("sheared cosines", _set(ImageOrientationPatient=[1, 0, 0, 0.1, 0.99, 0]), CtRefusedError, ("orthonormal",)),
    Bad("mixed matrix", _resized, CtRefusedError, ("2 matrix sizes", "10 x 8", "20 x 4")),
    Bad(
        "mixed spacing", _set(only=3, PixelSpacing=["0.9", "0.9"]), CtRefusedError, ("pixel spacings from 0.8 to 0.9",)
    ),
    Bad("no orientation", _without("ImageOrientationPatient"), CtRefusedError, ("12 of 12 slices without",)),
    Bad("no position", _without("ImagePositionPatient"), CtRefusedError, ("12 of 12 slices without",)),
    Bad("no spacing", _without("PixelSpacing"), CtRefusedError, ("12 of 12 slices without",)),
    Bad("no HU scale", _without("RescaleIntercept"), CtRefusedError, ("not in HU",)),
    Bad("other units", _set(RescaleType="MGML"), CtRefusedError, ("MGML", "not in HU")),
    Bad("two frames", _set(only=3, FrameOfReferenceUID="1.2.3"), CtRefusedError, ("2 frames of reference",)),
    Bad("one slice", lambda folder: write_series(folder, ramp((1, 8, 10))), CtRefusedError, ("1 slice only",)),
    Bad("mask", lambda folder: write_series(folder, ramp((12, 8, 10)) % 2, intercept=0), CtRefusedError, ("0 to 1",)),
    Bad("MR", _set(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), UnreadableInputError, ("no CT", "12 MR")),
    Bad(
        "enhanced CT",
        _set(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=5),
        UnreadableInputError,
        ("5 frames", "does not place each"),
    ),
    Bad("multi-frame", _set(NumberOfFrames=5), UnreadableInputError, ("5 frames",)),
    Bad("colour", _edited(_colour), UnreadableInputError, ("3 channels", "RGB")),
    Bad("localizer only", _set(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), UnreadableInputError, ("localizer",)),
    Bad("two series", _two(), UnreadableInputError, ("2 CT series:", "series 3 (12 slices)", "series 4 (12 slices)")),
    Bad("two patients", _two_patients, UnreadableInputError, ("2 patients",)),
    Bad("cut in the pixels", _cut(0.95), UnreadableInputError, ("file 7 of 12", "instance number 7", "cut short")),
    Bad("cut in the header", _cut(0.5), UnreadableInputError, ("file 7 of 12", "cut short")),
    Bad("cut in the meta header", _cut(0.25), UnreadableInputError, ("file 7 of 12", "cut short")),
    Bad("nothing left", _cut(0.0), UnreadableInputError, ("file 7 of 12", "empty")),
    Bad("zeroed", _zeroed, UnreadableInputError, ("file 12 of 12", "overwritten")),
    Bad("cut while compressed", _cut_compressed, UnreadableInputError, ("file 7 of 12", "cut short")),
    Bad("empty", lambda folder: folder.mkdir(exist_ok=True), UnreadableInputError, ("empty folder",)),
    Bad("no DICOM", _text_only, UnreadableInputError, ("without any DICOM",)),
]
