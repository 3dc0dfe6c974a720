"""From a training checkpoint to the weights an engine loads: ONNX, and a description beside it."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geometry.extras import from_extra
from reconstruction.network.architecture import WINDOWS_HU, build_network, stride
from reconstruction.network.classes import FIVE_TISSUES, Anatomy
from reconstruction.network.weights import CT_TASK, FORMAT

if TYPE_CHECKING:
    import torch

# Parameters smaller than this stay in single precision: their bytes do not matter.
HALF_ABOVE_BYTES = 4096
OPSET = 17


def export_checkpoint(checkpoint: Path, description: Path) -> Path:
    """Writes ``<name>.onnx`` (weights stored in half precision, computed in single) and its description (JSON).

    The running average of the weights is exported. The description is written last, so that an interrupted export
    leaves a pair whose hash does not fit rather than one that looks whole.
    """
    state = load_checkpoint(checkpoint)
    config = state["config"]
    anatomy = anatomy_of(config)
    network = build_network(config["network"]["channels"], anatomy.channels)
    network.load_state_dict(state["average"])
    onnx_path = description.with_suffix(".onnx")
    description.parent.mkdir(parents=True, exist_ok=True)
    write_onnx(network.eval(), config["network"]["window"], onnx_path)
    text = {
        "format": FORMAT,
        "name": config["name"],
        "dimensions": 3,
        "task": CT_TASK if anatomy == FIVE_TISSUES else f"{len(anatomy.structures)} structures in CT",
        "input_name": "hu",
        "onnx": onnx_path.name,
        "sha256": hashlib.sha256(onnx_path.read_bytes()).hexdigest(),
        "input": "HU, float32 (n, 1, d, h, w), axes nearest to superior, posterior, left; clipped inside the network",
        "output": f"logits, float32 (n, {anatomy.channels}, d, h, w)",
        **described(anatomy),
        "spacing_mm": config["network"]["spacing_mm"],
        "window": config["network"]["window"],
        "stride": stride(config["network"]["channels"]),
        "channels": config["network"]["channels"],
        "windows_hu": [list(window) for window in WINDOWS_HU],
        "trained_iterations": state["iteration"],
        "trained_on": state["trained_on"],
    }
    description.write_text(json.dumps(text, indent=2) + "\n", "utf-8")
    return onnx_path


def anatomy_of(config: dict[str, Any]) -> Anatomy:
    """What the classes of a checkpoint stand for, from its training file."""
    network = config["network"]
    classes = tuple(network.get("classes", FIVE_TISSUES.classes))
    own = {name: (name,) for name in classes[1:]}
    given = {name: tuple(members) for name, members in config.get("anatomy", {}).items()}
    structures = {name: members for name, members in (own | given).items() if members}
    offsets_mm = network["offsets_mm"] if network.get("offsets_of") else None
    return Anatomy(classes, structures, tuple(structures), offsets_mm)


def described(anatomy: Anatomy) -> dict[str, Any]:
    """An anatomy for a description, as `reconstruction.network.weights.load_weights` reads it."""
    text = {
        "classes": list(anatomy.classes),
        "structures": {name: list(members) for name, members in anatomy.structures.items()},
        "offered": list(anatomy.offered),
    }
    if anatomy.offsets_mm is not None:
        text["offsets"] = {"channels": 3, "axes": "i, j, k of the grid", "scale_mm": anatomy.offsets_mm}
    return text


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's tensors and plain values; nothing in it is executed."""
    with from_extra("training"):
        import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def write_onnx(
    network: torch.nn.Module, window: Sequence[int], path: Path, input_name: str = "hu", half: bool = True
) -> None:
    """Exports the network with free batch and window sizes; large parameters are stored in half precision if `half`."""
    with from_extra("training"):
        import onnx
        import torch

    axes = {0: "n"} | dict(enumerate("dhw"[-len(window) :], start=2))
    temporary = path.with_suffix(".tmp")
    with warnings.catch_warnings():
        # The exporter by tracing keeps the parameters' names, which the torch engine needs, and wants no more packages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, *window),),
            str(temporary),
            input_names=[input_name],
            output_names=["logits"],
            dynamic_axes={input_name: axes, "logits": axes},
            opset_version=OPSET,
            do_constant_folding=False,
            dynamo=False,
        )
    model = onnx.load(str(temporary))
    temporary.unlink()
    if half:
        _store_in_half_precision(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _store_in_half_precision(model: Any) -> None:
    """Large parameters become float16 with a Cast to float32 after them: half the file, the same arithmetic."""
    import numpy as np

    with from_extra("training"):
        from onnx import TensorProto, helper, numpy_helper

    casts = []
    for initializer in model.graph.initializer:
        array = numpy_helper.to_array(initializer)
        if array.dtype != np.float32 or array.nbytes < HALF_ABOVE_BYTES:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name + ".half"))
        casts.append(helper.make_node("Cast", [name + ".half"], [name], to=TensorProto.FLOAT))
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + rest)
