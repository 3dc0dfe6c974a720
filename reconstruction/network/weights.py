"""Weights and what they need: an ONNX file with its description, checked against each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.classes import FIVE_TISSUES, Anatomy
from reconstruction.network.errors import WeightsError
from reconstruction.network.image_network import Family

DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "surgnav_ct_v1.json"
FORMAT = 1
CT_TASK = "body, bone, lung and liver in CT"


@dataclass(frozen=True)
class Weights:
    """A network ready to be loaded by an engine.

    Attributes:
        name: for people and manifests.
        onnx: the ONNX file. Volumes: HU ``(n, 1, d, h, w)`` float32 to logits ``(n, 5, d, h, w)``; images: grey 0 to 1
            ``(n, 1, h, w)`` float32 to logits ``(n, classes, h, w)``; sides any multiple of `stride`.
        sha256: of the ONNX file, checked.
        dimensions: 3 for volumes, 2 for images.
        task: what it separates in what.
        classes: names by index.
        input_name: of the ONNX graph's only input.
        spacing_mm: of the isotropic grid it was trained on; None for images, whose scale is the frame's.
        window: ``(k, j, i)`` voxels or ``(h, w)`` pixels it was trained on.
        channels: of the U-Net, for torch.
        family: of a 2D network (`reconstruction.network.image_network`); None for volumes.
        stride: what each side of a window must be a multiple of.
        temperature: logits are divided by it before softmax, so that probabilities are calibrated; 1 changes nothing.
        trained_on: fingerprints of the scans or images it has seen.
        anatomy: what the classes of a CT network mean; None for images.
    """

    name: str
    onnx: Path
    sha256: str
    dimensions: int
    task: str
    classes: tuple[str, ...]
    input_name: str
    spacing_mm: float | None
    window: tuple[int, ...]
    channels: tuple[int, ...]
    family: Family | None
    stride: int
    temperature: float
    trained_on: tuple[str, ...]
    anatomy: Anatomy | None = None

    @property
    def ct_anatomy(self) -> Anatomy:
        """What the classes of a CT network mean.

        Raises:
            WeightsError: the network is one of images.
        """
        if self.anatomy is None:
            raise WeightsError(f"the network {self.name!r} of {self.task}", "a network of CT", "name another network")
        return self.anatomy

    @property
    def ct_spacing_mm(self) -> float:
        """Spacing of the grid of a CT network.

        Raises:
            WeightsError: the network is one of images.
        """
        if self.spacing_mm is None:
            raise WeightsError(f"the network {self.name!r} of {self.task}", "a network of CT", "name another network")
        return self.spacing_mm

    def offering(self, names: Sequence[str]) -> Weights:
        """The same CT network, offering these structures too; ``all`` stands for every one that it finds.

        Raises:
            WeightsError: a structure that it does not find, or a network of images.
        """
        anatomy = self.ct_anatomy
        unknown = [name for name in names if name != "all" and name not in anatomy.structures]
        if unknown:
            found = [name for name in anatomy.structures if name not in anatomy.offered]
            came = f"the structure {unknown[0]!r}, which {self.name} does not find"
            raise WeightsError(came, f"one of {', '.join([*found, 'all'])}", "correct the name, or leave it out")
        wanted = anatomy.structures if "all" in names else [*anatomy.offered, *names]
        order = [name for name in anatomy.structures if name in {*anatomy.offered, *wanted}]
        return replace(self, anatomy=replace(anatomy, offered=tuple(order)))


def shipped_ct_networks() -> dict[str, Path]:
    """Name -> description of the CT networks in the package, the default one first."""
    found = sorted(DEFAULT_WEIGHTS.parent.rglob("surgnav_ct_*.json"), key=lambda path: path != DEFAULT_WEIGHTS)
    return {path.stem: path for path in found}


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
    dimensions, classes = _checked_kind(text)
    spacing_mm = text.get("spacing_mm")
    return Weights(
        name=text["name"],
        onnx=onnx,
        sha256=digest,
        dimensions=dimensions,
        task=text.get("task", CT_TASK),
        classes=classes,
        anatomy=_anatomy(text, classes) if dimensions == 3 else None,
        input_name=text.get("input_name", "hu"),
        spacing_mm=None if spacing_mm is None else float(spacing_mm),
        window=tuple(text["window"]),
        channels=tuple(text["channels"]),
        family=text.get("family"),
        stride=int(text["stride"]),
        temperature=float(text.get("temperature", 1.0)),
        trained_on=tuple(text["trained_on"]),
    )


def _checked_kind(text: dict[str, Any]) -> tuple[int, tuple[str, ...]]:
    """Dimensions and classes of a description, if this version knows such networks."""
    dimensions, classes = text.get("dimensions", 3), tuple(text.get("classes", ()))
    fits = dimensions in (2, 3) and len(classes) > 1
    if text.get("format") != FORMAT or not fits:
        raise WeightsError(
            f"weights of format {text.get('format')} in {dimensions} dimensions with classes {list(classes)}",
            f"format {FORMAT}, in 2 or 3 dimensions, with at least two classes",
            "use weights exported by this version",
        )
    return dimensions, classes


def _anatomy(text: dict[str, Any], classes: tuple[str, ...]) -> Anatomy:
    """The meaning of the classes; a description without one is of the five tissues."""
    if "structures" not in text:
        if classes != FIVE_TISSUES.classes:
            raise WeightsError(
                f"weights of classes {list(classes)} that do not say which structures these make",
                f"'structures' in the description, or the classes {list(FIVE_TISSUES.classes)}",
                "use weights exported by this version",
            )
        return FIVE_TISSUES
    structures = {name: tuple(members) for name, members in text["structures"].items()}
    offsets = text.get("offsets")
    offered = tuple(text.get("offered", structures))
    return Anatomy(classes, structures, offered, None if offsets is None else float(offsets["scale_mm"]))


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
