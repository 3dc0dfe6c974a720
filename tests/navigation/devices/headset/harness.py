"""A room with a headset, and its device as the program opens it."""

from __future__ import annotations

import socket
from collections.abc import Callable

from navigation.devices.driver import Device, Role, Stamps, Tool
from navigation.devices.headset import HeadsetSettings
from navigation.devices.tracker import Connection, Tracker, TrackerFrame, Visibility
from tests.navigation.devices.headset.player import CLOCK, PATIENCE_NS

NAME = "hololens"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def device(port: int, called: str = NAME, tools: tuple[str, ...] = ("reference", "stylus"), **settings) -> Device:
    """Its tools have other names at the headset: 'Reference', 'Stylus'."""
    roles = {"reference": Role.REFERENCE, "stylus": Role.STYLUS}
    return Device(
        name=called,
        driver="headset",
        settings=HeadsetSettings(port=port, **settings),
        stamps=Stamps(None),
        tools=tuple(
            Tool(name=tool, role=roles.get(tool, Role.INSTRUMENT), id=tool.capitalize(), settings=None)
            for tool in tools
        ),
    )


class Watched:
    """A tracker and its newest frame."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._frame: TrackerFrame | None = None

    @property
    def frame(self) -> TrackerFrame | None:
        while (newer := self.tracker.next_frame(0)) is not None:
            self._frame = newer
        return self._frame

    def sees(self, tool: str) -> bool:
        return self.frame is not None and self.frame.tools[tool].visibility is Visibility.VISIBLE


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_ns = CLOCK.now_ns() + PATIENCE_NS
    while not condition():
        assert CLOCK.now_ns() < deadline_ns
        CLOCK.sleep_until_ns(CLOCK.now_ns() + 10_000_000)


def waits_for_its_headset(tracker: Tracker) -> bool:
    state = tracker.state
    return state.connection is not Connection.CONNECTED and "no headset called" in state.reason
