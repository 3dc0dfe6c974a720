"""Opens devices by name: the only place in the running system that knows the simulators."""

from __future__ import annotations

from collections.abc import Callable

from navigation.clock import PacedClock, VirtualClock
from navigation.devices.hand import Hand
from navigation.devices.rehearsal import Rehearsal
from navigation.devices.tracker import Tracker
from navigation.errors import DeviceError


def _open_simulated(config: object, clock: PacedClock) -> Tracker:
    from navigation.simulation.operating_room import open_simulated_tracker

    return open_simulated_tracker(config, clock)


SIMULATED = "simulated"
TRACKERS: dict[str, Callable[[object, PacedClock], Tracker]] = {SIMULATED: _open_simulated}


def open_tracker(name: str, config: object, clock: PacedClock) -> Tracker:
    """Opens the tracker driver `name` with its own settings object `config`.

    Raises:
        DeviceError: there is no driver of that name, or `config` is of another type than that driver's settings.
    """
    if name not in TRACKERS:
        raise DeviceError(f"the tracker {name!r}", f"one of {sorted(TRACKERS)}", "correct the name of the tracker")
    return TRACKERS[name](config, clock)


def open_rehearsal(rehearsal: Rehearsal, clock: PacedClock) -> tuple[Tracker, Hand]:
    """A simulated tracker and the simulated hand that it watches, for a session without a patient."""
    from navigation.simulation.rehearsal import RehearsedTracker

    rehearsed = RehearsedTracker(rehearsal, clock)
    return rehearsed, rehearsed


def streaming_rehearsal(rehearsal: Rehearsal, start_ns: int) -> tuple[tuple[str, ...], float, object]:
    """Settings for a tracker that watches the room of `open_rehearsal` with every tool in continuous motion.

    Returns:
        The names of its tools, its rate in Hz, and the settings of the driver ``simulated``.
    """
    from navigation.simulation.rehearsal import RehearsedTracker

    config = RehearsedTracker(rehearsal, VirtualClock()).streaming(start_ns)
    return config.tools, config.tracker.rate_hz, config
