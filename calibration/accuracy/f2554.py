"""Positional accuracy by the three tests of ASTM F2554, each with its bias and its precision.

ASTM F2554-22, "Standard Practice for Measurement of Positional Accuracy of Computer-Assisted Surgical Systems": a
single point is touched again and again; the tool is turned about each of its axes while its tip stays in that point;
and the distances between points are compared with known ones. The first point of the block is the single point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.accuracy.block import NEAREST_MM, Block
from calibration.accuracy.errors import CheckRefusedError
from calibration.accuracy.f2554_record import Axis, AxisTest, DistanceTest, F2554Record, PointTest
from calibration.accuracy.quick import distance_errors_mm, expected_distance_rms_mm, other_number, tip_and_error
from calibration.accuracy.visits import Visit, VisitSettings, find_visits
from calibration.result import CalibrationResult
from calibration.streams import PoseStream
from geometry.points import Floats

# A tip so near to the tool's origin gives the tool no length to turn about.
_SHORTEST_TOOL_MM = 10.0
# Points that lie in a line, to within this, do not say how the block is turned.
_FLATTEST_MM = 5.0
_FEWEST_POSES = 10
AXES: tuple[Axis, Axis, Axis] = ("roll", "pitch", "yaw")


@dataclass(frozen=True, kw_only=True)
class F2554Settings:
    """What the tests ask for.

    Attributes:
        touches: how often the single point is touched at least, the tool lifted each time.
        least_turn_deg: a pose that is turned by less belongs to no axis.
        least_span_deg: from one side to the other about each axis at least.
    """

    touches: int = 20
    least_turn_deg: float = 5.0
    least_span_deg: float = 30.0


@dataclass(frozen=True, eq=False)
class Turned:
    """The tip while the tool was turned in the single point.

    Attributes:
        tips_mm: ``(n, 3)`` in the stream's `to_frame`.
        turns_deg: how far about roll, pitch and yaw of `AXES`, from the middle, ``(n, 3)``. Roll is about the line
            from the tool's origin to its tip; pitch and yaw are across it.
        axis: for each pose the one of `AXES` that it is turned about most, ``(n,)``; -1 where it is turned little.
    """

    tips_mm: Floats
    turns_deg: Floats
    axis: np.ndarray

    def span_deg(self, axis: int) -> tuple[float, float]:
        """The smallest and the largest turn about one of `AXES`; 0 where none of the poses is turned about it most."""
        if np.count_nonzero(self.axis == axis) < _FEWEST_POSES:
            return 0.0, 0.0
        # Of all poses: turned askew to both, a tool is turned about pitch and yaw at once.
        return float(self.turns_deg[:, axis].min()), float(self.turns_deg[:, axis].max())


@dataclass(frozen=True, eq=False)
class F2554Streams:
    """Poses of the tool in each of the tests, relative to something that the block is fixed to.

    Attributes:
        distances: all points are touched in the block's order, once or several times over.
        single: the tip is put on the first point and lifted again, the tool held as in use.
        rotation: the tip stays in the first point, while the tool is turned about each axis.
    """

    distances: PoseStream
    single: PoseStream
    rotation: PoseStream


@dataclass(frozen=True, eq=False)
class F2554Measurement:
    """What was measured, for pictures.

    Attributes:
        record: the figures.
        touches_mm: the single point's touches from their mean, ``(n, 3)``.
        turned: the tip in the rotation test, from the single point's mean.
        known_mm, off_mm: length of each distance, and its error, ``(m,)``.
    """

    record: F2554Record
    touches_mm: Floats
    turned: Turned
    known_mm: Floats
    off_mm: Floats


def measure_f2554(
    result: CalibrationResult,
    streams: F2554Streams,
    block: Block,
    made: str,
    settings: F2554Settings | None = None,
) -> F2554Measurement:
    """Measures a tool by the three tests.

    Args:
        result: the tool's calibration in force.
        made: when, ISO 8601 with a time zone.

    Raises:
        CheckRefusedError: a calibration without a tip, too few touches, an axis that the tool was not turned about,
            another number of points, or points in another order.
    """
    settings = settings or F2554Settings()
    tip_mm, expected_mm = tip_and_error(result)
    touches_mm = find_touches(streams.single, tip_mm)
    _check_touches(touches_mm, block, settings)
    middle_mm = touches_mm.mean(axis=0)
    turned = find_turns(streams.rotation, tip_mm, settings)
    rounds = _rounds(find_visits(streams.distances, tip_mm), block, streams.distances)
    errors = [distance_errors_mm(visits, block) for visits in rounds]
    place = _place_of_first(rounds, block)
    known_mm = np.array(
        [np.linalg.norm(np.subtract(block.points_mm[one], block.points_mm[other])) for one, other in errors[0]]
    )
    roll, pitch, yaw = (_axis_test(turned, axis, middle_mm, settings) for axis in range(3))
    record = F2554Record(
        subject=result.subject,
        made=made,
        block=block.name,
        calibrated=result.made,
        relative_to=streams.single.to_frame,
        duration_s=sum(stream.duration_s for stream in (streams.single, streams.rotation, streams.distances)),
        single=_point_test(touches_mm, None if place is None else place[0]),
        block_fit_rms_mm=None if place is None else place[1],
        rotation=(roll, pitch, yaw),
        distances=_distance_test(errors, len(rounds)),
        expected_distance_rms_mm=expected_distance_rms_mm(expected_mm),
        limit_mm=block.limit_mm,
    )
    from_middle = Turned(turned.tips_mm - middle_mm, turned.turns_deg, turned.axis)
    off_mm = np.array([value for each in errors for value in each.values()])
    return F2554Measurement(record, touches_mm - middle_mm, from_middle, np.tile(known_mm, len(rounds)), off_mm)


def _check_touches(touches_mm: Floats, block: Block, settings: F2554Settings) -> None:
    if len(touches_mm) < settings.touches:
        raise CheckRefusedError(
            f"{len(touches_mm)} touches of the point {next(iter(block.points_mm))}",
            f"{settings.touches} and more",
            "hold the tip on it for two seconds, lift it by a centimetre, and put it back",
        )


def find_touches(stream: PoseStream, tip_mm: Floats) -> Floats:
    """Where the tip rested each time that it was put down on the point, ``(n, 3)``; elsewhere it is no touch of it."""
    # Put back on the same point it is another touch, other than for `find_visits` by default.
    visits = find_visits(stream, tip_mm, VisitSettings(same_mm=0.0))
    places_mm = np.array([visit.place_mm for visit in visits]).reshape(-1, 3)
    if len(places_mm) == 0:
        return places_mm
    # Points of a block are farther apart than that.
    return places_mm[np.linalg.norm(places_mm - np.median(places_mm, axis=0), axis=1) < NEAREST_MM]


def find_turns(stream: PoseStream, tip_mm: Floats, settings: F2554Settings) -> Turned:
    """How the tool was turned while its tip rested; nothing if it never did.

    Raises:
        CheckRefusedError: a tip in the tool's origin.
    """
    length_mm = float(np.linalg.norm(tip_mm))
    if length_mm < _SHORTEST_TOOL_MM:
        raise CheckRefusedError(
            f"a tip {length_mm:.1f} mm from its tool's origin",
            f"{_SHORTEST_TOOL_MM:g} mm and more: the line between them is what the tool rolls about",
            "use the quick form, which needs no axes",
        )
    visits = find_visits(stream, tip_mm)
    if not visits:
        return Turned(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, dtype=int))
    held = max(visits, key=lambda visit: len(visit.poses)).poses
    rotations = Rotation.from_matrix(stream.poses[held, :3, :3])
    turns = (rotations.mean().inv() * rotations).as_rotvec(degrees=True) @ _axes(tip_mm / length_mm)
    axis = np.abs(turns).argmax(axis=1)
    axis[np.linalg.norm(turns, axis=1) < settings.least_turn_deg] = -1
    return Turned(rotations.apply(tip_mm) + stream.poses[held, :3, 3], turns, axis)


def _axes(shaft: Floats) -> Floats:
    """Roll, pitch and yaw in the tool's frame, as columns ``(3, 3)``."""
    # Pitch is about what is across the shaft and nearest to an axis of the marker.
    nearest = np.eye(3)[np.abs(shaft).argmin()]
    pitch = nearest - (nearest @ shaft) * shaft
    pitch /= np.linalg.norm(pitch)
    return np.stack([shaft, pitch, np.cross(shaft, pitch)], axis=1)


