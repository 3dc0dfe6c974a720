"""Matching of landmarks that were touched in unknown order: correct share and time, beside an exhaustive search.

The planned points are random within 200 mm, no two nearer than 10 mm. All of them are touched or, with `extra`, two
thirds, of which one in six is 40 mm off; in random order and pose, with an FLE of 0.7 mm. A case is correct if every
touched landmark gets the right name; refusals (ambiguous, too few) are counted separately. The rival tries all orders
with the same least-squares solver and takes the best. It does not handle outliers, and gets none.

    python benchmarks/registration/bench_correspondence.py [--cases 100]
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from registration.errors import LandmarksRefusedError
from registration.landmarks.correspondence import CorrespondenceSettings, match_landmarks

FLE_MM = 0.7
Case = tuple[np.ndarray, np.ndarray, dict[int, int]]
Solver = Callable[[np.ndarray, np.ndarray], dict[int, int] | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    cases = parser.parse_args().cases
    print(
        f"{'planned':>8}{'touched':>9}  {'solver':14}{'cases':>6}{'right':>7}{'wrong':>7}{'refused':>9}"
        f"{'median':>11}{'longest':>11}"
    )
    for count in (4, 5, 6, 8, 12, 16, 20):
        _row(count, False, "surgnav", _ours, cases)
        if count <= 6:
            _row(count, False, "all orders", _all_orders, min(cases, 10))
    for count in (8, 12, 16, 20):
        _row(count, True, "surgnav", _ours, cases)
    _symmetric()


def _case(count: int, extra: bool, rng: np.random.Generator) -> Case:
    """Planned points, touched points, and planned -> touched index of those that were touched."""
    planned = np.empty((0, 3))
    while len(planned) < count:
        point = rng.uniform(-100.0, 100.0, (1, 3))
        if not len(planned) or np.linalg.norm(planned - point, axis=1).min() > 10.0:
            planned = np.vstack([planned, point])
    chosen = rng.permutation(count)[: max(5, 2 * count // 3) if extra else count]
    touched = planned[chosen] + FLE_MM / np.sqrt(3.0) * rng.normal(size=(len(chosen), 3))
    astray = rng.permutation(len(chosen))[: len(chosen) // 6 if extra else 0]
    touched[astray] += 40.0 * rng.normal(size=(len(astray), 3))
    touched = Rotation.random(rng=rng).apply(touched) + rng.uniform(-500.0, 500.0, 3)
    return planned, touched, {int(chosen[i]): i for i in range(len(chosen)) if i not in astray}


def _row(count: int, extra: bool, name: str, solver: Solver, cases: int) -> None:
    rng = np.random.default_rng(count)
    drawn = [_case(count, extra, rng) for _ in range(cases)]
    solver(*drawn[0][:2])  # warm up
    times_ms, right, wrong, refused = [], 0, 0, 0
    for planned, touched, truth in drawn:
        start = time.perf_counter()
        found = solver(planned, touched)
        times_ms.append(1e3 * (time.perf_counter() - start))
        if found is None:
            refused += 1
        elif truth.items() <= found.items():
            right += 1
        else:
            wrong += 1
    print(
        f"{count:>8}{len(drawn[0][1]):>9}  {name:14}{cases:>6}{right:>7}{wrong:>7}{refused:>9}"
        f"{np.median(times_ms):>8.1f} ms{max(times_ms):>8.1f} ms",
        flush=True,
    )


def _ours(planned: np.ndarray, touched: np.ndarray) -> dict[int, int] | None:
    try:
        found = match_landmarks(planned, touched, settings=CorrespondenceSettings(fle_rms_mm=FLE_MM))
    except LandmarksRefusedError:
        return None
    return None if found.ambiguous else {int(name) - 1: number for name, number in found.pairings[0].touched.items()}


def _all_orders(planned: np.ndarray, touched: np.ndarray) -> dict[int, int]:
    centred = touched - touched.mean(axis=0)

    def misfit(order: tuple[int, ...]) -> float:
        return Rotation.align_vectors(centred, planned[list(order)] - planned.mean(axis=0))[1]

    best = min(itertools.permutations(range(len(planned))), key=misfit)
    return {planned_number: number for number, planned_number in enumerate(best)}


def _symmetric() -> None:
    """Symmetric figures with noise, which have several matchings: how many are found, and in what time."""
    angle = np.arange(20) * np.pi / 10.0
    ring = np.column_stack([100.0 * np.cos(angle), 100.0 * np.sin(angle), np.zeros(20)])
    grid = np.stack(np.meshgrid(np.arange(4) * 30.0, np.arange(5) * 30.0, [0.0]), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(0)
    for name, planned, ways in (("ring of 20", ring, 40), ("grid of 4 x 5", grid, 4)):
        start = time.perf_counter()
        found = match_landmarks(planned, planned + 0.3 * rng.normal(size=planned.shape))
        took_ms = 1e3 * (time.perf_counter() - start)
        shortest = pdist(planned).min()
        print(f"{name}, {shortest:.0f} mm apart: {len(found.pairings)} of {ways} ways found, refused, {took_ms:.0f} ms")


if __name__ == "__main__":
    main()
