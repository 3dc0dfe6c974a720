"""``surgnav room check``: opens each device of a room for a few seconds, and says what came of it and of its tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from calibration.rack import age
from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.driver import Device, Tool
from navigation.devices.registry import driver_of, open_device
from navigation.devices.tracker import Connection, ToolObservation, Tracker, Visibility
from navigation.live.overlays import calibration_lines
from navigation.room.room import Room

_STEP_NS = NS_PER_S // 100
# What a device says of a tool that it does not have: nobody can bring such a tool into view.
_NOT_THERE = (Visibility.NO_DATA, Visibility.UNCONFIGURED)


@dataclass
class _Tried:
    """A device that was tried, with the best that was seen of each of its tools."""

    device: Device
    tracker: Tracker | None = None
    problem: str = ""  # why it could not be opened
    has_frames: bool = False
    seen: dict[str, ToolObservation] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        connected = self.tracker is not None and self.tracker.state.connection is Connection.CONNECTED
        return connected and self.has_frames

    @property
    def has_shown_all(self) -> bool:
        seen = [self.seen.get(name) for name in self.device.tool_names]
        return all(each is not None and each.visibility is Visibility.VISIBLE for each in seen)

    def look(self) -> None:
        frame = None if self.tracker is None else self.tracker.next_frame(0)
        if frame is None:
            return
        self.has_frames = True
        for tool, seen in frame.tools.items():
            before = self.seen.get(tool)
            if before is None or before.visibility is not Visibility.VISIBLE:
                self.seen[tool] = seen


def check_room(
    room: Room, seconds: float, clock: PacedClock, now: datetime, console: Console, should_stop: Callable[[], bool]
) -> bool:
    """Tries every device until all tools were seen, `seconds` at most, and shows what there is.

    Args:
        now: the time, which the age of calibrations is counted to, with its zone.

    Returns:
        Whether every device delivers frames and knows each of its tools. A tool that is only out of sight is no fault.
    """
    console.print(f"{escape(room.name)}: no mistakes in the file; {_waits(seconds)}", highlight=False)
    tried = [_opened(device, clock) for device in room.devices]
    try:
        for each in tried:
            if each.tracker is not None:
                each.tracker.start()
        end_ns = clock.now_ns() + round(seconds * NS_PER_S)
        while not all(each.is_there and each.has_shown_all for each in tried if not each.problem):
            if clock.now_ns() >= end_ns or should_stop():
                break
            clock.sleep_until_ns(clock.now_ns() + _STEP_NS)
            for each in tried:
                each.look()
        _show(tried, clock.now_ns(), now, console)
        for line, is_bad in calibration_lines(room.devices, room.rack, now):
            console.print(line, style="yellow" if is_bad else None, highlight=False, markup=False)
        return all(each.is_there and not _unknown(each) for each in tried)
    finally:
        for each in tried:
            if each.tracker is not None:
                each.tracker.stop()


def _waits(seconds: float) -> str:
    return f"devices and tools are waited for, {seconds:g} s at most"


def _opened(device: Device, clock: PacedClock) -> _Tried:
    try:
        return _Tried(device, open_device(device, clock))
    except SurgNavError as error:
        return _Tried(device, problem=f"cannot be opened: {error.came}. Fix: {error.action}")


def _unknown(tried: _Tried) -> list[Tool]:
    """The tools that the device does not have, or says nothing of."""
    seen = {tool: tried.seen.get(tool.name) for tool in tried.device.tools}
    return [tool for tool, each in seen.items() if each is None or each.visibility in _NOT_THERE]


def _show(all_tried: list[_Tried], now_ns: int, now: datetime, console: Console) -> None:
    devices = Table("device", "driver", "state")
    tools = Table("tool", "role", "device", "id there", "seen", "calibration")
    for tried in all_tried:
        device, unknown = tried.device, _unknown(tried)
        devices.add_row(device.name, device.driver, _coloured(_said(tried, now_ns), tried.is_there))
        for tool in device.tools:
            seen = _coloured(_seen(tried.seen.get(tool.name)), tool not in unknown)
            tools.add_row(tool.name, tool.role.value, device.name, escape(tool.id), seen, escape(calibrated(tool, now)))
    console.print(devices, tools)
    for name in (tried.device.name for tried in all_tried if driver_of(tried.device.driver).is_simulated):
        console.print(f"[yellow]{name} is simulated: nothing that it says is real.[/]", highlight=False)


def calibrated(tool: Tool, now: datetime) -> str:
    """Which calibrations a tool has, how old each is, and what it is worth."""
    said = [
        f"{result.kind} {age(result.made_at, now)}"
        + (f", {result.expected_error.value:.2g} {result.expected_error.unit}" if result.expected_error else "")
        for result in tool.calibrations
    ]
    if not said and tool.tip_calibrated is not None:
        said = [f"tip of {tool.tip_calibrated[:10]}, {tool.tip_error_rms_mm or 0.0:.2g} mm"]
    return "; ".join(said) or "-"


def _said(tried: _Tried, now_ns: int) -> str:
    if tried.tracker is None:
        return tried.problem
    state = tried.tracker.state
    without = "" if tried.has_frames or state.connection is not Connection.CONNECTED else ", but no frame came"
    return f"{state.words(now_ns)}{without}"


def _seen(seen: ToolObservation | None) -> str:
    if seen is None:
        return "nothing came of it"
    return "yes" if seen.visibility is Visibility.VISIBLE else f"no: {seen.why}"


def _coloured(text: str, is_good: bool) -> str:
    return f"[{'green' if is_good else 'red'}]{escape(text)}[/]"
