"""Evaluates the network on a scan with masks drawn by people: Dice, volumes and surface distance.

Masks are compared on their own grid, against the probability field at level 0.5: what a surface would show, not the
labels of the network's coarser grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geometry.errors import FrameMismatchError
from geometry.extras import from_extra
from geometry.points import Bools, Floats, Singles
from geometry.volume import Volume
from reconstruction.ct.read import read_ct
from reconstruction.network.errors import TrainingDataError
from reconstruction.network.segmentation import Progress, Segmentation, SegmentationSettings, segment
from reconstruction.network.weights import load_weights
from reconstruction.training.config import TrainingConfig
from reconstruction.training.scans import check_same_grid, read_volume
from reconstruction.training.targets import TrainingVolume

if TYPE_CHECKING:
    import torch

    from reconstruction.network.weights import Weights


# Folders of 3D-IRCADb-01: structure to the masks whose union it is. Lungs are not labelled in patient 17.
IRCADB_MASKS: dict[str, tuple[str, ...]] = {
    "body": ("skin",),
    "bone": ("bone",),
    "liver": ("liver", "livertumor*"),
}


@dataclass(frozen=True)
class StructureScore:
    """One structure against its mask.

    Attributes:
        dice: 2 |A and B| / (|A| + |B|), 0 to 1.
        surface_p95_mm: 95th percentile of the distances between the two borders, both ways; None where one is empty.
        volume_ml: volume of the network's structure on the mask's grid.
        mask_ml: volume of the mask.
    """

    structure: str
    dice: float
    surface_p95_mm: float | None
    volume_ml: float
    mask_ml: float


@dataclass(frozen=True)
class Evaluation:
    """All structures of one scan."""

    scores: tuple[StructureScore, ...]
    seen_in_training: bool
    engine: str
    weights_sha256: str

    def table(self) -> str:
        """For a person: one line a structure."""
        lines = ["structure   Dice   p95 surface    volume      mask"]
        for s in self.scores:
            distance = "   -   " if s.surface_p95_mm is None else f"{s.surface_p95_mm:4.1f} mm"
            lines.append(f"{s.structure:9} {s.dice:6.3f} {distance:>13} {s.volume_ml:7.0f} ml {s.mask_ml:7.0f} ml")
        seen = "WAS SEEN in training: this is no test" if self.seen_in_training else "was not seen in training"
        return "\n".join([*lines, f"The scan {seen}. {self.engine}, weights {self.weights_sha256[:12]}."])

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def evaluate_dicom_masks(
    ct_folder: Path,
    masks_folder: Path,
    masks: Mapping[str, Sequence[str]] = IRCADB_MASKS,
    settings: SegmentationSettings | None = None,
    weights: Weights | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Segments a DICOM CT and compares it with masks, one DICOM series a folder.

    Args:
        masks: structure to globs of folders (or image files) under `masks_folder`; a structure is their union.

    Raises:
        TrainingDataError: a mask is missing, or the masks of one structure lie on different grids.
        UnreadableInputError, CtRefusedError: the CT cannot be read, or is refused.
    """
    weights = weights or load_weights()
    offered = weights.ct_anatomy.offered
    unknown = sorted(set(masks) - set(offered))
    if unknown:
        raise TrainingDataError(f"the structure {unknown[0]!r}", f"one of {', '.join(offered)}", "rename it")
    truths = {structure: _read_union(masks_folder, globs) for structure, globs in masks.items()}
    segmentation = segment(read_ct(ct_folder).volume, settings, progress, weights=weights)
    scores = tuple(score(segmentation, structure, truth) for structure, truth in truths.items())
    return Evaluation(scores, segmentation.seen_in_training, segmentation.engine, segmentation.weights_sha256)


def score(segmentation: Segmentation, structure: str, mask: Volume) -> StructureScore:
    """Compares one structure with a mask, on the mask's grid."""
    truth = np.asarray(mask.voxels, bool)
    found = sample_onto(segmentation.probabilities[structure], mask) > 0.5
    return StructureScore(
        structure,
        dice(found, truth),
        surface_distance_mm(found, truth, mask.spacing_mm, 95.0),
        float(found.sum()) * mask.voxel_volume_ml,
        float(truth.sum()) * mask.voxel_volume_ml,
    )


