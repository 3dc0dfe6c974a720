"""A driver for tests: a connection that delivers what a script says, over the reader that real drivers use."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.clock import Clock
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.devices.driver import Device, Driver, NoSettings, Role, StampClock, Stamps, Tool
from navigation.devices.reader import DeviceConnection, ReaderTracker, Received
from navigation.devices.tracker import ToolObservation, Tracker, Visibility

NAME = "scripted"
RATE_HZ = 100.0


def seen(tool: str, x_mm: float = 0.0, fit_rms_mm: float | None = 0.1) -> ToolObservation:
    """A tool that is seen at (`x_mm`, 0, 1000)."""
    pose = Transform.from_rotation(Rotation.identity(), [x_mm, 0.0, 1000.0], TRACKER, tool)
    return ToolObservation(Visibility.VISIBLE, pose, fit_rms_mm)


def both(x_mm: float = 0.0) -> dict[str, ToolObservation]:
    return {REFERENCE: seen(REFERENCE), STYLUS: seen(STYLUS, x_mm)}


def device(
    *tools: str, name: str = "camera", stamps: Stamps | None = None, T_tracker_device: Transform | None = None
) -> Device:
    named = {REFERENCE: Role.REFERENCE, STYLUS: Role.STYLUS}
    return Device(
        name=name,
        driver=NAME,
        settings=NoSettings(),
        stamps=stamps or Stamps(StampClock.ARRIVAL),
        tools=tuple(
            Tool(name=tool, role=named.get(tool, Role.INSTRUMENT), id=tool, settings=NoSettings()) for tool in tools
        ),
        T_tracker_device=T_tracker_device,
    )


@dataclass
class Script:
    """What a device does: `messages` come in order, an exception among them ends the connection.

    Attributes:
        refusals: raised by so many attempts to connect, in order.
        opened, closed: connections so far.
        may_connect: cleared, an attempt to connect waits.
    """

    refusals: list[Exception] = field(default_factory=list)
    messages: queue.SimpleQueue[Sequence[Received] | BaseException] = field(default_factory=queue.SimpleQueue)
    opened: int = 0
    closed: int = 0
    may_connect: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_connect.set()

    def connect(self) -> DeviceConnection:
        self.may_connect.wait()
        self.opened += 1
        if self.refusals:
            raise self.refusals.pop(0)
        return _Connection(self)


class _Connection:
    round_trip_ns = 0

    def __init__(self, script: Script) -> None:
        self._script = script

    def receive(self, timeout_s: float) -> Sequence[Received]:
        try:
            message = self._script.messages.get(timeout=timeout_s)
        except queue.Empty:
            return []
        if isinstance(message, BaseException):
            raise message
        return message

    def close(self) -> None:
        self._script.closed += 1


class Scripts(dict[str, Script]):
    """Scripts by the name of the device, and the driver that follows them."""

    def open(self, opened: Device, clock: Clock) -> Tracker:
        return ReaderTracker(opened, self[opened.name].connect, RATE_HZ, clock)


SCRIPTS = Scripts()
DRIVER = Driver(summary="of tests", settings=NoSettings, open=SCRIPTS.open)
