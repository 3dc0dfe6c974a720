"""Pixels of DICOM slices to Hounsfield units, whatever the transfer syntax.

Plain pixels (either byte order, deflated or not) are decoded by pydicom. Compressed ones go through GDCM, which has
every codec that CT comes in (JPEG, JPEG-LS, JPEG 2000, RLE): one frame at a time, in a file that holds the frame and
its layout and nothing else, so that GDCM neither rescales nor inverts, and no patient's name is written anywhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from reconstruction.ct.dicom.files import CT_IMAGE_STORAGE, errors_of_broken, open_pixels, quiet_pydicom
from reconstruction.ct.dicom.headers import SliceHeader
from reconstruction.ct.errors import UnreadableInputError

LAYOUT = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
UNDECODED = ("HTJ2K", "High-Throughput", "MPEG", "HEVC", "JPIP", "SMPTE", "JPEG XL")  # in the names of syntaxes


def read_hu_voxels(slices: Sequence[SliceHeader], files: int) -> NDArray[np.generic]:
    """Stacks slices of one size in HU: ``(nk, nj, ni)``, int16 unless fractional or larger values make all float32.

    Args:
        slices: in the order wanted.
        files: how many files the folder has, for messages.

    Raises:
        UnreadableInputError: broken or truncated pixels, or a transfer syntax without a decoder.
    """
    plane = slices[0].plane
    shape = (len(slices), plane.rows, plane.columns) if plane else (0, 0, 0)
    voxels: NDArray[np.generic] = np.empty(shape, dtype=np.int16)
    limits = np.iinfo(np.int16)
    with tempfile.TemporaryDirectory(prefix="surgnav-") as scratch:
        reader = _FrameReader(Path(scratch))
        for k, header in enumerate(slices):
            values = _read_hu(reader, header, shape[1:], files)
            if voxels.dtype == np.int16:
                fits = values.min() >= limits.min and values.max() <= limits.max
                if not fits or not np.array_equal(values, np.round(values)):
                    voxels = voxels.astype(np.float32)
            voxels[k] = values
    return voxels


class _FrameReader:
    """Decodes frame after frame; the last file stays parsed, for an enhanced one has all slices in it."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._path: Path | None = None
        self._dataset: Any = None

    def stored_values(self, header: SliceHeader) -> NDArray[np.generic]:
        with from_extra("reconstruction"):
            from pydicom.pixels import pixel_array

        if header.path != self._path:
            self._dataset, self._path = open_pixels(header.path), header.path
        if header.compressed:
            return self._decode_by_gdcm(header)
        return pixel_array(self._dataset, index=header.frame)

    def _decode_by_gdcm(self, header: SliceHeader) -> NDArray[np.generic]:
        with from_extra("reconstruction"):
            import SimpleITK

        path = self._scratch / "frame.dcm"
        _write_one_frame(path, self._dataset, header.frame or 0)
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        return SimpleITK.GetArrayFromImage(reader.Execute())[0]


def _write_one_frame(path: Path, dataset: Any, frame: int) -> None:
    """A frame as a file of its own: layout and compressed bytes, no patient, no scale."""
    with from_extra("reconstruction"):
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.encaps import encapsulate, get_frame
        from pydicom.uid import generate_uid

    count = int(dataset.get("NumberOfFrames") or 1)
    extended = None
    if "ExtendedOffsetTable" in dataset:
        extended = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    content = get_frame(dataset.PixelData, frame, number_of_frames=count, extended_offsets=extended)
    single = Dataset()
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    single.SOPClassUID, single.SOPInstanceUID = CT_IMAGE_STORAGE, generate_uid()
    single.Modality, single.SamplesPerPixel, single.PhotometricInterpretation = "CT", 1, "MONOCHROME2"
    for name in LAYOUT:
        setattr(single, name, dataset.get(name))
    single.PixelData = encapsulate([content])
    single["PixelData"].is_undefined_length = True
    single.save_as(path, enforce_file_format=True)


def _read_hu(reader: _FrameReader, header: SliceHeader, shape: tuple[int, ...], files: int) -> NDArray[np.generic]:
    if header.compressed and (not header.syntax or any(word in header.syntax for word in UNDECODED)):
        raise UnreadableInputError(
            f"pixels in the transfer syntax '{header.syntax or 'unknown'}', for which there is no decoder here",
            "uncompressed, deflated, JPEG, JPEG-LS, JPEG 2000 or RLE",
            "export the series uncompressed (Explicit VR Little Endian)",
        )
    try:
        with quiet_pydicom():
            stored = reader.stored_values(header)
    except errors_of_broken(RuntimeError) as error:  # SimpleITK raises RuntimeError
        raise _broken(header, files, type(error).__name__) from None  # the text may quote path or header
    if stored.shape != shape:
        raise _broken(header, files, f"{stored.shape} pixels instead of {shape}")
    slope, intercept = header.rescale or (1.0, 0.0)
    if slope.is_integer() and intercept.is_integer():
        return stored.astype(np.int64) * int(slope) + int(intercept)
    return stored.astype(np.float64) * slope + intercept


def _broken(header: SliceHeader, files: int, what: str) -> UnreadableInputError:
    instance = "" if header.instance_number is None else f" (instance number {header.instance_number})"
    frame = "" if header.frame is None else f", frame {header.frame + 1} of {header.frames}"
    return UnreadableInputError(
        f"file {header.ordinal} of {files} in path order{instance}{frame}, whose pixel data is broken or cut short "
        f"({what})",
        "complete pixel data in a transfer syntax that pydicom or GDCM decodes",
        "copy the series again from the archive",
    )
