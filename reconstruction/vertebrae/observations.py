"""What is seen of each vertebra that could say its number: region, ribs, the sacrum, the edges of the scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.vertebrae.evidence import VERTEBRA_CLASSES, SpineEvidence

RIB_MM = 16.0  # what is labelled as rib begins this near to its vertebra; heads are often taken for vertebra
RIB_ML = 0.25  # of a rib that near, less is noise
RIBS_ML = 3.0  # of ribs in the whole scan, less and the network is taken not to see ribs at all
ROOM_MM = 45.0  # to each side of a vertebra that must be in the scan before a missing rib says anything
SACRUM_ML = 8.0
SACRUM_MM = 15.0  # from the lowest vertebra's bone to the sacrum's, through one disc and the facets beside it


@dataclass(frozen=True, eq=False)
class Observations:
    """One row per vertebra from the head down, and what lies above and below all of them.

    Attributes:
        centres_mm: centroids of the bone: ``(m, 3)``.
        volumes_ml: ``(m,)``.
        regions: shares of cervical, thoracic and lumbar: ``(m, 3)``.
        cut: by the edge of the scan.
        ribs: sides with a rib, 0 to 2; -1 where ribs cannot be seen.
        missing: vertebrae missing after each but the last.
        above_mm: room in the scan above the highest one, without a vertebra.
        below_mm: the like below the lowest one, to the end of the scan.
        sacrum_mm: from the lowest one's bone to the sacrum's; None if no sacrum is seen.
    """

    centres_mm: Floats
    volumes_ml: Floats
    regions: Floats
    cut: tuple[bool, ...]
    ribs: tuple[int, ...]
    missing: tuple[int, ...]
    above_mm: float
    below_mm: float
    sacrum_mm: float | None


def observe(evidence: SpineEvidence, labels: Volume, missing: tuple[int, ...]) -> Observations:
    """Looks at every label of `labels`, which are numbered from 1 from the head down, none of them empty."""
    voxels = np.asarray(labels.voxels)
    boxes = find_objects(voxels)
    clouds = [
        labels.index_to_mm((np.argwhere(voxels[box] == value) + [part.start for part in box])[:, ::-1])
        for value, box in enumerate(boxes, start=1)
    ]
    low, high = labels.corners_mm[:, 2].min(), labels.corners_mm[:, 2].max()
    return Observations(
        centres_mm=np.array([cloud.mean(axis=0) for cloud in clouds]).reshape(-1, 3),
        volumes_ml=np.array([len(cloud) for cloud in clouds]) * labels.voxel_volume_ml,
        regions=np.array([_regions(evidence, cloud) for cloud in clouds]).reshape(-1, 3),
        cut=tuple(
            any(part.start == 0 or part.stop == size for part, size in zip(box, voxels.shape, strict=True))
            for box in boxes
        ),
        ribs=_ribs(evidence, clouds),
        missing=missing,
        above_mm=float(high - clouds[0][:, 2].max()) if clouds else 0.0,
        below_mm=float(clouds[-1][:, 2].min() - low) if clouds else 0.0,
        sacrum_mm=_sacrum(evidence, clouds),
    )


def _regions(evidence: SpineEvidence, cloud: Floats) -> Floats:
    """Mean shares of a vertebra's voxels: of the probability in all of them, so that unsure rims count little."""
    index = np.rint(evidence.grid.mm_to_index(cloud)[:, ::-1]).astype(int)
    k, j, i = np.clip(index, 0, np.array(evidence.grid.voxels.shape) - 1).T
    sums = np.array([float(evidence.probabilities[name][k, j, i].sum(dtype=np.float64)) for name in VERTEBRA_CLASSES])
    return np.asarray(sums / max(sums.sum(), 1e-9), np.float64)


def _ribs(evidence: SpineEvidence, clouds: list[Floats]) -> tuple[int, ...]:
    from scipy.spatial import cKDTree

    ribs = np.argwhere(evidence.mask_of("rib"))
    voxel_ml = evidence.grid.voxel_volume_ml
    if len(ribs) * voxel_ml < RIBS_ML or not clouds:
        return (-1,) * len(clouds)
    points = evidence.grid.index_to_mm(ribs[:, ::-1])
    near = np.stack([cKDTree(cloud).query(points, distance_upper_bound=RIB_MM)[0] for cloud in clouds], axis=1)
    owner = np.where(np.isfinite(near.min(axis=1)), near.argmin(axis=1), -1)
    counts = []
    for number, cloud in enumerate(clouds):
        own = points[owner == number]
        middle = cloud[:, 0].mean()
        sides = [int((own[:, 0] < middle).sum()), int((own[:, 0] >= middle).sum())]
        seen = sum(side * voxel_ml >= RIB_ML for side in sides)
        counts.append(seen if seen or _has_room(evidence.grid, cloud) else -1)
    return tuple(counts)


def _has_room(grid: Volume, cloud: Floats) -> bool:
    """Whether the scan reaches far enough to the left and right of a vertebra for its ribs to be in it."""
    reach = np.array([[-ROOM_MM, 0.0, 0.0], [ROOM_MM, 0.0, 0.0]])
    index = grid.mm_to_index(cloud.mean(axis=0) + reach)
    return bool(((index >= -0.5) & (index <= np.array(grid.shape_ijk) - 0.5)).all())


def _sacrum(evidence: SpineEvidence, clouds: list[Floats]) -> float | None:
    from scipy.spatial import cKDTree

    sacrum: NDArray[np.intp] = np.argwhere(evidence.mask_of("sacrum"))
    if not clouds or len(sacrum) * evidence.grid.voxel_volume_ml < SACRUM_ML:
        return None
    points = evidence.grid.index_to_mm(sacrum[:, ::-1])
    return float(cKDTree(clouds[-1]).query(points)[0].min())
