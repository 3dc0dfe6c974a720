"""The calibration of one camera from views of a flat board, with what it is worth.

The model and the linear start are Zhang's (IEEE PAMI 22(11), 2000); the rest is one robust bundle adjustment
(`fitting`), in which the board may be a little bent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.camera import quality
from calibration.camera.adjustment import N_BEND, Problem
from calibration.camera.boards import LeftOut
from calibration.camera.camera_file import CameraCalibration
from calibration.camera.errors import CameraRefusedError
from calibration.camera.fitting import Fit, FitSettings, fit
from calibration.camera.lens import NAMES
from calibration.camera.quality import Coverage, coverage, expected_error_px, held_out_error_px
from calibration.camera.start import corners_of, first_state
from calibration.camera.views import BoardView
from geometry import Transform
from geometry.points import Floats, read_only

_FEWEST_VIEWS = 3  # of a flat board, below which the lens is not determined (Zhang 2000, section 3.1)


@dataclass(frozen=True, kw_only=True)
class CameraSettings:
    """What a calibration must bring before it is believed.

    Attributes:
        minimum_views: that fit; from fewer nobody can tell how far pictures disagree.
        maximum_focal_sd: standard deviation of the focal length, as a share of it. A tool's distance errs by as much.
        maximum_expected_px: RMS over the picture of where a known direction is seen.
        maximum_held_out_px: RMS distance of corners in views that had no part in the calibration.
        largest_blur: a view whose edges are so many times wider than those of the median view is left out.
        fit: when views and corners do not fit.
    """

    minimum_views: int = 5
    maximum_focal_sd: float = 0.01
    maximum_expected_px: float = 1.0
    maximum_held_out_px: float = 1.0
    largest_blur: float = 2.5
    fit: FitSettings = field(default_factory=FitSettings)


@dataclass(frozen=True, eq=False)
class MonoCalibration:
    """One camera.

    Attributes:
        camera: what the driver of markers reads.
        model: the terms of distortion that views which had no part in it asked for.
        covariance: ``(9, 9)`` of the numbers in `lens.NAMES`.
        T_camera_board: of each view that was used, by its name.
        left_out: views that were not used, each with the reason.
        n_corners, n_corners_left_out: of the views used.
        rms_px: RMS distance of the corners used from where they are expected.
        held_out_px: the same of each model in views that had no part in the calibration.
        expected_error_px: RMS error of where a known direction is seen, in fields of the picture ``(6, 8)``.
        held_out_error_px: what was measured, in the same fields; NaN where no corner was.
        coverage: what the views cover.
        bend_mm, bend_sd_mm: how far the board's surface departs from flat along x^2, xy and y^2 at half its diagonal.
        correlation: how many times larger the variance is than if each corner erred by itself.
        reasons: why it should not be used, in sentences; empty if it may.
    """

    camera: CameraCalibration
    model: str
    covariance: Floats
    T_camera_board: Mapping[str, Transform]
    left_out: tuple[LeftOut, ...]
    n_corners: int
    n_corners_left_out: int
    rms_px: float
    held_out_px: Mapping[str, float]
    expected_error_px: Floats
    held_out_error_px: Floats
    coverage: Coverage
    bend_mm: Floats
    bend_sd_mm: Floats
    correlation: float
    reasons: tuple[str, ...]

    @property
    def deviations(self) -> dict[str, float]:
        """The standard deviation of each number of the lens."""
        return dict(zip(NAMES, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    @property
    def sag_mm(self) -> float:
        """How far the board is from flat at half its diagonal, in the direction in which it is bent most."""
        along, twist, across = self.bend_mm / [1.0, 2.0, 1.0]
        return float(np.abs(np.linalg.eigvalsh([[along, twist], [twist, across]])).max())

    @property
    def expected_rms_px(self) -> float:
        """RMS of `expected_error_px` over the picture."""
        return float(np.sqrt(np.mean(self.expected_error_px**2)))


def calibrate_camera(
    views: Sequence[BoardView], calibrated: str, settings: CameraSettings | None = None
) -> MonoCalibration:
    """Finds the lens of a camera.

    Args:
        views: of one board, at rest or nearly so, in many places of the picture, tilts and distances.
        calibrated: when, ISO 8601 with a time zone.

    Raises:
        CameraRefusedError: fewer than three views, or pictures of several sizes. All else is told in `reasons`.
    """
    settings = settings or CameraSettings()
    size = check_one_size(views)
    sharp, blurred = leave_out_blurred(views, settings.largest_blur)
    _check_count(sharp, blurred)
    corners = corners_of([[view] for view in sharp])
    found = fit(Problem(corners, (), np.ones(len(corners.view))), first_state(sharp), settings.fit)
    kept = [sharp[number] for number in found.kept]
    lens, covariance = found.state.lenses[0], found.lens_covariance(0)
    held_out = found.held_out_residuals
    answer = MonoCalibration(
        camera=camera_of(lens, size, rms_px(found), calibrated),
        model=found.model,
        covariance=read_only(covariance),
        T_camera_board={
            view.name: Transform(pose, "camera", "board") for view, pose in zip(kept, found.state.poses, strict=True)
        },
        left_out=(*blurred, *misfits(sharp, found)),
        n_corners=int(found.is_used.sum()),
        n_corners_left_out=int((~found.is_used).sum()),
        rms_px=rms_px(found),
        held_out_px=found.held_out_px,
        expected_error_px=read_only(expected_error_px(lens, covariance, size)),
        held_out_error_px=read_only(held_out_error_px(found.problem.corners.pixels, held_out, found.is_used, size)),
        coverage=coverage(kept, found.state.poses),
        bend_mm=read_only(found.state.bend_mm),
        bend_sd_mm=read_only(np.sqrt(np.diag(found.covariance)[-N_BEND:])),
        correlation=found.correlation,
        reasons=(),
    )
    return _judged(answer, len(views), settings)


def check_one_size(views: Sequence[BoardView]) -> tuple[int, int]:
    """The size of all pictures.

    Raises:
        CameraRefusedError: there are several.
    """
    sizes = sorted({(view.width_px, view.height_px) for view in views})
    if len(sizes) > 1:
        said = " and ".join(f"{width} x {height}" for width, height in sizes)
        raise CameraRefusedError(
            f"pictures of {said} px",
            "pictures of one size, the one that the camera is used with",
            "take all pictures in that size: a lens is calibrated for one",
        )
    return sizes[0] if sizes else (0, 0)


def leave_out_blurred(views: Sequence[BoardView], largest: float) -> tuple[list[BoardView], list[LeftOut]]:
    """Views whose edges are far wider than usual are no use beside the others."""
    widths = [view.blur_px for view in views if view.blur_px is not None]
    limit = largest * float(np.median(widths)) if widths else np.inf
    sharp = [view for view in views if view.blur_px is None or view.blur_px <= limit]
    blurred = [
        LeftOut(
            view.name, f"blurred: edges {view.blur_px:.1f} px wide, where the median picture has {limit / largest:.1f}"
        )
        for view in views
        if view.blur_px is not None and view.blur_px > limit
    ]
    return sharp, blurred


def misfits(views: Sequence[BoardView], found: Fit) -> list[LeftOut]:
    """The views that the robust fit left out, with how far they are off."""
    usual = float(np.median(found.view_residuals_px))
    return [
        LeftOut(
            view.name,
            f"does not fit the others: its corners are typically {found.view_residuals_px[number]:.2f} px off per "
            f"axis, where the median view has {usual:.2f}",
        )
        for number, view in enumerate(views)
        if number not in set(found.kept.tolist())
    ]


def rms_px(found: Fit) -> float:
    squares = np.sum(found.linear.residuals[found.is_used] ** 2, axis=1)
    return float(np.sqrt(squares.mean()))


def camera_of(lens: Floats, size: tuple[int, int], rms: float, calibrated: str) -> CameraCalibration:
    fx, fy, cx, cy, *distortion = lens.tolist()
    return CameraCalibration(
        width_px=size[0],
        height_px=size[1],
        fx_px=fx,
        fy_px=fy,
        cx_px=cx,
        cy_px=cy,
        distortion=(distortion[0], distortion[1], distortion[2], distortion[3], distortion[4]),
        reprojection_rms_px=rms,
        calibrated=calibrated,
    )


def _check_count(views: Sequence[BoardView], blurred: Sequence[LeftOut]) -> None:
    if len(views) < _FEWEST_VIEWS:
        also = f" ({len(blurred)} more are blurred)" if blurred else ""
        raise CameraRefusedError(
            f"{len(views)} views of the board{also}",
            f"at least {_FEWEST_VIEWS}, better 15 and more",
            "take pictures of the board in all parts of the picture, tilted to all sides",
        )


def _judged(answer: MonoCalibration, n_views: int, settings: CameraSettings) -> MonoCalibration:
    camera, deviations = answer.camera, np.sqrt(np.diag(answer.covariance))
    focal = np.array([camera.fx_px, camera.fy_px])
    reasons = [
        *quality.few_views(len(answer.T_camera_board), n_views, settings.minimum_views, settings.fit.largest_left_out),
        *quality.focal_length(focal, deviations[:2], answer.coverage, settings.maximum_focal_sd),
        *quality.picture_errors(
            answer.expected_error_px,
            answer.held_out_px[answer.model],
            settings.maximum_expected_px,
            settings.maximum_held_out_px,
        ),
        *quality.pixels(camera.fx_px, camera.fy_px),
    ]
    return replace(answer, reasons=tuple(reasons))
