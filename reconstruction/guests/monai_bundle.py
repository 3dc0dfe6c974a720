"""MONAI bundles: the bundle's own inference configuration, run on a CT that is already in memory.

The bundle's transforms, network, inferer and post-processing are MONAI's objects made from its configuration; only its
steps that read and write files are left out (https://docs.monai.io/en/stable/mb_specification.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.orientation import flip_affine_ras_lps
from geometry.volume import Volume
from reconstruction.guests import monai_config as config
from reconstruction.guests.axes import from_ras_array
from reconstruction.guests.card import NOT_STATED, ModelCard
from reconstruction.guests.errors import ModelError
from reconstruction.guests.files import digests, load_checkpoint, read_json, stated_licence
from reconstruction.guests.guest import Progress
from reconstruction.labels.segments import Segment, SegmentLayers

METADATA = "configs/metadata.json"
WEIGHTS = ("models/model.pt", "models/model.ts")
BACKGROUND = ("background", "bg", "outside")
NO_ORIENTATION = "the CT's own axes"


def is_monai_bundle(path: Path) -> bool:
    """Whether this folder looks like a MONAI bundle."""
    return (path / METADATA).is_file()


def read_monai_card(folder: Path, name: str, trusted: bool) -> ModelCard:
    """The card of a bundle, from its metadata and its preprocessing; nothing in it is run.

    Raises:
        ModelError: no bundle that this program runs.
    """
    metadata = read_json(folder / METADATA)
    channels = _channels(metadata)
    parser = config.read_config(folder, trusted)
    by_name = {config.short_name(step): step for step in config.steps(parser, config.PREPROCESSING)}

    def of(step: str, argument: str) -> Any:
        return config.plain(parser, by_name.get(step, {}).get(argument))

    spacing, orientation = _three(of("Spacingd", "pixdim")), of("Orientationd", "axcodes") or NO_ORIENTATION
    inferer = parser.get(config.INFERER)
    window = _three(config.plain(parser, inferer.get("roi_size")) if isinstance(inferer, dict) else None)
    notes = ("mixed precision is left out: it runs in single precision on the CPU",)
    return ModelCard(
        name=name,
        kind="monai",
        path=str(folder),
        structures=tuple(label for value, label in channels.items() if not _is_background(value, label)),
        spacing_mm=spacing,
        orientation=str(orientation),
        intensities_hu=_two(of("ScaleIntensityRanged", "a_min"), of("ScaleIntensityRanged", "a_max")),
        window=None if window is None else (int(window[0]), int(window[1]), int(window[2])),
        licence=stated_licence(folder),
        trained_on=str(metadata.get("data_source") or NOT_STATED)[:200],
        modality=_check_ct(metadata),
        notes=notes,
        files=digests(folder, [folder / METADATA, config.config_file(folder), _weights(folder)]),
        trusted=trusted,
    )


class MonaiBundle:
    """A bundle that is ready to run.

    Raises:
        ModelError: its configuration or weights cannot be used.
    """

    def __init__(self, card: ModelCard) -> None:
        with from_extra("training"):
            import monai
            import torch
        self._card, folder = card, Path(card.path)
        self.engine = f"monai {monai.__version__}, torch {torch.__version__}, CPU"
        self._channels = _channels(read_json(folder / METADATA))
        parser = config.read_config(folder, card.trusted)
        self._preprocess = config.evaluated(parser, config.PREPROCESSING)
        self._inferer = config.evaluated(parser, config.INFERER)
        with_post = parser.get(config.POSTPROCESSING) is not None
        self._postprocess = config.evaluated(parser, config.POSTPROCESSING) if with_post else None
        self._network = _network(parser, _weights(folder), card.trusted)

    @property
    def card(self) -> ModelCard:
        return self._card

    def segment(self, ct: Volume, progress: Progress | None = None) -> SegmentLayers:
        """See `Guest.segment`."""
        try:
            answer = self.run(ct)
        except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as error:
            raise ModelError(
                f"a failure of the MONAI bundle on this CT ({type(error).__name__}: {str(error)[:160]})",
                "an answer",
                "run 'surgnav models check'; if that works, the CT does not suit the bundle",
            ) from error
        layers = _label_layers(np.asarray(answer), self._channels)
        affine = np.asarray(answer.affine, np.float64)
        volumes = tuple(from_ras_array(layer, affine, ct.frame) for layer in layers)
        segments = _segments(self._channels, len(layers))
        return SegmentLayers(volumes, segments, f"the MONAI bundle '{self._card.name}'")

    def run(self, ct: Volume) -> Any:
        """What the bundle's post-processing leaves of the prediction: ``(channels, ni, nj, nk)``, its affine in RAS."""
        with from_extra("training"):
            import torch
            from monai.data import MetaTensor, decollate_batch, list_data_collate
            from monai.utils import MetaKeys

        voxels = np.array(ct.voxels.transpose(2, 1, 0), np.float32)
        image = MetaTensor(torch.from_numpy(voxels), affine=torch.from_numpy(flip_affine_ras_lps(ct.affine)))
        image.meta[MetaKeys.ORIGINAL_CHANNEL_DIM] = float("nan")  # none
        image.meta[MetaKeys.SPATIAL_SHAPE] = np.array(voxels.shape)
        image.meta[MetaKeys.ORIGINAL_AFFINE] = image.affine.clone()
        with torch.no_grad():
            batch = list_data_collate([self._preprocess({"image": image})])
            batch["pred"] = self._inferer(batch["image"], self._network)
            (item,) = decollate_batch(batch)
            return (item if self._postprocess is None else self._postprocess(item))["pred"]


