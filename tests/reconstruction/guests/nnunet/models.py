"""Real folders of nnU-Net v2: written with nnU-Net's own architectures where it is installed; weights are random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PLAIN, RESIDUAL = "PlainConvUNet", "ResidualEncoderUNet"
LABELS: dict[str, Any] = {"background": 0, "Left kidney": 1, "Aorta": 2, "vertebrae_L1": 3}
REGIONS: dict[str, Any] = {"background": 0, "whole kidney": [1, 2], "tumour": 2}


def architecture(kind: str) -> dict[str, Any]:
    """A tiny U-Net of three stages, the first of which does not halve the slices."""
    blocks = "n_blocks_per_stage" if kind == RESIDUAL else "n_conv_per_stage"
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 8, 8],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
            "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
            blocks: [1, 2, 2] if kind == RESIDUAL else [2, 2, 2],
            "n_conv_per_stage_decoder": [2, 1],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def old_architecture() -> dict[str, Any]:
    """The same plain network as plans before nnU-Net 2.3 have it, TotalSegmentator's among them."""
    return {
        "UNet_class_name": PLAIN,
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 1],
        "num_pool_per_axis": [1, 2, 2],
        "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        "conv_kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    }


def configuration(kind: str = PLAIN, old: bool = False, **changes: Any) -> dict[str, Any]:
    """``3d_fullres`` as nnU-Net's planner writes it."""
    kwargs = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    built = old_architecture() if old else {"architecture": architecture(kind)}
    return {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [16, 24, 32],
        "median_image_size_in_voxels": [40.0, 52.0, 46.0],
        "spacing": [4.0, 2.0, 2.0],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": kwargs,
        "resampling_fn_seg_kwargs": kwargs | {"is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": kwargs | {"order": 1},
        "batch_dice": True,
        **built,
        **changes,
    }


def plans(chosen: dict[str, Any], reader: str = "NibabelIOWithReorient", forward: tuple[int, ...] = (0, 1, 2)) -> Any:
    """``plans.json`` around a configuration."""
    back = [forward.index(axis) for axis in range(3)]
    fingerprint = {"max": 900.0, "mean": 60.0, "median": 55.0, "min": -400.0, "std": 150.0}
    return {
        "dataset_name": "Dataset001_Tiny",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [4.0, 2.0, 2.0],
        "original_median_shape_after_transp": [40, 52, 46],
        "image_reader_writer": reader,
        "transpose_forward": list(forward),
        "transpose_backward": back,
        "configurations": {"3d_fullres": chosen},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": fingerprint | {"percentile_00_5": -300.0, "percentile_99_5": 500.0}
        },
    }


def dataset(labels: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """``dataset.json`` of a CT data set."""
    described = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
    regions = {"regions_class_order": [1, 2]} if labels is REGIONS else {}
    return described | {"licence": "CC-BY-4.0", "name": "Tiny"} | regions | changes


def write_texts(folder: Path, plan: Any, described: dict[str, Any]) -> Path:
    """The two JSON files, without checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(plan))
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder


def write_checkpoint(folder: Path, network: Any, fold: str, seed: int, **more: Any) -> None:
    """A checkpoint as nnU-Net's trainer saves it, with NumPy's numbers in its log; weights far from their start."""
    import numpy as np
    import torch

    torch.manual_seed(seed)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    (folder / f"fold_{fold}").mkdir(parents=True, exist_ok=True)
    content = {
        "network_weights": network.state_dict(),
        "optimizer_state": None,
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.1), np.float32(0.2)], "lrs": [0.01]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 2,
        "init_args": {"configuration": "3d_fullres", "fold": fold},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(content | more, folder / f"fold_{fold}" / "checkpoint_final.pth")
