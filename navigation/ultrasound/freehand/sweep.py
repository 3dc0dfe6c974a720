"""The frames of a recorded sweep with the map of their pixels into a fixed frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry import Transform
from geometry.frames import PROBE, REFERENCE, TRACKER
from geometry.points import Bools, Floats
from navigation.acquisition.probe.frames import ProbeMarkers
from navigation.acquisition.probe.recording import ProbeRecording
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame
from navigation.errors import DeviceError
from navigation.ultrasound.placing import ContourPlacing

# The map of a frame's pixels ``(4, 4)``, or why there is none.
Place = Callable[[UltrasoundFrame], "Floats | str"]


@dataclass(frozen=True, eq=False)
class RecordedSweep:
    """The frames that could be placed.

    Attributes:
        frame: that the maps lead to: ``reference``, ``tracker`` or ``ct``.
        pixels: of each, ``(h, w)``.
        T_frame_image_px: ``(n, 4, 4)``, pixel (x, y, 0, 1) to mm in `frame`.
        times_ns: of each, since the recording's first.
        left_out: number of frames by the reason why they were left out.
    """

    frame: str
    pixels: tuple[GreyPixels, ...]
    T_frame_image_px: Floats
    times_ns: tuple[int, ...]
    left_out: dict[str, int]

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.pixels[0].shape
        return height, width

    @property
    def rate_hz(self) -> float:
        """Frames a second, of those that were placed; NaN of fewer than two."""
        if len(self.times_ns) < 2:
            return float("nan")
        return 1e9 * (len(self.times_ns) - 1) / max(self.times_ns[-1] - self.times_ns[0], 1)

    def in_ct(self, T_reference_ct: Transform) -> RecordedSweep:
        """The sweep in ``ct``, by a registration.

        Raises:
            DeviceError: the sweep is not relative to the reference.
        """
        if self.frame != REFERENCE:
            came = f"a recording with poses in {self.frame!r}"
            raise DeviceError(came, "poses relative to the reference", "record the reference as well")
        moved = T_reference_ct.inverse().matrix @ self.T_frame_image_px
        return RecordedSweep(T_reference_ct.from_frame, self.pixels, moved, self.times_ns, self.left_out)


def placed_by_map(path: Path, T_probe_image_px: Floats) -> RecordedSweep:
    """A sweep of PLUS, each frame by its own pose and the map that is given, as PLUS does.

    Raises:
        DeviceError: no sequence with poses of the probe, or no frame that can be placed.
    """
    try:
        recording, fixed = ProbeRecording(path, ProbeMarkers(PROBE, REFERENCE)), REFERENCE
    except DeviceError:
        recording, fixed = ProbeRecording(path, ProbeMarkers(PROBE, TRACKER)), TRACKER
    markers = ProbeMarkers(PROBE, fixed)

    def place(frame: UltrasoundFrame) -> Floats | str:
        pose = markers.pose(frame, PROBE)
        return f"no pose of the probe relative to {fixed}" if pose is None else pose.matrix @ T_probe_image_px

    return _collected(path, recording, fixed, place)


def placed_by_calibration(path: Path, placing: ContourPlacing) -> RecordedSweep:
    """A sweep of PLUS, each frame at the instant that it shows, by the calibrations that are in force.

    Raises:
        DeviceError: no sequence, or no frame that can be placed.
    """

    def place(frame: UltrasoundFrame) -> Floats | str:
        if frame.pixels is None or frame.source_ns is None:
            return "no time"
        return placing.matrix_of(frame.pixels, frame.pixel_mm, frame.source_ns)

    recording = ProbeRecording(path, ProbeMarkers(placing.probe.name, placing.fixed))
    return _collected(path, recording, placing.fixed, place)


def crop_mask(shape: tuple[int, int], left: int, top: int, width: int, height: int) -> Bools:
    """The pixels of a rectangle, ``(h, w)``.

    Raises:
        DeviceError: a rectangle that does not lie within the image.
    """
    if min(left, top) < 0 or min(width, height) < 1 or left + width > shape[1] or top + height > shape[0]:
        came = f"a crop of {width} x {height} px from ({left}, {top})"
        raise DeviceError(came, f"a rectangle within {shape[1]} x {shape[0]} px", "correct --crop")
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def _collected(path: Path, recording: ProbeRecording, fixed: str, place: Place) -> RecordedSweep:
    pixels: list[GreyPixels] = []
    maps: list[Floats] = []
    times_ns: list[int] = []
    left_out: Counter[str] = Counter()
    for frame in recording.frames():
        if frame.pixels is None:
            left_out[frame.missing] += 1
            continue
        placed = place(frame)
        if isinstance(placed, str):
            left_out[placed] += 1
            continue
        if pixels and frame.pixels.shape != pixels[0].shape:
            left_out["images of another size than the first"] += 1
            continue
        pixels.append(frame.pixels)
        maps.append(placed)
        times_ns.append(frame.capture_ns or 0)
    if not pixels:
        why = "; ".join(f"{count} frames: {reason}" for reason, count in left_out.items()) or "no frames"
        raise DeviceError(
            f"{path.name}, of which no frame can be placed ({why})",
            "frames with an image and a pose of the probe",
            "record the sweep with probe and reference in view of the tracker",
        )
    return RecordedSweep(fixed, tuple(pixels), np.array(maps), tuple(times_ns), dict(left_out))
