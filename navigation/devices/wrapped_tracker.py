"""A tracker that is another one but for what its subclass changes."""

from __future__ import annotations

from navigation.devices.tracker import DeviceState, Tracker, TrackerFrame


class WrappedTracker:
    """Satisfies `Tracker` with everything that another tracker says.

    Args:
        tracker: the other one; a subclass may put another in its place.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    @property
    def tools(self) -> tuple[str, ...]:
        return self._tracker.tools

    @property
    def rate_hz(self) -> float:
        return self._tracker.rate_hz

    @property
    def state(self) -> DeviceState:
        return self._tracker.state

    def start(self) -> None:
        self._tracker.start()

    def stop(self) -> None:
        self._tracker.stop()

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        return self._tracker.next_frame(timeout_ns)
