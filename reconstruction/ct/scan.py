"""A CT as the rest of the program sees it: Hounsfield units in the frame `ct`, with its verdict and its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from geometry.volume import Volume
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.verdict import QualityVerdict


@dataclass(frozen=True, kw_only=True)
class CtInfo:
    """The header's acquisition details, without anything about the patient.

    Attributes:
        format: the file format.
        slices: the number of slices.
        slice_axis: the voxel axis (0 = i, 1 = j, 2 = k) that slices are stacked along; None where nothing says so.
        series_number: DICOM SeriesNumber.
        thickness_mm: DICOM SliceThickness, the largest in the series.
        manufacturer: the scanner's manufacturer.
        kernel: DICOM ConvolutionKernel: sharp ones are noisy, soft ones blur edges.
        patient_position: DICOM PatientPosition, such as ``HFS``; LPS coordinates already account for it.
        contrast: whether the header names a contrast agent; None where the format does not say.
        frame_of_reference_sha256: digest of the DICOM frame of reference, where every slice names the same one.
        i_reversed: the file is left-handed, so the volume counts i the other way round than the file does.
    """

    format: Literal["dicom", "nifti", "nrrd", "metaimage"]
    slices: int
    slice_axis: int | None = None
    series_number: int | None = None
    thickness_mm: float | None = None
    manufacturer: str | None = None
    kernel: str | None = None
    patient_position: str | None = None
    contrast: bool | None = None
    frame_of_reference_sha256: str | None = None
    i_reversed: bool = False


@dataclass(frozen=True)
class CtReading:
    """A format reader's result, before the verdict: a volume that passed every geometry check."""

    volume: Volume
    info: CtInfo
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scale_doubt: str = ""  # why the header does not vouch for HU; the values themselves then must
    series_uid: str = ""


@dataclass(frozen=True, eq=False)
class CtScan:
    """One CT, read.

    Attributes:
        volume: Hounsfield units, int16 where they are whole numbers and float32 otherwise, in the frame ``ct`` (LPS).
        verdict: ``good`` or ``usable``, with reasons.
        source: a description of the input, without the patient's identity and without the path.
        info: the header's acquisition details.
        choice: the choice that reads the same CT again (`CtChoice.kept`).
    """

    volume: Volume
    verdict: QualityVerdict
    source: str
    info: CtInfo
    choice: CtChoice = field(default_factory=CtChoice)

    @cached_property
    def content_sha256(self) -> str:
        """Fingerprint of the voxels and the affine, the same whatever file format they came in."""
        return content_sha256(self.volume)


def content_sha256(volume: Volume) -> str:
    """SHA-256 over a volume's type, shape, affine and voxels, each as little-endian bytes in C order.

    The affine counts in single precision, as NIfTI stores it, so that a CT is the same one after it was kept as NIfTI.
    """
    voxels = np.ascontiguousarray(volume.voxels, dtype=volume.voxels.dtype.newbyteorder("<"))
    affine = np.ascontiguousarray(volume.affine + 0.0, dtype="<f4")  # + 0.0 turns -0.0, which equals 0.0, into it
    digest = hashlib.sha256(f"{volume.frame} {voxels.dtype.str} {voxels.shape}".encode())
    digest.update(affine.data)
    digest.update(voxels.data)
    return digest.hexdigest()
