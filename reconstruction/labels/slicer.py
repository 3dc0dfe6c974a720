"""3D Slicer's ``.seg.nrrd``: segments as key/value pairs of the NRRD header, overlapping ones in several layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from case.mesh_files import Colour
from reconstruction.ct.itk import ItkHeader, read_components, read_itk_header
from reconstruction.ct.voxels import right_handed
from reconstruction.errors import LabelsError
from reconstruction.labels.segments import Segment, SegmentLayers

ALLOWED = "a segmentation as 3D Slicer saves it: each segment with its value and its layer"
SAVE_AGAIN = "open it in 3D Slicer and save it again"


def read_slicer_segmentation(path: Path) -> SegmentLayers:
    """Reads an NRRD whose header names segments; any other NRRD comes back without segments.

    Raises:
        LabelsError: a segment without a value, or in a layer that is not there.
        UnreadableInputError, CtRefusedError: the NRRD cannot be read, or is refused; see `reconstruction.ct.itk`.
    """
    header = read_itk_header(path)
    components, affine, notes = read_components(path, header)
    count = components.shape[-1]
    layers = tuple(right_handed(components[..., layer], affine) for layer in range(count))
    if "Segment0_ID" not in header.pairs and "Segment0_Name" not in header.pairs:
        if count != 1:
            raise LabelsError(f"an NRRD of {count} components without segments", "one label volume", SAVE_AGAIN)
        return SegmentLayers(layers, (), "NRRD labels", notes, segments_are_a_table=True)
    segments = tuple(_segment(header, index, count) for index in _indices(header))
    warnings = [*notes]
    for index, segment in zip(_indices(header), segments, strict=True):
        beyond = _beyond_extent(
            components[..., segment.layer], segment.value, header.pairs.get(f"Segment{index}_Extent")
        )
        if beyond:
            warnings.append(f"segment {index + 1} has {beyond} voxels beyond the extent that its header states; kept")
    return SegmentLayers(layers, segments, "3D Slicer segmentation", tuple(warnings))


def _indices(header: ItkHeader) -> list[int]:
    keys = (key.removeprefix("Segment").partition("_") for key in header.pairs if key.startswith("Segment"))
    return sorted({int(index) for index, _, field in keys if index.isdigit() and field in ("ID", "Name")})


def _segment(header: ItkHeader, index: int, layers: int) -> Segment:
    """Slicer before 4.11 wrote no value and no layer: one component a segment, its voxels 1."""
    pairs, prefix = header.pairs, f"Segment{index}_"
    old = f"{prefix}LabelValue" not in pairs
    try:
        value = 1 if old else int(pairs[f"{prefix}LabelValue"])
        layer = index if old else int(pairs.get(f"{prefix}Layer", "0"))
    except ValueError:
        value, layer = 0, 0
    if value < 1 or not 0 <= layer < layers:
        raise LabelsError(
            f"segment {index + 1} with the value {value} in layer {layer} of {layers}", ALLOWED, SAVE_AGAIN
        )
    return Segment(value, pairs.get(f"{prefix}Name") or pairs.get(f"{prefix}ID", ""), _colour(pairs, prefix), layer)


def _colour(pairs: dict[str, str], prefix: str) -> Colour | None:
    try:
        red, green, blue = (min(1.0, max(0.0, float(part))) for part in pairs[f"{prefix}Color"].split())
    except (KeyError, ValueError):
        return None
    return red, green, blue, 1.0


def _beyond_extent(voxels: NDArray[np.generic], value: int, extent: str | None) -> int:
    """Voxels ``(nk, nj, ni)`` of a segment outside of ``imin imax jmin jmax kmin kmax``, both ends included."""
    try:
        first_i, last_i, first_j, last_j, first_k, last_k = (int(part) for part in (extent or "").split())
    except ValueError:
        return 0
    inside = voxels == value
    within = inside[max(first_k, 0) : last_k + 1, max(first_j, 0) : last_j + 1, max(first_i, 0) : last_i + 1]
    return int(np.count_nonzero(inside)) - int(np.count_nonzero(within))
