"""A network in half precision or in INT8, made from its single-precision ONNX file.

Each form is one ONNX file that OpenVINO, ONNX Runtime and TensorRT all read. INT8 is explicit: QuantizeLinear and
DequantizeLinear nodes around the convolutions, with one scale for each output channel of the weights and one for each
activation, found on calibration data (Jacob et al., CVPR 2018; Wu et al., arXiv:2004.09602). Scales are symmetric and
biases stay in single precision, because TensorRT takes nothing else. Inputs and outputs stay in single precision, so
that a caller need not know which form it runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.errors import QuantisationError

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
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    inputs = list(calibration)
    if not inputs:
        raise QuantisationError(
            "no calibration data for INT8", "inputs like those in use", "give a recording that the network may see"
        )
    reader = _Calibration(_input_name(folded), inputs)
    quantize_static(
        str(folded),
        str(made),
        reader,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_QUANTISED),
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )


def _input_name(path: Path) -> str:
    with from_extra("segmentation"):
        import onnx

    return str(onnx.load(str(path)).graph.input[0].name)


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
