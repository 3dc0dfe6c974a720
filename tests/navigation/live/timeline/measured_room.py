"""A simulated room in which everything has an error: what the live ellipsoid says of it, beside the truth.

The tracker measures spheres with distortion and jitter; the stylus is pivoted with what it sees and bent a little
afterwards; the CT is scaled; landmarks are picked and touched with errors that are not normal. Then the camera is
moved, so that another part of its distortion counts, and an instrument is taken up, pivoted and bent a little. It
moves faster and slower, its device's clock is only known by its stamps, and its pose is published up to 30 ms after it
came. Nothing is drawn from a covariance that the program computes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import chdtri

from calibration.pivot.pivot import calibrate_pivot
from geometry import Surface, Transform
from geometry.frames import CT, REFERENCE, STYLUS, TRACKER
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.driver import StampClock, Stamps
from navigation.devices.sensor_clock import SensorClock
from navigation.devices.tracker import ToolObservation, TrackerFrame
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.supervisor import Judgement
from navigation.live.timeline.timelines import Timelines
from navigation.simulation.actions import StylusPosture, pivot_near
from navigation.simulation.operating_room import SPHERES_MM, OperatingRoom, OperatingRoomConfig
from navigation.simulation.optical_tracker import SimulatedOpticalTracker
from registration.assumptions import Assumptions
from registration.measurements import Measured, TouchedPoint
from registration.record.accepted import AcceptedRegistration
from registration.record.in_force import uncertainty_in_force
from registration.register import register
from registration.uncertainty.expected_error import expected_tre
from unity_bridge.wire.envelope import Validity

MS = 1_000_000
PERIOD_NS = 10 * MS
LATENCY_MS, MEAN_DELAY_MS = 4.0, 3.0
# Of a device at 30 Hz beside one that is faster: its newest pose is published with each frame of that one.
LONGEST_WAIT_MS, HAND_MM_S2 = 30.0, 800.0
CENTRE = np.zeros(3)
# What the registration assumes: FLE of 0.8 mm RMS, of which tracking makes some 0.3 mm; a scale known to 3 in 1,000.
PICK_RMS_MM, HAND_RMS_MM = 0.6, 0.45
ASSUMED = Assumptions()
BEND_RMS_MM = 0.25  # what the registration assumes of a tip whose calibration says less
CHI2_95 = float(chdtri(3.0, 0.05))
VALID = {REFERENCE: Judgement(Validity.VALID), STYLUS: Judgement(Validity.VALID)}


@dataclass
class Stroke:
    """A tip that moves through a point and is pushed to another way, while the stylus turns about it."""

    point_ct_mm: np.ndarray
    velocity_mm_s: np.ndarray
    shaft_ct: np.ndarray
    turn_rad_s: np.ndarray
    through_s: float = 0.0
    push_mm_s2: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def posture(self, t_s: float) -> StylusPosture:
        since_s = t_s - self.through_s
        shaft = Rotation.from_rotvec(self.turn_rad_s * since_s).apply(self.shaft_ct)
        place_mm = self.point_ct_mm + self.velocity_mm_s * since_s + self.push_mm_s2 * since_s**2 / 2.0
        return StylusPosture(CT, place_mm, shaft)


@dataclass(frozen=True)
class Instant:
    """One pose of the tip with its covariance, and how far off it was when it was published; axes of ``reference``."""

    error_mm: np.ndarray
    covariance_mm2: np.ndarray
    speed_mm_s: float
    age_ms: float

    @property
    def squared(self) -> float:
        """The squared Mahalanobis distance of the truth: 95 % of a normal error's are below 7.815."""
        return float(self.error_mm @ np.linalg.solve(self.covariance_mm2, self.error_mm))


