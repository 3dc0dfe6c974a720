"""Hand-eye calibration from poses of both bodies at the same moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.hand_eye.closed_form import robust_start
from calibration.hand_eye.covariance import covariance_of, from_left
from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.judging import check_numbers, check_scale, drift_of, scale_of
from calibration.hand_eye.model import X_PART, Z_PART, Pairs, residuals
from calibration.hand_eye.motion import check_agreement, checked_tilt_rms_rad
from calibration.hand_eye.opencv_methods import OpenCvMethod, solve_with_opencv
from calibration.hand_eye.refine import Fit, PairsAt, evaluate, refine
from calibration.hand_eye.settings import HandEyeSettings
from geometry import Transform
from geometry.errors import FrameMismatchError
from geometry.extras import missing_packages
from geometry.points import Bools, Floats, read_only

Place = Literal["eye", "world", "base"]
ROBUST_START = "robust kronecker"
# Where there are many pairs, some of them lead near the solution at a fraction of the time.
_FIRST_PAIRS = 300


@dataclass(frozen=True)
class HandEyeOutlier:
    """A pair of poses that contradicts the others and was left out.

    Attributes:
        index: of the pair; for streams, of the pose in the one with the fewer poses a second.
        time_s: on that stream's clock, or None where no times were given.
        residual_mm, residual_rad: how far apart the two poses of the eye are.
    """

    index: int
    time_s: float | None
    residual_mm: float
    residual_rad: float


@dataclass(frozen=True, eq=False)
class HandEyeCalibration:
    """Where the eye sits on the hand, where the eye's world is in the hand's base, and how well both are known.

    Attributes:
        T_hand_eye, T_base_world: X and Z of ``A X = Z B``, with the frames' own names.
        covariance_hand_eye, covariance_base_world: ``(6, 6)`` of (rotation vector in rad, translation in mm), of an
            error that is applied from the left, in axes of the transform's `to_frame`. They exclude what is common to
            all poses, such as a marker's wrong geometry.
        time_offset_s: to be added to the eye's times to get the hand's; None where none was sought.
        time_offset_std_s: its standard deviation.
        residual_rms_mm, residual_p95_mm, residual_rms_rad: between the two poses of the eye, over the pairs used.
        n_used, outliers: how many pairs take part, and those that do not.
        tilt_rms_rad: RMS tilt of the hand's least tilted axis about its mean direction.
        scale, scale_std: one mm of the eye's device in mm of the hand's, and its standard deviation: 1 where both
            measure alike.
        drift_mm, drift_std_mm: how far the eye's world moved in the hand's base from the first pose to the last, by a
            fit of its own. The calibration takes it as standing still.
        repetition: how many neighbouring poses count as one, since they repeat one another's error.
        correlation: of both rotation rates at the time offset; None where none was sought.
        method: start and refinement.
        fallback_reason: why a closed form is what came out and not the refinement; empty where it is the refinement.
        starts: what each closed form costs, by name; the refinement starts from the cheapest.
        shift_at: the frame at whose origin the shift between the two poses of the eye was taken for the fit, of the
            eye, its world or the base: where the errors are likeliest.
    """

    T_hand_eye: Transform
    T_base_world: Transform
    covariance_hand_eye: Floats
    covariance_base_world: Floats
    time_offset_s: float | None
    time_offset_std_s: float | None
    residual_rms_mm: float
    residual_p95_mm: float
    residual_rms_rad: float
    n_used: int
    outliers: tuple[HandEyeOutlier, ...]
    tilt_rms_rad: float
    scale: float
    scale_std: float
    drift_mm: float
    drift_std_mm: float
    repetition: float
    correlation: float | None
    method: str
    fallback_reason: str
    starts: Mapping[str, float]
    shift_at: str

    @property
    def is_refined(self) -> bool:
        return not self.fallback_reason

    @property
    def n_rejected(self) -> int:
        return len(self.outliers)

    @property
    def expected_error_rms_rad(self) -> float:
        """Expected RMS angle of the error of ``T_hand_eye``."""
        return float(np.sqrt(np.trace(self.covariance_hand_eye[:3, :3])))

    def expected_error_rms_mm(self, point_eye_mm: ArrayLike = (0.0, 0.0, 0.0)) -> float:
        """Expected RMS error of a point ``(3,)`` of the eye in the hand's frame; at its origin if none is named."""
        x, y, z = self.T_hand_eye.apply(np.asarray(point_eye_mm, dtype=np.float64))
        derivative = np.hstack([[[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]], np.eye(3)])
        return float(np.sqrt(np.trace(derivative @ self.covariance_hand_eye @ derivative.T)))


