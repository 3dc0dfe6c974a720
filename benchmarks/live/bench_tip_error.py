"""How often the live 95 % ellipsoid of a tip holds the truth, in simulated rooms where everything has an error.

    python benchmarks/live/bench_tip_error.py [--rooms 500] [--instants 4]

Each room is pivoted and registered anew, then its camera is moved; tests/navigation/live/timeline/measured_room.py
says which errors are drawn, and how. Beside it a ball of one radius for the whole room: the registration's expected
error at the landmarks' centre, which knows nothing of the tool, of motion or of direction.
"""

from __future__ import annotations

import argparse

import numpy as np

from tests.navigation.live.timeline.measured_room import CHI2_95, Instant, MeasuredRoom


def run(rooms: int, instants: int) -> tuple[list[Instant], list[float]]:
    """The instants of all rooms, and for each the radius in mm of the ball."""
    found: list[Instant] = []
    radii_mm: list[float] = []
    for seed in range(rooms):
        room = MeasuredRoom(seed)
        seen = room.instants(instants)
        found += seen
        radii_mm += [room.ball_mm] * len(seen)
    return found, radii_mm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=500)
    parser.add_argument("--instants", type=int, default=4)
    arguments = parser.parse_args()
    found, radii_mm = run(arguments.rooms, arguments.instants)
    squared = np.array([each.squared for each in found])
    errors_mm = np.array([np.linalg.norm(each.error_mm) for each in found])
    stated_mm = np.sqrt([np.trace(each.covariance_mm2) for each in found])
    speeds = np.array([each.speed_mm_s for each in found])
    ages_ms = np.array([each.age_ms for each in found])
    print(
        f"{len(found)} instants in {arguments.rooms} rooms, {ages_ms.mean():.0f} ms old, at most {ages_ms.max():.0f} ms"
    )
    print(
        f"error of the tip {np.sqrt(np.mean(errors_mm**2)):.2f} mm RMS, stated {np.sqrt(np.mean(stated_mm**2)):.2f} mm"
    )
    print(f"the 95 % ellipsoid holds {100.0 * np.mean(squared <= CHI2_95):.1f} %")
    for low, high in ((0, 25), (25, 50), (50, 75), (75, 100)):
        some = (low <= speeds) & (speeds < high)
        print(f"  at {low} to {high} mm/s: {100.0 * np.mean(squared[some] <= CHI2_95):.1f} % of {some.sum()}")
    for low, high in ((0, 15), (15, 25), (25, 100)):
        some = (low <= ages_ms) & (ages_ms < high)
        print(f"  {low} to {high} ms old: {100.0 * np.mean(squared[some] <= CHI2_95):.1f} % of {some.sum()}")
    held = np.mean(errors_mm <= np.array(radii_mm))
    print(f"a ball of the registration's 95 % error alone holds {100.0 * held:.1f} %")


if __name__ == "__main__":
    main()
