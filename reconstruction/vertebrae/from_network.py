"""From the network's result to vertebrae with surfaces of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.clock import StageTimer
from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.network.segmentation import Segmentation
from reconstruction.surfaces.extract import EmptyStructureError, ExtractedSurface, SurfaceSettings, extract_surface
from reconstruction.vertebrae.evidence import CLASSES_NEEDED, SpineEvidence
from reconstruction.vertebrae.find import find_vertebrae
from reconstruction.vertebrae.growth import INSIDE
from reconstruction.vertebrae.result import Vertebrae

OFFERED_AS = "vertebrae"  # the structure whose being offered says that the network's vertebrae are fit to be shown
RIM = 2  # voxels around a vertebra in which the probability of bone falls to nothing


@dataclass(frozen=True, eq=False)
class Spine:
    """Vertebrae and their surfaces.

    Attributes:
        found: the vertebrae, their bone and the findings.
        surfaces: name -> surface at level 0.5 of the bone's probability; a vertebra too small for one is left out.
    """

    found: Vertebrae
    surfaces: Mapping[str, ExtractedSurface]


def offered_spine(segmentation: Segmentation, max_triangles: int | None, stages: StageTimer) -> Spine | None:
    """`spine_of`, as a stage of its own; None if the network has no vertebrae, or its weights do not offer them."""
    separated = segmentation.class_probabilities is not None and set(CLASSES_NEEDED) <= set(segmentation.classes)
    if not separated or OFFERED_AS not in segmentation.probabilities:
        return None
    return stages.run("vertebrae", lambda: spine_of(segmentation, max_triangles))


def evidence_from(segmentation: Segmentation) -> SpineEvidence:
    """What the network says about the spine.

    Raises:
        InvalidVolumeError: it does not separate vertebrae.
    """
    classes = segmentation.class_probabilities
    known: dict[str, NDArray[np.floating]] = {}
    if classes is not None:
        known = {name: classes[n] for n, name in enumerate(segmentation.classes) if name in CLASSES_NEEDED}
    return SpineEvidence(segmentation.hu, known, segmentation.offsets_mm)


def spine_of(segmentation: Segmentation, max_triangles: int | None = None) -> Spine:
    """Finds and numbers the vertebrae, on the grid on which the bone's border is known best, and meshes each."""
    bone = segmentation.probabilities.get("bone")
    evidence = evidence_from(segmentation)
    found = find_vertebrae(evidence, bone)
    field = bone if bone is not None else evidence.grid.with_voxels(evidence.vertebra)
    surfaces = {}
    for vertebra in found.vertebrae:
        own = _own_bone(field, found.labels, vertebra.label)
        try:
            surfaces[vertebra.name] = extract_surface(own, vertebra.name, SurfaceSettings(max_triangles=max_triangles))
        except EmptyStructureError:
            continue
    return Spine(found, surfaces)


def _own_bone(bone: Volume, labels: Volume, label: int) -> Volume:
    """The probability of bone in one vertebra and, falling, around it: none of its neighbours', none of the ribs'."""
    from scipy.ndimage import distance_transform_edt, find_objects

    box = find_objects((np.asarray(labels.voxels) == label).astype(np.uint8))[0]
    wide = tuple(slice(max(0, part.start - RIM - 1), part.stop + RIM + 1) for part in box)
    view, field = np.asarray(labels.voxels[wide]), np.asarray(bone.voxels[wide], np.float32)
    away, nearest = distance_transform_edt(view == 0, return_indices=True)
    rim = (view == 0) & (away <= RIM) & (field < INSIDE) & (view[tuple(nearest)] == label)
    own: Singles = np.where((view == label) | rim, field, np.float32(0.0)).astype(np.float32)
    affine = labels.affine.copy()
    affine[:3, 3] = labels.index_to_mm([[part.start for part in wide[::-1]]])[0]
    return Volume(own, affine, labels.frame)