def calibrate_hand_eye(
    poses_base_hand: Sequence[Transform],
    poses_world_eye: Sequence[Transform],
    settings: HandEyeSettings | None = None,
    time_s: ArrayLike | None = None,
) -> HandEyeCalibration:
    """Finds ``T_hand_eye`` and ``T_base_world`` from poses of both bodies at the same moments, in the order of time.

    The base's device sees the hand, ``T_base_hand``; the eye is seen in another device's world, or sees that world
    itself, ``T_world_eye``. Neither the eye on the hand nor the world in the base may move. A camera that gives
    ``T_camera_board`` is the eye in the board's world: pass the inverse.

    Args:
        poses_base_hand: such as ``T_tracker_laparoscope``.
        poses_world_eye: such as ``T_board_camera``, as many, of the same moments.
        settings: what is asked of them.
        time_s: times of the pairs, only to name outliers.

    Raises:
        HandEyeRefusedError: too few pairs, a motion that does not determine the transform, poses that are not of one
            body or of one moment, units that differ, or a result that is not known well enough.
        FrameMismatchError: poses between different frames.
    """
    settings = settings or HandEyeSettings()
    hand, eye = _frames(poses_base_hand), _frames(poses_world_eye)
    if len(poses_base_hand) != len(poses_world_eye):
        raise HandEyeRefusedError(
            f"{len(poses_base_hand)} poses of {hand[1]} and {len(poses_world_eye)} of {eye[1]}",
            "as many poses of both, two of the same moment each",
            "leave out the moments at which one of the two was not seen",
        )
    pairs = Pairs(
        np.stack([pose.matrix for pose in poses_base_hand]), np.stack([pose.matrix for pose in poses_world_eye])
    )
    names = (f"T_{hand[0]}_{hand[1]}", f"T_{eye[0]}_{eye[1]}")
    check_count(len(pairs), settings)
    tilt_rad = checked_tilt_rms_rad(pairs.hand, hand[1], settings.minimum_tilt_rms_rad)
    checked_tilt_rms_rad(pairs.eye, eye[1], settings.minimum_tilt_rms_rad)
    start = robust_start(pairs)
    check_agreement(pairs, *start, names)
    solved = solve(lambda _: pairs, 0.0, settings)
    times = None if time_s is None else np.asarray(time_s, dtype=np.float64)
    return as_calibration(solved, (hand, eye), settings, tilt_rad, (np.arange(len(pairs)), times))


@dataclass(frozen=True, eq=False)
class Solved:
    """A fit with where it comes from."""

    fit: Fit
    start: str
    starts: Mapping[str, float]
    fallback_reason: str
    shift_at: Place


def solve(pairs_at: PairsAt, offset_s: float, settings: HandEyeSettings, with_opencv: bool = True) -> Solved:
    """All closed forms that can run, then the refinement from the cheapest; never one that costs more than they do."""
    pairs = pairs_at(offset_s)
    found = {ROBUST_START: robust_start(pairs)}
    for method in OpenCvMethod if with_opencv and not missing_packages("markers") else ():
        try:
            found[method.value] = solve_with_opencv(pairs, method)
        except HandEyeRefusedError:
            continue
    pairs_at, costs, place = _most_likely_place(pairs_at, found, offset_s)
    best = min(costs, key=lambda name: costs[name])
    x, z, near_s = *found[best], offset_s
    if len(pairs) > 2 * _FIRST_PAIRS:
        thin = np.linspace(0, len(pairs) - 1, _FIRST_PAIRS).round().astype(int)
        first = refine(lambda at_s: pairs_at(at_s).part(thin), x, z, near_s, settings.outlier_cutoff)
        x, z, near_s = first.x, first.z, first.offset_s
    fit = refine(pairs_at, x, z, near_s, settings.outlier_cutoff)
    for name, solution in found.items():
        start = evaluate(pairs_at, *solution, offset_s, fit.used)
        if not start.cost >= fit.cost - 1e-6 * abs(fit.cost):
            reason = f"the refinement fits the {fit.used.sum()} pairs used worse than the closed form {name}"
            return Solved(start, name, costs, reason, place)
    return Solved(fit, best, costs, "", place)


def _most_likely_place(
    pairs_at: PairsAt, found: Mapping[str, tuple[Floats, Floats]], offset_s: float
) -> tuple[PairsAt, dict[str, float], Place]:
    """The pairs with shifts taken where the errors are likeliest, what all closed forms cost so, and where that is.

    A turn of the difference moves its shift but changes no volume, so that the likelihoods can be compared.
    """

    def costs_of(choice: PairsAt) -> dict[str, float]:
        return {name: evaluate(choice, *solution, offset_s, None).cost for name, solution in found.items()}

    at_eye = costs_of(pairs_at)
    near_x = found[min(at_eye, key=lambda name: at_eye[name])][0]
    choices: dict[Place, PairsAt] = {
        "world": lambda at_s: pairs_at(at_s).at_the_world(),
        "base": lambda at_s: pairs_at(at_s).at_the_base(near_x),
    }
    costs: dict[Place, dict[str, float]] = {name: costs_of(choice) for name, choice in choices.items()}
    costs["eye"] = at_eye
    place: Place = min(costs, key=lambda name: min(costs[name].values()))
    return choices.get(place, pairs_at), costs[place], place


