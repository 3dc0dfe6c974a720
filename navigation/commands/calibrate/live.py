"""Collecting at the devices of a room: opens it, shows what to do next, reads the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from navigation.acquisition.collecting import Advice, Collecting, collect
from navigation.clock import MonotonicClock, PacedClock, VirtualClock
from navigation.devices.registry import driver_of
from navigation.devices.tracker import Connection
from navigation.devices.ultrasound.source import UltrasoundSource
from navigation.errors import AcquisitionError
from navigation.room.room import Room
from navigation.room.room_images import open_images
from navigation.room.room_tracker import RoomTracker, open_room
from navigation.terminal.quit_key import pressed_keys

_HELP = "u takes back the last of it, Enter or q ends it and keeps the result"
_LONGEST_UNATTENDED_S = 60.0
_BAR = 50  # characters


@dataclass(frozen=True)
class OpenedRoom:
    """A room whose devices run, and the clock that they are on."""

    tracker: RoomTracker
    clock: PacedClock


@contextmanager
def opened(room: Room, clock: PacedClock | None = None) -> Iterator[OpenedRoom]:
    """Runs a room's devices; where all of them are simulated, on a clock of its own, so that nobody waits.

    Args:
        clock: the clock in any case, where a person or another program waits too.

    Raises:
        SurgNavError: a device cannot be opened.
    """
    clock = clock_of(room) if clock is None else clock
    tracker = open_room(room.devices, clock)
    tracker.start()
    try:
        yield OpenedRoom(tracker, clock)
    finally:
        tracker.stop()


@contextmanager
def opened_with_images(room: Room, whole: Room) -> Iterator[tuple[OpenedRoom, UltrasoundSource]]:
    """As `opened`, with the ultrasound of the whole room, of whichever device gives it; it runs too.

    Raises:
        RoomError: not one device of the room gives images.
        SurgNavError: a device cannot be opened.
    """
    clock = clock_of(room)
    tracker, images = open_room(room.devices, clock), open_images(whole, clock)
    images.start()
    tracker.start()
    try:
        yield OpenedRoom(tracker, clock), images
    finally:
        tracker.stop()
        images.stop()


def has_ended(tracker: RoomTracker) -> bool:
    """Whether the device that leads is gone for good, as a recording that was played to its end is."""
    state = tracker.state
    return state.connection is Connection.GONE and state.retry_ns is None


def clock_of(room: Room) -> PacedClock:
    """This machine's clock, or one that runs as fast as it can where all devices are simulated."""
    rehearsed = all(driver_of(device.driver).is_simulated for device in room.devices)
    return VirtualClock() if rehearsed else MonotonicClock()


def collect_live(
    collecting: Collecting[Any],
    next_sample: Callable[[], Any],
    room: OpenedRoom,
    console: Console,
    *,
    title: str,
    seconds: float | None = None,
    note: Callable[[], str] = lambda: "",
    is_over: Callable[[], bool] | None = None,
) -> None:
    """Collects with a screen and keys; without a terminal until it is enough, or for `seconds`.

    Args:
        next_sample: waits for the next sample, not long; None where there is none.
        note: what else to say, such as why the tool is not seen; empty for nothing.
        is_over: whether no more samples will come; by default, whether the leading device has ended.
    """
    over = is_over or (lambda: has_ended(room.tracker))
    collect_shown(collecting, next_sample, room.clock, console, title=title, seconds=seconds, note=note, is_over=over)


def collect_shown(
    collecting: Collecting[Any],
    next_sample: Callable[[], Any],
    clock: PacedClock,
    console: Console,
    *,
    title: str,
    seconds: float | None = None,
    note: Callable[[], str] = lambda: "",
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """As `collect_live`, on any clock: a camera that is calibrated is in no room yet."""
    live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def show(advice: Advice) -> None:
        if live is not None:
            live.update(_screen(title, advice, note()), refresh=True)

    with pressed_keys() as keys, live or nullcontext(), _kept(collecting, console):
        unattended = keys is None or isinstance(clock, VirtualClock)
        collect(
            collecting,
            next_sample,
            keys or (lambda: None),
            show,
            clock,
            until_enough=unattended,
            seconds=seconds if seconds is not None or not unattended else _LONGEST_UNATTENDED_S,
            is_over=is_over,
        )
    last = collecting.advice()
    console.print(f"{escape(title)}: {last.coverage:.0%} covered; {escape(last.doubt)}", highlight=False)


@contextmanager
def _kept(collecting: Collecting[Any], console: Console) -> Iterator[None]:
    """Where a device stops in the middle, it is said, and what was collected until then is calibrated with."""
    try:
        yield
    except KeyboardInterrupt:
        console.print(f"[yellow]stopped: nothing is kept of what was collected; {_HELP}[/]", highlight=False)
        raise
    except AcquisitionError as error:
        if not collecting.advice().coverage:
            raise
        console.print(f"[yellow]collecting ended: {escape(str(error))}[/]", highlight=False)


def _screen(title: str, advice: Advice, note: str) -> Group:
    return Group(
        Text(title, style="bold"),
        Text(f"now: {advice.next_step}", style="cyan"),
        Text(f"{'━' * round(_BAR * advice.coverage):<{_BAR}} {advice.coverage:.0%}", style="green"),
        Text(advice.doubt),
        Text(note, style="yellow"),
        Text(_HELP, style="dim"),
    )
