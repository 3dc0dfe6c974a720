"""Segmentations as 3D Slicer keeps them (``.seg.nrrd``): labels in LPS, segments named in the header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry.extras import from_extra
from geometry.volume import Volume


@dataclass(frozen=True)
class SlicerSegment:
    """A segment.

    Attributes:
        name: shown to people; its id as well, since a case has each name once.
        value: of its voxels.
        colour: sRGB, 0 to 1.
    """

    name: str
    value: int
    colour: tuple[float, float, float]


def write_slicer_segmentation(path: Path, labels: Volume, segments: Sequence[SlicerSegment]) -> None:
    """Writes labels on their own grid; a value without a segment is left out.

    Args:
        path: ends in ``.seg.nrrd``.
        labels: whole numbers in ``ct``, 0 for nothing.
    """
    with from_extra("reconstruction"):
        import SimpleITK as sitk

    kept = np.where(np.isin(labels.voxels, [each.value for each in segments]), labels.voxels, 0)
    image = sitk.GetImageFromArray(kept.astype(np.uint8 if kept.max(initial=0) < 256 else np.uint16))
    image.SetSpacing(labels.spacing_mm.tolist())
    image.SetOrigin(labels.origin_mm.tolist())
    image.SetDirection(labels.direction.ravel().tolist())
    header = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    nk, nj, ni = kept.shape
    for number, segment in enumerate(segments):
        fields = {
            "ID": segment.name,
            "Name": segment.name,
            "Color": " ".join(f"{each:.6f}" for each in segment.colour),
            "LabelValue": str(segment.value),
            "Layer": "0",
            "Extent": f"0 {ni - 1} 0 {nj - 1} 0 {nk - 1}",
        }
        header |= {f"Segment{number}_{key}": value for key, value in fields.items()}
    for key, value in header.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path), useCompression=True)
