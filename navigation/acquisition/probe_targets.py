"""Ultrasound images of a target with the poses of their probe, as samples of a calibration; and what is missing yet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calibration.ultrasound_probe.errors import ProbeRefusedError
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.targets.calibrate import (
    PLANE,
    STYLUS,
    calibrate_from_point,
    calibrate_from_stylus,
    calibrate_from_wall,
)
from calibration.ultrasound_probe.targets.judging import ProbeImage, TargetSettings
from calibration.ultrasound_probe.targets.wall_line import find_wall_line
from case.text_files import read_text
from geometry import Transform
from geometry.frames import TRACKER
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import AcquisitionError

COLUMNS = ("frame", "x_px", "y_px")
# A corner that is known to half of what is accepted leaves room for the errors that no residual shows.
ENOUGH = 0.5
_UNDO_S = 2.0


@dataclass(frozen=True, eq=False)
class TargetSample:
    """A target in one image.

    Attributes:
        sample: its points, and the pose of the probe.
        tip_fixed_mm: the stylus tip in the frame that the pose leads to, ``(3,)``; None for other targets.
    """

    sample: ProbeSample
    tip_fixed_mm: Floats | None = None


class TargetCollecting:
    """Satisfies `Collecting` for images of a target.

    Args:
        method: ``stylus``, ``cross`` or ``plane``.
        image: what is stated of the images.
        settings: what the calibration must bring.
    """

    def __init__(self, method: str, image: ProbeImage, settings: TargetSettings | None = None) -> None:
        self._method, self._image, self._settings = method, image, settings or TargetSettings()
        self._taken: list[TargetSample] = []
        self._is_enough = False

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the image's corners were known to half of what is accepted."""
        return self._is_enough

    def add(self, sample: TargetSample) -> None:
        """Takes an image in."""
        self._taken.append(sample)

    def undo(self) -> None:
        """Takes the last two seconds back."""
        if self._taken:
            kept_s = self._taken[-1].sample.time_s - _UNDO_S
            self._taken = [each for each in self._taken if each.sample.time_s <= kept_s]

    def advice(self) -> Advice:
        self._is_enough = False
        wanted = self._settings.minimum_images
        if len(self._taken) < wanted:
            step = f"keep the {'wall' if self._method == PLANE else 'target'} in view, and move the probe slowly"
            return Advice(step, 0.0, f"{len(self._taken)} images of {wanted} that are needed before anything is known")
        limit_mm = self._settings.maximum_corner_error_mm
        try:
            found = self.calibration()
        except ProbeRefusedError as error:
            return Advice(error.action, 0.3, f"not known yet: {error.came}")
        expected_mm = found.expected_corner_error_mm
        known = f"the image's worst corner is known to {expected_mm:.2f} mm RMS, from {found.n_images} images"
        if found.reasons:
            return Advice(found.reasons[0], 0.5, known)
        self._is_enough = expected_mm <= ENOUGH * limit_mm
        if self._is_enough:
            return Advice("it is enough: end it with Enter", 1.0, known)
        return Advice(
            "go on, and repeat these motions: more images make it surer", ENOUGH * limit_mm / expected_mm, known
        )

    def calibration(self) -> ProbeCalibration:
        """What the images come to.

        Raises:
            ProbeInputError, ProbeRefusedError: as the calibration of that method.
        """
        samples = [each.sample for each in self._taken]
        if self._method == PLANE:
            return calibrate_from_wall(samples, self._image, self._settings)
        if self._method == STYLUS:
            tips = np.array([each.tip_fixed_mm for each in self._taken], np.float64).reshape(-1, 3)
            return calibrate_from_stylus(samples, tips, self._image, self._settings)
        return calibrate_from_point(samples, self._image, self._settings)


@dataclass(eq=False)
class TargetFrames:
    """Makes samples of frames, and counts those that have none.

    Args:
        probe: name of the probe's marker.
        fixed: the frame that stands still: a marker, or ``tracker``.
        points: image points by number of the frame; None to look for the line of a wall.
        stylus, T_stylus_tip: the stylus whose tip is in view; None for other targets.

    Attributes:
        n_without_pose, n_without_target: frames left out.
    """

    probe: str
    fixed: str
    points: Mapping[int, tuple[float, float]] | None = None
    stylus: str | None = None
    T_stylus_tip: Transform | None = None
    n_without_pose: int = field(default=0, init=False)
    n_without_target: int = field(default=0, init=False)

    def sample(self, frame: UltrasoundFrame) -> TargetSample | None:
        """The target in a frame; None if a pose or the target is missing."""
        if self.points is not None and frame.sequence not in self.points:
            self.n_without_target += 1
            return None
        pose = self._pose(frame, self.probe)
        stylus = None if self.stylus is None else self._pose(frame, self.stylus)
        if pose is None or frame.capture_ns is None or (self.stylus is not None and stylus is None):
            self.n_without_pose += 1
            return None
        points = self._points(frame)
        if points is None:
            self.n_without_target += 1
            return None
        sample = ProbeSample(frame.sequence, frame.capture_ns / 1e9, points, pose)
        if stylus is None or self.T_stylus_tip is None:
            return TargetSample(sample)
        return TargetSample(sample, (stylus @ self.T_stylus_tip).translation_mm)

    def _points(self, frame: UltrasoundFrame) -> Floats | None:
        if self.points is not None:
            return np.array([self.points[frame.sequence]])
        line = None if frame.pixels is None else find_wall_line(frame.pixels)
        return None if line is None else line.ends_px

    def _pose(self, frame: UltrasoundFrame, tool: str) -> Transform | None:
        direct = frame.poses.get(f"T_{self.fixed}_{tool}")
        if direct is not None or self.fixed == TRACKER:
            return direct
        of_tool, of_fixed = frame.poses.get(f"T_{TRACKER}_{tool}"), frame.poses.get(f"T_{TRACKER}_{self.fixed}")
        return None if of_tool is None or of_fixed is None else of_fixed.inverse() @ of_tool


def check_poses(first: UltrasoundFrame, fixed: str, tools: Sequence[str]) -> None:
    """Refuses a recording in which a tool was not tracked at all.

    Raises:
        AcquisitionError: none of its transforms leads from the tool to `fixed`.
    """
    for tool in tools:
        ways = [{f"T_{fixed}_{tool}"}, {f"T_{TRACKER}_{tool}", f"T_{TRACKER}_{fixed}"}]
        if not any(way <= set(first.poses) for way in ways):
            raise AcquisitionError(
                f"a recording without poses of {tool} relative to {fixed}; it has "
                f"{', '.join(first.poses) or 'no transforms at all'}",
                f"T_{fixed}_{tool}, or T_{TRACKER}_{tool} and T_{TRACKER}_{fixed}",
                "name the probe's marker and one that stands still as the recording does: --tool, --fixed",
            )


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
