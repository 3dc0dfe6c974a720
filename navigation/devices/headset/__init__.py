"""The driver ``headset``: tools that a headset sees, sent up the control socket by the program that runs on it.

While `surgnav serve` runs, its control socket takes what headsets see, and passes it on to the process that has this
driver. In any other program this driver opens a control socket of its own, at the address in the room file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from geometry.frames import REFERENCE
from navigation.clock import PacedClock
from navigation.devices.driver import Device, Driver, Role, Settings
from navigation.devices.headset.desk import ObservationDesk
from navigation.devices.headset.feed import FeedConnection, ObservationFeed
from navigation.devices.headset.host import HOSTS
from navigation.devices.reader import BackOff, DeviceConnection, ReaderTracker
from navigation.devices.tracker import Tracker
from navigation.errors import DeviceError

HEADSET_DRIVER = "headset"
# Waiting for a headset is the usual state, and costs nothing; a headset that runs sends many times a second.
_BACK_OFF = BackOff(first_s=0.1, longest_s=0.5)
_SILENT_AFTER_S = 2.0


class HeadsetSettings(Settings):
    """Of a device with ``driver = "headset"``.

    Attributes:
        client: the name under which its program presents itself; the device's name by default.
        rate_hz: how often it sends.
        bind, port: address of the control socket, outside of `surgnav serve`, which has its own.
        keys: folder of this server's keys (`surgnav keys`); without it only programs of this machine may connect.
        reference: its own name of the reference's marker, for a headset beside the device that sees the room's
            reference: its tools are taken relative to what it sees of that marker.
        takes_touches: `surgnav register` takes landmarks that are touched with the headset's stylus.
    """

    client: str = Field("", max_length=64)
    rate_hz: float = Field(60.0, gt=0.0, le=1000.0)
    bind: str = "127.0.0.1"
    port: int = Field(5572, ge=1, le=65535)
    keys: Path | None = None
    reference: str = Field("", max_length=64)
    takes_touches: bool = False

    @property
    def endpoint(self) -> str:
        return f"tcp://{self.bind}:{self.port}"


@dataclass(frozen=True)
class FedSettings:
    """A headset whose messages another process takes, and passes on at `feed_endpoint`."""

    of: HeadsetSettings
    feed_endpoint: str


class HeadsetTracker(ReaderTracker):
    """A reader that has a place at the control socket of this process from `start` to `stop`."""

    def __init__(self, device: Device, settings: HeadsetSettings, clock: PacedClock) -> None:
        super().__init__(
            device, self._open, settings.rate_hz, clock, back_off=_BACK_OFF, silent_after_s=_SILENT_AFTER_S
        )
        self._of, self._settings, self._paced_clock = device, settings, clock
        self._feed_endpoint = ""

    def stop(self) -> None:
        super().stop()
        if self._feed_endpoint:
            self._feed_endpoint = ""
            HOSTS.leave(self._settings.endpoint)

    def _open(self) -> DeviceConnection:
        client = client_name(self._of)
        if not self._feed_endpoint:  # it stays open while this tracker waits for its headset, which connects to it
            host = HOSTS.join(self._settings.endpoint, self._settings.keys, self._paced_clock)
            host.desk.expect(client, self._of, self._settings.reference)
            self._feed_endpoint = host.feed_endpoint
        return FeedConnection(self._feed_endpoint, client, self._of, self._settings.reference)


class HeadsetFeed:
    """What a service does for the headsets in its room: takes what they see, and passes it on to their drivers.

    Args:
        devices: all devices of the room.

    Attributes:
        devices: the same, for the process that opens them.
        desk: for the service's control server; None in a room without a headset.
    """

    def __init__(self, devices: Iterable[Device]) -> None:
        self.devices = tuple(devices)
        self._feed: ObservationFeed | None = None
        self.desk: ObservationDesk | None = None
        if any(isinstance(device.settings, HeadsetSettings) for device in self.devices):
            self._feed = feed = ObservationFeed()
            self.desk = desk = ObservationDesk(feed.deliver, feed.say_gone)
            self.devices = tuple(_fed(device, feed, desk) for device in self.devices)

    def close(self) -> None:
        """May be called again."""
        if self._feed is not None:
            self._feed.close()


def _fed(device: Device, feed: ObservationFeed, desk: ObservationDesk) -> Device:
    if not isinstance(device.settings, HeadsetSettings):
        return device
    desk.expect(client_name(device), device, device.settings.reference)
    return replace(device, settings=FedSettings(device.settings, feed.endpoint))


def client_name(device: Device) -> str:
    """The name under which a device's headset presents itself."""
    return settings_of(device).client or device.name


def settings_of(device: Device) -> HeadsetSettings:
    """The settings of a device with this driver.

    Raises:
        DeviceError: it has another.
    """
    settings = device.settings.of if isinstance(device.settings, FedSettings) else device.settings
    if not isinstance(settings, HeadsetSettings):
        raise DeviceError(f"settings of type {type(settings).__name__} for a headset", "HeadsetSettings", "pass these")
    return settings


def _check(device: Device) -> list[str]:
    settings = settings_of(device)
    where = f"[devices.{device.name}]"
    if device.T_tracker_device is not None:
        return [
            f"{where} got a pose of a headset beside another device; expected none, since it places its world anew at "
            "every start. Fix: let it see the reference's marker too, and say reference = its name there."
        ]
    ids = [tool.id for tool in device.tools]
    if settings.reference and (settings.reference in ids or any(tool.name == REFERENCE for tool in device.tools)):
        return [
            f"{where} got reference = {settings.reference!r} for a headset that sees the room's reference, or has "
            "a tool of this name; expected it of another headset only. Fix: remove it."
        ]
    needed = {role: any(tool.role is role for tool in device.tools) for role in (Role.REFERENCE, Role.STYLUS)}
    missing = [role.value for role, is_there in needed.items() if not is_there]
    if not settings.takes_touches or not missing:
        return []
    return [
        f"{where} got takes_touches = true for a headset without a {' and a '.join(missing)}; expected "
        "both among its tools, since a touch is checked by them. Fix: let it see both, or remove takes_touches."
    ]


def _open(device: Device, clock: PacedClock) -> Tracker:
    settings, fed = settings_of(device), device.settings
    if not isinstance(fed, FedSettings):
        return HeadsetTracker(device, settings, clock)
    return ReaderTracker(
        device,
        lambda: FeedConnection(fed.feed_endpoint, client_name(device), device, settings.reference),
        settings.rate_hz,
        clock,
        back_off=_BACK_OFF,
        silent_after_s=_SILENT_AFTER_S,
    )


DRIVER = Driver(
    summary="a headset that sees tools itself, and sends them up the control socket",
    settings=HeadsetSettings,
    open=_open,
    check=_check,
    on_reference=lambda device: bool(settings_of(device).reference),
    needs_tools=False,
    clocks=(),  # the headset compares its clock with this program's, and sends times on this one
)
