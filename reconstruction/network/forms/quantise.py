"""A network in half precision or in INT8, made from its single-precision ONNX file.

Each form is one ONNX file that OpenVINO, ONNX Runtime and TensorRT all read. INT8 is explicit: QuantizeLinear and
DequantizeLinear nodes before the convolutions, with one scale for each output channel of the weights and one for each
activation, found on calibration data (Jacob et al., CVPR 2018; Wu et al., arXiv:2004.09602). Scales are symmetric and
biases stay in single precision, because TensorRT takes nothing else. Inputs and outputs stay in single precision, so
that a caller need not know which form it runs.

What is quantised is the input of each convolution but the first and the last: the image has 256 grey values and
symmetric INT8 half as many, the logits decide the border, and both convolutions are cheap. What a convolution gives is
quantised after the activation that follows, never before it as well. Weights use 7 of the 8 bits: processors without
VNNI add two products in 16 bits, which 8-bit weights overflow, so that a network's answer would depend on the processor
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, data type selection).
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.errors import QuantisationError
from reconstruction.network.forms.branches import split_branches

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# What is quantised: these hold nearly all arithmetic, and engines fuse them with their quantisation. Normalisation and
# activation between them stay in floating point.
_QUANTISED = ("Conv", "ConvTranspose")


def write_precision(source: Path, target: Path, precision: Precision, calibration: Iterable[Singles] = ()) -> None:
    """Writes a network in another precision.

    Args:
        source: an ONNX file in single precision; its parameters may be stored in half precision.
        target: written whole or not at all.
        precision: ``fp32`` stores the parameters in single precision, with all constants folded.
        calibration: for ``int8`` only: inputs as the network gets them in use, each ``(n, 1, ...)``. They decide the
            scales, so they must show what the network will see.

    Raises:
        QuantisationError: an unknown precision, or INT8 without calibration data.
    """
    if precision not in PRECISIONS:
        raise QuantisationError(f"the precision {precision!r}", ", ".join(PRECISIONS), "choose one of these")
    with _folded(source) as (folder, folded):
        made = folder / "made.onnx"
        if precision == "fp16":
            _write_fp16(folded, made)
        elif precision == "int8":
            _write_int8(folded, made, calibration)
        else:
            made = folded
        _check(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        temporary.write_bytes(made.read_bytes())
        temporary.replace(target)


@contextmanager
def _folded(source: Path) -> Iterator[tuple[Path, Path]]:
    """A folder, and in it the network with constants folded: quantisers need parameters, not casts to parameters."""
    with from_extra("segmentation"):
        from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="surgnav-quantise-") as name:
        folded = Path(name) / "folded.onnx"
        # Symbolic shape inference does not know all operators of a U-Net; the plain one suffices.
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        yield Path(name), folded


def _write_fp16(folded: Path, made: Path) -> None:
    with from_extra("segmentation"):
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel

    model = OnnxModel(convert_float_to_float16(onnx.load(str(folded)), keep_io_types=True))
    model.topological_sort()  # the converter puts its casts at the end
    onnx.save(model.model, str(made))


def _write_int8(folded: Path, made: Path, calibration: Iterable[Singles]) -> None:
    with from_extra("segmentation"):
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    inputs = list(calibration)
    if not inputs:
        raise QuantisationError(
            "no calibration data for INT8", "inputs like those in use", "give a recording that the network may see"
        )
    model = split_branches(onnx.load(str(folded)))
    split = folded.with_name("split.onnx")
    onnx.save(model, str(split))
    reader = _Calibration(model.graph.input[0].name, inputs)
    # Percentiles (99.999 %) lose less than extremes: one bright pixel does not decide a scale. They keep every
    # activation of every input in memory, which images allow and volumes do not.
    images = inputs[0].ndim == 4
    with redirect_stdout(io.StringIO()):  # the calibration talks about its histograms
        quantize_static(
            str(split),
            str(made),
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTISED),
            nodes_to_exclude=_ends(model.graph),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile if images else CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": list(_QUANTISED),
            },
        )


def _ends(graph: GraphProto) -> list[str]:
    """Names of the convolutions that no convolution comes before, and of those that none comes after."""
    return [*_without_other(graph.node, "input", "output"), *_without_other(list(graph.node)[::-1], "output", "input")]


def _without_other(nodes: Iterable[NodeProto], taken: str, given: str) -> list[str]:
    """Convolutions that depend on no other, for nodes in the order in which one depends on another."""
    behind: set[str] = set()
    ends = []
    for node in nodes:
        depends = bool(behind.intersection(getattr(node, taken)))
        if node.op_type in _QUANTISED and not depends:
            ends.append(node.name)
        if node.op_type in _QUANTISED or depends:
            behind.update(getattr(node, given))
    return ends


class _Calibration:
    """Hands calibration inputs to ONNX Runtime one by one (its `CalibrationDataReader`, by shape)."""

    def __init__(self, name: str, inputs: Iterable[Singles]) -> None:
        self._name = name
        self._inputs = iter(inputs)

    def get_next(self) -> dict[str, Singles] | None:
        """The next input by its name; None at the end."""
        array = next(self._inputs, None)
        return None if array is None else {self._name: array}


def _check(path: Path) -> None:
    with from_extra("segmentation"):
        import onnx

    onnx.checker.check_model(onnx.load(str(path)), full_check=True)
