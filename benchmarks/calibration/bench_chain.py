"""The chain in the simulated room: a point of the patient as it is seen in Unity, against where it is.

    python benchmarks/calibration/bench_chain.py --runs 200

Each run draws a room: where tracker, headset and patient are, the tracker's distortion, the hands' errors. Stylus and
headset are calibrated by the functions behind the commands, the point is touched with that stylus relative to the
reference, the patient moves, and a client decodes the pose batches of the wire and places the point. `--patient-mm` and
the like change the room; the share inside the expected 95 % is to be 93 to 97 %.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from geometry.errors import SurgNavError
from tests.end_to_end.chain import LINKS, Errors, run_chain


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
        try:
            runs.append(run_chain(np.random.default_rng([asked.seed, number]), errors))
        except SurgNavError as error:
            refused[error.came[:70]] += 1
    off_mm = np.array([run.error_mm for run in runs])
    expected_mm = np.array([run.expected_p95_mm for run in runs])
    inside = float(np.mean(off_mm <= expected_mm))
    print(f"{len(runs)} runs, {sum(refused.values())} refused, {time.process_time() - begun:.0f} s of processor time")
    for reason, count in refused.most_common(3):
        print(f"  {count} x {reason}")
    print(f"error of the overlay: median {np.median(off_mm):.2f} mm, p95 {np.percentile(off_mm, 95):.2f} mm")
    print(f"inside its expected 95 %: {inside:.1%} (expected 95 %: median {np.median(expected_mm):.2f} mm)")
    print(f"{'link, alone':22s} {'error RMS, mm':>14s} {'expected RMS, mm':>17s}")
    for name in LINKS:
        made = np.sqrt(np.mean([run.links_mm[name] ** 2 for run in runs]))
        told = np.sqrt(np.mean([run.expected_links_mm[name] ** 2 for run in runs]))
        print(f"{name:22s} {made:14.2f} {told:17.2f}")


if __name__ == "__main__":
    main()
