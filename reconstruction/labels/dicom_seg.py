"""Reads DICOM Segmentations: binary, fractional and label map; sparse, overlapping, with frames in any order.

Each frame places itself by its functional groups (DICOM PS3.3 C.8.20). Frames without any voxel of a segment are left
out by most writers, so the grid is found from the positions that are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from case.mesh_files import Colour
from geometry.extras import from_extra
from geometry.frames import CT
from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.ct.dicom.files import errors_of_broken, open_pixels, quiet_pydicom
from reconstruction.ct.slice_geometry import DUPLICATE_MM
from reconstruction.errors import LabelsError
from reconstruction.labels.segments import Segment, SegmentLayers

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
SEG_CLASSES = (SEGMENTATION_STORAGE, LABEL_MAP_STORAGE)
MAX_GRID_ERROR_MM = 0.1  # as for slices of a CT
MAX_SLICES = 10_000  # no scan has more; a damaged position would ask for all memory there is
ALLOWED = "a DICOM Segmentation whose frames lie on one regular grid in the patient"
EXPORT_AGAIN = "export the segmentation again, on the CT's grid"


@dataclass(frozen=True)
class _Place:
    """Where a frame lies, and which segment it shows (0: all, in a label map)."""

    position_mm: tuple[float, float, float]
    segment: int


def read_dicom_seg(path: Path) -> SegmentLayers:
    """Reads one DICOM SEG or Label Map Segmentation.

    Raises:
        LabelsError: it is none, is broken, has no place in the patient, or its frames lie on no regular grid.
    """
    try:
        with quiet_pydicom():
            dataset = open_pixels(path)
            if dataset.get("SOPClassUID") not in SEG_CLASSES:
                raise LabelsError("a DICOM file that is no segmentation", ALLOWED, "give the SEG object")
            return _read(dataset)
    except errors_of_broken(RuntimeError) as error:
        raise LabelsError(
            f"a DICOM SEG that is broken, cut short, or in a syntax without a decoder ({type(error).__name__})",
            ALLOWED,
            "copy or export it again, uncompressed",
        ) from None  # the text may quote the header


def _read(dataset: Any) -> SegmentLayers:
    places = _places(dataset)
    affine, heights = _grid(dataset, places)
    shape = (max(heights) + 1, int(dataset.Rows), int(dataset.Columns))
    is_map = str(dataset.get("SegmentationType", "")) == "LABELMAP"
    segments = _segments(dataset)
    layer_of: dict[int, int] = {}
    if is_map:
        layers = [_stack(dataset, heights, shape)]
    else:
        layers, layer_of = _packed(dataset, places, heights, shape)
    warnings = []
    if str(dataset.get("SegmentationType", "")) == "FRACTIONAL":
        warnings.append("fractional segments: voxels of at least half the largest value taken as inside")
    frame = dataset.get("FrameOfReferenceUID")
    return SegmentLayers(
        tuple(Volume(layer, affine, CT) for layer in layers),
        tuple(Segment(s.value, s.name, s.colour, layer_of.get(s.value, 0)) for s in segments if s.value),
        f"DICOM SEG ({str(dataset.get('SegmentationType', '')).lower()})",
        tuple(warnings),
        hashlib.sha256(str(frame).encode()).hexdigest() if frame else None,
    )


def _places(dataset: Any) -> list[_Place]:
    shared = dataset.SharedFunctionalGroupsSequence[0] if dataset.get("SharedFunctionalGroupsSequence") else {}
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if len(frames) != int(dataset.NumberOfFrames):
        raise LabelsError("a DICOM SEG that does not place each of its frames", ALLOWED, EXPORT_AGAIN)
    places = []
    for frame in frames:
        position = _item(frame, shared, "PlanePositionSequence")
        identification = _item(frame, shared, "SegmentIdentificationSequence")
        if position is None or len(position.get("ImagePositionPatient") or []) != 3:
            raise LabelsError("a DICOM SEG with a frame of unknown position", ALLOWED, EXPORT_AGAIN)
        x, y, z = (float(value) for value in position.ImagePositionPatient)
        number = 0 if identification is None else int(identification.ReferencedSegmentNumber)
        places.append(_Place((x, y, z), number))
    return places


def _item(frame: Any, shared: Any, name: str) -> Any | None:
    for group in (frame, shared):
        if name in group and group[name].value:
            return group[name].value[0]
    return None


def _grid(dataset: Any, places: list[_Place]) -> tuple[Floats, list[int]]:
    """The affine to LPS mm, and the index along k of every frame."""
    frame, shared = dataset.PerFrameFunctionalGroupsSequence[0], dataset.SharedFunctionalGroupsSequence[0]
    measures = _item(frame, shared, "PixelMeasuresSequence")
    orientation = _item(frame, shared, "PlaneOrientationSequence")
    if measures is None or orientation is None or "PixelSpacing" not in measures:
        raise LabelsError("a DICOM SEG without pixel spacing or orientation", ALLOWED, EXPORT_AGAIN)
    _check_one_orientation(dataset)
    cosines = np.array([float(value) for value in orientation.ImageOrientationPatient])
    along_i, along_j = cosines[:3] / np.linalg.norm(cosines[:3]), cosines[3:] / np.linalg.norm(cosines[3:])
    normal = np.cross(along_i, along_j)
    positions = np.array([place.position_mm for place in places])
    heights = positions @ normal
    lowest = positions[heights.argmin()]
    step_mm = _step(heights, measures)
    index = np.rint((heights - heights.min()) / step_mm).astype(int)
    errors = np.linalg.norm(positions - lowest - index[:, None] * step_mm * normal, axis=1)
    if errors.max() > MAX_GRID_ERROR_MM:
        raise LabelsError(
            f"a DICOM SEG with frames up to {errors.max():.2f} mm off a regular grid", ALLOWED, EXPORT_AGAIN
        )
    if index.max() >= MAX_SLICES:
        raise LabelsError(f"a DICOM SEG with frames {index.max() + 1} slices apart", ALLOWED, EXPORT_AGAIN)
    spacing_j, spacing_i = (float(value) for value in measures.PixelSpacing)
    affine = np.eye(4)
    affine[:3] = np.column_stack([along_i * spacing_i, along_j * spacing_j, normal * step_mm, lowest])
    return affine, [int(k) for k in index]


def _check_one_orientation(dataset: Any) -> None:
    for name, tag in (
        ("PlaneOrientationSequence", "ImageOrientationPatient"),
        ("PixelMeasuresSequence", "PixelSpacing"),
    ):
        own = [f[name].value[0].get(tag) for f in dataset.PerFrameFunctionalGroupsSequence if name in f]
        if own and np.ptp(np.array(own, dtype=float), axis=0).max() > 1e-4:
            raise LabelsError("a DICOM SEG with frames of several orientations or spacings", ALLOWED, EXPORT_AGAIN)


def _step(heights: Floats, measures: Any) -> float:
    """The slice distance: as stated where the positions are multiples of it, else found from the positions."""
    stated = float(measures.get("SpacingBetweenSlices") or 0.0)
    gaps = np.diff(np.sort(heights))
    gaps = gaps[gaps > DUPLICATE_MM]
    if not len(gaps):
        step = stated or float(measures.get("SliceThickness") or 0.0)
        if step <= 0.0:
            raise LabelsError("a DICOM SEG of one slice without a thickness", ALLOWED, EXPORT_AGAIN)
        return step
    offsets = heights - heights.min()
    if stated > 0.0 and np.abs(offsets - np.rint(offsets / stated) * stated).max() <= MAX_GRID_ERROR_MM:
        return stated
    return float(gaps.sum() / np.rint(gaps / gaps.min()).sum())


def _frames(dataset: Any) -> Iterator[NDArray[Any]]:
    """Yields one decoded frame at a time: hundreds of segments of a whole CT would not fit into memory at once."""
    with from_extra("reconstruction"):
        from pydicom.pixels import iter_pixels

    yield from iter_pixels(dataset)


def _stack(dataset: Any, heights: list[int], shape: tuple[int, ...]) -> NDArray[np.generic]:
    layer = np.zeros(shape, np.uint16)
    padding = dataset.get("PixelPaddingValue")
    for k, frame in zip(heights, _frames(dataset), strict=True):
        layer[k] = frame if padding is None else np.where(frame == padding, 0, frame)
    return layer


def _packed(
    dataset: Any, places: list[_Place], heights: list[int], shape: tuple[int, ...]
) -> tuple[list[NDArray[np.generic]], dict[int, int]]:
    """Packs each segment into the first layer that it does not overlap; returns the layers, and segment -> layer."""
    half = 0.5
    if str(dataset.get("SegmentationType", "")) == "FRACTIONAL":
        half = 0.5 * float(dataset.MaximumFractionalValue)
    planes: dict[int, dict[int, NDArray[np.uint8]]] = {}
    for place, k, frame in zip(places, heights, _frames(dataset), strict=True):
        if place.segment < 1:
            raise LabelsError("a DICOM SEG with a frame of no segment", ALLOWED, EXPORT_AGAIN)
        inside = frame >= half
        if inside.any():
            own = planes.setdefault(place.segment, {})
            own[k] = np.packbits(inside) | own[k] if k in own else np.packbits(inside)
    layers: list[NDArray[np.generic]] = []
    layer_of: dict[int, int] = {}
    for number, own in planes.items():
        masks = {k: np.unpackbits(bits, count=shape[1] * shape[2]).reshape(shape[1:]) > 0 for k, bits in own.items()}
        free = (n for n, layer in enumerate(layers) if not any(layer[k][mask].any() for k, mask in masks.items()))
        layer_of[number] = next(free, len(layers))
        if layer_of[number] == len(layers):
            layers.append(np.zeros(shape, np.uint16))
        for k, mask in masks.items():
            layers[layer_of[number]][k][mask] = number
    return layers or [np.zeros(shape, np.uint16)], layer_of


def _segments(dataset: Any) -> list[Segment]:
    segments = []
    for item in dataset.get("SegmentSequence") or []:
        lab = item.get("RecommendedDisplayCIELabValue")
        name = str(item.get("SegmentLabel") or "")
        segments.append(Segment(int(item.SegmentNumber), name, None if lab is None else cielab_to_srgb(lab)))
    return segments


def cielab_to_srgb(lab: Any) -> Colour:
    """DICOM's CIELab (three uint16, PS3.3 C.10.7.1.1; white point D50) to sRGB with opacity 1, 0 to 1."""
    lightness, a, b = float(lab[0]) * 100 / 65535, float(lab[1]) * 255 / 65535 - 128, float(lab[2]) * 255 / 65535 - 128
    y = (lightness + 16) / 116
    cube = [
        value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29) for value in (y + a / 500, y, y - b / 200)
    ]
    xyz = np.array(cube) * [0.9642, 1.0, 0.8249]
    linear = np.clip(XYZ_D50_TO_SRGB @ xyz, 0.0, 1.0)
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return float(srgb[0]), float(srgb[1]), float(srgb[2]), 1.0


# Bradford-adapted from D50, as ICC profiles have it.
XYZ_D50_TO_SRGB = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)
