"""The same synthetic slices in every form that hospitals send them: codecs, byte orders, enhanced multi-frame."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from tests.reconstruction.ct.dicom.dicom_factory import PATIENT, PATIENT_ID, ramp

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"

# `ramp((4, 8, 10)) + 1024`, slice by slice, as CharLS coded it: no encoder for JPEG-LS is needed to test the decoder.
_JPEG_LS_HEAD = "ffd8fff7000b100008000a01011100fff8000d01ffff0012004301140040ffda00080101000000"
_JPEG_LS = (
    "0042f82303e0d82e1304607c1b05cb48250420e83215088341a094b484848484828282828212ca142850a142850a0eac21408102040810"
    "20caba0408208208208555904104104104108d5410410410410418ffd900",
    "002e7c1181f06c170983c160b0b2d20941083a0c854220d068252d2121212120a0a0a0a084b2850a142850a14283ab0850204081020408"
    "32ae810208208208215564104104104104235504104104104106ffd9",
    "001dbe08c0f8360b84c1e0b058596904a0841d0642a11068341296909090909050505050425942850a142850a141d58428102040810204"
    "195740810410410410aab208208208208211aa8208208208208300ffd900",
    "00050f82303e0d82e130782c16165a412821074190a8441a0d04a5a42424242414141414109650a142850a14285075610a040810204081"
    "0655d02041041041042aac820820820820846aa0820820820820c0ffd900",
)


def jpeg2000(stored: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(stored.astype(np.uint16)).save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    return buffer.getvalue()


def jpeg_lossless(stored: np.ndarray) -> bytes:
    """By GDCM: pydicom has no encoder for it."""
    import SimpleITK

    with tempfile.TemporaryDirectory() as folder:
        writer = SimpleITK.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.SetFileName(str(Path(folder) / "frame.dcm"))
        writer.Execute(SimpleITK.GetImageFromArray(stored[None].astype(np.uint16)))
        return get_frame(dcmread(Path(folder) / "frame.dcm").PixelData, 0, number_of_frames=1)


def jpeg_ls(stored: np.ndarray) -> bytes:
    """Only of `ramp((4, 8, 10)) + 1024`."""
    k = [np.array_equal(stored, plane) for plane in ramp((4, 8, 10)).astype(int) + 1024].index(True)
    return bytes.fromhex(_JPEG_LS_HEAD + _JPEG_LS[k])


def rle(stored: np.ndarray) -> bytes:
    """Two segments, high bytes first, each one literal run: PS3.5 annex G."""
    segments = []
    for plane in (stored >> 8 & 0xFF, stored & 0xFF):
        content = plane.astype(np.uint8).tobytes()
        segment = bytes([len(content) - 1]) + content  # up to 128 bytes in one run
        segments.append(segment + b"\0" * (len(segment) % 2))
    header = np.zeros(16, "<u4")
    header[:3] = 2, 64, 64 + len(segments[0])
    return header.tobytes() + b"".join(segments)


CODECS: dict[str, Callable[[np.ndarray], bytes]] = {
    JPEG2000Lossless: jpeg2000,
    JPEGLosslessSV1: jpeg_lossless,
    JPEGLSLossless: jpeg_ls,
    RLELossless: rle,
}
PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def in_syntax(syntax: str) -> Callable[[Dataset, int], None]:
    """An edit for `write_series` that puts its plain slice into another transfer syntax."""

    def edit(dataset: Dataset, _: int) -> None:
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax in CODECS:
            dataset.PixelData = encapsulate([CODECS[syntax](stored)])
            dataset["PixelData"].is_undefined_length = True
        elif syntax == ExplicitVRBigEndian:
            dataset.PixelData = stored.astype(">u2").tobytes()
        dataset["PixelData"].VR = "OW"

    return edit


def without_preamble(paths: Sequence[Path], implicit: bool = False) -> None:
    """Rewrites plain files as some old archives do: data set only, neither preamble nor meta header."""
    for path in paths:
        dataset = dcmread(path)
        del dataset.file_meta
        dataset.preamble = None
        dataset.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)


def write_enhanced(
    path: Path,
    hu: np.ndarray,
    *,
    syntax: str = ExplicitVRLittleEndian,
    order: Sequence[int] | None = None,
    slopes: Sequence[float] | None = None,
    stacks: Sequence[str] | None = None,
    step_mm: float = 1.5,
    number: int = 7,
    edit: Callable[[Dataset], None] = lambda dataset: None,
) -> Path:
    """One Enhanced CT file of ``(nk, nj, ni)`` HU, frames stored in `order`, each with its own functional groups."""
    order = list(range(len(hu))) if order is None else list(order)
    slopes = [1.0] * len(hu) if slopes is None else slopes
    dataset = _enhanced_header(hu.shape, number, syntax)
    groups, frames = [], []
    for k in order:
        stored = np.round((hu[k].astype(float) + 1024) / slopes[k]).astype(np.uint16)
        frames.append(stored)
        groups.append(_frame_groups(k, k * step_mm, slopes[k], "1" if stacks is None else stacks[k]))
    dataset.PerFrameFunctionalGroupsSequence = Items(groups)
    if syntax in CODECS:
        dataset.PixelData = encapsulate([CODECS[syntax](frame) for frame in frames])
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.PixelData = np.stack(frames).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    edit(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _enhanced_header(shape: tuple[int, ...], number: int, syntax: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.TransferSyntaxUID = ENHANCED_CT, syntax
    dataset.file_meta.MediaStorageSOPInstanceUID = uid = generate_uid(entropy_srcs=["enhanced", str(number)])
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = ENHANCED_CT, uid, "CT"
    dataset.PatientName, dataset.PatientID = PATIENT, PATIENT_ID
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["enhanced series", str(number)])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.Manufacturer = number, 1, "Phantom Works"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.7", "0.8"], "1.0"
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([orientation])
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    return dataset


def _frame_groups(k: int, height_mm: float, slope: float, stack: str) -> Dataset:
    position, content, scale, kind = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-10, -20, f"{height_mm:.6f}"]
    content.StackID, content.InStackPositionNumber = stack, k + 1
    scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = str(slope), "-1024", "HU"
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    groups = Dataset()
    groups.PlanePositionSequence, groups.FrameContentSequence = Items([position]), Items([content])
    groups.PixelValueTransformationSequence, groups.CTImageFrameTypeSequence = Items([scale]), Items([kind])
    return groups
