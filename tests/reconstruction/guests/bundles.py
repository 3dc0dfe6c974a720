"""Real MONAI bundles of a tiny network, as MONAI's own bundles are written; the weights are random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHANNELS = {"0": "background", "1": "Left kidney", "2": "Aorta", "3": "Spleen"}
NETWORK = {
    "_target_": "UNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 4,
    "channels": [4, 8, 16],
    "strides": [2, 2],
    "norm": "INSTANCE",
}


def bundle_config() -> dict[str, Any]:
    """An inference configuration of the usual form: imports, a device, a dataset, handlers and an evaluator too."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "$@bundle_root + '/data'",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "spacing": [3.0, 3.0, 4.0],
        "network_def": NETWORK,
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
                {"_target_": "Spacingd", "keys": "image", "pixdim": "@spacing", "mode": "bilinear"},
                {
                    "_target_": "ScaleIntensityRanged",
                    "keys": "image",
                    "a_min": -200,
                    "a_max": 300,
                    "b_min": 0,
                    "b_max": 1,
                    "clip": True,
                },
                {"_target_": "EnsureTyped", "keys": "image"},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [32, 32, 24],
            "sw_batch_size": "$2 * 2",
            "overlap": 0.5,
            "mode": "gaussian",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "image",
                    "nearest_interp": False,
                    "to_tensor": True,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "evaluating": ["$@evaluator.run()"],
    }


def bundle_metadata() -> dict[str, Any]:
    """The metadata that the bundle specification asks for, as far as inference needs them."""
    image = {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1}
    pred = {"type": "image", "format": "segmentation", "num_channels": 4, "channel_def": CHANNELS}
    return {
        "version": "0.1.0",
        "monai_version": "1.6.1",
        "task": "a network without skill, for tests",
        "data_source": "none: random weights",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": pred}},
    }


def write_bundle(
    folder: Path, config: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None, yaml: bool = False
) -> Path:
    """Writes a whole bundle: configuration, metadata, licence and random weights of a fixed seed."""
    import torch
    from monai.bundle import ConfigParser

    for name in ("configs", "models", "docs"):
        (folder / name).mkdir(parents=True)
    config = config or bundle_config()
    path = folder / "configs" / ("inference.yaml" if yaml else "inference.json")
    ConfigParser.export_config_file(config, str(path), fmt="yaml" if yaml else "json")
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata or bundle_metadata()))
    (folder / "LICENSE").write_text("Apache License 2.0\n\nand its text\n")
    torch.manual_seed(0)
    network = ConfigParser({"network": NETWORK}).get_parsed_content("network")
    for parameter in network.parameters():  # far from its start, so that all classes occur
        torch.nn.init.normal_(parameter, std=0.3)
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    return folder
