"""The plan of an nnU-Net v2 model: what its files say of preprocessing, architecture and labels (Isensee et al. 2021).

Spacings, shapes and axes here are nnU-Net's: array order, slowest axis first, after `transpose_forward`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction.guests.errors import ModelError
from reconstruction.guests.files import read_json

Triple = tuple[float, float, float]
UNETS = ("PlainConvUNet", "ResidualEncoderUNet")
LEAKY_SLOPE = 0.01  # torch's, where a plan gives none
NONLINEARITIES = ("LeakyReLU", "ReLU")


@dataclass(frozen=True, kw_only=True)
class UnetShape:
    """The architecture that a plan describes.

    Attributes:
        kind: one of `UNETS`.
        strides: of each stage of the encoder.
        blocks: convolutions, or residual blocks, of each stage of the encoder.
        decoder_convs: convolutions of each stage of the decoder.
        norm_eps: of the instance norm.
        slope: of the leaky rectifier below zero; 0 for the plain one.
    """

    kind: str
    strides: tuple[tuple[int, ...], ...]
    blocks: tuple[int, ...]
    decoder_convs: tuple[int, ...]
    norm_eps: float
    slope: float


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Spline orders of a resampling: in general, and along the axis of thick slices where it is treated apart."""

    order: int
    order_z: int
    force_separate_z: bool | None


@dataclass(frozen=True, kw_only=True)
class NnunetPlan:
    """What a configuration of a model says.

    Attributes:
        transpose_forward: the order of the axes in the network, of those of the array.
        spacing_mm, patch: of the network's grid.
        median_spacing_mm: of the training scans.
        normalization: ``CTNormalization`` or ``ZScoreNormalization`` and so on, as nnU-Net names them.
        intensities: nnU-Net's fingerprint of the foreground: mean, std, percentile_00_5, percentile_99_5 (HU).
        data, probabilities: how scans and the network's answers are resampled.
        reader: nnU-Net's class that read the training scans; it decides on the orientation.
        unet: the architecture.
        labels: name -> label, or the labels of a region.
        region_order: label that each region is written as, in the order of writing; empty where there are no regions.
    """

    transpose_forward: tuple[int, int, int]
    spacing_mm: Triple
    patch: tuple[int, int, int]
    median_spacing_mm: Triple
    normalization: str
    intensities: Mapping[str, float]
    data: Resampling
    probabilities: Resampling
    reader: str
    unet: UnetShape
    labels: Mapping[str, int | tuple[int, ...]]
    region_order: tuple[int, ...]

    @property
    def heads(self) -> int:
        """Channels of the network's answer."""
        if self.region_order:
            return len(self.region_order)
        return len({0, *(label for label in self.labels.values() if isinstance(label, int))})

    @property
    def structures(self) -> dict[int, str]:
        """Label -> name in the written answer."""
        foreground = [(name, label) for name, label in self.labels.items() if label not in (0, (0,))]
        if self.region_order:
            return {value: name for value, (name, _) in zip(self.region_order, foreground, strict=True)}
        return {label: name for name, label in foreground if isinstance(label, int)}


