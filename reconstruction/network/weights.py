"""Weights and what they need: an ONNX file with its description, checked against each other."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.classes import CLASSES
from reconstruction.network.errors import WeightsError

if TYPE_CHECKING:
    pass

DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "surgnav_ct_v1.json"
FORMAT = 1


@dataclass(frozen=True)
class Weights:
    """A network ready to be loaded by an engine.

    Attributes:
        name: for people and manifests.
        onnx: the ONNX file: HU ``(n, 1, d, h, w)`` float32 to logits ``(n, 5, d, h, w)``, any multiple of `stride`.
        sha256: SHA-256 of the ONNX file, verified.
        spacing_mm: voxel spacing of the isotropic grid it was trained on.
        window: ``(k, j, i)`` voxels it was trained on.
        channels: channels of the U-Net's levels, for torch.
        stride: each side of a window must be a multiple of this.
        trained_on: fingerprints of the scans it has seen (`scan_fingerprint`).
    """

    name: str
    onnx: Path
    sha256: str
    spacing_mm: float
    window: tuple[int, int, int]
    channels: tuple[int, ...]
    stride: int
    trained_on: tuple[str, ...]


def load_weights(path: Path = DEFAULT_WEIGHTS) -> Weights:
    """Reads the description beside the weights and checks the weights' hash.

    Raises:
        WeightsError: missing, of another format or classes, or not the file the description speaks of.
    """
    try:
        text: dict[str, Any] = json.loads(path.read_text("utf-8"))
        onnx = path.parent / text["onnx"]
        digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
    except (OSError, KeyError, ValueError) as error:
        raise WeightsError(
            f"weights that cannot be read: {path.name} or its ONNX file ({type(error).__name__}: {error})",
            "a description and the ONNX file it names, side by side",
            "restore the weights from the repository, or export them with the training code",
        ) from error
    if digest != text.get("sha256"):
        raise WeightsError(
            f"{onnx.name} with the SHA-256 {digest[:12]}",
            f"the SHA-256 {str(text.get('sha256'))[:12]} of its description",
            "restore both files from the repository, or export them again",
        )
    if text.get("format") != FORMAT or tuple(text.get("classes", ())) != CLASSES:
        raise WeightsError(
            f"weights of format {text.get('format')} with classes {text.get('classes')}",
            f"format {FORMAT} with {list(CLASSES)}",
            "use weights exported by this version",
        )
    return Weights(
        name=text["name"],
        onnx=onnx,
        sha256=digest,
        spacing_mm=float(text["spacing_mm"]),
        window=(text["window"][0], text["window"][1], text["window"][2]),
        channels=tuple(text["channels"]),
        stride=int(text["stride"]),
        trained_on=tuple(text["trained_on"]),
    )


def read_parameters(onnx_path: Path) -> dict[str, Singles]:
    """The parameters by their torch names; follows the shared and half-precision ones to their values."""
    import numpy as np

    with from_extra("training"):
        import onnx
        from onnx import numpy_helper

    graph = onnx.load(str(onnx_path)).graph
    values = {i.name: numpy_helper.to_array(i).astype(np.float32) for i in graph.initializer}
    for node in graph.node:
        if node.op_type in {"Identity", "Cast"} and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return values
