"""Where what headsets see is checked, each against the room and against what the same headset sent before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from difflib import get_close_matches

from geometry.frames import REFERENCE
from navigation.devices.driver import Device
from unity_bridge.control.event_handler import Sender
from unity_bridge.control.observations import HeadsetView, check_time, view_of
from unity_bridge.errors import ObservationsRefusedError
from unity_bridge.wire.messages import ToolObservations

# A program that fell silent for so long is gone: another one may take its name.
TAKEN_FOR_NS = 2_000_000_000
# Some seconds of images at any rate that a headset has.
_KEPT_VIEWS = 256


@dataclass
class _Source:
    """The program that is the headset of one device now."""

    key: str
    stream: str
    heard_ns: int
    number: int = 0
    seen_ns: int = -(2**62)
    clock_error_ns: int = 0
    views: deque[HeadsetView] = field(default_factory=lambda: deque(maxlen=_KEPT_VIEWS))


class ObservationDesk:
    """Satisfies `unity_bridge.control.observations.Observer`; any thread may call it.

    Args:
        deliver: gets the name of the device, and what was accepted from its headset.
        say_gone: gets the name of the device, and why its headset has left.
    """

    def __init__(self, deliver: Callable[[str, ToolObservations], None], say_gone: Callable[[str, str], None]) -> None:
        self._deliver, self._say_gone = deliver, say_gone
        # By the name under which the headset presents itself.
        self._devices: dict[str, Device] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._sources: dict[str, _Source] = {}
        self._lock = threading.Lock()

    def expect(self, client: str, device: Device, reference: str = "") -> None:
        """The headset that presents itself as `client` is this device from now on.

        Args:
            reference: its name of a reference that is no tool of the device; empty if there is none.
        """
        with self._lock:
            self._devices[client] = device
            self._names[client] = frame_names(device, reference)

    def device_of(self, sender: Sender) -> Device:
        """The device that a client is.

        Raises:
            ObservationsRefusedError: the room has no such headset.
        """
        with self._lock:
            if sender.name not in self._devices:
                raise unknown("headset", sender.name, self._devices)
            return self._devices[sender.name]

    def take(self, message: ToolObservations, sender: Sender, stream: str, received_ns: int) -> None:
        """As in the Protocol.

        Raises:
            ObservationsRefusedError: a headset or a tool that the room does not have, a number or a time that was there
                already or cannot be, or another program that has the same name at this moment.
            InvalidPoseError: a pose that is none.
        """
        device = self.device_of(sender)
        names = self._names[sender.name]
        for seen in message.tools:
            if seen.tool not in names:
                raise unknown("tool", seen.tool, names)
        with self._lock:
            source = self._source(device, sender, stream, received_ns)
            _check_order(message, source)
            check_time(message, received_ns)
            view = view_of(message, names)
            source.heard_ns, source.number, source.seen_ns = received_ns, message.number, message.seen_ns
            source.clock_error_ns = message.clock_error_ns
            source.views.append(view)
            self._sources[device.name] = source
        self._deliver(device.name, message)

    def left(self, sender: Sender, stream: str, reason: str) -> None:
        with self._lock:
            device = self._devices.get(sender.name)
            source = None if device is None else self._sources.get(device.name)
            if device is None or source is None or (source.key, source.stream) != (sender.key, stream):
                return
            del self._sources[device.name]
        self._say_gone(device.name, reason)

    def near(self, device: str, time_ns: int, within_ns: int) -> HeadsetView | None:
        """What the headset of this device saw nearest to a time, if that is near enough; None otherwise."""
        with self._lock:
            source = self._sources.get(device)
            views = [] if source is None else list(source.views)
        nearest = min(views, key=lambda view: abs(view.seen_ns - time_ns), default=None)
        return nearest if nearest is not None and abs(nearest.seen_ns - time_ns) <= within_ns else None

    def _source(self, device: Device, sender: Sender, stream: str, received_ns: int) -> _Source:
        known = self._sources.get(device.name)
        if known is not None and (known.key, known.stream) == (sender.key, stream):
            return known
        if known is not None and received_ns - known.heard_ns < TAKEN_FOR_NS:
            raise ObservationsRefusedError(
                f"a second program that presents itself as '{sender.name[:40]}', while the first one sends",
                "one program under each name",
                f"close one, or give it another name; who is silent for {TAKEN_FOR_NS / 1e9:.0f} s makes room",
            )
        return _Source(sender.key, stream, received_ns)


def frame_names(device: Device, reference: str) -> dict[str, str]:
    """The headset's name of everything that it may see -> the name of its frame."""
    return {tool.id: tool.name for tool in device.tools} | ({reference: REFERENCE} if reference else {})


def unknown(what: str, name: str, known: Collection[str]) -> ObservationsRefusedError:
    """The refusal of a name that the room does not have, with the nearest one that it has."""
    near = get_close_matches(name, known, 1, 0.5)
    return ObservationsRefusedError(
        f"the {what} '{name[:40]}'",
        f"one of {', '.join(sorted(known)) or 'none'}",
        f"write '{near[0]}'" if near else f"name it as the room file does, or add the {what} there",
    )


def _check_order(message: ToolObservations, source: _Source) -> None:
    """Refuses repetitions and replays: neither an image's number nor its time comes twice, or goes back."""
    if message.number <= source.number:
        raise ObservationsRefusedError(
            f"image {message.number} after image {source.number}",
            f"image {source.number + 1} or later",
            "number the images upwards, and draw a new stream when the program starts",
        )
    # Each new comparison of the clocks may move the times by what the ones before left open.
    if message.seen_ns + message.clock_error_ns <= source.seen_ns - source.clock_error_ns:
        raise ObservationsRefusedError(
            f"an image seen {(source.seen_ns - message.seen_ns) / 1e6:.1f} ms before the one before it",
            "images in the order in which they were seen",
            "send each image once; compare the clocks anew if one of them was set",
        )
