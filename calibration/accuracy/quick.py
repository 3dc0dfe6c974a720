"""Accuracy in a minute: distances between known points, and a single point from all sides.

What is measured follows ASTM F2554, "Standard Practice for Measurement of Positional Accuracy of Computer Assisted
Surgical Systems": the error of distances between points of a block, and how far apart a single point lies when it is
touched from several sides. Neither needs the block's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from calibration.accuracy.block import Block
from calibration.accuracy.drift import DriftSettings
from calibration.accuracy.errors import CheckRefusedError
from calibration.accuracy.record import AccuracyRecord
from calibration.accuracy.visits import Visit, find_visits
from calibration.result import CalibrationResult
from calibration.streams import PoseStream
from geometry.points import Floats

# A distance that is so far off is that of other points.
_OTHER_POINTS_MM = 15.0


def quick_accuracy(result: CalibrationResult, stream: PoseStream, block: Block, made: str) -> AccuracyRecord:
    """Measures a tool on a block that was touched point by point, in the block's order.

    Args:
        result: the tool's calibration in force.
        stream: poses of the tool, relative to something that the block is fixed to.
        made: when, ISO 8601 with a time zone.

    Raises:
        CheckRefusedError: a calibration without a tip, another number of points, or points in another order.
    """
    tip_mm, expected_mm = tip_and_error(result)
    visits = find_visits(stream, tip_mm)
    if len(visits) != len(block.points_mm):
        raise other_number(visits, block, stream)
    off = distance_errors_mm(visits, block)
    errors_mm = np.array(list(off.values()))
    worst = max(off, key=lambda pair: abs(off[pair]))
    single = max(visits, key=lambda visit: visit.tilt_deg)
    return AccuracyRecord(
        subject=result.subject,
        made=made,
        block=block.name,
        calibrated=result.made,
        n_points=len(visits),
        n_poses=len(stream),
        duration_s=stream.duration_s,
        distance_rms_mm=float(np.sqrt(np.mean(errors_mm**2))),
        distance_max_mm=float(np.abs(errors_mm).max()),
        distance_mean_mm=float(errors_mm.mean()),
        worst_distance=f"{worst[0]} to {worst[1]}",
        single_point_rms_mm=float(np.sqrt(np.mean(single.off_mm**2))),
        single_point_p95_mm=float(np.percentile(single.off_mm, 95.0)),
        single_point_tilt_deg=single.tilt_deg,
        expected_distance_rms_mm=expected_distance_rms_mm(expected_mm),
        limit_mm=block.limit_mm,
    )


def distance_errors_mm(visits: Sequence[Visit], block: Block) -> dict[tuple[str, str], float]:
    """Error of each distance, by the names of its points.

    Raises:
        CheckRefusedError: one is so far off that these are other points, or another order.
    """
    off = {}
    for (one, first), (other, second) in combinations(zip(block.points_mm.items(), visits, strict=True), 2):
        known_mm = float(np.linalg.norm(np.subtract(one[1], other[1])))
        off[one[0], other[0]] = float(np.linalg.norm(first.place_mm - second.place_mm)) - known_mm
        if abs(off[one[0], other[0]]) > _OTHER_POINTS_MM:
            raise CheckRefusedError(
                f"a distance from {one[0]} to {other[0]} that is {off[one[0], other[0]]:+.1f} mm off",
                f"the points of {block.name} in the order {', '.join(block.points_mm)}",
                "touch them in this order, on this block",
            )
    return off


def other_number(visits: Sequence[Visit], block: Block, stream: PoseStream) -> CheckRefusedError:
    """The refusal of a tip that rested on another number of points than the block has."""
    at = ", ".join(f"{visit.begin_s - stream.time_s[0]:.1f}" for visit in visits[:12]) or "never"
    return CheckRefusedError(
        f"{len(visits)} points that the tip rested on, from (s after the beginning) {at}",
        f"the {len(block.points_mm)} points of {block.name}: {', '.join(block.points_mm)}",
        "hold the tip on each of them for two seconds, tilting the tool a little, in this order, and nowhere else",
    )


def tip_and_error(result: CalibrationResult) -> tuple[Floats, float]:
    """The calibrated tip ``(3,)`` in mm in the tool's frame, and its expected error, RMS in mm.

    Raises:
        CheckRefusedError: a calibration without a tip.
    """
    tip = next((each for each in result.transforms if each.from_frame == f"{result.subject}_tip"), None)
    if tip is None or result.expected_error is None:
        raise CheckRefusedError(
            f"the {result.kind} calibration of {result.subject}, which has no tip", "that of a tip", "calibrate it"
        )
    return np.array(tip.translation_mm), result.expected_error.value


def expected_distance_rms_mm(tip_error_mm: float) -> float:
    """RMS error to expect of a distance between two touched points, in mm."""
    # Two ends, each with one third of a point's squared error along the line between them.
    return float(np.sqrt(2.0 / 3.0 * (tip_error_mm**2 + DriftSettings().common_rms_mm ** 2)))
