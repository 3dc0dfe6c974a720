"""Template tools against a known tip and axis, their promise of error, and landmarks that do not belong to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.transform import Rotation

from calibration.pivot.errors import TemplateRefusedError
from calibration.pivot.template import TemplateSettings, TemplateTool, calibrate_template
from geometry import Transform
from tests.geometry.strategies import transforms

LANDMARKS_MM = {
    "shoulder": np.array([0.0, 0.0, 0.0]),
    "left notch": np.array([42.0, 5.0, 3.0]),
    "right notch": np.array([10.0, 55.0, -4.0]),
    "collar": np.array([25.0, 20.0, 38.0]),
}
TOOL = TemplateTool(landmarks_mm=LANDMARKS_MM, tip_mm=np.array([20.0, 25.0, 70.0]), axis=np.array([0.0, 0.0, 3.0]))


def touched(T_stylus_drawing: Transform, noise_mm: float = 0.0, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: T_stylus_drawing.apply(at) + noise_mm * rng.normal(size=3) for name, at in LANDMARKS_MM.items()}


PLACED = Transform.from_rotation(Rotation.identity(), [30.0, -10.0, 5.0], "stylus", "drawing")


@given(transforms("stylus", "drawing"))
def test_without_noise_tip_and_axis_are_exact(T_stylus_drawing: Transform) -> None:
    found = calibrate_template(TOOL, touched(T_stylus_drawing), "stylus")
    np.testing.assert_allclose(found.tip_stylus_mm, T_stylus_drawing.apply(TOOL.tip_mm), atol=1e-8)
    np.testing.assert_allclose(found.axis_stylus, T_stylus_drawing.rotation.apply([0.0, 0.0, 1.0]), atol=1e-9)
    tip = found.T_stylus_stylus_tip
    np.testing.assert_allclose(tip.apply([0.0, 0.0, 1.0]) - tip.translation_mm, found.axis_stylus, atol=1e-9)


def test_the_expected_errors_are_those_seen_over_many_calibrations() -> None:
    tips, axes = [], []
    for seed in range(200):
        settings = TemplateSettings(maximum_tip_error_rms_mm=3.0, maximum_residual_rms_mm=3.0)
        found = calibrate_template(TOOL, touched(PLACED, 0.5 / np.sqrt(3.0), seed), "stylus", settings)
        error = found.tip_stylus_mm - PLACED.apply(TOOL.tip_mm)
        tips.append(error @ error / np.trace(found.tip_covariance_mm2))
        error = np.cross(found.axis_stylus, PLACED.rotation.apply([0.0, 0.0, 1.0]))
        axes.append(error @ error / np.trace(found.axis_covariance_rad2))
    # The stated error of a point is the true one; where the residuals say more, more is promised: up to a fifth.
    assert 0.75 < np.mean(tips) < 1.15
    assert 0.75 < np.mean(axes) < 1.15


def test_landmarks_that_do_not_belong_are_said() -> None:
    swapped = touched(PLACED)
    swapped["left notch"], swapped["collar"] = swapped["collar"], swapped["left notch"]
    with pytest.raises(TemplateRefusedError, match="they fit with collar as left notch, left notch as collar"):
        calibrate_template(TOOL, swapped, "stylus")
    mirrored = {name: at * [1.0, 1.0, -1.0] for name, at in touched(PLACED).items()}
    with pytest.raises(TemplateRefusedError, match="its mirror image fits"):
        calibrate_template(TOOL, mirrored, "stylus")
    metres = {name: at / 1000.0 for name, at in touched(PLACED).items()}
    with pytest.raises(TemplateRefusedError, match="in mm"):
        calibrate_template(TOOL, metres, "stylus")
    missed = touched(PLACED)
    missed["collar"] = missed["collar"] + [0.0, 6.0, 6.0]
    with pytest.raises(TemplateRefusedError, match="most of all collar"):
        calibrate_template(TOOL, missed, "stylus")


def test_too_few_landmarks_or_all_on_a_line_are_refused() -> None:
    two = dict(list(touched(PLACED).items())[:2])
    with pytest.raises(TemplateRefusedError, match="2 touched landmarks"):
        calibrate_template(TOOL, two, "stylus")
    line = {name: np.array([10.0 * at, 0.0, 0.0]) for at, name in enumerate(LANDMARKS_MM)}
    straight = TemplateTool(landmarks_mm=line, tip_mm=TOOL.tip_mm, axis=TOOL.axis)
    with pytest.raises(TemplateRefusedError, match=r"near one line, 0\.0 mm"):
        calibrate_template(straight, line, "stylus")


def test_a_tip_far_from_its_landmarks_is_refused() -> None:
    far = TemplateTool(landmarks_mm=LANDMARKS_MM, tip_mm=np.array([20.0, 25.0, 400.0]), axis=TOOL.axis)
    with pytest.raises(TemplateRefusedError, match=r"a tip known to \d\.\d\d mm RMS only, 39\d mm from the middle"):
        calibrate_template(far, touched(PLACED), "stylus")