def _rounds(visits: list[Visit], block: Block, stream: PoseStream) -> list[list[Visit]]:
    """The visits of each time that all points were touched.

    Raises:
        CheckRefusedError: points are missing from a round.
    """
    n = len(block.points_mm)
    if not visits or len(visits) % n:
        raise other_number(visits, block, stream)
    return [visits[first : first + n] for first in range(0, len(visits), n)]


def _place_of_first(rounds: list[list[Visit]], block: Block) -> tuple[Floats, float] | None:
    """Where the first point must be, ``(3,)``, by the other points; and how well these fit, RMS in mm.

    None where they do not say how the block is turned.
    """
    known = np.array(list(block.points_mm.values()))
    seen = np.mean([[visit.place_mm for visit in visits] for visits in rounds], axis=0)
    others, others_seen = known[1:] - known[1:].mean(axis=0), seen[1:] - seen[1:].mean(axis=0)
    if len(others) < 3 or np.linalg.svd(others, compute_uv=False)[1] < _FLATTEST_MM:
        return None
    turn, _ = Rotation.align_vectors(others_seen, others)
    fit_mm = float(np.sqrt(np.mean(np.sum((turn.apply(others) - others_seen) ** 2, axis=1))))
    return turn.apply(known[0] - known[1:].mean(axis=0)) + seen[1:].mean(axis=0), fit_mm


