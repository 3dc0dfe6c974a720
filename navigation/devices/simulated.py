"""The driver ``simulated``: a camera, a patient and tools that exist only in this program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from geometry.errors import SurgNavError
from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.clock import PacedClock
from navigation.devices.driver import CasePatient, Device, Driver, ReadSkin, Role, RoomFile, Settings
from navigation.devices.hand import Hand
from navigation.devices.tracker import Tracker
from navigation.errors import DeviceError

if TYPE_CHECKING:
    from calibration.result import CalibrationResult
    from navigation.devices.ultrasound.source import UltrasoundSource
    from navigation.simulation.actions import Action
    from navigation.simulation.operating_room import OperatingRoom
    from navigation.simulation.probe_sweep import ProbeSweep
    from navigation.simulation.scenario import Scenario
    from navigation.simulation.ultrasound.patient_scan import ScannedPatient


SCENARIOS = Path(__file__).resolve().parent.parent / "simulation" / "scenarios"


def shipped_scenarios() -> tuple[str, ...]:
    """Names of the scenarios that ship."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.toml")))


def _shipped_or_beside(named: object) -> object:
    return str(SCENARIOS / f"{named}.toml") if named in shipped_scenarios() else named


ScenarioFile = Annotated[RoomFile, BeforeValidator(_shipped_or_beside)]


class SimulatedSettings(Settings):
    """Of a device with ``driver = "simulated"``.

    Attributes:
        seed: decides the patient's pose, the tracker's noise and the hand's errors.
        scenario: what goes wrong while tools are watched: a TOML file, or the name of a scenario that ships.
        hand: what is done with the stylus where no patient is: it is rocked about its tip, turned about its shaft, or
            touches the landmarks of the screwdriver.
        unknown: tools whose spheres come as single points, as where nobody told the tracker their geometry.
        block: JSON of a block, as for `surgnav accuracy`, that stands in the room: a stylus that is rocked about its
            tip is so in the block's first point, and then visits the others in their order.
        ultrasound: what the probe's images show, and is moved over; none without it. The tip of the stylus rests there.
            ``patient`` is the CT of the case, over whose belly the probe goes to and fro: in commands that have a case.
            Over a ``spine``, it is the `tissue` of a patient on the belly.
        phantom: configuration of PLUS with the wires and their registration, for ``ultrasound = "wires"``.
        tissue: tissues in ``ct`` (`TissueGrid.write`), for ``ultrasound = "spine"``.
        image_lag_ms: an image stamped t shows what the probe saw at t plus this.
    """

    seed: int = Field(1, ge=0)
    scenario: ScenarioFile | None = None
    hand: Literal["pivot", "spin", "landmarks"] = "pivot"
    unknown: tuple[Literal["driver", "probe", "headset"], ...] = ()
    block: RoomFile | None = None
    ultrasound: Literal["tank", "wall", "cross", "stylus", "wires", "patient", "spine"] | None = None
    phantom: RoomFile | None = None
    tissue: RoomFile | None = None
    image_lag_ms: float = Field(0.0, ge=-500.0, le=500.0)


def _check(device: Device) -> list[str]:
    from calibration.accuracy.errors import CheckRefusedError
    from navigation.simulation.operating_room import ROLES
    from navigation.simulation.scenario import ScenarioError

    wrong = [
        f"[tools.{tool.name}] got a simulated {tool.role.value}; expected one of the tools that are simulated: "
        f"{', '.join(f'{name} ({role.value})' for name, role in ROLES.items())}. Fix: give it one of these names"
        for tool in device.tools
        if ROLES.get(tool.name) is not tool.role
    ]
    try:
        scenario = _scenario(device)
        _block_points_mm(device)
    except ScenarioError as error:
        return [*wrong, *error.mistakes]
    except CheckRefusedError as error:
        return [*wrong, f"[devices.{device.name}] got {error.came}; expected {error.allowed}. Fix: {error.action}"]
    unknown = set() if scenario is None else scenario.tools() - {*device.tool_names}
    try:
        _sweep(_settings(device))
        _scan(_settings(device))
    except SurgNavError as error:
        wrong.append(f"[devices.{device.name}] got {error.came}; expected {error.allowed}. Fix: {error.action}")
    wrong += _needless_calibrations(device)
    known = [tool for tool in _settings(device).unknown if tool in device.tool_names]
    wrong += [
        f"[devices.{device.name}] got unknown = {tool!r} and [tools.{tool}]; expected one of the two. Fix: remove one"
        for tool in known
    ]
    return wrong + [
        f"[devices.{device.name}] got a scenario about the tool {tool!r}; expected tools that it sees: "
        f"{', '.join(device.tool_names)}. Fix: add [tools.{tool}], or correct the scenario"
        for tool in sorted(unknown)
    ]


