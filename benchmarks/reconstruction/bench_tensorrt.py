"""Frames a second, delay and energy of TensorRT on an NVIDIA GPU, beside eager and compiled torch on the same GPU.

    python benchmarks/reconstruction/bench_tensorrt.py [--frames FOLDER] [--size 616 820] [--seconds 10]

Each measures bytes of a frame in, probabilities out: to the grid, network, softmax, back to the CPU, one at a time.
torch gets the same code around the network, and its copies the same page-locked memory. FOLDER holds PNG images;
without it the frames are noise, whose speed and energy are those of any other frame.

Energy is what the GPU's own counter says (NVML, whole board, idle power included), with the package nvidia-ml-py; the
frames come as fast as they can. Where there is no NVIDIA GPU, the program says so and ends well.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reconstruction.network.engines.cuda_session import Session, find_gpu
from reconstruction.network.engines.frame_operations import FrameOperations
from reconstruction.network.engines.tensorrt_engine import TensorRtEngine
from reconstruction.network.engines.torch_engine import load_network
from reconstruction.network.errors import EngineError
from reconstruction.network.forms.quantise import PRECISIONS
from reconstruction.network.forms.write import write_form
from reconstruction.network.letterbox import letterbox
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.training.images.files import read_pixels, to_grey

NETWORKS = ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny")
Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Measured:
    """Of one engine: how fast, and how much energy a frame took; None where the GPU does not count it."""

    frames_s: float
    median_ms: float
    p99_ms: float
    energy_mj: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=Path, help="folder of PNG images")
    parser.add_argument("--size", type=int, nargs=2, default=(616, 820), help="rows and columns of noise")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    options = parser.parse_args()
    try:
        gpu, device = find_gpu()
    except EngineError:
        if nvidia_smi("-L"):  # a GPU that torch cannot use is something to mend
            raise
        print("not measured: no NVIDIA GPU here")
        return
    print(f"{gpu.name}, compute capability {gpu.capability[0]}.{gpu.capability[1]}, {driver()}")
    frames = read_frames(options.frames) if options.frames else noise(*options.size)
    counter = energy_counter(device.index)
    with tempfile.TemporaryDirectory(prefix="surgnav-bench-") as folder:
        for name in NETWORKS:
            bench(name, frames, Path(folder), options.seconds, counter)


def bench(name: str, frames: list[Frame], folder: Path, seconds: float, counter: Callable[[], float] | None) -> None:
    """Prints a line for each engine and form, then what the issue asks for: ratios, and energy of INT8 to FP32."""
    description = DEFAULT_WEIGHTS.parent / f"{name}.json"
    weights = load_weights(description)
    print(f"\n{name}\n{'engine':58}{'frames/s':>10}{'median ms':>11}{'p99 ms':>9}{'mJ/frame':>10}")
    found = {}
    for engine in ("eager", "compiled"):
        run = torch_frames(weights, frames[0].shape, compiled=engine == "compiled")
        found[engine] = show(f"torch {engine}, fp32", run, frames, seconds, counter)
    for precision in PRECISIONS:
        shipped = description.with_name(f"{name}_{precision}.json")
        path = shipped if shipped.exists() else write_form(description, precision, folder)
        tensorrt = TensorRtEngine(load_weights(path), folder / "plans")
        found[precision] = show(f"{tensorrt.name}, {precision}", tensorrt.run_frame, frames, seconds, counter)
        for note in tensorrt.notes:
            print(f"  {note}")
    for precision in PRECISIONS:
        ratios = [found[precision].frames_s / found[engine].frames_s for engine in ("eager", "compiled")]
        print(f"{precision}: {ratios[0]:.1f} times eager torch, {ratios[1]:.1f} times compiled torch")
    single, int8 = found["fp32"].energy_mj, found["int8"].energy_mj
    if single and int8:
        print(f"energy a frame, int8: {100 * int8 / single:.0f} % of that of fp32")


def show(
    name: str, run: Callable[[Frame], Any], frames: list[Frame], seconds: float, counter: Callable[[], float] | None
) -> Measured:
    measured = measure(run, frames, seconds, counter)
    energy = "no counter" if measured.energy_mj is None else f"{measured.energy_mj:.1f}"
    print(f"{name:58}{measured.frames_s:10.0f}{measured.median_ms:11.3f}{measured.p99_ms:9.3f}{energy:>10}")
    return measured


def measure(
    run: Callable[[Frame], Any], frames: list[Frame], seconds: float, counter: Callable[[], float] | None
) -> Measured:
    """Runs the frames over and over, after a second that is not counted."""
    times_ns: list[int] = []
    for counted_s in (min(1.0, seconds), seconds):
        times_ns.clear()
        before_mj = counter() if counter else 0.0
        start_ns = last_ns = time.perf_counter_ns()
        while last_ns - start_ns < counted_s * 1e9:
            run(frames[len(times_ns) % len(frames)])
            now_ns = time.perf_counter_ns()
            times_ns.append(now_ns - last_ns)
            last_ns = now_ns
        energy_mj = (counter() - before_mj) / len(times_ns) if counter else None
    milliseconds = np.array(times_ns) / 1e6
    return Measured(
        1e3 * len(times_ns) / milliseconds.sum(),
        float(np.median(milliseconds)),
        float(np.percentile(milliseconds, 99)),
        energy_mj,
    )


def torch_frames(weights: Weights, size: tuple[int, ...], *, compiled: bool) -> Callable[[Frame], Any]:
    """The same way of a frame with torch's own network; compiled by its fastest mode, which has CUDA graphs too."""
    import torch

    _, device = find_gpu()
    grid = (weights.window[0], weights.window[1])
    operations = FrameOperations(letterbox((size[0], size[1]), grid), weights.temperature, device)
    network = load_network(weights).to(device)
    if compiled:
        network = torch.compile(network, mode="max-autotune")

    def compute(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.inference_mode():
            image = operations.before(pixels)
            return operations.after(image, network(image))

    return Session(compute, size, torch.uint8, device, graph=False).run


def read_frames(folder: Path) -> list[Frame]:
    """Those of the first one's size, since a stream has one."""
    frames = [to_grey(read_pixels(path)).astype(np.uint8) for path in sorted(folder.glob("*.png"))]
    assert frames, f"no PNG in {folder}"
    return [frame for frame in frames if frame.shape == frames[0].shape]


def noise(rows: int, columns: int) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (rows, columns)).astype(np.uint8) for _ in range(8)]


def nvidia_smi(*words: str) -> str:
    try:
        return subprocess.run(["nvidia-smi", *words], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def driver() -> str:
    found = nvidia_smi("--query-gpu=driver_version,power.limit", "--format=csv,noheader").splitlines()
    return f"driver and power limit {found[0]}" if found else "no nvidia-smi"


def energy_counter(index: int) -> Callable[[], float] | None:
    """Reads the millijoules that the GPU has used since its driver was loaded; None where nothing counts them."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        print("energy is not measured: install nvidia-ml-py")
        return None
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    try:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError as error:
        print(f"energy is not measured: {error}")
        return None
    return lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))


if __name__ == "__main__":
    main()
