"""Template tools: a tip and an axis from a drawing of the tool, laid over landmarks that were touched on it.

For tools that can be neither pivoted nor spun, such as a drill sleeve or a chisel: the landmarks' positions are known
in the tool's drawing, and are touched with a calibrated stylus relative to the tool's marker. The rigid motion that
lays the drawing over them is the least-squares one (Arun, Huang and Blostein, IEEE PAMI 9(5), 1987; no mirror images,
Umeyama, PAMI 13(4), 1991); the tip's error grows with its distance from the landmarks (Fitzpatrick, West and Maurer,
IEEE TMI 17(5), 1998).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from calibration.pivot.errors import TemplateRefusedError
from calibration.pivot.spin import shaft_frame
from geometry import Transform
from geometry.points import Floats, as_points, read_only

# Of so many landmarks all orders are tried, to say which were confused.
_ORDERS_OF = 6
_CLEARLY = 0.5


@dataclass(frozen=True, kw_only=True)
class TemplateTool:
    """The drawing of a tool, in its own frame.

    Attributes:
        landmarks_mm: points of it that can be touched, by name.
        tip_mm: its tip, ``(3,)``.
        axis: the direction of its shaft, ``(3,)``, of any length.
    """

    landmarks_mm: Mapping[str, Floats]
    tip_mm: Floats
    axis: Floats


@dataclass(frozen=True, kw_only=True)
class TemplateSettings:
    """What touched landmarks must bring before the tip is believed.

    Attributes:
        point_error_rms_mm: how far a touched point is off, from the stylus' own calibration and the tracker; the
            residuals of a few points alone would promise too much.
        minimum_width_mm: least RMS extent of the landmarks across the line that they are nearest to.
        maximum_residual_rms_mm: above this, a landmark was missed, or it is another tool.
        maximum_tip_error_rms_mm: a larger expected tip error is refused.
    """

    point_error_rms_mm: float = 0.5
    minimum_width_mm: float = 3.0
    maximum_residual_rms_mm: float = 1.0
    maximum_tip_error_rms_mm: float = 1.0


@dataclass(frozen=True, eq=False)
class TemplateCalibration:
    """Where the tip and the axis are, seen from the tool's marker, and how well that is known.

    Attributes:
        tip_stylus_mm, axis_stylus: the tip ``(3,)`` and the shaft's unit vector ``(3,)`` in the marker's frame.
        tip_covariance_mm2, axis_covariance_rad2: their covariances, ``(3, 3)`` each along the marker's axes.
        expected_tip_error_rms_mm: square root of the first one's trace.
        residuals_mm: distance of each landmark from where the drawing has it, by name.
        residual_rms_mm: over all of them; not the tip's error.
        marker_frame: the frame of the tool's marker.
    """

    tip_stylus_mm: Floats
    axis_stylus: Floats
    tip_covariance_mm2: Floats
    axis_covariance_rad2: Floats
    expected_tip_error_rms_mm: float
    residuals_mm: Mapping[str, float]
    residual_rms_mm: float
    marker_frame: str

    @property
    def T_stylus_stylus_tip(self) -> Transform:
        """The tip's frame, its z along the axis."""
        return shaft_frame(self.tip_stylus_mm, self.axis_stylus, self.marker_frame)


def calibrate_template(
    template: TemplateTool,
    touched_stylus_mm: Mapping[str, Floats],
    marker_frame: str,
    settings: TemplateSettings | None = None,
) -> TemplateCalibration:
    """Finds tip and axis from the landmarks that were touched, by name, in the frame of the tool's marker.

    Raises:
        TemplateRefusedError: too few landmarks in common, all near one line, or they do not fit: two confused, a mirror
            image, another tool; or a tip too far from them to be known.
        InvalidPointsError: points that are none.
    """
    settings = settings or TemplateSettings()
    names = [name for name in template.landmarks_mm if name in touched_stylus_mm]
    _check_names(names, touched_stylus_mm, template)
    drawn = as_points(np.array([template.landmarks_mm[name] for name in names]), "landmarks of the drawing")
    touched = as_points(np.array([touched_stylus_mm[name] for name in names]), "touched landmarks")
    _check_width(drawn, settings)
    rotation, left = _laid_over(drawn, touched)
    rms_mm = _rms(left)
    if rms_mm > settings.maximum_residual_rms_mm:
        raise _does_not_fit(names, drawn, touched, left, settings)
    tip = rotation @ (np.asarray(template.tip_mm) - drawn.mean(axis=0)) + touched.mean(axis=0)
    axis = rotation @ template.axis / np.linalg.norm(template.axis)
    tip_covariance, axis_covariance = _covariances(touched, left, tip, axis, settings.point_error_rms_mm)
    expected_mm = float(np.sqrt(np.trace(tip_covariance)))
    if expected_mm > settings.maximum_tip_error_rms_mm:
        far_mm = float(np.linalg.norm(tip - touched.mean(axis=0)))
        raise TemplateRefusedError(
            f"a tip known to {expected_mm:.2f} mm RMS only, {far_mm:.0f} mm from the middle of {len(names)} landmarks",
            f"at most {settings.maximum_tip_error_rms_mm:g} mm",
            "touch more landmarks, nearer to the tip and farther apart, or pivot the tool",
        )
    return TemplateCalibration(
        tip_stylus_mm=read_only(tip),
        axis_stylus=read_only(axis),
        tip_covariance_mm2=read_only(tip_covariance),
        axis_covariance_rad2=read_only(axis_covariance),
        expected_tip_error_rms_mm=expected_mm,
        residuals_mm=dict(zip(names, np.linalg.norm(left, axis=1).tolist(), strict=True)),
        residual_rms_mm=rms_mm,
        marker_frame=marker_frame,
    )


