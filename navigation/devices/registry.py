"""Opens devices by name: the only place in the running system that knows the simulators.

A new kind of tracker is one more line in `TRACKERS`; every command that takes ``--tracker`` asks there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from navigation.clock import PacedClock, VirtualClock
from navigation.devices.hand import Hand
from navigation.devices.rehearsal import Rehearsal
from navigation.devices.tracker import Tracker
from navigation.errors import DeviceError

Streaming = tuple[tuple[str, ...], float, object]


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What commands need of one kind of tracker.

    Attributes:
        open: opens it with its own settings object, on the clock of the service.
        open_session: opens it with whoever holds its stylus, for a session of registration, on a clock of its own.
        stream: the names of its tools, its rate in Hz and its settings object, for the service, from a time in ns on.
        is_simulated: tracker, hand and patient are simulated, and commands say so.
    """

    open: Callable[[object, PacedClock], Tracker]
    open_session: Callable[[Rehearsal], tuple[Tracker, Hand]]
    stream: Callable[[Rehearsal, int], Streaming]
    is_simulated: bool = False


def _open_simulated(config: object, clock: PacedClock) -> Tracker:
    from navigation.simulation.operating_room import open_simulated_tracker

    return open_simulated_tracker(config, clock)


def _open_simulated_session(rehearsal: Rehearsal) -> tuple[Tracker, Hand]:
    from navigation.simulation.rehearsal import RehearsedTracker

    rehearsed = RehearsedTracker(rehearsal, VirtualClock())
    return rehearsed, rehearsed


def _stream_simulated(rehearsal: Rehearsal, start_ns: int) -> Streaming:
    from navigation.simulation.rehearsal import RehearsedTracker

    config = RehearsedTracker(rehearsal, VirtualClock()).streaming(start_ns)
    return config.tools, config.tracker.rate_hz, config


SIMULATED = "simulated"
TRACKERS: dict[str, Driver] = {
    SIMULATED: Driver(
        open=_open_simulated, open_session=_open_simulated_session, stream=_stream_simulated, is_simulated=True
    )
}


def driver_of(name: str) -> Driver:
    """The driver of that name.

    Raises:
        DeviceError: there is none.
    """
    if name not in TRACKERS:
        raise DeviceError(f"the tracker {name!r}", f"one of {sorted(TRACKERS)}", "correct the name of the tracker")
    return TRACKERS[name]


def open_tracker(name: str, config: object, clock: PacedClock) -> Tracker:
    """Opens the tracker driver `name` with its own settings object `config`.

    Raises:
        DeviceError: there is no driver of that name, or `config` is of another type than that driver's settings.
    """
    return driver_of(name).open(config, clock)
