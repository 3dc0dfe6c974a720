"""The true poses of camera, patient and tools in the simulated operating room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, HEADSET, PROBE, REFERENCE, STYLUS, TRACKER
from geometry.points import Floats
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.driver import Device, Role, Stamps, Tool
from navigation.devices.tracker import Tracker
from navigation.simulation.actions import Action, Idle, StylusPosture
from navigation.simulation.cue import Cue
from navigation.simulation.optical_tracker import OpticalTrackerSettings, SimulatedOpticalTracker
from navigation.simulation.probe_sweep import ProbeSweep
from navigation.simulation.scenario import Scenario
from navigation.simulation.scripted_room import ScriptedRoom
from navigation.simulation.scripted_tracker import ScriptedTracker
from navigation.simulation.ultrasound.patient_scan import ScannedPatient

DRIVER = "driver"

# Four spheres for each tool, in mm in the marker's plane. As on real markers, the distances differ between tools.
SPHERES_MM: Mapping[str, Floats] = {
    REFERENCE: np.array([[0, 0, 0], [0, 80, 0], [55, 105, 0], [-62, 135, 0]], float) - [-1.75, 80, 0],
    STYLUS: np.array([[0, 0, 0], [0, 60, 0], [28, 35, 0], [-34, 90, 0]], float) - [-1.5, 46.25, 0],
    DRIVER: np.array([[0, 0, 0], [45, 12, 0], [-38, 40, 0], [10, 80, 0]], float) - [4.25, 33, 0],
    PROBE: np.array([[0, 0, 0], [52, 0, 0], [10, 44, 0], [-40, 70, 0]], float) - [5.5, 28.5, 0],
    HEADSET: np.array([[0, 0, 0], [90, 10, 0], [40, 48, 0], [-62, 30, 0]], float) - [17, 22, 0],
}

# The simulated screwdriver, in its marker's frame: points that can be touched on it, its tip and its axis.
DRIVER_LANDMARKS_MM: Mapping[str, Floats] = {
    "cap": np.array([4.0, 62.0, 9.0]),
    "left": np.array([-17.0, -38.0, 6.0]),
    "right": np.array([16.0, -52.0, -7.0]),
    "collar": np.array([2.0, -95.0, 8.0]),
}
DRIVER_TIP_MM: Floats = np.array([0.0, -150.0, -4.0])
DRIVER_AXIS: Floats = np.array([0.0, -1.0, 0.0])

ROLES: Mapping[str, Role] = {
    REFERENCE: Role.REFERENCE,
    STYLUS: Role.STYLUS,
    DRIVER: Role.INSTRUMENT,
    PROBE: Role.PROBE,
    HEADSET: Role.HEADSET,
}


@dataclass(frozen=True, kw_only=True)
class OperatingRoomConfig:
    """Input of the simulation; the same config gives the same true poses in every process.

    Attributes:
        seed: determines the patient's pose, the reference's place on the patient, and the tip of the stylus.
        centre_ct_mm: centre of the patient in ``ct``, ``(3,)``, at which the camera looks.
        epoch_ns: time at which `action` begins, on the tracker's clock.
        action: motion of the stylus.
        table_motion_mm: amplitude of a slow motion of the table with the patient.
        noise_seed: determines the measurement noise, independently of the true poses.
        tools: the tracked tools, out of those in `SPHERES_MM`.
        scenario: what goes wrong, from `epoch_ns` on, or from the `cue` on where there is one.
        unknown: tools whose spheres the tracker gives as single points, since nobody told it their geometry.
        probe: how the probe is moved over a target; None where it wanders about.
        scan: how the probe is moved over the patient instead, by the clock itself as `probe`; its images are given too.
        prone: whether the patient lies on the belly, and the camera sees the back.
        occlusions: tool -> (period_s, start_s, end_s): the part of each period in which its line of sight is blocked.
    """

    seed: int
    centre_ct_mm: Floats
    epoch_ns: int = 0
    action: Action = field(default_factory=Idle)
    table_motion_mm: float = 0.0
    noise_seed: int = 0
    occlusions: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    tracker: OpticalTrackerSettings = field(default_factory=OpticalTrackerSettings)
    tools: tuple[str, ...] = tuple(SPHERES_MM)
    unknown: tuple[str, ...] = ()
    probe: ProbeSweep | None = None
    scan: ScannedPatient | None = None
    prone: bool = False
    scenario: Scenario | None = None
    cue: Cue | None = None


class OperatingRoom:
    """The true poses. Only the simulated tracker and the code that scores a result may use them."""

    def __init__(self, config: OperatingRoomConfig) -> None:
        rng = np.random.default_rng([config.seed, 1])
        self.config = config
        self._script = ScriptedRoom(config.scenario, self._scenario_s)
        self.T_tracker_ct = _camera_view(config.centre_ct_mm, config.prone, rng)
        self._T_ct_reference = _fix_reference(config.centre_ct_mm, config.prone, self.towards_camera_ct, rng)
        self.T_reference_ct = self._T_ct_reference.inverse()
        self.tip_stylus_mm: Floats = np.array([0.5, -158.0, 3.0]) + rng.normal(scale=1.0, size=3)

    @property
    def towards_camera_ct(self) -> Floats:
        """Unit vector ``(3,)`` from the patient to the camera."""
        camera_ct = self.T_tracker_ct.inverse().translation_mm
        direction = camera_ct - self.config.centre_ct_mm
        return direction / np.linalg.norm(direction)

    def pose(self, tool: str, time_ns: int) -> Transform | None:
        """True ``T_tracker_<tool>`` at `time_ns`; None while the tool is hidden or in its tray."""
        t_s = self._t_s(time_ns)
        if self._is_occluded(tool, t_s):
            return None
        pose = self._unmoved(tool, t_s)
        if pose is None or self.config.scenario is None:
            return pose
        return Transform(np.linalg.inv(self._script.camera(t_s)) @ pose.matrix, TRACKER, tool)

    def _unmoved(self, tool: str, t_s: float) -> Transform | None:
        """``T_tracker_<tool>`` of a camera that nobody moved, whatever stands before it; None in the tray."""
        if tool == REFERENCE:
            return self._reference(t_s)
        if tool == STYLUS:
            posture = self.config.action.posture(t_s)
            return None if posture is None else self._stylus(posture, self._body(t_s), t_s)
        # By the clock itself and not by when the action began: images have that time too.
        clock_s = t_s + self.config.epoch_ns / NS_PER_S
        if tool == PROBE and self.config.scan is not None:
            return self._body(t_s) @ self.config.scan.path.T_ct_probe(clock_s)
        if tool == PROBE and self.config.probe is not None:
            return self._reference(t_s) @ self.config.probe.T_reference_probe(clock_s)
        return self._bystander(tool, t_s)

    def _reference(self, t_s: float) -> Transform:
        if self.config.scenario is None:
            return self._moved(t_s) @ self._T_ct_reference
        bumped = self._T_ct_reference.matrix @ self._script.bump(t_s)
        return self._moved(t_s) @ Transform(bumped, CT, REFERENCE)

    def _t_s(self, time_ns: int) -> float:
        return (time_ns - self.config.epoch_ns) / NS_PER_S

    def scenario_s(self, time_ns: int) -> float:
        """How long the scenario has gone on at `time_ns`, in s; minus infinity while its cue has not come."""
        return self._t_s(time_ns) if self.config.cue is None else self.config.cue.since_s(time_ns)

    def _scenario_s(self, t_s: float) -> float:
        return self.scenario_s(self.config.epoch_ns + round(t_s * NS_PER_S))

    def tip_mm(self, time_ns: int) -> Floats:
        """The true tip of the stylus at `time_ns`, ``(3,)`` in its marker's axes."""
        bent: Floats = self.tip_stylus_mm + self._script.bend_mm(self._t_s(time_ns))
        return bent

    def tip_ct_mm(self, time_ns: int) -> Floats | None:
        """Where the tip of the stylus truly is in the patient, ``(3,)`` in ``ct``; None while it is in its tray."""
        t_s = self._t_s(time_ns)
        stylus = self._unmoved(STYLUS, t_s)
        return None if stylus is None else self._body(t_s).inverse().apply(stylus.apply(self.tip_mm(time_ns)))

    def true_reference_ct(self, time_ns: int) -> Transform:
        """The true ``T_reference_ct`` at `time_ns`: with the body's breath, and after any bump of the reference."""
        t_s = self._t_s(time_ns)
        return self._reference(t_s).inverse() @ self._body(t_s)

    def pose_in_reference(self, tool: str, time_ns: int) -> Transform | None:
        """True ``T_reference_<tool>`` at `time_ns`; None while either of the two is hidden or in its tray."""
        T_tracker_reference, T_tracker_tool = self.pose(REFERENCE, time_ns), self.pose(tool, time_ns)
        if T_tracker_reference is None or T_tracker_tool is None:
            return None
        return T_tracker_reference.inverse() @ T_tracker_tool

    def _is_occluded(self, tool: str, t_s: float) -> bool:
        if self._script.hides(tool, t_s):
            return True
        if tool not in self.config.occlusions:
            return False
        period_s, start_s, end_s = self.config.occlusions[tool]
        return start_s <= t_s % period_s < end_s

    def _moved(self, t_s: float) -> Transform:
        """``T_tracker_ct`` at `t_s`, with the motion of the table."""
        if self.config.table_motion_mm == 0.0:
            return self.T_tracker_ct
        swing = self.config.table_motion_mm * np.sin(2 * np.pi * 0.05 * t_s)
        return _rigid(
            self.T_tracker_ct.rotation_matrix, self.T_tracker_ct.translation_mm + [swing, 0.3 * swing, 0.0], CT
        )

    def _body(self, t_s: float) -> Transform:
        """``T_tracker_ct`` of the patient's body, which breathes; the reference beside it does not."""
        moved = self._moved(t_s)
        if self.config.scenario is None:
            return moved
        return _rigid(moved.rotation_matrix, moved.apply(self._script.body_shift_ct_mm(t_s)), CT)

    def _stylus(self, posture: StylusPosture, T_tracker_ct: Transform, t_s: float) -> Transform:
        tip, shaft = posture.tip_mm, posture.shaft
        if posture.frame != TRACKER:
            T_tracker_frame = T_tracker_ct if posture.frame == CT else self._bystander(posture.frame, t_s)
            tip, shaft = T_tracker_frame.apply(tip), T_tracker_frame.rotate(shaft)
        towards_camera = -tip / np.linalg.norm(tip)
        facing = towards_camera
        if posture.twist_rad != 0.0:
            facing = Rotation.from_rotvec(posture.twist_rad * shaft).apply(towards_camera)
        rotation = _rotation_from_axes(y=shaft, z_hint=facing)
        return _rigid(rotation, tip - rotation @ (self.tip_stylus_mm + self._script.bend_mm(t_s)), STYLUS)

    def _bystander(self, tool: str, t_s: float) -> Transform:
        # Driver, probe and headset move slowly near the edge of the field of view; the probe leaves it at times.
        centre = self.T_tracker_ct.apply(self.config.centre_ct_mm)
        phase = {DRIVER: 0.0, PROBE: 2.1, HEADSET: 4.2}[tool]
        reach_mm = {DRIVER: 220.0, PROBE: 520.0, HEADSET: 380.0}[tool]
        angle = phase + 2 * np.pi * 0.04 * t_s
        position = centre + reach_mm * np.array([np.cos(angle), np.sin(angle), -0.3])
        rotation = _rotation_from_axes(y=np.array([0.0, -1.0, 0.0]), z_hint=-position)
        wobble = Rotation.from_rotvec([0.3 * np.sin(angle), 0.2 * np.cos(2 * angle), 0.5 * np.sin(0.7 * angle)])
        return _rigid(rotation @ wobble.as_matrix(), position, tool)