def _needless_calibrations(device: Device) -> list[str]:
    """Of a probe on the patient, which is calibrated in that room."""
    if _settings(device).ultrasound != "patient":
        return []
    return [
        f"[tools.{tool.name}] got calibration = {tool.rack_name!r} on the simulated patient; expected none: it is "
        "calibrated there when a service begins. Fix: remove the line"
        for tool in device.tools
        if tool.role is Role.PROBE and tool.rack_name is not None
    ]


def _open(device: Device, clock: PacedClock) -> Tracker:
    """Watches the patient of a case where `_about_patient` made the settings; otherwise no patient, and the stylus does
    what the settings say.
    """
    from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig, open_simulated_tracker

    if isinstance(device.settings, OperatingRoomConfig):
        return open_simulated_tracker(device.settings, clock)
    settings = _settings(device)
    scan = _scan(settings)
    config = OperatingRoomConfig(
        seed=settings.seed,
        centre_ct_mm=np.zeros(3) if scan is None else scan.path.faces_ct_mm.mean(axis=0),
        tools=device.tool_names,
        unknown=settings.unknown,
        probe=_sweep(settings),
        scan=scan,
        prone=scan is not None,
        scenario=_scenario(device),
    )
    action = _action(settings, OperatingRoom(config), _block_points_mm(device))
    return open_simulated_tracker(replace(config, action=action, epoch_ns=clock.now_ns()), clock)


def _sweep(settings: SimulatedSettings) -> ProbeSweep | None:
    """How the probe is moved; None where it wanders about.

    Raises:
        DeviceError: wires without the phantom that has them.
    """
    from navigation.simulation.probe_sweep import sweep_over

    target = settings.ultrasound
    if target is None or target == "patient":
        return None
    return None if target == "spine" else sweep_over(target, settings.phantom)


def _scan(settings: SimulatedSettings) -> ScannedPatient | None:
    """How the probe is moved over a patient; None where none is under it.

    Raises:
        DeviceError: no tissues, or tissues without a spine; tissues for another target.
    """
    from navigation.simulation.ultrasound.spine_scan import spine_scan

    if (settings.tissue is not None) != (settings.ultrasound == "spine"):
        raise DeviceError(
            f"ultrasound = {settings.ultrasound!r} {'with' if settings.tissue else 'without'} tissue",
            "ultrasound = 'spine' and tissue = a file of tissues, or neither",
            "name the file, or choose another target",
        )
    return None if settings.tissue is None else spine_scan(settings.tissue, settings.image_lag_ms, settings.seed)


def _images(device: Device, clock: PacedClock) -> UltrasoundSource | None:
    from navigation.simulation.operating_room import OperatingRoomConfig
    from navigation.simulation.ultrasound.images import SimulatedImages

    if isinstance(device.settings, OperatingRoomConfig):
        scanned = device.settings.scan
    else:
        scanned = _scan(_settings(device))
    if scanned is not None:
        width_mm, height_mm = scanned.path.geometry.pixel_mm
        lag_ns = round(scanned.lag_ms * 1e6)
        return SimulatedImages(scanned, lag_ns, clock, scanned.rate_hz, (height_mm, width_mm))
    if not isinstance(device.settings, SimulatedSettings):
        return None
    if device.settings.ultrasound == "patient":
        raise DeviceError(
            "ultrasound = 'patient' without a case", "a command that has the case", "use surgnav serve CASE --room ..."
        )
    sweep = _sweep(device.settings)
    return None if sweep is None else SimulatedImages(sweep, round(device.settings.image_lag_ms * 1e6), clock)


