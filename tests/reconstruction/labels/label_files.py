"""Segmentations as other programs write them, byte by byte: DICOM SEG, 3D Slicer, NIfTI with TotalSegmentator's table.

The grid of every one is that of `ct_nifti`: 20 x 16 x 12 voxels of 0.8 x 0.7 x 1.0 mm at (-10, -20, 30) in LPS.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import nibabel
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from tests.reconstruction.ct.dicom.dicom_factory import PATIENT, PATIENT_ID, write_series

SHAPE = (12, 16, 20)
SPACING = (0.8, 0.7, 1.0)
ORIGIN = (-10.0, -20.0, 30.0)
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


def hu() -> np.ndarray:
    """A block of bone in soft tissue in air."""
    values = np.full(SHAPE, -1000, np.int16)
    values[:, 3:13, 3:17] = 40
    values[:, 6:9, 6:12] = 700
    return values


def boxes() -> dict[int, np.ndarray]:
    """Two structures that do not touch the border, and a third that overlaps the first."""
    masks = {number: np.zeros(SHAPE, bool) for number in (1, 2, 3)}
    masks[1][3:9, 4:10, 5:12] = True
    masks[2][2:6, 11:14, 4:9] = True
    masks[3][5:11, 8:13, 10:15] = True
    return masks


def label_map() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[boxes()[1]], labels[boxes()[2]] = 5, 9
    return labels


def ct_dicom(folder: Path) -> Path:
    write_series(folder, hu(), spacing_ij_mm=SPACING[:2], step_mm=SPACING[2], origin_mm=ORIGIN)
    return folder


def affine_ras(spacing: tuple[float, ...] = SPACING, origin: tuple[float, ...] = ORIGIN) -> np.ndarray:
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(
        [[spacing[0], 0, 0, origin[0]], [0, spacing[1], 0, origin[1]], [0, 0, spacing[2], origin[2]], [0, 0, 0, 1.0]]
    )


def write_label_nifti(
    path: Path,
    labels: np.ndarray,
    affine: np.ndarray | None = None,
    names: Mapping[int, str] | None = None,
    extension_code: int = 0,
) -> Path:
    image = nibabel.Nifti1Image(labels.T, affine_ras() if affine is None else affine)
    image.header.set_xyzt_units("mm")
    if names:
        rows = "".join(
            f'<Label Key="{value}" Red="1.0" Green="0.5" Blue="0.0" Alpha="1"><![CDATA[{name}]]></Label>\n'
            for value, name in names.items()
        )
        xml = f'<?xml version="1.0" encoding="UTF-8"?> <CaretExtension><VolumeInformation Index="0"><LabelTable>{rows}'
        xml += "</LabelTable></VolumeInformation></CaretExtension>\n      "
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(extension_code, xml.encode()))
    nibabel.save(image, path)
    return path


def write_seg(
    path: Path,
    masks: Mapping[int, np.ndarray],
    *,
    kind: str = "BINARY",
    sparse: bool = True,
    stated_step: bool = True,
    edit: Callable[[Dataset], None] = lambda dataset: None,
) -> Path:
    """A DICOM SEG of `masks`; `sparse` leaves frames without a voxel out, frames go downwards, segment by segment."""
    dataset = _seg_header(kind, stated_step)
    frames, groups = [], []
    for number, mask in masks.items():
        for k in range(len(mask) - 1, -1, -1):
            if mask[k].any() or not sparse:
                frames.append(mask[k])
                groups.append(_seg_groups(number, ORIGIN[2] + k * SPACING[2]))
    dataset.SegmentSequence = Items([_segment(number) for number in masks])
    dataset.PerFrameFunctionalGroupsSequence, dataset.NumberOfFrames = Items(groups), len(frames)
    if kind == "BINARY":
        bits = np.packbits(np.stack(frames).reshape(-1), bitorder="little").tobytes()
        dataset.PixelData = bits + b"\0" * (len(bits) % 2)
    else:
        dataset.MaximumFractionalValue, dataset.SegmentationFractionalType = 200, "PROBABILITY"
        dataset.PixelData = (np.stack(frames) * 150 + 40).astype(np.uint8).tobytes()
    dataset["PixelData"].VR = "OB"
    edit(dataset)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _seg_header(kind: str, stated_step: bool) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.TransferSyntaxUID = SEG, ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPInstanceUID = uid = generate_uid(entropy_srcs=["seg"])
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = SEG, uid, "SEG"
    dataset.PatientName, dataset.PatientID = PATIENT, PATIENT_ID
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    dataset.SegmentationType, dataset.Rows, dataset.Columns = kind, SHAPE[1], SHAPE[2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if kind == "BINARY" else 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [str(SPACING[1]), str(SPACING[0])], "1.0"
    if stated_step:
        measures.SpacingBetweenSlices = "1.0"
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([orientation])
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    return dataset


def _segment(number: int) -> Dataset:
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = number, f"Segment N° {number}"
    item.RecommendedDisplayCIELabValue = [65535, 32896, 32896]  # white: L* 100, a* 0, b* 0
    return item


def _seg_groups(number: int, height: float) -> Dataset:
    position, identification, groups = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], f"{height:.4f}"]
    identification.ReferencedSegmentNumber = number
    groups.PlanePositionSequence = Items([position])
    groups.SegmentIdentificationSequence = Items([identification])
    return groups


def write_slicer(path: Path, layers: list[np.ndarray], pairs: Mapping[str, str], crop: int = 0) -> Path:
    """A ``.seg.nrrd``: one layer is 3-D, several are 4-D with the layers fastest; `crop` voxels off every side."""
    inside = tuple(slice(crop, n - crop) for n in SHAPE)
    data = np.stack([layer[inside] for layer in layers], axis=-1).astype(np.uint8)
    nk, nj, ni = data.shape[:3]
    ras = affine_ras(origin=tuple(o + crop * s for o, s in zip(ORIGIN, SPACING, strict=True)))
    columns = [f"({','.join(f'{v:.6f}' for v in ras[:3, axis])})" for axis in range(3)]
    several = len(layers) > 1
    fields = {
        "type": "unsigned char",
        "dimension": "4" if several else "3",
        "space": "right-anterior-superior",
        "sizes": (f"{len(layers)} " if several else "") + f"{ni} {nj} {nk}",
        "space directions": ("none " if several else "") + " ".join(columns),
        "kinds": ("list " if several else "") + "domain domain domain",
        "encoding": "gzip",
        "space origin": f"({','.join(f'{v:.6f}' for v in ras[:3, 3])})",
    }
    text = "NRRD0005\n" + "".join(f"{key}: {value}\n" for key, value in fields.items())
    text += "".join(f"{key}:={value}\n" for key, value in pairs.items()) + "\n"
    path.write_bytes(text.encode() + gzip.compress(data.tobytes()))
    return path


def slicer_segment(index: int, name: str, value: int, layer: int, extent: str = "0 19 0 15 0 11") -> dict[str, str]:
    fields = {"ID": f"Segment_{index + 1}", "Name": name, "Color": "0.5 0.25 1", "LabelValue": str(value)}
    return {f"Segment{index}_{k}": v for k, v in (fields | {"Layer": str(layer), "Extent": extent}).items()}