def dice(a: Bools, b: Bools) -> float:
    """Dice (1945) overlap; two empty masks agree."""
    total = int(a.sum()) + int(b.sum())
    return 1.0 if total == 0 else 2.0 * int((a & b).sum()) / total


def surface_distance_mm(a: Bools, b: Bools, spacing_mm: Floats, percentile: float) -> float | None:
    """Percentile of the border voxels' distances to the other border, both ways pooled; None where one is empty."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    if not (a.any() and b.any()):
        return None
    # One voxel around both; at the scan's own edge a structure goes on, which is no border.
    found = ndimage.find_objects((a | b).astype(np.uint8))[0]
    crop = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in found)
    borders = []
    for mask in (a[crop], b[crop]):
        padded = np.pad(mask, 1, mode="edge")
        border = mask & ~ndimage.binary_erosion(padded, border_value=1)[1:-1, 1:-1, 1:-1]
        borders.append(np.argwhere(border) * spacing_mm[::-1])
    distances = [cKDTree(borders[1 - side]).query(borders[side])[0] for side in (0, 1)]
    return float(np.percentile(np.concatenate(distances), percentile))


def sample_onto(volume: Volume, grid: Volume) -> Singles:
    """Values of `volume` at the voxel centres of `grid` by linear interpolation, 0 beyond its extent: grid's shape."""
    with from_extra("training"):
        import SimpleITK as sitk

    if volume.frame != grid.frame:
        raise FrameMismatchError(
            f"values in {volume.frame!r} for a grid in {grid.frame!r}", "one frame", "transform the values first"
        )
    image = sitk.GetImageFromArray(np.asarray(volume.voxels, np.float32))
    image.SetOrigin(volume.origin_mm.tolist())
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection(volume.direction.ravel().tolist())
    resampled = sitk.Resample(
        image,
        grid.shape_ijk,
        sitk.Transform(),
        sitk.sitkLinear,
        grid.origin_mm.tolist(),
        grid.spacing_mm.tolist(),
        grid.direction.ravel().tolist(),
        0.0,
    )
    return sitk.GetArrayFromImage(resampled)


def dice_of_training_volumes(
    network: torch.nn.Module, volumes: Sequence[TrainingVolume], config: TrainingConfig
) -> dict[str, float]:
    """Mean Dice of each class over held-out scans that have it, on the network's grid."""
    with from_extra("training"):
        import torch
        from monai.inferers import sliding_window_inference

    results: dict[str, list[float]] = {}
    window, classes = config.network.window, config.network.classes
    for volume in volumes:
        missing = [max(0, w - n) for w, n in zip(window, volume.hu.shape, strict=True)]
        padded = np.pad(volume.hu.astype(np.float32), [(0, m) for m in missing], mode="edge")
        hu = torch.from_numpy(padded)[None, None]
        with torch.inference_mode():
            logits = sliding_window_inference(hu, window, 1, network, overlap=0.25, mode="gaussian")
        k, j, i = volume.hu.shape
        labels = logits.numpy()[0, : len(classes), :k, :j, :i].argmax(axis=0)
        truth = volume.fractions.argmax(axis=0)
        for index, name in enumerate(classes):
            if (truth == index).any():
                results.setdefault(name, []).append(dice(labels == index, truth == index))
    return {name: float(np.mean(results[name])) for name in classes if name in results}


def _read_union(folder: Path, globs: Sequence[str]) -> Volume:
    paths = sorted({path for pattern in globs for path in folder.glob(pattern)})
    if not paths:
        raise TrainingDataError(f"no mask that matches {list(globs)}", "at least one", "check the folder of masks")
    first = read_volume(paths[0])
    union = np.greater(first.voxels, 0)
    for path in paths[1:]:
        mask = read_volume(path)
        check_same_grid(first, mask, path)
        union |= np.greater(mask.voxels, 0)
    return first.with_voxels(union)