def as_calibration(
    solved: Solved,
    frames: tuple[tuple[str, str], tuple[str, str]],
    settings: HandEyeSettings,
    tilt_rms_rad: float,
    moments: tuple[NDArray[np.integer], Floats | None],
    correlation: float | None = None,
) -> HandEyeCalibration:
    """The result with its covariance, checked; `moments` are index and time of each pair.

    Raises:
        HandEyeRefusedError: a result that is not known well enough, or that the poses contradict.
    """
    fit, ((base, hand), (world, eye)) = solved.fit, frames
    covariance, by_lag = covariance_of(fit)
    offset_s, offset_std_s = _offset(fit, covariance)
    repetition = float(2.0 * by_lag.sum() - 1.0)
    scales, drifts = scale_of(fit), drift_of(fit)
    lengths = pose_errors(fit.pairs.hand, fit.pairs.eye, fit.x, fit.z)
    result = HandEyeCalibration(
        T_hand_eye=Transform(fit.x, hand, eye),
        T_base_world=Transform(fit.z, base, world),
        covariance_hand_eye=read_only(from_left(fit.x, covariance[X_PART, X_PART])),
        covariance_base_world=read_only(from_left(fit.z, covariance[Z_PART, Z_PART])),
        time_offset_s=offset_s,
        time_offset_std_s=offset_std_s,
        **_residuals(fit.used, *lengths),
        outliers=_outliers(fit, *lengths, moments),
        tilt_rms_rad=tilt_rms_rad,
        scale=scales[0],
        scale_std=scales[1],
        drift_mm=drifts[0],
        drift_std_mm=drifts[1],
        repetition=repetition,
        correlation=correlation,
        method=_method(solved),
        fallback_reason=solved.fallback_reason,
        starts=solved.starts,
        shift_at={"eye": eye, "world": world, "base": base}[solved.shift_at],
    )
    check_scale(result, settings)
    check_numbers(result, settings)
    return result


class _Residuals(TypedDict):
    residual_rms_mm: float
    residual_p95_mm: float
    residual_rms_rad: float
    n_used: int


def _residuals(used: Bools, lengths_mm: Floats, angles_rad: Floats) -> _Residuals:
    """The sizes of the residuals of the pairs used."""
    return {
        "residual_rms_mm": float(np.sqrt(np.mean(lengths_mm[used] ** 2))),
        "residual_p95_mm": float(np.percentile(lengths_mm[used], 95.0)),
        "residual_rms_rad": float(np.sqrt(np.mean(angles_rad[used] ** 2))),
        "n_used": int(used.sum()),
    }


def _offset(fit: Fit, covariance: Floats) -> tuple[float | None, float | None]:
    """The time offset and its standard deviation, where one was sought."""
    return (fit.offset_s, float(np.sqrt(covariance[-1, -1]))) if len(covariance) > 12 else (None, None)


def check_count(count: int, settings: HandEyeSettings) -> None:
    """Refuses too few pairs, with `HandEyeRefusedError`."""
    if count < settings.minimum_pairs:
        raise HandEyeRefusedError(
            f"{count} pairs of poses",
            f"at least {settings.minimum_pairs} pairs",
            "go on recording while both bodies are seen, turned differently each time",
        )


def _method(solved: Solved) -> str:
    start = f"closed form {solved.start}"
    return start if solved.fallback_reason else f"{start}, refined by Student's t on the poses"


def _outliers(
    fit: Fit, lengths_mm: Floats, lengths_rad: Floats, moments: tuple[NDArray[np.integer], Floats | None]
) -> tuple[HandEyeOutlier, ...]:
    indices, time_s = moments
    return tuple(
        HandEyeOutlier(
            int(indices[i]), None if time_s is None else float(time_s[i]), float(lengths_mm[i]), float(lengths_rad[i])
        )
        for i in np.flatnonzero(~fit.used)
    )


def _frames(poses: Sequence[Transform]) -> tuple[str, str]:
    if not poses:
        raise HandEyeRefusedError("no poses", "poses of both bodies", "record both bodies while they are moved")
    first = poses[0]
    for pose in poses:
        if (pose.to_frame, pose.from_frame) != (first.to_frame, first.from_frame):
            came = f"the pose {pose} among poses {first}"
            raise FrameMismatchError(came, "poses between the same two frames", "separate the poses by tool")
    return first.to_frame, first.from_frame


def pose_errors(poses_hand: Floats, poses_eye: Floats, x: Floats, z: Floats) -> tuple[Floats, Floats]:
    """How far apart both sides of ``A X = Z B`` are, in mm and in rad, ``(n,)`` each: for poses held out."""
    return _lengths(residuals(Pairs(poses_hand, poses_eye), x, z))


def _lengths(errors: Floats) -> tuple[Floats, Floats]:
    return np.linalg.norm(errors[:, 3:], axis=1), np.linalg.norm(errors[:, :3], axis=1)
