"""Where contours lie: in the probe by its calibration, and in the room by the pose at the time that the image shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from calibration.rack import age
from calibration.result import CalibrationResult
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.results import image_map_of
from geometry.frames import REFERENCE, TRACKER
from geometry.points import Floats
from navigation.acquisition.probe.frames import CollectedFrames, ProbeMarkers
from navigation.acquisition.probe.recording import ProbeRecording
from navigation.clock import NS_PER_S
from navigation.devices.driver import Role, Tool
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame, UltrasoundRecording
from navigation.errors import DeviceError, RoomError
from navigation.room.room import Room
from navigation.ultrasound.live.placed_frame import corners_px
from navigation.ultrasound.pipeline import USABLE, FrameResult

# Water of a tank is up to 4 % slower than tissue; the steps of a scanner's depth are larger than this.
_SAME_SPACING = 0.08


@dataclass(frozen=True, eq=False)
class ProbeInForce:
    """The calibrations of a probe that its rack has in force.

    Attributes:
        name: of the probe in the room.
        image_map: from the pixels of its image to the probe.
        lag_s: an image with the time t shows what the pose at ``t + lag_s`` sees.
        lag_sd_s: its standard deviation; None where the calibration does not say it.
        size_px: width and height of the images that it was calibrated with.
        spatial, temporal: the results that map and lag are from, which may be one.
    """

    name: str
    image_map: ImageToProbe
    lag_s: float
    lag_sd_s: float | None
    size_px: tuple[int, int]
    spatial: CalibrationResult
    temporal: CalibrationResult

    @classmethod
    def of(cls, tool: Tool) -> ProbeInForce:
        """Those of a tool of a room file.

        Raises:
            RoomError: the room file names none for it, or its rack lacks the map or the lag.
        """
        if tool.rack_name is None:
            raise _missing(tool, "the probe without a calibration", 'add calibration = "NAME" to it, and a rack')
        spatial = next((each for each in tool.calibrations if each.kind == "probe_spatial"), None)
        if spatial is None:
            raise _missing(tool, f"no spatial calibration of {tool.rack_name} in force", "surgnav calibrate probe")
        temporal = next((each for each in reversed(tool.calibrations) if "lag_ms" in each.numbers), None)
        if temporal is None:
            raise _missing(tool, f"no lag of {tool.rack_name} in force", "surgnav calibrate probe-time")
        spread_ms = temporal.numbers.get("lag_sd_ms")
        width, height = (round(spatial.numbers[f"image_{side}_px"]) for side in ("width", "height"))
        return cls(
            name=tool.name,
            image_map=image_map_of(spatial),
            lag_s=1e-3 * temporal.numbers["lag_ms"],
            lag_sd_s=None if spread_ms is None else 1e-3 * spread_ms,
            size_px=(width, height),
            spatial=spatial,
            temporal=temporal,
        )

    def line(self, now: datetime) -> str:
        """What it is worth, and how old it is, for the person who looks at its overlay."""
        error = "" if self.spatial.expected_error is None else f", {self.spatial.expected_error.value:.2f} mm RMS"
        lag = f"lag {1e3 * self.lag_s:.1f} ms, {age(self.temporal.made_at, now)}"
        return f"{self.name}: calibrated {self.spatial.made}, {age(self.spatial.made_at, now)}{error}; {lag}"

    def trouble(self, size_px: tuple[int, int], pixel_mm: tuple[float, float] | None) -> str:
        """Why images of this width and height are not those of the calibration; empty if they may be.

        Args:
            pixel_mm: height and width of a pixel, where the source states it.
        """
        if size_px != self.size_px:
            return f"images of {size_px[0]} x {size_px[1]} px, calibrated with {self.size_px[0]} x {self.size_px[1]} px"
        calibrated = self.image_map.spacing_y_mm, self.image_map.spacing_x_mm
        if pixel_mm is None or np.allclose(pixel_mm, calibrated, rtol=_SAME_SPACING, atol=0.0):
            return ""
        stated, known = (f"{width:.3f} x {height:.3f} mm" for height, width in (pixel_mm, calibrated))
        return f"pixels of {stated}, calibrated with pixels of {known}: another depth"


class ContourPlacing:
    """Places the images of a recording with poses, and their contours.

    Args:
        probe: its calibrations.
        path: a sequence of PLUS with the probe's poses, relative to the reference where it has that, else the tracker.

    Attributes:
        probe: as given.
        fixed: the frame that contours are placed in.
        n_placed, n_refused: usable frames that were placed, and those that could not be.

    Raises:
        DeviceError: no sequence with poses of the probe, or images of another size or depth than those of the
            calibration.
    """

    def __init__(self, probe: ProbeInForce, path: Path) -> None:
        self.probe = probe
        try:
            recording, self.fixed = ProbeRecording(path, ProbeMarkers(probe.name, REFERENCE)), REFERENCE
        except DeviceError:
            recording, self.fixed = ProbeRecording(path, ProbeMarkers(probe.name, TRACKER)), TRACKER
        poses = CollectedFrames[None](ProbeMarkers(probe.name, self.fixed), lambda frame: None)
        stamps_ns = []
        for frame in recording.frames():
            poses.add(frame)
            stamps_ns.append(frame.source_ns or 0)
        self._motion, self._first_ns = poses.motion(), stamps_ns[0]
        self.n_placed = self.n_refused = 0

    def check(self, recording: UltrasoundRecording) -> None:
        """Refuses a recording whose first image is not one of the calibration.

        Raises:
            DeviceError: another size or depth.
        """
        frames = (recording.frame(index) for index in range(len(recording)))
        first = next((frame for frame in frames if frame.pixels is not None), None)
        trouble = "" if first is None else self.probe.trouble(_size_px(first), first.pixel_mm)
        if trouble:
            raise DeviceError(
                f"{Path(recording.name).name} with {trouble}",
                f"images as those of the calibration of {self.probe.spatial.made}",
                "set the scanner as it was calibrated, or calibrate the probe for this setting",
            )

    def place(self, result: FrameResult) -> dict[str, Any] | None:
        """Where a usable frame and its contours lie, for its record; None of another frame."""
        if result.state != USABLE or result.pixels is None or result.source_ns is None:
            return None
        pose = self._pose(result.pixels, result.pixel_mm, result.source_ns)
        if isinstance(pose, str):
            self.n_refused += 1
            return {"reason": pose, "contours": []}
        self.n_placed += 1
        shows_ns = result.source_ns + round(self.probe.lag_s * NS_PER_S)
        return placed_in_record(self.probe, self.fixed, pose, result, shows_ns)

    def matrix_of(self, pixels: GreyPixels, pixel_mm: tuple[float, float] | None, source_ns: int) -> Floats | str:
        """``(4, 4)`` from ``(x px, y px, 0, 1)`` to `fixed` in mm, of an image with this time; or why there is none."""
        pose = self._pose(pixels, pixel_mm, source_ns)
        return pose if isinstance(pose, str) else pose @ self.probe.image_map.matrix_probe_image_px

    def _pose(self, pixels: GreyPixels, pixel_mm: tuple[float, float] | None, source_ns: int) -> Floats | str:
        trouble = self.probe.trouble(pixels.shape[::-1], pixel_mm)
        time_s = (source_ns - self._first_ns) / NS_PER_S + self.probe.lag_s
        (pose,), (known,) = self._motion.at(np.array([time_s]))
        if not trouble and not known:
            trouble = f"no pose of {self.probe.name} at the time that the image shows"
        return trouble or pose


def placed_in_record(
    probe: ProbeInForce, fixed: str, T_fixed_probe: Floats, result: FrameResult, shows_ns: int
) -> dict[str, Any]:
    """A frame and its contours with their places, for its record.

    Args:
        probe: its calibrations.
        fixed: the frame that they are placed in.
        T_fixed_probe: the probe's pose at the instant that the image shows, ``(4, 4)``.
        result: the frame.
        shows_ns: that instant, on the clock of the poses.
    """
    image_map = probe.image_map
    points_px = np.concatenate([corners_px(probe.size_px), *(each.points_px for each in result.contours)])

    def placed(points_px: Floats) -> dict[str, Any]:
        in_probe_mm = image_map.to_probe_mm(points_px)
        in_fixed_mm = in_probe_mm @ T_fixed_probe[:3, :3].T + T_fixed_probe[:3, 3]
        return {"points_probe_mm": in_probe_mm.round(3).tolist(), "points_mm": in_fixed_mm.round(3).tolist()}

    return {
        "reason": "",
        "to_frame": fixed,
        "image_shows_ns": shows_ns,
        "expected_error_rms_mm": round(float(image_map.expected_errors_mm(points_px).max()), 3),
        "image_px_to_mm": (T_fixed_probe @ image_map.matrix_probe_image_px).tolist(),
        "contours": [placed(contour.points_px) for contour in result.contours],
    }


def placing_of(room: Room, path: Path, recording: UltrasoundRecording) -> ContourPlacing:
    """The placing of a recording by the calibrations of the room's probe.

    Raises:
        RoomError: no probe in the room, or calibrations that it lacks.
        DeviceError: as `ContourPlacing` and its `check`.
    """
    placing = ContourPlacing(ProbeInForce.of(room.the_tool(Role.PROBE)), path)
    placing.check(recording)
    return placing


def _size_px(frame: UltrasoundFrame) -> tuple[int, int]:
    """Width and height."""
    height, width = (0, 0) if frame.pixels is None else frame.pixels.shape
    return width, height


def _missing(tool: Tool, came: str, command: str) -> RoomError:
    return RoomError(
        f"[tools.{tool.name}] {came}",
        "an accepted spatial calibration and a lag, by which contours are placed",
        f"calibrate it: {command}" if command.startswith("surgnav") else command,
    )
