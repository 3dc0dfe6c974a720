"""A simple target in ultrasound images (a wall, a point, a stylus tip), live and recorded; and what is missing yet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from calibration.result import CalibrationResult, InputFile
from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.flips import ProbeAxes
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.results import probe_spatial_result
from calibration.ultrasound_probe.targets.calibrate import METHODS, STYLUS, WALL, Method, calibrate_from_target
from calibration.ultrasound_probe.targets.judging import ProbeImage, TargetSettings
from calibration.ultrasound_probe.targets.wall_line import find_wall_line
from calibration.ultrasound_probe.wires.in_image import WireSettings, find_spots
from case.text_files import read_text
from geometry import Transform
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.probe.frames import CollectedFrames, ProbeMarkers, sample_of
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import AcquisitionError

COLUMNS = ("frame", "x_px", "y_px")
# A corner that is known to half of what is accepted leaves room for the errors that no residual shows.
ENOUGH = 0.5
# Neighbouring images repeat one another's error, and a tracker's lasts for seconds: what counts is time.
LEAST_S = 20.0
# Where nothing says how large a pixel is: that of a common depth. An echo may be of half or twice the size.
_COMMON_SPACING_MM = 0.1

Find = Callable[[UltrasoundFrame], Floats | None]


def wall_line(frame: UltrasoundFrame) -> Floats | None:
    """The two ends of a wall's line, ``(2, 2)`` in px; None where there is none."""
    line = None if frame.pixels is None else find_wall_line(frame.pixels)
    return None if line is None else line.ends_px


def brightest_spot(frame: UltrasoundFrame) -> Floats | None:
    """The brightest spot of the size of a wire or a tip, ``(1, 2)`` in px; None where there is none.

    It may be something else in single images: the calibration leaves these out, and names them.
    """
    if frame.pixels is None:
        return None
    spacing_mm = _COMMON_SPACING_MM if frame.pixel_mm is None else float(np.mean(frame.pixel_mm))
    spots = find_spots(frame.pixels, WireSettings(spacing_mm=spacing_mm, most_spots=1))
    return spots if len(spots) else None


def points_of(points: Mapping[int, tuple[float, float]]) -> Find:
    """Finds the point, ``(1, 2)`` in px, that a person marked in the frame of that number."""
    return lambda frame: np.array([points[frame.sequence]]) if frame.sequence in points else None