class MeasuredRoom:
    """A room with a stylus that was pivoted and a patient who was registered in it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng([seed, 17])
        self.room = OperatingRoom(OperatingRoomConfig(seed=seed, centre_ct_mm=CENTRE))
        self.clock = VirtualClock(NS_PER_S)
        spheres_mm = {tool: SPHERES_MM[tool] for tool in (REFERENCE, STYLUS)}
        rngs = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
        self.tracker = SimulatedOpticalTracker(self._pose, spheres_mm, self.clock, *rngs)
        self.action: object = None
        self.scale = 1.0 + rng.normal(scale=ASSUMED.scale_sd)
        towards = self.room.towards_camera_ct
        across = np.cross(towards, [0.0, 0.0, 1.0])
        self.shaft_ct = towards + across / np.linalg.norm(across)
        self.shaft_ct /= np.linalg.norm(self.shaft_ct)
        self.tip = self._pivoted_and_bent()
        self.registration = self._registered()
        turn = Rotation.from_rotvec(rng.uniform(-0.3, 0.3, 3) * [0.3, 0.3, 1.0])
        moved = Transform.from_rotation(turn, rng.uniform(-200.0, 200.0, 3) * [1.0, 1.0, 0.5], TRACKER, TRACKER)
        self.room.T_tracker_ct = moved @ self.room.T_tracker_ct
        self.room.tip_stylus_mm = self.room.tip_stylus_mm + rng.uniform(-20.0, 20.0, 3)
        self.tip = self._pivoted_and_bent()

    def _pose(self, tool: str, time_ns: int) -> Transform | None:
        object.__setattr__(self.room.config, "action", self.action)
        return self.room.pose(tool, time_ns)

    def frame(self) -> TrackerFrame:
        """The next frame in which both are seen."""
        while True:
            self.tracker.start()
            frame = self.tracker.next_frame(PERIOD_NS)
            if frame is not None and all(seen.T_tracker_tool is not None for seen in frame.tools.values()):
                return frame

    def _pivoted_and_bent(self) -> CalibratedTip:
        self.action = pivot_near(self.room.T_tracker_ct.translation_mm)
        found = calibrate_pivot([self.frame().tools[STYLUS].T_tracker_tool for _ in range(400)])
        self.room.tip_stylus_mm = self.room.tip_stylus_mm + _uniform(self.rng, BEND_RMS_MM)
        return CalibratedTip(found.T_stylus_stylus_tip, found.expected_tip_error_rms_mm, found.tip_covariance_mm2)

    def _registered(self) -> AcceptedRegistration:
        planned, touched = {}, {}
        for number, point in enumerate(_landmarks(self.rng)):
            planned[f"m{number}"] = self.in_image(point) + _uniform(self.rng, PICK_RMS_MM)
            hand = point + _uniform(self.rng, HAND_RMS_MM)
            self.action = Stroke(hand, np.zeros(3), self.shaft_ct, np.zeros(3))
            graph, frames = PoseGraph({STYLUS: self.tip}), [self.frame() for _ in range(15)]
            tips = [graph.states(each, VALID)[1].T_to_from.translation_mm for each in frames]
            touched[f"m{number}"] = TouchedPoint(np.mean(tips, axis=0), 0.1, len(tips))
        kinds = dict.fromkeys(planned, "bone")
        measured = Measured(planned, touched, tip_error_rms_mm=self.tip.expected_error_mm, kinds=kinds)
        outcome = register(measured, _BONE, ASSUMED)
        assert outcome.T_reference_ct is not None, outcome.findings.failure
        known = uncertainty_in_force(outcome.uncertainty)
        self.ball_mm = float(expected_tre(outcome.T_reference_ct, outcome.uncertainty, CENTRE[None]).p95_mm[0])
        return AcceptedRegistration(outcome.T_reference_ct, "r", 1.0, "accept", "Dr Test", known)

    def in_image(self, point_ct_mm: np.ndarray) -> np.ndarray:
        """Where a point of the body is in the CT, whose scale is a little off."""
        return CENTRE + self.scale * (point_ct_mm - CENTRE)

    def instants(self, count: int) -> list[Instant]:
        """The tip at some moments, each on a stroke of its own through a place near the landmarks."""
        return [self._instant() for _ in range(count)]

    def _instant(self) -> Instant:
        rng = self.rng
        speed = rng.uniform(0.0, 100.0)
        direction = rng.normal(size=3)
        velocity = speed * direction / np.linalg.norm(direction)
        now_s = self.clock.now_ns() / NS_PER_S
        turn = rng.normal(scale=0.3, size=3)
        push = rng.uniform(-1.0, 1.0, 3) * HAND_MM_S2
        self.action = Stroke(rng.uniform(-40.0, 40.0, 3), velocity, self.shaft_ct, turn, now_s + 0.1, push)
        graph, timelines = PoseGraph({STYLUS: self.tip}, self.registration), Timelines()
        sensor_clock = self._learned_clock()
        for _ in range(8):
            frame = self.frame()
            taken_ns, came_ns = frame.capture_ns, frame.capture_ns + self._delay_ns()
            capture_ns = sensor_clock.capture_ns(taken_ns - NS_PER_S, came_ns)
            stamped = {tool: _bounded(seen, sensor_clock.bound_ns) for tool, seen in frame.tools.items()}
            frame = TrackerFrame(frame.sequence, capture_ns, stamped)
            timelines.note(frame, capture_ns)
        now_ns = came_ns + round(rng.uniform(0.0, LONGEST_WAIT_MS) * MS)
        state = graph.states(frame, VALID, timelines, now_ns)[1]
        assert state.covariance_mm2 is not None
        true_image = self.in_image(self.room.tip_ct_mm(now_ns))
        T_reference_ct = self.registration.T_reference_ct
        error = state.T_to_from.translation_mm - T_reference_ct.apply(true_image)
        return Instant(error, state.covariance_mm2, speed, (now_ns - taken_ns) / MS)

    def _learned_clock(self) -> SensorClock:
        """That of a device that was there for a second, up to now."""
        clock = SensorClock(Stamps(StampClock.SENSOR, LATENCY_MS))
        for number in range(100):
            taken_ns = self.clock.now_ns() - (100 - number) * PERIOD_NS
            clock.capture_ns(taken_ns - NS_PER_S, taken_ns + self._delay_ns())
        return clock

    def _delay_ns(self) -> int:
        return round((LATENCY_MS + self.rng.exponential(MEAN_DELAY_MS)) * MS)


def _bounded(seen: ToolObservation, bound_ns: int) -> ToolObservation:
    return ToolObservation(
        seen.visibility, seen.T_tracker_tool, seen.fit_rms_mm, covariance=seen.covariance, stamp_bound_ns=bound_ns
    )


def _uniform(rng: np.random.Generator, rms_mm: float) -> np.ndarray:
    """A vector of this RMS length, evenly spread in a cube: bounded, where a normal one is not."""
    return rng.uniform(-rms_mm, rms_mm, 3)


def _landmarks(rng: np.random.Generator) -> np.ndarray:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    return 55.0 * corners[rng.permutation(8)[:7]] + rng.uniform(-15.0, 15.0, (7, 3))


_BONE = Surface(
    100.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]]) - 25.0,
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    CT,
    "vertebra",
)
