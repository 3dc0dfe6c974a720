"""What differs between versions of TensorRT, and what is said where one or its GPU is absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from reconstruction.network.engines import tensorrt_versions
from reconstruction.network.engines.cuda_session import find_gpu
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.engines.tensorrt_engine import TensorRtEngine
from reconstruction.network.engines.tensorrt_versions import (
    Gpu,
    TensorRt,
    create,
    import_tensorrt,
    network_flags,
    set_precision,
    set_target,
)
from reconstruction.network.errors import EngineError
from reconstruction.ultrasound.segment import FrameEngine


def test_tensorrt_for_rtx_has_every_name_that_the_stubs_type(rtx):
    """mypy checks the code against TensorRT's stubs; this is the other module."""
    names = set(TensorRt.__annotations__) - {"__name__"}
    assert {name for name in names if not hasattr(rtx, name)} == set()
    assert {"IExecutionContext", "ICudaEngine"} <= set(dir(rtx))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ICudaEngine", "num_io_tensors get_tensor_name get_tensor_mode get_tensor_dtype create_runtime_config"),
        ("IExecutionContext", "set_input_shape get_tensor_shape set_tensor_address execute_async_v3"),
        ("IRuntimeConfig", "cuda_graph_strategy dynamic_shapes_kernel_specialization_strategy create_runtime_cache"),
        ("IRuntimeConfig", "set_runtime_cache"),
        ("IRuntimeCache", "serialize deserialize"),
        ("CudaGraphStrategy", "WHOLE_GRAPH_CAPTURE DISABLED"),
        ("DynamicShapesKernelSpecializationStrategy", "EAGER"),
        ("ComputeCapability", "SM75"),
        ("IBuilderConfig", "num_compute_capabilities set_compute_capability"),
    ],
)
def test_tensorrt_for_rtx_has_what_only_a_gpu_would_call(rtx, kind: str, names: str):
    missing = [name for name in names.split() if not hasattr(getattr(rtx, kind), name)]
    assert not missing


def test_the_live_path_gives_it_whole_frames():
    """By its shape alone: nothing else says that scaling and softmax are left to the GPU."""
    assert issubclass(TensorRtEngine, FrameEngine)
    assert not issubclass(OpenVinoEngine, FrameEngine)


def test_a_folder_of_type_stubs_is_no_tensorrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "stubs_of_nobody").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tensorrt_versions, "MODULES", ("stubs_of_nobody",))
    with pytest.raises(EngineError, match="type stubs only"):
        import_tensorrt()
    monkeypatch.setattr(tensorrt_versions, "MODULES", ("stubs_of_nobody", "tensorrt_rtx"))
    assert import_tensorrt().__name__ == "tensorrt_rtx"
    sys.modules.pop("stubs_of_nobody")


class Flags(SimpleNamespace):
    """A builder's configuration that remembers its flags."""

    def __init__(self) -> None:
        super().__init__(there={"TF32"})
        self.set_flag, self.clear_flag = self.there.add, self.there.discard


def version(strongly_typed: bool) -> SimpleNamespace:
    """The few names that 8.5 and 10 differ in."""
    creation = SimpleNamespace(EXPLICIT_BATCH=0, **({"STRONGLY_TYPED": 1} if strongly_typed else {}))
    flags = (
        SimpleNamespace(TF32="TF32", FP16="FP16", INT8="INT8") if not strongly_typed else SimpleNamespace(TF32="TF32")
    )
    return SimpleNamespace(
        NetworkDefinitionCreationFlag=creation,
        BuilderFlag=flags,
        LayerType=SimpleNamespace(QUANTIZE="quantise"),
        DataType=SimpleNamespace(HALF="half"),
    )


def layer(kind: str, dtype: str) -> SimpleNamespace:
    return SimpleNamespace(type=kind, get_output=lambda index: SimpleNamespace(dtype=dtype))


@pytest.mark.parametrize(
    ("layers", "allowed"),
    [
        ([layer("convolution", "single")], set()),
        ([layer("convolution", "half"), layer("cast", "single")], {"FP16"}),
        ([layer("quantise", "int8"), layer("convolution", "single")], {"INT8"}),
    ],
)
def test_before_strong_types_only_what_the_file_states_is_allowed(layers, allowed: set[str]):
    """With FP16 allowed, 8.5 would compute a network in single precision in half."""
    old, config = version(strongly_typed=False), Flags()
    set_precision(old, config, layers)
    assert config.there == allowed
    assert network_flags(old) == 1


def test_from_strong_types_on_no_flag_is_set():
    new, config = version(strongly_typed=True), Flags()
    set_precision(new, config, [layer("quantise", "int8")])
    assert config.there == set()
    assert network_flags(new) == 2


def test_an_old_gpu_is_named_to_tensorrt_for_rtx(rtx):
    config = rtx.Builder(rtx.Logger(rtx.Logger.ERROR)).create_builder_config()
    set_target(rtx, config, Gpu("NVIDIA L4", (8, 9)))
    assert config.num_compute_capabilities == 0
    set_target(rtx, config, Gpu("Quadro RTX 6000", (7, 5)))
    assert config.num_compute_capabilities == 1
    assert config.get_compute_capability(0) == rtx.ComputeCapability.SM75


def test_a_builder_that_does_not_start_is_an_error_with_advice():
    def none(logger: object) -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(EngineError, match="nvidia-smi"):
        create(none, None)


def fake_torch(cuda: str | None, available: bool) -> ModuleType:
    """A torch of another build, as far as `find_gpu` asks it before there is a GPU."""
    torch = ModuleType("torch")
    torch.__version__ = "2.13.0"
    torch.version = SimpleNamespace(cuda=cuda)
    torch.cuda = SimpleNamespace(is_available=lambda: available)
    return torch


@pytest.mark.parametrize(
    ("torch", "said"),
    [
        (None, r"no torch.*surgnav\[training\]"),
        (fake_torch(None, False), "built without CUDA.*SURGNAV_TORCH=cuda"),
        (fake_torch("13.0", False), "no NVIDIA GPU.*driver for CUDA 13.0.*nvidia-smi"),
    ],
)
def test_without_a_usable_gpu_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, torch, said: str):
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(EngineError, match=said):
        find_gpu()
    with pytest.raises(EngineError, match=said):
        choose_engine("tensorrt")


def test_the_benchmark_says_that_it_measured_nothing(repository: Path):
    """Without a GPU nothing is measured, and no figure is shown in its place."""
    try:
        find_gpu()
    except EngineError:
        command = [sys.executable, str(repository / "benchmarks" / "reconstruction" / "bench_tensorrt.py")]
        environment = {"PYTHONPATH": str(repository), "PATH": ""}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert (result.returncode, result.stdout) == (0, "not measured: no NVIDIA GPU here\n"), result.stderr
    else:
        pytest.skip("there is a GPU here")
