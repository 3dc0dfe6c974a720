"""Writes small synthetic DICOM series, so that every kind of bad input can be produced on purpose.

Every file bears the name of a patient, in its header, in its file name and in its folder's name: none of them may
appear in any output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

PATIENT = "Quixote^Dulcinea"
# Not digits alone: those turn up by chance in numbers and hashes that are printed.
PATIENT_ID = "ID-Q7734Z-TOBOSO"
IDENTIFYING = ("quixote", "dulcinea", "q7734z", "toboso")  # in lower case
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"

Edit = Callable[[Dataset, int], None]


def nothing(dataset: Dataset, k: int) -> None:
    """Leaves a slice as it is."""


def ramp(shape: Sequence[int]) -> np.ndarray:
    """HU from -1000 up that tell voxels apart and span at least what a body does: ``(nk, nj, ni)`` int16."""
    count = int(np.prod(shape))
    return (np.arange(count) * max(1, 3000 // count) % 4000 - 1000).astype(np.int16).reshape(shape)


def write_series(
    folder: Path,
    hu: np.ndarray | None = None,
    *,
    edit: Edit = nothing,
    spacing_ij_mm: tuple[float, float] = (0.8, 0.8),
    rotation: np.ndarray | None = None,
    step_mm: float = 1.0,
    origin_mm: Sequence[float] = (-100.0, -50.0, 30.0),
    intercept: int = -1024,
    order: Sequence[int] | None = None,
    series: str = "a",
    number: int | None = 3,
) -> list[Path]:
    """Writes ``(nk, nj, ni)`` HU as slices; returns their paths, slice by slice.

    Args:
        folder: made under it is a folder with the patient's name.
        hu: voxels; by default 12 slices of 8 x 10.
        edit: changes the header of slice k before it is written.
        rotation: its columns are the directions of i, j, k.
        order: in which order files are named, to make path order differ from the order in space.
        series: files of the same letter share a SeriesInstanceUID.
    """
    hu = ramp((12, 8, 10)) if hu is None else hu
    rotation = np.eye(3) if rotation is None else rotation
    order = range(len(hu)) if order is None else order
    inside = folder / "quixote_dulcinea"
    inside.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, place in zip(range(len(hu)), order, strict=True):
        dataset = _slice(hu[k].astype(np.int32) - intercept, k, series, number)
        dataset.RescaleSlope, dataset.RescaleIntercept = "1", str(intercept)
        dataset.PixelSpacing = [spacing_ij_mm[1], spacing_ij_mm[0]]  # DICOM: between rows first
        dataset.ImageOrientationPatient = [_ds(x) for x in (*rotation[:, 0], *rotation[:, 1])]
        dataset.ImagePositionPatient = [_ds(x) for x in np.asarray(origin_mm) + k * step_mm * rotation[:, 2]]
        edit(dataset, k)
        path = inside / f"toboso_{series}_{place:04d}"
        dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return paths


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters, as DICOM has it."""
    return f"{value:.10f}"[:16]


def _slice(stored: np.ndarray, k: int, series: str, number: int | None) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT_IMAGE_STORAGE
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(k)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE_STORAGE, meta.MediaStorageSOPInstanceUID
    dataset.PatientName, dataset.PatientID = PATIENT, PATIENT_ID
    dataset.Modality, dataset.Manufacturer, dataset.ConvolutionKernel = "CT", "Phantom Works", "B30f"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series", series])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    dataset.SeriesNumber, dataset.InstanceNumber = number, k + 1
    dataset.SliceThickness = "1.0"
    dataset.PatientPosition = "HFS"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = stored.astype("<u2").tobytes()
    return dataset
