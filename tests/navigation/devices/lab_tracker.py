"""A second kind of tracker, small but whole: exact poses of a stylus that its own hand moves, on any clock."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, REFERENCE, STYLUS, TRACKER
from geometry.points import Floats
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.driver import Device, Driver, ReadSkin, Settings
from navigation.devices.hand import Hand
from navigation.devices.registry import DRIVERS
from navigation.devices.tracker import CONNECTED, ToolObservation, Tracker, TrackerFrame, Visibility

NAME = "of_the_lab"
RATE_HZ = 50.0
TIP_STYLUS_MM = np.array([0.0, 12.0, 140.0])
T_TRACKER_REFERENCE = Transform.from_rotation(
    Rotation.from_euler("xyz", [20.0, -35.0, 50.0], degrees=True), [40.0, -60.0, 900.0], TRACKER, REFERENCE
)
T_REFERENCE_CT = Transform.from_rotation(
    Rotation.from_euler("xyz", [5.0, 80.0, -15.0], degrees=True), [-120.0, 35.0, 60.0], REFERENCE, CT
)


class LabSettings(Settings):
    """Settings of the driver; whoever receives them in another process has the driver in its registry then.

    A driver of the program stands in the registry's source, and so in every process. This one belongs to tests.
    """

    rate_hz: float = RATE_HZ

    def __reduce__(self) -> tuple[object, ...]:
        return _arrived, (self.rate_hz,)


def _arrived(rate_hz: float) -> LabSettings:
    DRIVERS[NAME] = __name__
    return LabSettings(rate_hz=rate_hz)


class LabTracker:
    """Satisfies `Tracker` and `Hand`: the tip stays where the hand puts it, and the stylus tilts about it."""

    tools = (REFERENCE, STYLUS)
    state = CONNECTED

    def __init__(self, settings: LabSettings, clock: PacedClock) -> None:
        self.rate_hz = settings.rate_hz
        self._clock = clock
        self._period_ns = round(NS_PER_S / settings.rate_hz)
        self._start_ns, self._sequence = clock.now_ns(), 0
        self._tip_tracker_mm = np.array([0.0, 0.0, 1000.0])

    def start(self) -> None:
        self._start_ns, self._sequence = self._clock.now_ns(), 0

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        now_ns = self._clock.now_ns()
        newest = (now_ns - self._start_ns) // self._period_ns
        sequence = max(newest, self._sequence + 1)
        capture_ns = self._start_ns + sequence * self._period_ns
        if capture_ns > now_ns + timeout_ns:
            self._clock.sleep_until_ns(now_ns + timeout_ns)
            return None
        self._clock.sleep_until_ns(capture_ns)
        self._sequence = sequence
        poses = {REFERENCE: T_TRACKER_REFERENCE, STYLUS: self._stylus(sequence)}
        tools = {tool: ToolObservation(Visibility.VISIBLE, pose, 0.1) for tool, pose in poses.items()}
        return TrackerFrame(sequence, capture_ns, tools)

    def _stylus(self, sequence: int) -> Transform:
        turn = sequence / self.rate_hz
        rotation = Rotation.from_euler(
            "xyz", [35.0 * np.sin(turn), 35.0 * np.cos(1.7 * turn), 20.0 * turn], degrees=True
        )
        return Transform.from_rotation(rotation, self._tip_tracker_mm - rotation.apply(TIP_STYLUS_MM), TRACKER, STYLUS)

    def pivot(self) -> None: ...

    def touch(self, point_ct_mm: Floats) -> None:
        self._tip_tracker_mm = (T_TRACKER_REFERENCE @ T_REFERENCE_CT).apply(point_ct_mm)

    def sweep(self, duration_s: float) -> None: ...

    def touch_surface(self) -> None: ...


def _open(device: Device, clock: PacedClock) -> Tracker:
    assert isinstance(device.settings, LabSettings)
    return LabTracker(device.settings, clock)


def _rehearse(device: Device, read_skin_ct: ReadSkin, clock: PacedClock) -> tuple[Tracker, Hand]:
    tracker = LabTracker(LabSettings(), clock)  # the clock is virtual, so that no test waits for a pivot of 12 s
    return tracker, tracker


DRIVER = Driver(summary="of tests", settings=LabSettings, open=_open, clocks=(), rehearse=_rehearse)
ROOM = f"""
[devices.lab]
driver = "{NAME}"

[tools.reference]
device = "lab"
role = "reference"

[tools.stylus]
device = "lab"
role = "stylus"
"""
