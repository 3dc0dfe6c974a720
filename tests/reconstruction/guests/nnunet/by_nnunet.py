"""Run by the tests in a process of its own, with nnU-Net on its path: makes models, and predicts with nnU-Net itself.

``by_nnunet FOLDER``: each ``FOLDER/*/job.json`` says what to write and predict.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from tests.reconstruction.guests.nnunet.models import write_checkpoint


def write_weights(folder: Path, folds: list[str]) -> None:
    """Checkpoints of the architecture that nnU-Net builds from the folder's plan."""
    manager = PlansManager(json.loads((folder / "plans.json").read_text()))
    chosen: ConfigurationManager = manager.get_configuration("3d_fullres")
    heads = manager.get_label_manager(json.loads((folder / "dataset.json").read_text())).num_segmentation_heads
    for seed, fold in enumerate(folds):
        network = get_network_from_plans(
            chosen.network_arch_class_name,
            chosen.network_arch_init_kwargs,
            chosen.network_arch_init_kwargs_req_import,
            1,
            heads,
            deep_supervision=True,
        )
        write_checkpoint(folder, network, fold, seed)


def predict(folder: Path, voxels: np.ndarray, spacing: list[float], mirror: bool) -> None:
    """What nnU-Net makes of an array: ``theirs.npz`` beside the model."""
    predictor = nnUNetPredictor(use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), None)
    image = voxels[None].astype(np.float32)
    labels, probabilities = predictor.predict_single_npy_array(image, {"spacing": spacing}, None, None, True)
    np.savez(folder / "theirs.npz", labels=labels, probabilities=probabilities)


if __name__ == "__main__":
    for job in sorted(Path(sys.argv[1]).glob("*/job.json")):
        wanted = json.loads(job.read_text())
        write_weights(job.parent, wanted["folds"])
        predict(job.parent, np.load(wanted["voxels"]), wanted["spacing"], wanted["mirror"])
