"""Convolutions of concatenated inputs as sums: the same function, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from geometry.points import Singles
from reconstruction.network.forms.branches import split_branches


def decoder(operator: str, parts: int, read_twice: bool = False) -> onnx.ModelProto:
    """One convolution of concatenated inputs of 3, 4, ... channels; if asked the concatenation is read twice."""
    rng = np.random.default_rng(1)
    channels = [3 + part for part in range(parts)]
    shape = (5, sum(channels), 3, 3) if operator == "Conv" else (sum(channels), 5, 3, 3)
    names = [f"x{part}" for part in range(parts)]
    nodes = [helper.make_node("Relu", [name], [f"{name}.r"]) for name in names]
    nodes.append(helper.make_node("Concat", [f"{name}.r" for name in names], ["all"], axis=1))
    nodes.append(helper.make_node(operator, ["all", "w", "b"], ["y"], name="join", pads=[1, 1, 1, 1], strides=[2, 2]))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    if read_twice:
        nodes.append(helper.make_node("Neg", ["all"], ["other"]))
        outputs.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, None))
    initializers = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), "w"),
        numpy_helper.from_array(rng.normal(size=5).astype(np.float32), "b"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count, 8, 8])
        for name, count in zip(names, channels, strict=True)
    ]
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def answer(model: onnx.ModelProto) -> Singles:
    rng = np.random.default_rng(2)
    given = {
        value.name: rng.normal(size=[d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], given)[0])


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("parts", [2, 3])
def test_the_sum_is_the_same_function(operator: str, parts: int):
    expected = answer(decoder(operator, parts))
    split = split_branches(decoder(operator, parts))
    onnx.checker.check_model(split, full_check=True)
    kinds = [node.op_type for node in split.graph.node]
    assert kinds.count(operator) == parts
    assert kinds.count("Add") == parts - 1
    assert "Concat" not in kinds
    assert "w" not in {tensor.name for tensor in split.graph.initializer}
    np.testing.assert_allclose(answer(split), expected, atol=1e-5)


def test_a_concatenation_that_something_else_reads_stays():
    split = split_branches(decoder("Conv", 2, read_twice=True))
    assert [node.op_type for node in split.graph.node].count("Concat") == 1
