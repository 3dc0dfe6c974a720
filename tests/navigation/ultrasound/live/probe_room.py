"""A simulated room with a calibrated probe on a registered patient, where everything has an error: where the pixels of
an image are placed, and where they truly lie.

Tracker, registration and CT are those of the `MeasuredRoom`. The probe is calibrated by the real calibrations, from
recordings of its own, and the camera is moved afterwards, so that another part of its distortion counts. Images are
late by a lag that only the calibration knows, and stamped unevenly; the clock of the poses is known by its stamps only.
Nothing is drawn from a covariance that the program computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.results import probe_spatial_result, probe_temporal_result
from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry import Transform
from geometry.frames import PROBE, REFERENCE, TRACKER
from geometry.points import Floats
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.tracker import Tracker, TrackerFrame
from navigation.live.pose_graph import PATIENT, CalibratedTip, PoseGraph
from navigation.live.pose_mirror import mirrored
from navigation.live.supervisor import Judgement
from navigation.live.timeline.timelines import Timelines
from navigation.simulation.operating_room import SPHERES_MM
from navigation.simulation.optical_tracker import OpticalTrackerSettings, SimulatedOpticalTracker, TruePose
from navigation.simulation.ultrasound.calibration_session import CalibrationSession
from navigation.simulation.ultrasound.patient_scan import ScannedPatient
from navigation.simulation.ultrasound.scan_path import ScanPath, true_columns_mm
from navigation.ultrasound.distances.measure import Distances
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.pipeline import USABLE, FrameResult
from navigation.ultrasound.placing import ProbeInForce
from tests.navigation.live.timeline.measured_room import MS, PERIOD_NS, MeasuredRoom, _bounded
from unity_bridge.wire.envelope import Validity

GEOMETRY = ScanGeometry.convex((400, 340), (0.3, 0.3), radius_mm=50.0, half_angle_rad=np.deg2rad(32.0), depth_mm=95.0)
MADE = "2026-11-27T08:00:00+00:00"
_JITTER_MS = 2.0  # to both sides, of an image's stamp
_JUDGED = {tool: Judgement(Validity.VALID) for tool in (REFERENCE, PROBE, PATIENT)}


@dataclass(frozen=True)
class PlacedPixel:
    """One pixel of one image: where it was placed against where it truly lies, along the axes of ``reference``.

    `links_mm` are the errors that map, instant and registration make alone.
    """

    error_mm: Floats
    covariance_mm2: Floats
    p95_mm: float
    speed_mm_s: float
    links_mm: dict[str, float]

    @property
    def squared(self) -> float:
        """The squared Mahalanobis distance of the truth."""
        return float(self.error_mm @ np.linalg.solve(self.covariance_mm2, self.error_mm))


class ProbeRoom(MeasuredRoom):
    """A patient who was registered, and a probe that was calibrated."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._seed = seed
        self.columns_mm = true_columns_mm(GEOMETRY)
        self.lag_s = float(self.rng.uniform(-0.09, -0.01))
        T_tracker_reference = self.room.pose(REFERENCE, 0)
        assert T_tracker_reference is not None
        session = CalibrationSession(
            geometry=GEOMETRY,
            columns_mm=self.columns_mm,
            lag_s=self.lag_s,
            T_tracker_reference=T_tracker_reference,
            watch=lambda pose, clock: self._watching(pose, clock, 40.0),
        )
        spatial, temporal = session.run(self.rng)
        assert not (spatial.reasons + temporal.reasons)
        self.probe = ProbeInForce(
            name=PROBE,
            image_map=spatial.image_map,
            lag_s=temporal.lag_s,
            lag_sd_s=temporal.lag_sd_s,
            size_px=GEOMETRY.size_px,
            spatial=probe_spatial_result(spatial, MADE, "cross"),
            temporal=probe_temporal_result(temporal, PROBE, np.arange(float(len(temporal.used))), MADE),
        )
        self._first_view = self.room.T_tracker_ct
        self.tips: dict[str, CalibratedTip] = {}
        self.distances = Distances()
        self.tracker = self._watching(self._pose, self.clock, 100.0)

    def _watching(self, pose: TruePose, clock: PacedClock, rate_hz: float, *also: str) -> Tracker:
        """The camera of the `MeasuredRoom`, whose distortion is its own, on reference, probe and other tools."""
        spheres_mm = {tool: SPHERES_MM[tool] for tool in (REFERENCE, PROBE, *also)}
        noise, distortion = np.random.default_rng([self._seed, 5]), np.random.default_rng([self._seed, 2])
        settings = OpticalTrackerSettings(rate_hz=rate_hz)
        return SimulatedOpticalTracker(pose, spheres_mm, clock, noise, distortion, settings)

    def placed(self) -> PlacedPixel:
        """A pixel somewhere in the scan of one image, while the probe is moved over the patient."""
        rng, path = self.rng, self._watched_path()
        timeline, stamp_ns = self._seen()
        pixels = np.zeros(GEOMETRY.size_px[::-1], np.uint8)
        result = FrameResult(
            sequence=0, capture_ns=stamp_ns, finished_ns=None, state=USABLE, reason="", contours=(), pixels=pixels
        )
        placed = timeline.place(result)
        assert placed.validity is Validity.VALID, placed.reason
        assert placed.errors is not None
        true_s = self._exposed_s + self.lag_s
        across_px, deep_mm = rng.uniform(-1.0, 1.0), rng.uniform(0.05, 1.0) * GEOMETRY.depth_mm
        pixel = GEOMETRY.points_px(np.array(across_px), np.array(deep_mm))[None]
        true_ct = self._in_ct(path, pixel, true_s)
        T_reference_ct = self.registration.T_reference_ct
        at = placed.place_mm(pixel)
        assert at is not None
        late_ct = self._in_ct(path, pixel, stamp_ns / NS_PER_S + self.probe.lag_s)
        by_map = self.probe.image_map.to_probe_mm(pixel) - (pixel @ self.columns_mm[:, :2].T + self.columns_mm[:, 2])
        by_registration = T_reference_ct.apply(self.in_image(true_ct)) - self.room.T_reference_ct.apply(true_ct)
        return PlacedPixel(
            error_mm=T_reference_ct.rotate(at - self.in_image(true_ct))[0],
            covariance_mm2=placed.errors.at(pixel)[0],
            p95_mm=float(placed.errors.p95_mm(pixel)[0]),
            speed_mm_s=float(np.linalg.norm(self._in_ct(path, pixel, true_s + 0.005) - true_ct) / 0.005),
            links_mm={
                "probe map": float(np.linalg.norm(by_map)),
                "instant": float(np.linalg.norm(late_ct - true_ct)),
                "registration": float(np.linalg.norm(by_registration)),
            },
        )

    def _watched_path(self) -> ScanPath:
        """A path over the patient, the camera moved to where it sees the probe on it."""
        rng = self.rng
        while True:
            now_s = self.clock.now_ns() / NS_PER_S
            along = np.linspace(-40.0, 40.0, 9)
            faces = np.column_stack([rng.uniform(-30.0, 30.0) + 0.2 * along, np.full(9, -45.0), along])
            across, into = Rotation.from_rotvec(rng.normal(scale=0.15, size=3)).apply([[1.0, 0, 0], [0, 1.0, 0]])
            begins_s, period_s = now_s - rng.uniform(0.0, 10.0), rng.uniform(3.0, 15.0)
            path = ScanPath(faces, across, into, GEOMETRY, float(period_s), float(begins_s))
            scanned = ScannedPatient(tissue=Path("nowhere.npz"), path=path, lag_ms=1e3 * self.lag_s)
            object.__setattr__(self.room.config, "scan", scanned)
            turn = Rotation.from_rotvec(rng.uniform(-0.3, 0.3, 3) * [0.3, 0.3, 1.0])
            place_mm = rng.uniform(-200.0, 200.0, 3) * [1.0, 1.0, 0.5]
            self.room.T_tracker_ct = Transform.from_rotation(turn, place_mm, TRACKER, TRACKER) @ self._first_view
            self.tracker.start()
            seen = [self.tracker.next_frame(PERIOD_NS) for _ in range(10)]
            if all(each and all(tool.T_tracker_tool for tool in each.tools.values()) for each in seen):
                return path

    def _in_ct(self, path: ScanPath, pixel: Floats, t_s: float) -> Floats:
        """Where a pixel ``(1, 2)`` truly lies in the body, ``(1, 3)``."""
        image = path.T_ct_image_px(t_s)
        in_ct: Floats = pixel @ image[:3, :2].T + image[:3, 3]
        return in_ct

    def _seen(self) -> tuple[PlacingTimeline, int]:
        """The probe's poses of the last quarter of a second, and the stamp of an image among them."""
        graph, timelines = PoseGraph(self.tips, self.registration), Timelines()
        judged = _JUDGED | {tool: Judgement(Validity.VALID) for tool in self.tips}
        sensor_clock, timeline = self._learned_clock(), PlacingTimeline(self.probe)
        timeline.registration = self.registration
        self._exposed_s = 0.0
        for number in range(28):
            frame = self.frame()
            if number == 24:
                self._exposed_s = frame.capture_ns / NS_PER_S + self.rng.uniform(0.0, 0.01)
            capture_ns = sensor_clock.capture_ns(frame.capture_ns - NS_PER_S, frame.capture_ns + self._delay_ns())
            stamped = {tool: _bounded(seen, sensor_clock.bound_ns) for tool, seen in frame.tools.items()}
            frame = TrackerFrame(frame.sequence, capture_ns, stamped)
            timelines.note(frame, capture_ns)
            batch = mirrored(graph.states(frame, judged, timelines), capture_ns, timelines, (PROBE,), self.tips)
            timeline.note(batch)
            self.distances.note(batch)
        jitter_ms = self.rng.uniform(-_JITTER_MS, _JITTER_MS)
        return timeline, round(self._exposed_s * NS_PER_S + jitter_ms * MS)