def open_simulated_tracker(config: OperatingRoomConfig, clock: PacedClock) -> Tracker:
    """Makes a tracker that watches the operating room of `config`."""
    room = OperatingRoom(config)
    rng = np.random.default_rng([config.seed, config.noise_seed, 2])
    distortion_rng = np.random.default_rng([config.seed, 3])
    spheres_mm, unknown_mm = ({tool: SPHERES_MM[tool] for tool in tools} for tools in (config.tools, config.unknown))
    tracker = SimulatedOpticalTracker(room.pose, spheres_mm, clock, rng, distortion_rng, config.tracker, unknown_mm)
    if config.scenario is None:
        return tracker
    script_rng = np.random.default_rng([config.seed, config.noise_seed, 7])
    return ScriptedTracker(tracker, config.scenario, room.scenario_s, clock, script_rng)


def simulated_device(config: OperatingRoomConfig) -> Device:
    """The device, for a service, that watches the operating room of `config`."""
    tools = tuple(Tool(name=name, role=ROLES[name], id=name, settings=None) for name in config.tools)
    return Device(name="simulated", driver="simulated", settings=config, stamps=Stamps(None), tools=tools)


def _rigid(rotation: Floats, translation_mm: Floats, tool: str) -> Transform:
    """``T_tracker_<tool>`` with this rotation ``(3, 3)`` and translation ``(3,)``."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, translation_mm
    return Transform(matrix, TRACKER, tool)


def _rotation_from_axes(y: Floats, z_hint: Floats) -> Floats:
    """The rotation ``(3, 3)`` whose y axis is `y` and whose z axis comes closest to `z_hint`."""
    y = y / np.sqrt(y @ y)
    z = z_hint - (z_hint @ y) * y
    z = z / np.sqrt(z @ z)
    x = [y[1] * z[2] - y[2] * z[1], y[2] * z[0] - y[0] * z[2], y[0] * z[1] - y[1] * z[0]]
    return np.array([x, y, z]).T


def _camera_view(centre_ct_mm: Floats, prone: bool, rng: np.random.Generator) -> Transform:
    """``T_tracker_ct`` of a camera about 1.6 m above the patient, looking down from a randomly chosen side."""
    side, feet = rng.uniform(-0.4, 0.4), rng.uniform(-0.45, 0.1)
    away = np.array([side, 1.0 if prone else -1.0, feet])
    camera_ct = centre_ct_mm + rng.uniform(1450.0, 1700.0) * away / np.linalg.norm(away)
    upright = _rotation_from_axes(y=np.array([0.0, 0.0, -1.0]), z_hint=-away)
    # The camera is levelled by rotating it about its line of sight, not about the patient's long axis.
    forward = -away / np.linalg.norm(away)
    x = np.cross(upright[:, 1], forward)
    level = Rotation.from_matrix(_rotation_from_axes(y=np.cross(forward, x), z_hint=forward))
    roll = Rotation.from_rotvec(rng.uniform(-0.35, 0.35) * forward)
    return Transform.from_rotation(roll * level, camera_ct, CT, TRACKER).inverse()


def _fix_reference(centre_ct_mm: Floats, prone: bool, towards_camera_ct: Floats, rng: np.random.Generator) -> Transform:
    """``T_ct_reference`` of a reference marker beside the patient's right hip that roughly faces the camera."""
    position = centre_ct_mm + np.array([-170.0, 150.0 if prone else -150.0, -140.0]) + rng.uniform(-30.0, 30.0, size=3)
    facing = Rotation.from_matrix(_rotation_from_axes(y=np.array([0.0, 0.0, 1.0]), z_hint=towards_camera_ct))
    tilt = Rotation.from_rotvec(rng.uniform(-0.35, 0.35, size=3))
    return Transform.from_rotation(tilt * facing, position, CT, REFERENCE)
