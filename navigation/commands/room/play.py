"""``surgnav room play``: recordings through the live path on their own clock, to the same bytes each time.

The clock stands still but for what is waited for, so that neither the rate nor a busy machine changes a byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from navigation.clock import NS_PER_S, BrakedClock, PacedClock
from navigation.commands.register.keyboard import Keys
from navigation.devices.replay import ReplaySettings, read_recording
from navigation.devices.tracker import Connection
from navigation.errors import RoomError
from navigation.live.filters.shown_poses import filters_of
from navigation.live.pose_bytes import PoseBytes
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.supervisor import Supervisor, SupervisorSettings
from navigation.live.watches.room_watches import RoomWatches
from navigation.room.room import Room
from navigation.room.room_tracker import open_room
from unity_bridge.wire.envelope import Session

# The same in every run: a session of its own would change the bytes.
_SESSION = bytes(16)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What was played: number of batches, SHA-256 of all their bytes, and tool -> state -> number of batches."""

    batches: int
    sha256: str
    states: dict[str, dict[str, int]]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a recording is played; none of it changes a byte of what is played.

    Attributes:
        rate: 2.0 plays twice as fast, on the same clock; None for as fast as the machine can.
        pause_at_s: from this time of the recording on a key is waited for before each frame.
        seconds: ends after so long on the recording's clock; None at its end.
    """

    rate: float | None = None
    pause_at_s: float | None = None
    seconds: float | None = None


def play_room(
    room: Room, pace: Pace, real: PacedClock, keys: Keys, keep: Callable[[bytes], object] = lambda message: None
) -> Played:
    """Plays every frame of a room's recordings through supervisor, pose graph and encoder.

    Args:
        real: the clock that is waited on.
        keys: where keys come from while it is paused: r goes on, q ends, any other is one frame.
        keep: is given the bytes of each batch.

    Raises:
        RoomError: a device is no recording, or one that plays in a loop while no end was given.
    """
    start_ns = _start_ns(room, pace)
    clock = BrakedClock(start_ns, real, pace.rate)
    tracker = open_room(room.devices, clock)
    ages = SupervisorSettings(stale_after_ms=room.stale_after_ms, lost_after_ms=room.lost_after_ms)
    tips = CalibratedTip.of_tools(room.tools)
    pause_s, end_s = pace.pause_at_s, pace.seconds

    def should_stop() -> bool:
        nonlocal pause_s
        played_s = (clock.now_ns() - start_ns) / NS_PER_S
        if tracker.state.connection is Connection.GONE or (end_s is not None and played_s >= end_s):
            return True
        if pause_s is None or played_s < pause_s:
            return False
        key = keys.next()
        pause_s = None if key == "r" else pause_s
        return key in ("q", None)

    sent = PoseBytes(Session(_SESSION, clock), keep)
    graph = PoseGraph(tips)
    supervisor = Supervisor(tracker.tools, ages, RoomWatches(room.devices, graph, ages).all)
    PoseLoop(tracker, graph, supervisor, sent, clock, filters=filters_of(room.devices)).run(should_stop)
    states = {tool: {state.value: n for state, n in sorted(each.items())} for tool, each in sent.validities.items()}
    return Played(batches=sent.batches, sha256=sent.sha256, states=states)


def _start_ns(room: Room, pace: Pace) -> int:
    """The first time of the leading recording, on its own clock."""
    for device in room.devices:
        settings = device.settings
        if not isinstance(settings, ReplaySettings):
            raise RoomError(
                f"{device.name}, a device with the driver {device.driver!r}",
                "recordings only",
                "play a room whose devices have driver = 'replay'",
            )
        if settings.loop and pace.seconds is None:
            came = f"loop = true in [devices.{device.name}], and no end"
            raise RoomError(came, "a recording that ends", "remove the line loop, or say --seconds")
    return read_recording(room.devices[0]).frames[0].time_ns


def show(played: Played, console: Console) -> None:
    """Prints what was played."""
    states = list(dict.fromkeys(state for counts in played.states.values() for state in counts))
    table = Table("tool", *states)
    for tool, counts in played.states.items():
        table.add_row(tool, *(str(counts.get(state, 0)) for state in states))
    console.print(table)
    console.print(f"{played.batches} batches, SHA-256 of their bytes {played.sha256}", highlight=False)