def _laid_over(drawn: Floats, touched: Floats, mirrored: bool = False) -> tuple[Floats, Floats]:
    """The rotation ``(3, 3)`` from the drawing to the marker, and what is left of each landmark, ``(n, 3)``."""
    u, _, vt = np.linalg.svd((touched - touched.mean(axis=0)).T @ (drawn - drawn.mean(axis=0)))
    sign = np.sign(np.linalg.det(u @ vt)) * (-1.0 if mirrored else 1.0)
    rotation = u @ np.diag([1.0, 1.0, sign]) @ vt
    return rotation, (touched - touched.mean(axis=0)) - (drawn - drawn.mean(axis=0)) @ rotation.T


def _rms(left: Floats) -> float:
    return float(np.sqrt(np.mean(np.sum(left**2, axis=1))))


def _covariances(
    touched: Floats, left: Floats, tip: Floats, axis: Floats, point_error_mm: float
) -> tuple[Floats, Floats]:
    """Of the tip in mm^2 and of a small turn of the axis in rad^2, by the larger of stated and seen point errors."""
    count = len(touched)
    seen = float(np.sum(left**2)) / (3 * count - 6)
    variance = max(point_error_mm**2 / 3.0, seen)
    centred = touched - touched.mean(axis=0)
    turn = variance * np.linalg.inv(np.sum(centred**2) * np.eye(3) - centred.T @ centred)
    arm, along = _crossing(tip - touched.mean(axis=0)), _crossing(axis)
    return arm @ turn @ arm.T + variance / count * np.eye(3), along @ along.T @ turn @ along @ along.T


def _crossing(vector: Floats) -> Floats:
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _check_names(names: list[str], touched: Mapping[str, Floats], template: TemplateTool) -> None:
    if len(names) < 3:
        raise TemplateRefusedError(
            f"{len(names)} touched landmarks of the drawing, out of {', '.join(touched) or 'none'}",
            f"at least 3 of {', '.join(template.landmarks_mm)}",
            "touch more of them, or write their names as the drawing does",
        )


def _check_width(drawn: Floats, settings: TemplateSettings) -> None:
    width_mm = float(np.linalg.svd(drawn - drawn.mean(axis=0))[1][1] / np.sqrt(len(drawn)))
    if width_mm < settings.minimum_width_mm:
        raise TemplateRefusedError(
            f"landmarks near one line, {width_mm:.1f} mm RMS across it: how the tool is turned about it stays unknown",
            f"at least {settings.minimum_width_mm:g} mm",
            "touch a landmark off that line",
        )


def _does_not_fit(
    names: list[str], drawn: Floats, touched: Floats, left: Floats, settings: TemplateSettings
) -> TemplateRefusedError:
    """The error that says why, where one cause explains it: two names confused, a mirror image, one point off."""
    rms_mm, count = _rms(left), len(names)
    allowed = f"at most {settings.maximum_residual_rms_mm:g} mm RMS"
    came = f"landmarks that are {rms_mm:.1f} mm RMS off the drawing"
    orders = permutations(range(count)) if count <= _ORDERS_OF else iter(())
    own = tuple(range(count))
    best = min(orders, key=lambda order: _rms(_laid_over(drawn, touched[list(order)])[1]), default=own)
    as_ordered, as_mirrored = (
        _rms(_laid_over(drawn, touched[list(best)])[1]),
        _rms(_laid_over(drawn, touched, mirrored=True)[1]),
    )
    if as_mirrored < min(_CLEARLY * rms_mm, as_ordered):
        action = "convert the left-handed drawing, or name the drawing for the other side"
        return TemplateRefusedError(f"{came}; its mirror image fits", allowed, action)
    if as_ordered < _CLEARLY * rms_mm:
        confused = ", ".join(f"{names[to]} as {names[at]}" for at, to in enumerate(best) if at != to)
        return TemplateRefusedError(f"{came}; they fit with {confused}", allowed, "touch these again, by their names")
    worst = names[int(np.argmax(np.linalg.norm(left, axis=1)))]
    return TemplateRefusedError(
        f"{came}, most of all {worst}", allowed, f"touch {worst} again; check that the drawing is of this tool, in mm"
    )