def _action(settings: SimulatedSettings, room: OperatingRoom, block_mm: Floats | None) -> Action:
    """What the hand does with the stylus near the middle of the room, on a block ``(n, 3)``, on the probe's target."""
    from navigation.simulation.actions import Spin, TouchTool, pivot_near, visits_near
    from navigation.simulation.operating_room import DRIVER as SCREWDRIVER
    from navigation.simulation.operating_room import DRIVER_LANDMARKS_MM
    from navigation.simulation.probe_sweep import TARGET_REFERENCE_MM

    if settings.hand == "landmarks":
        return TouchTool(SCREWDRIVER, np.array([*DRIVER_LANDMARKS_MM.values()]))
    centre_tracker_mm = room.T_tracker_ct.apply(room.config.centre_ct_mm)
    if settings.hand == "pivot" and block_mm is not None:
        return visits_near(centre_tracker_mm, block_mm)
    pivot = pivot_near(centre_tracker_mm)
    if settings.ultrasound == "stylus":
        T_tracker_reference = room.pose(REFERENCE, room.config.epoch_ns)
        if T_tracker_reference is not None:
            pivot = replace(pivot, divot_tracker_mm=T_tracker_reference.apply(TARGET_REFERENCE_MM))
    return pivot if settings.hand == "pivot" else Spin(pivot.divot_tracker_mm, pivot.axis_tracker)


def _rehearse(device: Device, read_skin_ct: ReadSkin, clock: PacedClock) -> tuple[Tracker, Hand]:
    from navigation.simulation.rehearsal import RehearsedTracker

    rehearsed = RehearsedTracker(read_skin_ct, _settings(device).seed, clock)
    return rehearsed, rehearsed


def _about_patient(device: Device, patient: CasePatient, start_ns: int) -> Device:
    from navigation.clock import VirtualClock
    from navigation.simulation.rehearsal import RehearsedTracker

    settings = _settings(device)
    rehearsed = RehearsedTracker(patient.read_skin_ct, settings.seed, VirtualClock())
    config = replace(rehearsed.streaming(start_ns), tools=device.tool_names, scenario=_scenario(device))
    if settings.ultrasound == "patient":
        scan = rehearsed.scanned(patient.case, settings.image_lag_ms)
        return replace(device, settings=replace(config, scan=scan))
    return replace(device, settings=replace(config, probe=_sweep(settings)))


def _rehearse_probe(device: Device, time: str) -> tuple[CalibrationResult, ...]:
    """Of a probe on the patient: its map and its lag, by a tank and crossed wires beside that patient."""
    from navigation.simulation.operating_room import OperatingRoomConfig
    from navigation.simulation.ultrasound.calibration_session import rehearsed_probe

    config = device.settings
    if not isinstance(config, OperatingRoomConfig) or config.scan is None:
        return ()
    return rehearsed_probe(config, config.scan.path.geometry, config.scan.lag_ms, time)


def _scenario(device: Device) -> Scenario | None:
    """What goes wrong.

    Raises:
        ScenarioError: its file has mistakes.
    """
    from navigation.simulation.scenario import read_scenario

    settings = device.settings
    if not isinstance(settings, SimulatedSettings) or settings.scenario is None:
        return None
    return read_scenario(settings.scenario)


def _block_points_mm(device: Device) -> Floats | None:
    """The points ``(n, 3)`` of the block in the room; None without one.

    Raises:
        CheckRefusedError: its file is none.
    """
    from calibration.accuracy.block import read_block

    block = _settings(device).block
    return None if block is None else np.array(list(read_block(block).points_mm.values()))


def _settings(device: Device) -> SimulatedSettings:
    if not isinstance(device.settings, SimulatedSettings):
        raise DeviceError(
            f"settings of type {type(device.settings).__name__} for the simulated tracker",
            "SimulatedSettings, or an OperatingRoomConfig for a service",
            "pass one of these",
        )
    return device.settings


DRIVER = Driver(
    summary="a simulated camera, patient and surgeon, to rehearse without any device",
    settings=SimulatedSettings,
    open=_open,
    clocks=(),
    is_simulated=True,
    check=_check,
    images=_images,
    rehearse=_rehearse,
    rehearse_probe=_rehearse_probe,
    about_patient=_about_patient,
)
