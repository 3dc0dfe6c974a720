"""A room as the program works with it; `navigation.room.read_room` reads one from a file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from navigation.devices.driver import Device, Role, Tool
from navigation.devices.registry import driver_of
from navigation.errors import RoomError
from navigation.room.room_file import UltrasoundKeys


@dataclass(frozen=True, kw_only=True)
class Room:
    """Devices, tools and age limits; every tool is seen by one device.

    Attributes:
        name: tells this room from others in the record of a registration.
        devices: the one that sees the reference first.
        stale_after_ms, lost_after_ms: ages above which poses are stale, and lost.
        verify_after_min: how long after its last evidence a registration should be verified with a touch.
        rack: the folder of its calibrations, which may not be there yet; None if the file names none.
        ultrasound: what is looked for in the live images of its probe; None where they are not used.
    """

    name: str
    devices: tuple[Device, ...]
    stale_after_ms: float
    lost_after_ms: float
    verify_after_min: float
    rack: Path | None = None
    ultrasound: UltrasoundKeys | None = None

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(tool for device in self.devices for tool in device.tools)

    @property
    def is_simulated(self) -> bool:
        """Whether anything in it is simulated."""
        return any(driver_of(device.driver).is_simulated for device in self.devices)

    def the_tool(self, role: Role, name: str | None = None) -> Tool:
        """The tool with this role, or that of this name among them.

        Raises:
            RoomError: there is none, or several and no name says which.
        """
        able = [tool for tool in self.tools if tool.role is role and name in (None, tool.name)]
        if len(able) == 1:
            return able[0]
        named = f" called {name!r}" if name else ""
        there = ", ".join(f"{tool.name} ({tool.role.value})" for tool in self.tools)
        raise RoomError(
            f"{len(able) or 'no'} tools with role = '{role.value}'{named} in the room {self.name!r}, which has {there}",
            f"one {role.value}",
            f"give one tool of the room file the role {role.value}" if not able else f"say which {role.value} to use",
        )

    def only(self, tools: Collection[str]) -> Room:
        """The room with these tools, and the devices that see them."""
        kept = (
            replace(device, tools=tuple(tool for tool in device.tools if tool.name in tools)) for device in self.devices
        )
        return replace(self, devices=tuple(device for device in kept if device.tools))