def _point_test(touches_mm: Floats, known_mm: Floats | None) -> PointTest:
    from_mean = touches_mm - touches_mm.mean(axis=0)
    off = np.linalg.norm(from_mean, axis=1)
    return PointTest(
        n=len(touches_mm),
        bias_mm=None if known_mm is None else float(np.linalg.norm(touches_mm.mean(axis=0) - known_mm)),
        precision_mm=_deviation(from_mean),
        p95_mm=float(np.percentile(off, 95.0)),
        max_mm=float(off.max()),
    )


def _axis_test(turned: Turned, axis: int, middle_mm: Floats, settings: F2554Settings) -> AxisTest:
    low_deg, high_deg = turned.span_deg(axis)
    if high_deg - low_deg < settings.least_span_deg:
        raise CheckRefusedError(
            f"a tool that was turned by {high_deg - low_deg:.0f} degrees in {AXES[axis]}, from side to side",
            f"{settings.least_span_deg:g} degrees and more about each of {', '.join(AXES)}, one after the other",
            "keep the tip in the first point, and turn the tool about its shaft, then across it both ways",
        )
    tips_mm = turned.tips_mm[turned.axis == axis]
    off = np.linalg.norm(tips_mm - middle_mm, axis=1)
    return AxisTest(
        axis=AXES[axis],
        n=len(tips_mm),
        low_deg=low_deg,
        high_deg=high_deg,
        bias_mm=float(np.linalg.norm(tips_mm.mean(axis=0) - middle_mm)),
        precision_mm=_deviation(tips_mm - tips_mm.mean(axis=0)),
        p95_mm=float(np.percentile(off, 95.0)),
        max_mm=float(off.max()),
    )


def _distance_test(errors: list[dict[tuple[str, str], float]], n_rounds: int) -> DistanceTest:
    worst = max((pair for each in errors for pair in each.items()), key=lambda pair: abs(pair[1]))
    off = np.array([value for each in errors for value in each.values()])
    return DistanceTest(
        n=len(off),
        n_rounds=n_rounds,
        bias_mm=float(off.mean()),
        precision_mm=float(off.std(ddof=1)) if len(off) > 1 else 0.0,
        rms_mm=float(np.sqrt(np.mean(off**2))),
        p95_mm=float(np.percentile(np.abs(off), 95.0)),
        max_mm=abs(worst[1]),
        worst=" to ".join(worst[0]),
    )


def _deviation(from_mean: Floats) -> float:
    """Standard deviation in 3-D of points ``(n, 3)`` about their mean."""
    return float(np.sqrt(np.sum(from_mean**2) / max(1, len(from_mean) - 1)))
