"""The probe calibrated in the simulated room, before the operation: over a tank for its lag, over crossed wires for its
map. What the tracker measures, how echoes are read and how thick the beam is go into both; the calibrations are the
real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.result import CalibrationResult
from calibration.ultrasound_probe.flips import ProbeAxes
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.results import probe_spatial_result, probe_temporal_result
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from calibration.ultrasound_probe.targets.calibrate import CROSS, METHODS, calibrate_from_target
from calibration.ultrasound_probe.targets.judging import ProbeImage
from calibration.ultrasound_probe.temporal import TemporalCalibration, calibrate_probe_time
from geometry import Transform
from geometry.frames import PROBE, REFERENCE
from geometry.points import Floats
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.tracker import Tracker
from navigation.errors import AcquisitionError
from navigation.simulation.operating_room import SPHERES_MM, OperatingRoom, OperatingRoomConfig
from navigation.simulation.optical_tracker import OpticalTrackerSettings, SimulatedOpticalTracker, TruePose
from navigation.simulation.ultrasound.scan_path import true_columns_mm

Watch = Callable[[TruePose, VirtualClock], Tracker]
"""Makes a tracker that sees these true poses at the times of that clock."""

TANK_S, CROSS_S = 16.0, 40.0
_IMAGE_S = {TANK_S: 0.05, CROSS_S: 0.2}
# Where the targets are, in ``reference``; the image looks along its -z.
_TARGET_MM: Floats = np.array([150.0, -60.0, -20.0])
_UPRIGHT: Floats = np.column_stack([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def rehearsed_probe(
    config: OperatingRoomConfig, geometry: ScanGeometry, lag_ms: float, time: str
) -> tuple[CalibrationResult, CalibrationResult]:
    """Map and lag of the probe of a simulated room, calibrated there.

    Args:
        config: of the room.
        geometry: of the scan.
        lag_ms: the true lag.
        time: when it is done, ISO 8601 with a time zone.

    Raises:
        ProbeRefusedError: too few images with poses.
        AcquisitionError: the reference is out of sight as it begins.
    """
    T_tracker_reference = OperatingRoom(config).pose(REFERENCE, config.epoch_ns)
    if T_tracker_reference is None:
        raise AcquisitionError("a reference out of sight", "one that the camera sees", "use another --seed")
    spheres_mm = {tool: SPHERES_MM[tool] for tool in (REFERENCE, PROBE)}

    def watch(pose: TruePose, clock: VirtualClock) -> Tracker:
        noise, distortion = np.random.default_rng([config.seed, 9]), np.random.default_rng([config.seed, 3])
        return SimulatedOpticalTracker(pose, spheres_mm, clock, noise, distortion, OpticalTrackerSettings(rate_hz=40.0))

    session = CalibrationSession(
        geometry=geometry,
        columns_mm=true_columns_mm(geometry),
        lag_s=1e-3 * lag_ms,
        T_tracker_reference=T_tracker_reference,
        watch=watch,
    )
    spatial, temporal = session.run(np.random.default_rng([config.seed, 8]))
    return (
        probe_spatial_result(spatial, time, METHODS[CROSS], numbers=geometry.numbers()),
        probe_temporal_result(temporal, PROBE, np.arange(len(temporal.used), dtype=np.float64), time),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationSession:
    """What is true of the probe, and how its images are read.

    Attributes:
        geometry: of the scan.
        columns_mm: the true ``[u, v, origin]``, ``(3, 3)``.
        lag_s: the true lag; an image stamped t shows what the probe saw at t plus this.
        T_tracker_reference: the true pose of the reference, which stands still.
        watch: makes the tracker.
        read_px: RMS error along each axis of an echo's place.
        beam_mm: RMS distance from the image's plane at which a wire is still taken for being in it.
    """

    geometry: ScanGeometry
    columns_mm: Floats
    lag_s: float
    T_tracker_reference: Transform
    watch: Watch
    read_px: float = 0.7
    beam_mm: float = 0.4

    def run(self, rng: np.random.Generator) -> tuple[ProbeCalibration, TemporalCalibration]:
        """The map, and the lag, which is found first and needed for the map.

        Raises:
            ProbeRefusedError: too few images with poses.
        """
        stamps_s, motion = self._watched(TANK_S, self._over_tank)
        seen_px = self._tank_px(stamps_s + self.lag_s)[:, 1] + self.read_px * rng.standard_normal(len(stamps_s))
        lag = calibrate_probe_time(stamps_s, seen_px, motion)
        stamps_s, motion = self._watched(CROSS_S, self._over_cross(int(rng.integers(1 << 30))))
        poses, known = motion.at(stamps_s + lag.lag_s)
        samples = [
            ProbeSample(k, float(stamps_s[k]), self._read(float(stamps_s[k]), rng), Transform(pose, REFERENCE, PROBE))
            for k, pose in enumerate(poses)
            if known[k]
        ]
        axes = ProbeAxes(marked=self.columns_mm[:, 0], far=self.columns_mm[:, 1])
        image = ProbeImage(size_px=self.geometry.size_px, axes=axes, stated_spacing_mm=self.geometry.pixel_mm)
        return calibrate_from_target(CROSS, samples, image), lag

    def _watched(self, duration_s: float, true: Callable[[float], Transform]) -> tuple[Floats, ProbeMotion]:
        """Stamps of the images, and the measured motion of the probe against the reference."""

        def pose(tool: str, time_ns: int) -> Transform | None:
            at_s = time_ns / NS_PER_S
            return self.T_tracker_reference if tool == REFERENCE else self.T_tracker_reference @ true(at_s)

        clock = VirtualClock(NS_PER_S)
        tracker = self.watch(pose, clock)
        tracker.start()
        times_s, poses = [], []
        while clock.now_ns() < (1.0 + duration_s) * NS_PER_S:
            frame = tracker.next_frame(NS_PER_S)
            if frame is None:
                continue
            reference, probe = (frame.tools[tool].T_tracker_tool for tool in (REFERENCE, PROBE))
            if reference is not None and probe is not None:
                times_s.append(frame.capture_ns / NS_PER_S)
                poses.append((reference.inverse() @ probe).matrix)
        stamps_s = np.arange(1.5, 0.5 + duration_s, _IMAGE_S[duration_s])
        return stamps_s, ProbeMotion(np.array(times_s), np.array(poses))

    def _posed(self, pixel: Floats, place_mm: Floats, turn_rad: Floats) -> Transform:
        """``T_reference_probe`` in whose image a pixel lies at a place of the reference."""
        u, v, _ = self.columns_mm.T
        normal = np.cross(u, v) / np.linalg.norm(np.cross(u, v))
        x = u / np.linalg.norm(u)
        turned = (
            _UPRIGHT @ Rotation.from_rotvec(turn_rad).as_matrix() @ np.column_stack([x, np.cross(normal, x), normal]).T
        )
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = turned, place_mm - turned @ (self.columns_mm @ np.append(pixel, 1.0))
        return Transform(matrix, REFERENCE, PROBE)

    def _tank_px(self, t_s: Floats) -> Floats:
        """Pixels ``(n, 2)`` of the tank's bottom below the middle of the face, in strokes that do not repeat."""
        strokes = 0.6 * np.sin(2.0 * np.pi * 0.31 * t_s) + 0.4 * np.sin(2.0 * np.pi * 0.47 * t_s + 1.0)
        return self.geometry.points_px(np.zeros(()), self.geometry.depth_mm * (0.5 + 0.3 * strokes))

    def _over_tank(self, t_s: float) -> Transform:
        return self._posed(self._tank_px(np.array([t_s]))[0], _TARGET_MM, np.zeros(3))

    def _cross_px(self, t_s: float) -> Floats:
        across = 0.8 * np.sin(2.0 * np.pi * 0.057 * t_s)
        deep_mm = self.geometry.depth_mm * (0.5 + 0.36 * np.sin(2.0 * np.pi * 0.083 * t_s + 1.0))
        return self.geometry.points_px(np.array(across), np.array(deep_mm))

    def _over_cross(self, seed: int) -> Callable[[float], Transform]:
        """The wires are seen somewhere within the beam; the same at the same time."""
        phases = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi, 3)

        def pose(t_s: float) -> Transform:
            waves = np.sin(2.0 * np.pi * np.array([0.041, 0.067, 0.101]) * t_s + phases)
            turn_rad = np.deg2rad([28.0, 50.0, 28.0]) * waves
            upright = self._posed(self._cross_px(t_s), _TARGET_MM, turn_rad)
            beam = np.cross(self.columns_mm[:, 0], self.columns_mm[:, 1])
            off = np.sqrt(2.0) * self.beam_mm * np.sin(2.0 * np.pi * 0.77 * t_s + phases[0])
            shift = np.eye(4)
            shift[:3, 3] = off * beam / np.linalg.norm(beam)
            return Transform(upright.matrix @ shift, REFERENCE, PROBE)

        return pose

    def _read(self, stamp_s: float, rng: np.random.Generator) -> Floats:
        """Where the wires' echo is found in the image with this stamp, ``(1, 2)``."""
        read: Floats = self._cross_px(stamp_s + self.lag_s)[None] + self.read_px * rng.standard_normal((1, 2))
        return read
