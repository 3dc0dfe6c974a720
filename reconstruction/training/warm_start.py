"""A network that starts from another one's weights: the same layers, the last one shared out among new classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.classes import CLASSES, Anatomy
from reconstruction.network.errors import TrainingConfigError
from reconstruction.network.weights import Weights, load_weights, read_parameters, shipped_ct_networks

if TYPE_CHECKING:
    import torch

HEAD = "head."


def shipped_parent(name: str) -> Weights:
    """The shipped network of a name.

    Raises:
        TrainingConfigError: there is none of this name.
    """
    shipped = shipped_ct_networks()
    if name not in shipped:
        raise TrainingConfigError(
            f"start_from = {name!r}", f"a shipped network of CT: {', '.join(shipped)}", "name one of these"
        )
    return load_weights(shipped[name])


def start_from(network: torch.nn.Module, anatomy: Anatomy, parent: Weights) -> None:
    """Gives a network the parameters of another one, in place.

    All layers but the last must have the same shape. A new class starts as an equal share of the parent's class that
    its tissue is: a rib is as likely at first as a vertebra wherever the parent sees bone. What is regressed beside
    the classes keeps its random start.

    Raises:
        TrainingConfigError: the layers differ.
    """
    with from_extra("training"):
        import torch

    values, own = read_parameters(parent.onnx), network.state_dict()
    shapes = {name: value.shape for name, value in values.items()}
    unlike = [n for n, v in own.items() if not n.startswith(HEAD) and shapes.get(n) != tuple(v.shape)]
    if unlike:
        came = f"the network {parent.name} with channels {list(parent.channels)}, unlike in {unlike[0]}"
        action = "set the same `channels`, or leave `start_from` out"
        raise TrainingConfigError(came, "a network with the same channels", action)
    taken = {name: values[name] for name in own if not name.startswith(HEAD)}
    tissues = [anatomy.tissue_of(index) for index in range(len(anatomy.classes))]
    sources = [parent.classes.index(CLASSES[tissue]) for tissue in tissues]
    for name in (n for n in own if n.startswith(HEAD)):
        head: Singles = own[name].numpy().copy()
        for index, source in enumerate(sources):
            head[index] = values[name][source]
            if name.endswith("bias"):
                head[index] -= np.log(tissues.count(tissues[index]))
        taken[name] = head
    network.load_state_dict({name: torch.from_numpy(np.array(value, np.float32)) for name, value in taken.items()})
