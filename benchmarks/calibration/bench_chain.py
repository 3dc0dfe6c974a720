"""The chain in the simulated room: points of the patient as they are seen in a headset, against where they are.

    python benchmarks/calibration/bench_chain.py --runs 200

Each run draws a room: where tracker, headset and patient are, the tracker's distortion, the hands' errors. Reference,
stylus, probe and headset are calibrated by the commands, from recordings made in that room. One point of the patient is
touched with the stylus, one is seen in the probe's image; the patient moves, and a client of the wire shows both. The
share inside the expected 95 % is to be 93 to 97 %.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from tests.end_to_end.chain import IMAGED_LINKS, TOUCHED_LINKS, CommandRefusedError, Overlay, run_chain
from tests.end_to_end.chain_room import Errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--hand-mm", type=float, default=Errors.hand_mm, help="RMS error of touching what is drawn in the air"
    )
    parser.add_argument("--depth-ratio", type=float, default=Errors.depth_ratio, help="of it, in depth over across")
    asked = parser.parse_args()
    errors = Errors(hand_mm=asked.hand_mm, depth_ratio=asked.depth_ratio)
    runs, refused, begun = [], Counter[str](), time.process_time()
    for number in range(asked.runs):
        with tempfile.TemporaryDirectory() as folder:
            try:
                runs.append(run_chain(np.random.default_rng([asked.seed, number]), Path(folder), errors))
            except CommandRefusedError as error:
                refused[str(error)[:160]] += 1
    print(f"{len(runs)} runs, {sum(refused.values())} refused, {time.process_time() - begun:.0f} s of processor time")
    for reason, count in refused.most_common(3):
        print(f"  {count} x {reason}")
    told("touched with the stylus", [touched for touched, _ in runs], TOUCHED_LINKS)
    told("seen in the probe's image", [imaged for _, imaged in runs], IMAGED_LINKS)


def told(what: str, runs: list[Overlay], links: tuple[str, ...]) -> None:
    off_mm = np.array([run.error_mm for run in runs])
    expected_mm = np.array([run.expected_p95_mm for run in runs])
    inside = float(np.mean(off_mm <= expected_mm))
    print(f"\na point {what}")
    print(f"error of the overlay: median {np.median(off_mm):.2f} mm, p95 {np.percentile(off_mm, 95):.2f} mm")
    print(f"inside its expected 95 %: {inside:.1%} (expected 95 %: median {np.median(expected_mm):.2f} mm)")
    print(f"{'link, alone':22s} {'error RMS, mm':>14s} {'expected RMS, mm':>17s}")
    for name in links:
        made = np.sqrt(np.mean([run.links_mm[name] ** 2 for run in runs]))
        said = np.sqrt(np.mean([run.expected_links_mm[name] ** 2 for run in runs]))
        print(f"{name:22s} {made:14.2f} {said:17.2f}")


if __name__ == "__main__":
    main()
