"""Trained nnU-Net v2 folders, as TotalSegmentator, MOOSE and CADS ship them, run without nnU-Net.

The folder is ``Trainer__Plans__configuration`` with ``plans.json``, ``dataset.json`` and
``fold_*/checkpoint_final.pth`` (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.guests.axes import along
from reconstruction.guests.card import NOT_STATED, ModelCard
from reconstruction.guests.errors import ModelError
from reconstruction.guests.files import digests, load_checkpoint, read_json, stated_licence
from reconstruction.guests.guest import Progress
from reconstruction.guests.nnunet.engines import FoldEngine
from reconstruction.guests.nnunet.grid import Prepared, prepare, resample, uncropped
from reconstruction.guests.nnunet.plan import NnunetPlan, read_plan
from reconstruction.guests.nnunet.unet import PlannedUnet
from reconstruction.guests.nnunet.windows import predict
from reconstruction.labels.segments import Segment, SegmentLayers

CHECKPOINT = "checkpoint_final.pth"
REORIENTS = "NibabelIOWithReorient"  # nnU-Net's reader that turns every scan to RAS; the others keep the file's order
ASSUMED = (
    "its files do not say which way its scans lay: the CT is given as DICOM has it (LPS); if left and right come out "
    "exchanged, add it with --orientation RAS"
)


def is_nnunet_folder(path: Path) -> bool:
    """Whether this folder looks like a trained nnU-Net model."""
    return (path / "plans.json").is_file() and (path / "dataset.json").is_file()


def read_nnunet_card(folder: Path, name: str, trusted: bool, orientation: str | None, mirror: bool) -> ModelCard:
    """The card of a model, from its plan, its dataset's description and its first checkpoint.

    Raises:
        ModelError: no model that this program runs, or a checkpoint that wants more trust.
    """
    folds = _folds(folder)
    plan = read_plan(folder, _configuration(load_checkpoint(folds[0], trusted)))
    dataset = read_json(folder / "dataset.json")
    known = orientation or ("RAS" if plan.reader == REORIENTS else None)
    paths = [folder / "plans.json", folder / "dataset.json", *folds]
    low, high = (float(plan.intensities[f"percentile_{edge}"]) for edge in ("00_5", "99_5"))
    return ModelCard(
        name=name,
        kind="nnunet",
        path=str(folder),
        structures=tuple(plan.structures.values()),
        spacing_mm=_left_front_up(plan.spacing_mm, plan),
        trained_spacing_mm=_left_front_up(plan.median_spacing_mm, plan),
        orientation=known or "LPS",
        intensities_hu=(low, high),
        window=_left_front_up(plan.patch, plan),
        licence=str(dataset.get("licence") or dataset.get("license") or stated_licence(folder)),
        trained_on=str(dataset.get("reference") or dataset.get("description") or dataset.get("name") or NOT_STATED),
        modality="CT",
        notes=() if known else (ASSUMED,),
        files=digests(folder, paths),
        trusted=trusted,
        mirror=mirror,
    )


class NnunetModel:
    """A trained model that is ready to run, all its folds.

    Raises:
        ModelError: its plan or a checkpoint cannot be used.
    """

    def __init__(self, card: ModelCard) -> None:
        self._card, folder = card, Path(card.path)
        checkpoints = [load_checkpoint(path, card.trusted) for path in _folds(folder)]
        self._plan = read_plan(folder, _configuration(checkpoints[0]))
        heads = self._plan.heads
        folds = [PlannedUnet(self._plan.unet, c["network_weights"], heads) for c in checkpoints]
        self._networks = [FoldEngine(fold, self._plan) for fold in folds]
        axes = checkpoints[0].get("inference_allowed_mirroring_axes") if card.mirror else None
        self._mirror_axes = tuple(axes or ())
        self.engine = self._networks[0].name

    @property
    def card(self) -> ModelCard:
        return self._card

    def segment(self, ct: Volume, progress: Progress | None = None) -> SegmentLayers:
        """See `Guest.segment`."""
        turned = along(ct, self._card.orientation)
        prepared, logits = self._logits(turned, progress)
        labels = uncropped(self._labels(logits), prepared, self._plan, 0)
        volume = turned.with_voxels(np.ascontiguousarray(labels))
        segments = tuple(Segment(label, name) for label, name in self._plan.structures.items())
        return SegmentLayers((volume,), segments, f"the nnU-Net model '{self._card.name}'")

    def probabilities(self, ct: Volume) -> Singles:
        """Of each label, or of each region, ``(c, nk, nj, ni)`` on the CT turned to the card's orientation."""
        prepared, logits = self._logits(along(ct, self._card.orientation), None)
        background = not self._plan.region_order
        beyond = [float(background and channel == 0) for channel in range(len(logits))]
        return uncropped(self._probabilities(logits), prepared, self._plan, beyond)

    def _logits(self, turned: Volume, progress: Progress | None) -> tuple[Prepared, NDArray[np.float16]]:
        prepared = prepare(turned.voxels, turned.spacing_mm[::-1].tolist(), self._plan)
        plan = self._plan
        networks = [network.run for network in self._networks]
        found = predict(prepared.voxels, plan.patch, networks, plan.heads, self._mirror_axes, progress).numpy()
        shape, spacing = prepared.cropped_shape, prepared.spacing_mm
        return prepared, resample(found, shape, plan.spacing_mm, spacing, plan.probabilities)

    def _probabilities(self, logits: NDArray[np.float16]) -> Singles:
        values = logits.astype(np.float32)
        if self._plan.region_order:
            return np.asarray(1.0 / (1.0 + np.exp(-values)), np.float32)
        values -= values.max(axis=0)
        np.exp(values, out=values)
        return np.asarray(values / values.sum(axis=0), np.float32)

    def _labels(self, logits: NDArray[np.float16]) -> NDArray[np.uint16]:
        if not self._plan.region_order:
            return logits.argmax(axis=0).astype(np.uint16)
        labels = np.zeros(logits.shape[1:], np.uint16)
        for channel, value in enumerate(self._plan.region_order):
            labels[logits[channel] > 0] = value  # a probability above one half
        return labels


def _folds(folder: Path) -> list[Path]:
    """Checkpoints of all folds; of the one trained on everything only where there is no other, as nnU-Net does."""
    found = sorted(folder.glob(f"fold_*/{CHECKPOINT}"))
    chosen = [path for path in found if path.parent.name != "fold_all"] or found
    if not chosen:
        raise ModelError(
            "an nnU-Net folder without a trained fold", f"fold_*/{CHECKPOINT} beside plans.json", "download its weights"
        )
    return chosen


def _configuration(checkpoint: Any) -> str:
    try:
        given = checkpoint["init_args"]["configuration"]
        if isinstance(checkpoint["network_weights"], Mapping):
            return str(given)
    except (KeyError, TypeError):
        pass
    raise ModelError("a checkpoint that nnU-Net v2 did not write", "nnU-Net v2's checkpoint", "restore the file")


def _left_front_up(values: Any, plan: NnunetPlan) -> Any:
    """Three numbers in the network's order of axes, in the order left-right, front-back, up-down."""
    back = np.argsort(plan.transpose_forward)
    return tuple(values[axis] for axis in back)[::-1]
