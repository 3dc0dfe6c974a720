"""Convolutions of concatenated inputs, rewritten as sums of convolutions: the same function, one scale a branch.

A U-Net's decoder concatenates what comes up with what was skipped. Quantised as one tensor the two share a scale,
though one is signed and the other is not. And OpenVINO 2026.4 moves the quantisation in front of the concatenation and
then computes something else than ONNX Runtime does, and than the file says. Convolution is linear, so each branch can
have one of its own, on its own scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Operator to the axis of its weights that counts input channels; axis 1 of the concatenated tensors.
_INPUT_AXIS = {"Conv": 1, "ConvTranspose": 0}


def split_branches(model: ModelProto) -> ModelProto:
    """Replaces each convolution of a concatenation over channels by one for each branch, and a sum.

    A concatenation that anything else reads, or whose branches have no known number of channels, stays.

    Args:
        model: with inferred shapes; changed in place.
    """
    with from_extra("segmentation"):
        from onnxruntime.transformers.onnx_model import OnnxModel

    graph = model.graph
    made_by = {output: node for node in graph.node for output in node.output}
    read = [name for node in graph.node for name in node.input]
    for node in list(graph.node):
        source = made_by.get(node.input[0]) if node.op_type in _INPUT_AXIS else None
        if source is None or source.op_type != "Concat" or read.count(source.output[0]) != 1:
            continue
        channels = [_channels(model, name) for name in source.input]
        if all(channels):
            _split(model, node, list(source.input), channels)
            graph.node.remove(node)
            graph.node.remove(source)
    wanted = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in wanted]:
        graph.initializer.remove(tensor)
    wrapped = OnnxModel(model)
    wrapped.topological_sort()
    return wrapped.model


def _split(model: ModelProto, node: NodeProto, branches: list[str], channels: list[int]) -> None:
    with from_extra("segmentation"):
        from onnx import helper, numpy_helper

    graph = model.graph
    weights = next(numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == node.input[1])
    ends = np.cumsum(channels)[:-1]
    sums = []
    for index, part in enumerate(np.split(weights, ends, axis=_INPUT_AXIS[node.op_type])):
        branch = type(node)()
        branch.CopyFrom(node)
        branch.name, name = f"{node.name}.{index}", f"{node.input[1]}.{index}"
        bias = list(node.input[2:]) if index == 0 else []
        del branch.input[:], branch.output[:]
        branch.input.extend([branches[index], name, *bias])
        branch.output.append(f"{node.output[0]}.{index}")
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(part), name))
        graph.node.append(branch)
        if index == 0:
            sums.append(branch.output[0])
            continue
        last = index == len(channels) - 1
        total = node.output[0] if last else f"{node.output[0]}.sum{index}"
        graph.node.append(helper.make_node("Add", [sums[-1], branch.output[0]], [total], f"{node.name}.sum{index}"))
        sums.append(total)


def _channels(model: ModelProto, name: str) -> int:
    """Size of a tensor's axis 1; 0 if it is not known."""
    for info in model.graph.value_info:
        if info.name == name:
            dimensions = info.type.tensor_type.shape.dim
            return dimensions[1].dim_value if len(dimensions) > 1 else 0
    return 0