def _network(parser: Any, path: Path, trusted: bool) -> Any:
    with from_extra("training"):
        import torch

    if path.suffix == ".ts":
        try:
            return torch.jit.load(str(path), map_location="cpu").eval()
        except RuntimeError as error:
            raise ModelError(
                f"{path.name}, which torch cannot read", "a TorchScript file", "restore the file"
            ) from error
    network = config.evaluated(parser, config.NETWORK)
    state = load_checkpoint(path, trusted)
    state = state.get("model", state.get("state_dict", state)) if isinstance(state, Mapping) else state
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        said = " ".join(str(error).split())[:160]
        raise ModelError(
            f"weights that are not those of the bundle's network ({said})", "weights that fit", "restore both files"
        ) from error
    return network.eval()


def _weights(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise ModelError("a MONAI bundle without weights", " or ".join(WEIGHTS), "download its weights, as its README says")


def _channels(metadata: Mapping[str, Any]) -> dict[int, str]:
    """Value of a label, or index of a channel -> name, as the metadata define them."""
    try:
        defined = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
        return {int(value): str(name) for value, name in defined.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            "a MONAI bundle whose metadata do not name its labels",
            "network_data_format.outputs.pred.channel_def in configs/metadata.json",
            "add the names there",
        ) from error


def _check_ct(metadata: Mapping[str, Any]) -> str:
    inputs = metadata["network_data_format"].get("inputs", {}).get("image", {})
    modality, channels = str(inputs.get("modality", NOT_STATED)), inputs.get("num_channels", 1)
    if channels != 1 or modality.upper().startswith(("MR", "US", "PET")):
        raise ModelError(
            f"a network of {modality} with {channels} channels", "one of CT, one channel", "choose another network"
        )
    return modality


def _label_layers(answer: NDArray[np.generic], channels: Mapping[int, str]) -> list[NDArray[np.uint16]]:
    """Labels ``(ni, nj, nk)``: one layer, or one for each channel where the bundle leaves masks that may overlap."""
    if len(answer) == 1:
        return [np.rint(answer[0]).astype(np.uint16)]
    if np.isin(answer, (0, 1)).all():
        return [mask.astype(np.uint16) for mask in answer]
    if _is_background(0, channels.get(0, "")):
        return [answer.argmax(axis=0).astype(np.uint16)]
    return [(mask > 0.5).astype(np.uint16) for mask in answer]


def _segments(channels: Mapping[int, str], layers: int) -> tuple[Segment, ...]:
    named = {value: name for value, name in channels.items() if not _is_background(value, name)}
    if layers == 1:
        # A single mask is 1 inside, whatever the index of the only channel.
        return tuple(Segment(max(1, value), name) for value, name in named.items())
    return tuple(Segment(1, name, layer=channel) for channel, name in named.items() if channel < layers)


def _is_background(value: int, name: str) -> bool:
    return value == 0 and name.strip().lower() in BACKGROUND


def _three(value: Any) -> tuple[float, float, float] | None:
    if isinstance(value, list) and len(value) == 3 and all(isinstance(part, int | float) for part in value):
        return float(value[0]), float(value[1]), float(value[2])
    return None


def _two(low: Any, high: Any) -> tuple[float, float] | None:
    return (float(low), float(high)) if isinstance(low, int | float) and isinstance(high, int | float) else None
