"""The calibration of two cameras that are fixed to each other, from views of one board by both at the same moment.

Each camera is calibrated by itself first; then both lenses, the pose between them and the board's poses are adjusted
together. A camera's views without a partner take part too: they tell of its lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.adjustment import N_BEND, Problem, State
from calibration.camera.boards import LeftOut
from calibration.camera.camera_file import CameraCalibration
from calibration.camera.errors import CameraRefusedError
from calibration.camera.fitting import Fit, fit
from calibration.camera.mono import CameraSettings, MonoCalibration, calibrate_camera, camera_of, rms_px
from calibration.camera.scale import baseline_fault
from calibration.camera.start import board_pose, corners_of
from calibration.camera.views import BoardView
from geometry import Transform
from geometry.points import Floats, read_only

FIRST, SECOND = "camera_1", "camera_2"
Pair = tuple[BoardView | None, BoardView | None]


@dataclass(frozen=True, kw_only=True)
class StereoSettings:
    """What a calibration of two cameras must bring.

    Attributes:
        camera: what each of them must bring.
        minimum_pairs: views by both that fit.
        maximum_turn_sd_rad: standard deviation of the turn between the cameras. Most of it is undone by the principal
            points, which err with it.
        maximum_baseline_sd: standard deviation of their distance, as a share of it.
    """

    camera: CameraSettings = field(default_factory=CameraSettings)
    minimum_pairs: int = 5
    maximum_turn_sd_rad: float = 0.005
    maximum_baseline_sd: float = 0.01


@dataclass(frozen=True, eq=False)
class StereoCalibration:
    """Two cameras.

    Attributes:
        cameras: their lenses, adjusted together.
        lens_covariances: ``(9, 9)`` of each.
        T_first_second: where the second camera stands in the frame of the first.
        covariance: of `T_first_second`, ``(6, 6)``: rotation vector in rad, translation in mm, applied from the left.
        alone: each camera calibrated by itself.
        model: the terms of distortion of both.
        n_pairs: views by both that were used.
        left_out: views that were not, each with the reason.
        rms_px: RMS distance of the corners used from where they are expected.
        held_out_px: the same in views that had no part in the calibration.
        reasons: why it should not be used, in sentences; empty if it may.
    """

    cameras: tuple[CameraCalibration, CameraCalibration]
    lens_covariances: tuple[Floats, Floats]
    T_first_second: Transform
    covariance: Floats
    alone: tuple[MonoCalibration, MonoCalibration]
    model: str
    n_pairs: int
    left_out: tuple[LeftOut, ...]
    rms_px: float
    held_out_px: float
    reasons: tuple[str, ...]

    @property
    def baseline_mm(self) -> float:
        """The distance between the cameras."""
        return float(np.linalg.norm(self.T_first_second.translation_mm))

    @property
    def baseline_sd_mm(self) -> float:
        """Its standard deviation, for squares of the stated size."""
        # Applied from the left, a turn moves the second camera about the first and leaves their distance as it is.
        along = self.T_first_second.translation_mm / self.baseline_mm
        return float(np.sqrt(along @ self.covariance[3:, 3:] @ along))

    def size_fault(self, baseline_mm: float, square_mm: float) -> str | None:
        """What is wrong with the squares where the cameras are known to be `baseline_mm` apart; None if nothing is."""
        return baseline_fault(self.baseline_mm, self.baseline_sd_mm, baseline_mm, square_mm)

    def refused(self, reason: str) -> StereoCalibration:
        """The same with one more reason against it."""
        return replace(self, reasons=(*self.reasons, reason))

    @property
    def turn_sd_rad(self) -> float:
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))


def calibrate_stereo(
    pairs: Sequence[Pair], calibrated: str, settings: StereoSettings | None = None
) -> StereoCalibration:
    """Finds two lenses and the pose between them.

    Args:
        pairs: views of the board by the first and the second camera at the same moment; None where one saw none.
        calibrated: when, ISO 8601 with a time zone.

    Raises:
        CameraRefusedError: fewer than three views of either camera or by both, or pictures of several sizes.
    """
    settings = settings or StereoSettings()
    alone = tuple(
        calibrate_camera([view for pair in pairs if (view := pair[side]) is not None], calibrated, settings.camera)
        for side in (0, 1)
    )
    fitting = [_fitting(pair, alone) for pair in pairs]
    used = [pair for pair in fitting if pair != (None, None)]
    state = _first_state(used, alone)
    corners = corners_of(used)
    found = fit(Problem(corners, (), np.ones(len(corners.view))), state, settings.camera.fit)
    sizes = [(each.camera.width_px, each.camera.height_px) for each in alone]
    first, second = (camera_of(found.state.lenses[side], sizes[side], rms_px(found), calibrated) for side in (0, 1))
    T_first_second, covariance = _between(found)
    answer = StereoCalibration(
        cameras=(first, second),
        lens_covariances=(read_only(found.lens_covariance(0)), read_only(found.lens_covariance(1))),
        T_first_second=T_first_second,
        covariance=read_only(covariance),
        alone=(alone[0], alone[1]),
        model=found.model,
        n_pairs=sum(None not in used[number] for number in found.kept),
        left_out=(*alone[0].left_out, *alone[1].left_out, *_unfit(used, found)),
        rms_px=rms_px(found),
        held_out_px=found.held_out_px[found.model],
        reasons=(),
    )
    return _judged(answer, settings)


def _unfit(pairs: Sequence[Pair], found: Fit) -> list[LeftOut]:
    """The pairs that the robust fit left out, with how far they are off."""
    names = [next(view.name for view in pair if view is not None) for pair in pairs]
    usual = float(np.median(found.view_residuals_px))
    return [
        LeftOut(
            name,
            f"does not fit the other pairs: typically {found.view_residuals_px[number]:.2f} px off per axis, where the "
            f"median pair has {usual:.2f}; the board or a camera moved between the two pictures, or the corners were "
            "numbered differently",
        )
        for number, name in enumerate(names)
        if number not in set(found.kept.tolist())
    ]


def _fitting(pair: Pair, alone: Sequence[MonoCalibration]) -> Pair:
    """A pair without what its own camera left out."""
    first, second = (
        view if view is not None and view.name in camera.T_camera_board else None
        for view, camera in zip(pair, alone, strict=True)
    )
    return first, second


def _first_state(pairs: Sequence[Pair], alone: Sequence[MonoCalibration]) -> State:
    lenses = np.stack([_lens(each.camera) for each in alone])
    between = [
        board_pose(second, lenses[1]) @ np.linalg.inv(board_pose(first, lenses[0]))
        for first, second in pairs
        if first is not None and second is not None
    ]
    if len(between) < 3:
        raise CameraRefusedError(
            f"{len(between)} views of the board by both cameras at once",
            "at least 3, better 15 and more",
            "hold the board where both cameras see it; pictures of a moment have the same place in both sources",
        )
    # The pair that agrees best with the others: single wrong pairs have no say.
    apart = np.array(
        [
            [np.linalg.norm(one[:3, 3] - other[:3, 3]) + 100.0 * _angle(one, other) for other in between]
            for one in between
        ]
    )
    rig = between[int(np.argmin(np.median(apart, axis=1)))]
    poses = []
    for first, second in pairs:
        if first is not None:
            poses.append(board_pose(first, lenses[0]))
        elif second is not None:
            poses.append(np.asarray(np.linalg.inv(rig) @ board_pose(second, lenses[1])))
    return State(lenses, np.stack([np.eye(4), rig]), np.stack(poses), np.zeros(N_BEND))


def _angle(one: Floats, other: Floats) -> float:
    return float(Rotation.from_matrix(one[:3, :3] @ other[:3, :3].T).magnitude())


def _lens(camera: CameraCalibration) -> Floats:
    return np.array([camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *camera.distortion])


def _between(found: Fit) -> tuple[Transform, Floats]:
    """``T_first_second`` and its covariance; what was adjusted is its inverse, turned about its own origin."""
    rotation = found.state.rig[1][:3, :3]
    at = slice(-N_BEND - 6, -N_BEND)
    # With R' = exp(w) R and t' = t + d, the inverse is exp(-R^T w), -R^T d applied from the left.
    back = np.zeros((6, 6))
    back[:3, :3] = back[3:, 3:] = -rotation.T
    covariance = back @ found.covariance[at, at] @ back.T
    return Transform(np.linalg.inv(found.state.rig[1]), FIRST, SECOND), (covariance + covariance.T) / 2.0


def _judged(answer: StereoCalibration, settings: StereoSettings) -> StereoCalibration:
    reasons = [
        f"the {which} camera by itself: {reason}"
        for which, camera in zip(("first", "second"), answer.alone, strict=True)
        for reason in camera.reasons
    ]
    if answer.n_pairs < settings.minimum_pairs:
        reasons.append(
            f"{answer.n_pairs} views by both cameras fit one another, and {settings.minimum_pairs} are needed: take "
            "more, with both cameras at the same moment"
        )
    if answer.turn_sd_rad > settings.maximum_turn_sd_rad:
        reasons.append(
            f"the turn between the cameras is known to {1000.0 * answer.turn_sd_rad:.1f} mrad (standard deviation) "
            f"only, and {1000.0 * settings.maximum_turn_sd_rad:g} is needed: take more pictures with the board "
            "in both of them"
        )
    if answer.baseline_sd_mm > settings.maximum_baseline_sd * answer.baseline_mm:
        reasons.append(
            f"the distance between the cameras is {answer.baseline_mm:.1f} mm, known to {answer.baseline_sd_mm:.1f} mm "
            f"(standard deviation) only, and {settings.maximum_baseline_sd:.0%} is needed: hold the board nearer"
        )
    limit = settings.camera.maximum_held_out_px
    if answer.held_out_px > limit:
        reasons.append(
            f"corners of pairs that had no part in the calibration are {answer.held_out_px:.2f} px off, and "
            f"{limit:g} is the most: the two pictures of a pair are not of the same moment, or the cameras "
            "move against each other"
        )
    return replace(answer, reasons=tuple(reasons))
