"""Where the pixels of a live ultrasound image are placed in the patient, in rooms with imperfect calibrations.

    python benchmarks/ultrasound/bench_placed_image.py [--rooms 400]

In each room the patient is registered and the probe calibrated anew, by what the tracker sees; then the camera is moved
and one image is placed by the live path's own code, while the probe is moved over the patient.
tests/navigation/ultrasound/live/probe_room.py says which errors are drawn, and how. Of each image one pixel somewhere
in the scan counts. The mean error is to be below 1.5 mm, and the 95 % ellipsoid to hold 93 to 97 %.
"""

from __future__ import annotations

import argparse

import numpy as np

from tests.navigation.live.timeline.measured_room import CHI2_95
from tests.navigation.ultrasound.live.probe_room import ProbeRoom


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="seed of the first room")
    asked = parser.parse_args()
    found = [ProbeRoom(seed).placed() for seed in range(asked.first, asked.first + asked.rooms)]
    errors_mm = np.array([np.linalg.norm(each.error_mm) for each in found])
    stated_mm = np.sqrt([np.trace(each.covariance_mm2) for each in found])
    p95_mm, speeds = np.array([each.p95_mm for each in found]), np.array([each.speed_mm_s for each in found])
    squared = np.array([each.squared for each in found])
    print(f"{len(found)} images in as many rooms, the probe at {np.median(speeds):.0f} mm/s (median)")
    spread = np.percentile(errors_mm, [50, 95])
    print(f"error mean {errors_mm.mean():.2f} mm, median {spread[0]:.2f} mm, p95 {spread[1]:.2f} mm")
    print(f"RMS {np.sqrt(np.mean(errors_mm**2)):.2f} mm, stated {np.sqrt(np.mean(stated_mm**2)):.2f} mm")
    print(f"the 95 % ellipsoid holds {100.0 * np.mean(squared <= CHI2_95):.1f} %")
    print(
        f"the stated 95 % length (median {np.median(p95_mm):.2f} mm) holds {100.0 * np.mean(errors_mm <= p95_mm):.1f} %"
    )
    for name in found[0].links_mm:
        alone = np.array([each.links_mm[name] for each in found])
        print(f"  {name} alone: {np.sqrt(np.mean(alone**2)):.2f} mm RMS")


if __name__ == "__main__":
    main()
