"""A tracker over the fake NDI device, whose states are waited for."""

from __future__ import annotations

import re
import time
from pathlib import Path

from navigation.devices.ndi.settings import NdiSettings
from navigation.devices.reader import ReaderTracker
from navigation.devices.tracker import Connection, Visibility
from tests.navigation.devices.ndi.lab import device, passive, tracker

WITHIN_S = 30.0
GONE, CONNECTED = Connection.GONE, Connection.CONNECTED


class Watched:
    """A tracker with a state that is waited for."""

    def __init__(self, tracker: ReaderTracker) -> None:
        self.tracker = tracker
        self.seen: list[str] = []

    def __enter__(self) -> Watched:
        self.tracker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.tracker.stop()

    def becomes(self, connection: Connection, reason: str) -> None:
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            state = self.tracker.state
            if state.connection is connection and re.search(reason, state.reason):
                return
            if state.reason and state.reason not in self.seen:
                self.seen.append(state.reason)
            time.sleep(0.005)
        raise AssertionError(f"never {connection} because of {reason!r}: {self.seen}")

    def tracks(self, tool: str = "reference") -> None:
        """A frame that is made from now on has the tool."""
        self.tracker.next_frame(0)
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            frame = self.tracker.next_frame(100_000_000)
            if frame is not None and frame.tools[tool].visibility is Visibility.VISIBLE:
                return
        raise AssertionError(f"not tracked again: {self.tracker.state}")


def watched(settings: NdiSettings, folder: Path, *numbers: int) -> Watched:
    return Watched(tracker(device(settings, *passive(folder, *(numbers or (1,))))))