def read_plan(folder: Path, configuration: str) -> NnunetPlan:
    """Reads ``plans.json`` and ``dataset.json``.

    Args:
        folder: the trained model's folder, ``Trainer__Plans__configuration``.
        configuration: such as ``3d_fullres``.

    Raises:
        ModelError: broken files, or a plan that this program does not run, by name.
    """
    plans, dataset = read_json(folder / "plans.json"), read_json(folder / "dataset.json")
    try:
        chosen = _inherited(plans["configurations"], configuration)
        _check_supported(configuration, chosen, dataset)
        labels, regions = _labels(dataset)
        median = plans["original_median_spacing_after_transp"]
        return NnunetPlan(
            transpose_forward=_three(plans["transpose_forward"], int),
            spacing_mm=_three(chosen["spacing"], float),
            patch=_three(chosen["patch_size"], int),
            median_spacing_mm=_three(median, float),
            normalization=str(chosen["normalization_schemes"][0]),
            intensities=dict(plans["foreground_intensity_properties_per_channel"].get("0", {})),
            data=_resampling(chosen, "data"),
            probabilities=_resampling(chosen, "probabilities"),
            reader=str(plans.get("image_reader_writer", "")),
            unet=_unet(chosen),
            labels=labels,
            region_order=regions,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelError(
            f"an nnU-Net plan that cannot be read ({type(error).__name__}: {error})",
            "plans.json and dataset.json of nnU-Net v2",
            "restore the files, or let nnU-Net write them again (nnUNetv2_plan_experiment)",
        ) from error


def _inherited(configurations: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = dict(configurations[name])
    parent = found.pop("inherits_from", None)
    return found if parent is None else _inherited(configurations, parent) | found


def _check_supported(name: str, chosen: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    channels = dataset.get("channel_names", dataset.get("modality", {}))
    if chosen.get("previous_stage"):
        raise _refused(f"the configuration '{name}', the second stage of a cascade", "use its 3d_fullres or 3d_lowres")
    if len(chosen["patch_size"]) != 3:
        raise _refused(f"the configuration '{name}', which is two-dimensional", "use its 3d_fullres")
    if len(channels) != 1:
        raise _refused(
            f"a model of {len(channels)} channels ({', '.join(map(str, channels.values()))})", "choose another"
        )
    if str(channels["0"]).upper() != "CT":
        raise _refused(f"a model of '{channels['0']}'", "choose a model of CT")
    if chosen["normalization_schemes"][0] != "CTNormalization":
        raise _refused(f"the normalisation {chosen['normalization_schemes'][0]}", "choose a model of CT")
    if chosen.get("preprocessor_name", "DefaultPreprocessor") != "DefaultPreprocessor":
        raise _refused(f"the preprocessor {chosen['preprocessor_name']}", "run it with nnU-Net, and give --labels")


def _labels(dataset: Mapping[str, Any]) -> tuple[dict[str, int | tuple[int, ...]], tuple[int, ...]]:
    labels: dict[str, int | tuple[int, ...]] = {}
    for name, label in dataset["labels"].items():
        if name != "ignore":
            labels[name] = tuple(map(int, label)) if isinstance(label, list) else int(label)
    regions = any(isinstance(label, tuple) and len(label) > 1 for label in labels.values())
    return labels, tuple(map(int, dataset["regions_class_order"])) if regions else ()


def _resampling(chosen: Mapping[str, Any], what: str) -> Resampling:
    function = chosen.get(f"resampling_fn_{what}", "resample_data_or_seg_to_shape")
    if function != "resample_data_or_seg_to_shape":
        raise _refused(f"the resampling function {function}", "run it with nnU-Net, and give --labels")
    given = chosen.get(f"resampling_fn_{what}_kwargs", {})
    return Resampling(
        order=int(given.get("order", 3)),
        order_z=int(given.get("order_z", 0)),
        force_separate_z=given.get("force_separate_z", False),
    )


def _unet(chosen: Mapping[str, Any]) -> UnetShape:
    if "architecture" not in chosen:  # plans before nnU-Net 2.3
        kind, blocks, strides = (
            chosen["UNet_class_name"],
            chosen["n_conv_per_stage_encoder"],
            chosen["pool_op_kernel_sizes"],
        )
        decoder, given = chosen["n_conv_per_stage_decoder"], {}
    else:
        kind = chosen["architecture"]["network_class_name"].rpartition(".")[2]
        given = chosen["architecture"]["arch_kwargs"]
        blocks = given["n_blocks_per_stage" if kind == "ResidualEncoderUNet" else "n_conv_per_stage"]
        strides, decoder = given["strides"], given["n_conv_per_stage_decoder"]
    norm, nonlinearity = _last(given.get("norm_op", "InstanceNorm3d")), _last(given.get("nonlin", "LeakyReLU"))
    odd = [key for key in ("nonlin_first", "squeeze_excitation", "block", "bottleneck_channels") if given.get(key)]
    if kind not in UNETS or norm != "InstanceNorm3d" or nonlinearity not in NONLINEARITIES or odd:
        what = ", ".join([kind, norm, nonlinearity, *odd])
        raise _refused(
            f"the architecture {what}", "run it with nnU-Net, and give --labels; here run " + ", ".join(UNETS)
        )
    stages = len(strides)
    slope = (
        float((given.get("nonlin_kwargs") or {}).get("negative_slope", 0.01)) if nonlinearity == "LeakyReLU" else 0.0
    )
    return UnetShape(
        kind=kind,
        strides=tuple(tuple(s) if isinstance(s, list) else (int(s),) * 3 for s in strides),
        blocks=_each(blocks, stages),
        decoder_convs=_each(decoder, stages - 1),
        norm_eps=float((given.get("norm_op_kwargs") or {}).get("eps", 1e-5)),
        slope=slope,
    )


def _last(name: Any) -> str:
    return str(name).rpartition(".")[2]


def _each(value: Any, count: int) -> tuple[int, ...]:
    return (int(value),) * count if isinstance(value, int) else tuple(map(int, value))


def _three(values: Any, kind: Any) -> Any:
    first, second, third = values
    return kind(first), kind(second), kind(third)


def _refused(came: str, action: str) -> ModelError:
    return ModelError(came, "a 3D model of CT of nnU-Net v2, one stage, by its default preprocessing", action)
