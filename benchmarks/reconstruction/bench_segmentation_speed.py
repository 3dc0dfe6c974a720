"""The segmentation beside MONAI's `sliding_window_inference` in eager torch: time, processor time and agreement.

    python benchmarks/reconstruction/bench_segmentation_speed.py DATA [--rounds 3] [--model MODEL.json]

DATA holds ``ct/lidc0314_dicom.tar.gz`` (275 slices of 1 mm). Both get the same weights, the same HU on the network's
grid, the same overlap and Gaussian weights, and take turns, so that a busy moment falls on both. Rows:

- one window: the network alone, on the middle window.
- windows: HU on the grid to class probabilities, the whole of what `sliding_window_inference` does, with softmax.
- CT to structures: the CT in memory to corrected structures; resampling and correction are ours in both.

Times are medians over the rounds; the ratio is that of the medians. Dice is between the two, of each tissue, after
the correction.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.ct.read import read_ct
from reconstruction.network.classes import CLASSES
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.engines.torch_engine import load_network
from reconstruction.network.grid import network_grid, resample_hu, to_nearest_lps
from reconstruction.network.segmentation import DEFAULT_ISLANDS, class_probabilities, tidy
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.training.evaluate import dice

OVERLAP = 0.25
WINDOWS_A_ROUND = 3
ROWS = {
    "one window": ("one window",),
    "windows": ("windows",),
    "CT to structures": ("resample", "windows", "correct"),
}
Lap = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of shared data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, default=DEFAULT_WEIGHTS, help="JSON description of a network of CT")
    options = parser.parse_args()
    weights = load_weights(options.model)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(options.data / "ct" / "lidc0314_dicom.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        ct = to_nearest_lps(read_ct(folder).volume)
    compare(ct, weights, options.rounds)


def compare(ct: Volume, weights: Weights, rounds: int) -> None:
    """Prints the table, and how far the two agree."""
    engine, theirs = choose_engine(None, weights), Monai(weights)
    grid = network_grid(ct, weights.ct_spacing_mm)
    print(f"{weights.name}, {ct.voxels.shape} at {ct.spacing_mm} mm, {grid.shape} on the grid; {engine.name}")
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {rounds} rounds in turns", flush=True)
    middle = middle_window(resample_hu(ct, grid), weights)
    ways: dict[str, tuple[Callable[[Singles], Any], Callable[[Singles], Singles]]] = {
        "monai": (theirs.window, theirs),
        "surgnav": (engine.run, lambda hu: class_probabilities(hu, weights, engine, OVERLAP)),
    }
    times: dict[str, dict[str, list[Lap]]] = {way: {} for way in ways}
    found: dict[str, Singles] = {}
    for window, _ in ways.values():
        window(middle)  # compiles
    for _ in range(rounds):
        for way, (window, inference) in ways.items():
            laps = Laps(times[way])
            for _ in range(WINDOWS_A_ROUND):
                laps.run("one window", lambda window=window: window(middle))
            hu = laps.run("resample", lambda: resample_hu(ct, grid))
            output = laps.run("windows", lambda inference=inference, hu=hu: inference(hu))
            found[way] = laps.run("correct", lambda output=output, hu=hu: corrected(output, weights, hu))
    show(times["monai"], times["surgnav"])
    agreement(found["surgnav"], found["monai"])


class Laps:
    """Times what is done, in seconds and in seconds of the processor."""

    def __init__(self, times: dict[str, list[Lap]]) -> None:
        self._times = times

    def run(self, name: str, work: Callable[[], Any]) -> Any:
        """Returns what `work` returns."""
        start, start_cpu = time.perf_counter(), time.process_time()
        result = work()
        lap = (time.perf_counter() - start, time.process_time() - start_cpu)
        self._times.setdefault(name, []).append(lap)
        return result


def show(monai: dict[str, list[Lap]], surgnav: dict[str, list[Lap]]) -> None:
    """The table, of medians."""
    print("| what | MONAI, torch: s (processor s) | SurgNav: s (processor s) | times faster (by processor time) |")
    print("|---|---|---|---|")
    for row, parts in ROWS.items():
        (slow, slow_cpu), (fast, fast_cpu) = (
            [sum(statistics.median(lap[kind] for lap in times[part]) for part in parts) for kind in (0, 1)]
            for times in (monai, surgnav)
        )
        print(
            f"| {row} | {slow:.2f} ({slow_cpu:.2f}) | {fast:.2f} ({fast_cpu:.2f}) "
            f"| {slow / fast:.1f} ({slow_cpu / fast_cpu:.1f}) |"
        )


def agreement(a: Singles, b: Singles) -> None:
    """Prints the largest difference, and the Dice of each class."""
    found, expected = a.argmax(axis=0), b.argmax(axis=0)
    print(f"largest difference of a probability after the correction: {np.abs(a - b).max():.1e}")
    for index, name in enumerate(CLASSES):
        print(f"Dice of {name}: {dice(found == index, expected == index):.5f}")


def corrected(output: Singles, weights: Weights, hu: Singles) -> Singles:
    """The five tissues as `segment` corrects them."""
    anatomy = weights.ct_anatomy
    tissues = anatomy.tissues(output[: len(anatomy.classes)])
    tidy(tissues, hu, DEFAULT_ISLANDS, weights.ct_spacing_mm)
    return tissues


class Monai:
    """`sliding_window_inference` in eager torch, as MONAI's documentation has it."""

    def __init__(self, weights: Weights) -> None:
        import torch

        self._network, self._weights = load_network(weights), weights
        torch.set_num_threads(len(os.sched_getaffinity(0)))

    def __call__(self, hu: Singles) -> Singles:
        import torch
        from monai.inferers import sliding_window_inference

        count = len(self._weights.ct_anatomy.classes)
        missing = [max(0, w - n) for w, n in zip(self._weights.window, hu.shape, strict=True)]
        padded = np.pad(hu, [(m // 2, m - m // 2) for m in missing], mode="edge")

        def predict(batch: torch.Tensor) -> torch.Tensor:
            output = self._network(batch)
            return torch.cat([output[:, :count].softmax(dim=1), output[:, count:]], dim=1)

        with torch.inference_mode():
            volume = torch.from_numpy(padded)[None, None]
            blended = sliding_window_inference(
                volume, self._weights.window, 1, predict, overlap=OVERLAP, mode="gaussian"
            )
        k, j, i = (slice(m // 2, m // 2 + n) for m, n in zip(missing, hu.shape, strict=True))
        return np.asarray(blended[0].numpy()[:, k, j, i])

    def window(self, batch: Singles) -> Singles:
        import torch

        with torch.inference_mode():
            return np.asarray(self._network(torch.from_numpy(batch)).numpy())


def middle_window(hu: Singles, weights: Weights) -> Singles:
    """The window in the middle of the scan."""
    starts = [max(0, (n - w) // 2) for n, w in zip(hu.shape, weights.window, strict=True)]
    k, j, i = (slice(s, s + w) for s, w in zip(starts, weights.window, strict=True))
    part = hu[k, j, i]
    missing = [(0, w - n) for w, n in zip(weights.window, part.shape, strict=True)]
    return np.ascontiguousarray(np.pad(part, missing, mode="edge")[None, None])


if __name__ == "__main__":
    main()