class TargetCollecting(CollectedFrames[Floats]):
    """Satisfies `Collecting` for ultrasound frames of a target.

    Args:
        method: ``stylus``, ``cross`` or ``wall``.
        markers: the probe, what stands still with the target, and the stylus.
        find: the target's points in an image.
        axes: to which sides the probe looks.
        lag_s: of the images against the poses; None where nobody measured it.
        stated_spacing_mm: width and height of a pixel; those that the source states by default.
        T_stylus_tip: the tip, for ``stylus``.
        settings: what the calibration must bring.
    """

    def __init__(
        self,
        method: Method,
        markers: ProbeMarkers,
        find: Find,
        *,
        axes: ProbeAxes | None = None,
        lag_s: float | None = None,
        stated_spacing_mm: tuple[float, float] | None = None,
        T_stylus_tip: Transform | None = None,
        settings: TargetSettings | None = None,
    ) -> None:
        super().__init__(markers, find)
        self._method, self._axes, self._lag_s = method, axes or ProbeAxes(), lag_s
        self._stated_spacing_mm, self._tip = stated_spacing_mm, T_stylus_tip
        self._settings = settings or TargetSettings()
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the image's corners were known to half of what is accepted."""
        return self._is_enough

    def advice(self) -> Advice:
        self._is_enough = False
        count, wanted = len(self), self._settings.minimum_images
        if count < wanted:
            step = f"keep the {'wall' if self._method == WALL else 'target'} in view, and move the probe slowly"
            return Advice(step, 0.0, f"{count} images of {wanted} that are needed before anything is known")
        limit_mm = self._settings.maximum_corner_error_mm
        try:
            found = self.calibration()
        except (ProbeRefusedError, ProbeInputError) as error:
            return Advice(error.action, 0.3, f"not known yet: {error.came}")
        expected_mm = found.expected_corner_error_mm
        known = f"the image's worst corner is known to {expected_mm:.2f} mm RMS, from {found.n_images} images"
        if found.reasons:
            return Advice(found.reasons[0], 0.5, known)
        coverage = min(1.0, ENOUGH * limit_mm / expected_mm, self.duration_s / LEAST_S)
        self._is_enough = coverage >= 1.0
        if self._is_enough:
            return Advice.enough(known)
        return Advice("go on, and repeat these motions: more images make it surer", coverage, known)

    def calibration(self) -> ProbeCalibration:
        """What the images come to.

        Raises:
            ProbeInputError, ProbeRefusedError: as the calibration of that method.
        """
        placed = self.placed(self._lag_s or 0.0)
        if len(placed) < self._settings.minimum_images or self.size_px is None:
            raise ProbeRefusedError(
                f"{len(placed)} images with the target and the poses of {' and '.join(self.markers.tools)}",
                f"{self._settings.minimum_images} or more",
                "keep the target in view and the markers turned towards the tracker, for longer",
            )
        stated = self.pixel_mm if self._stated_spacing_mm is None else self._stated_spacing_mm
        image = ProbeImage(size_px=self.size_px, axes=self._axes, stated_spacing_mm=stated)
        samples = [sample_of(each, self.markers, each.found) for each in placed]
        tips_mm = None
        if self._method == STYLUS and self._tip is not None:
            tips_mm = np.array([(each.poses[str(self.markers.stylus)] @ self._tip).translation_mm for each in placed])
        return calibrate_from_target(self._method, samples, image, tips_fixed_mm=tips_mm, settings=self._settings)

    def result(self, made: str, inputs: Sequence[InputFile]) -> CalibrationResult:
        """The result, accepted or refused, with what was left out and which lag was used."""
        result = CalibrationResult.or_refused(
            lambda: probe_spatial_result(self.calibration(), made, METHODS[self._method], inputs),
            kind="probe_spatial",
            subject=self.markers.probe,
            made=made,
            method=METHODS[self._method],
            n_used=len(self),
            inputs=inputs,
        )
        lag = "images and poses are taken as simultaneous: measure their lag with 'surgnav calibrate probe-time'"
        if self._lag_s is not None:
            lag = f"a lag of {1e3 * self._lag_s:.0f} ms was stated and used"
        return result.model_copy(update={"coverage": (self.said, *result.coverage, lag)})


def read_image_points(path: Path) -> dict[int, tuple[float, float]]:
    """Image points of a target: CSV with the columns frame (from 0 on), x_px and y_px.

    Raises:
        AcquisitionError: no such file, other columns, a number that is none, or a frame twice.
    """
    action = "export one line a frame in which the target is seen: frame,x_px,y_px"
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path))))
    except (OSError, ValueError) as error:
        raise AcquisitionError(f"the image points {path}: {error}", "a CSV that can be read", action) from error
    points: dict[int, tuple[float, float]] = {}
    for line, row in enumerate(rows, start=2):
        try:
            frame, x_px, y_px = int(row["frame"]), float(row["x_px"]), float(row["y_px"])
        except (KeyError, TypeError, ValueError) as error:
            came = f"line {line} of {path.name} without the numbers {', '.join(COLUMNS)}"
            raise AcquisitionError(came, f"columns {', '.join(COLUMNS)}", action) from error
        if frame in points or not np.isfinite([x_px, y_px]).all():
            came = f"line {line} of {path.name}: frame {frame} {'twice' if frame in points else 'at no finite place'}"
            raise AcquisitionError(came, "one finite point a frame", action)
        points[frame] = x_px, y_px
    return points
