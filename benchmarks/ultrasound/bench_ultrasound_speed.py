"""Frame in to contour out: how fast each engine and form of the ultrasound networks is, beside eager torch.

    python benchmarks/ultrasound/bench_ultrasound_speed.py DATA [--rounds 300] [--compile]

DATA holds usgra_train/. Frames of its three sizes, 8-bit grey, go through `FrameSegmenter` (onto 256 x 256, network)
and `find_contours` (softmax, contours in the frame's pixels), one at a time. All engines take turns on the same frame,
so that a busy moment falls on all; eager torch runs the very same way. Two cores, then one, each in a process of its
own that is bound to them, with as many threads. `ms` is frame to contour, with the 99th percentile; `network` the
engine alone; `CPU` the processor time of frame to contour over all threads, which other programs hardly change; `torch`
how many times as long eager torch takes from frame to contour, for the network alone, and in processor time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geometry.points import Singles
from navigation.devices.ultrasound.image_folder import ImageFolder
from navigation.devices.ultrasound.source import GreyPixels
from reconstruction.network.engines.choice import this_processor
from reconstruction.network.engines.engine import InferenceEngine
from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.engines.torch_engine import TorchEngine
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.ultrasound.contours import find_contours
from reconstruction.ultrasound.segment import FrameSegmenter

SHIPPED = ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny")
EAGER = "torch eager fp32"
WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=300, help="frames through each engine")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too (needs a C++ compiler)")
    parser.add_argument("--cores", type=int, help="run here on so many cores; by default on 2, then on 1, each apart")
    options = parser.parse_args()
    if options.cores is not None:
        measure(options.data, options.cores, options.rounds, options.compile)
        return
    for cores in (2, 1):
        # Thread pools take the cores that they find when they start, so each number of cores has its process.
        apart = [sys.executable, __file__, *sys.argv[1:], "--cores", str(cores)]
        environment = os.environ | {"OMP_NUM_THREADS": str(cores), "OMP_WAIT_POLICY": "PASSIVE"}
        subprocess.run(apart, check=True, env=environment)


@dataclass
class TimedEngine:
    """An engine whose own time is kept beside that of the whole path."""

    engine: InferenceEngine
    network_ms: list[float] = field(default_factory=list)
    path_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.engine.name

    def run(self, batch: Singles) -> Singles:
        start = time.perf_counter()
        logits = self.engine.run(batch)
        self.network_ms.append(1e3 * (time.perf_counter() - start))
        return logits


def measure(data: Path, cores: int, rounds: int, compiled: bool) -> None:
    """Prints the table of one number of cores."""
    import torch

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    torch.set_num_threads(cores)
    frames = read_frames(data)
    sizes = ", ".join(sorted({f"{f.shape[0]}x{f.shape[1]}" for f in frames}))
    load = os.getloadavg()[0]
    print(f"\n{cores} core(s), {rounds} frames ({sizes}), {this_processor().name}, load {load:.1f}")
    print(
        "network, engine                              ms      p99   frames/s   network     CPU   torch: path, net, CPU"
    )
    for name in SHIPPED:
        weights = load_weights(DEFAULT_WEIGHTS.parent / f"{name}.json")
        engines = {label: TimedEngine(engine) for label, engine in make_engines(name, cores, compiled).items()}
        take_turns(weights, engines, frames, rounds)
        for label, engine in engines.items():
            print(line(f"{name.removeprefix('ultrasound_')}, {label}", engine, engines[EAGER]), flush=True)


def read_frames(data: Path) -> list[GreyPixels]:
    """Every eighth frame of the set."""
    recording = ImageFolder(data / "usgra_train" / "images")
    frames = [recording.frame(index).pixels for index in range(0, len(recording), 8)]
    return [pixels for pixels in frames if pixels is not None]


def make_engines(name: str, threads: int, compiled: bool) -> dict[str, InferenceEngine]:
    """Each engine and form of one network."""
    single, int8 = (load_weights(DEFAULT_WEIGHTS.parent / f"{stem}.json") for stem in (name, f"{name}_int8"))
    engines: dict[str, InferenceEngine] = {
        "OpenVINO fp32": OpenVinoEngine(single, threads=threads),
        "OpenVINO int8": OpenVinoEngine(int8, threads=threads),
    }
    if this_processor().has_bf16:
        engines["OpenVINO bf16"] = OpenVinoEngine(single, "bf16", threads)
        engines["OpenVINO int8+bf16"] = OpenVinoEngine(int8, "bf16", threads)
    engines[EAGER] = TorchEngine(single)
    if compiled:
        engines["torch.compile fp32"] = CompiledTorch(single)
    return engines


class CompiledTorch(TorchEngine):
    """The same module through torch.compile."""

    def __init__(self, weights: Weights) -> None:
        import torch

        super().__init__(weights)
        compiled: Callable[..., Any] = torch.compile(self._network)
        self._network = compiled
        self.name = f"torch.compile {torch.__version__}"


def take_turns(weights: Weights, engines: dict[str, TimedEngine], frames: list[GreyPixels], rounds: int) -> None:
    """Each engine on each frame, frame after frame."""
    segmenters = {label: FrameSegmenter(weights, engine) for label, engine in engines.items()}
    for turn in range(WARM_UP + rounds):
        pixels = frames[turn % len(frames)]
        for label, segmenter in segmenters.items():
            start, cpu = time.perf_counter(), time.process_time()
            segmented = segmenter.segment(pixels)
            find_contours(segmented.probabilities, segmented.placement, segmented.classes)
            engines[label].path_ms.append(1e3 * (time.perf_counter() - start))
            engines[label].cpu_ms.append(1e3 * (time.process_time() - cpu))
    for engine in engines.values():
        del engine.path_ms[:WARM_UP], engine.network_ms[:WARM_UP], engine.cpu_ms[:WARM_UP]


def line(label: str, engine: TimedEngine, eager: TimedEngine) -> str:
    """One row of the table."""
    kinds = [(engine.path_ms, eager.path_ms), (engine.network_ms, eager.network_ms), (engine.cpu_ms, eager.cpu_ms)]
    path, network, cpu = (float(np.median(own)) for own, _ in kinds)
    ratios = ", ".join(f"{np.median(other) / np.median(own):.2f}" for own, other in kinds)
    p99 = float(np.percentile(engine.path_ms, 99))
    return f"{label:40} {path:6.2f}  {p99:7.2f}   {1e3 / path:7.1f}   {network:7.2f}  {cpu:6.2f}   {ratios}"


if __name__ == "__main__":
    main()
