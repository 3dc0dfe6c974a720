"""``surgnav room watch``: a live table of a room's devices and tools."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Column, Table

from navigation.clock import NS_PER_S, PacedClock
from navigation.commands.room.numbers import RoomWatch
from navigation.devices.registry import driver_of
from navigation.devices.tracker import Connection
from navigation.room.room import Room
from navigation.room.room_tracker import open_room
from unity_bridge.wire.envelope import Validity

ONCE_S = 2.0
_SHOWN_EVERY_NS = NS_PER_S // 4
_PRINTED_EVERY_NS = 5 * NS_PER_S  # where the output is no terminal
_COLOURS = {Validity.VALID: "green", Validity.SUSPECT: "yellow", Validity.STALE: "yellow", Validity.LOST: "red"}
_CONNECTION_COLOURS = {Connection.CONNECTED: "green", Connection.CONNECTING: "yellow", Connection.GONE: "red"}


def watch_room(
    room: Room, seconds: float | None, clock: PacedClock, console: Console, should_stop: Callable[[], bool]
) -> bool:
    """Shows the room until `should_stop`, or for `seconds`; on a terminal in place, elsewhere every five seconds.

    Returns:
        Whether every device was connected at the end.

    Raises:
        SurgNavError: a device cannot be opened; one that is not there is shown as such.
    """
    tracker = open_room(room.devices, clock)
    watch = RoomWatch(room, tracker, clock)
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    every_ns = _PRINTED_EVERY_NS if live is None else _SHOWN_EVERY_NS
    begun_ns = shown_ns = clock.now_ns()
    end_ns = None if seconds is None else begun_ns + round(seconds * NS_PER_S)
    tracker.start()
    try:
        with live or nullcontext():
            while not should_stop() and (end_ns is None or clock.now_ns() < end_ns):
                watch.step()
                now_ns = clock.now_ns()
                if now_ns - shown_ns >= every_ns:
                    shown_ns = now_ns
                    _show(live, console, tables(room, watch))
            _show(live, console, tables(room, watch))
        return all(state.connection is Connection.CONNECTED for state in watch.states.values())
    finally:
        tracker.stop()


def _show(live: Live | None, console: Console, shown: Group) -> None:
    if live is None:
        console.print(shown)
    else:
        live.update(shown, refresh=True)


def tables(room: Room, watch: RoomWatch) -> Group:
    """The devices with their frames, and the tools with their numbers as they were judged, so that both fit."""
    now_ns = watch.judged_ns
    devices = Table("device", "driver", "state", *map(_right, ("frames", "lost", "late", "not taken")))
    for device in room.devices:
        state = watch.states[device.name]
        frames = state.frames
        counts = (frames.received, frames.lost, frames.late, frames.unread)
        said = _coloured(state.words(now_ns), _CONNECTION_COLOURS[state.connection])
        devices.add_row(device.name, device.driver, said, *(f"{n:,}" if frames.received else "-" for n in counts))
    tools = Table("tool", "state", *map(_right, ("rate Hz", "age ms", "jitter ms", "fit error mm")))
    for name, numbers in watch.tools.items():
        judged, seen = watch.judged[name], numbers.newest
        said = judged.validity.value + (f": {judged.reason}" if judged.reason else "")
        tools.add_row(
            name,
            _coloured(said, _COLOURS[judged.validity]),
            _number(numbers.rate_hz(now_ns), 1),
            _number(None if seen is None else numbers.age_ms(now_ns), 0),
            _number(numbers.jitter_ms(now_ns), 2),
            _number(None if seen is None else seen.fit_rms_mm, 2),
        )
    simulated = [device.name for device in room.devices if driver_of(device.driver).is_simulated]
    note = f"[yellow]simulated: {', '.join(simulated)}[/]" if simulated else ""
    return Group(devices, tools, *([note] if note else []))


def _right(heading: str) -> Column:
    return Column(heading, justify="right")


def _coloured(text: str, colour: str) -> str:
    return f"[{colour}]{escape(text)}[/]"


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"
