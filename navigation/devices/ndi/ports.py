"""The port handles of an NDI device: geometries loaded, wired tools found, both enabled for tracking."""

from __future__ import annotations

from dataclasses import dataclass, field

from calibration.tool_geometry.errors import RomFileError
from navigation.devices.driver import Tool
from navigation.devices.ndi.api import CombinedApi
from navigation.devices.ndi.errors import NdiAnsweredError
from navigation.devices.ndi.replies import read_handle, read_handles, read_location
from navigation.devices.ndi.rom import LoadedRom, load_rom
from navigation.devices.ndi.settings import NdiTool

# Any device, any system, passive or wireless tool, any port.
_WIRELESS = "PHRQ:*********1****"
# Initialising one wired tool makes a handle for the second channel of its port.
_ROUNDS = 3


@dataclass(frozen=True)
class Ports:
    """Which tool is behind which port handle.

    Attributes:
        tools: tool by port handle.
        markers: number of markers by tool name, where a geometry was loaded.
        troubles: why a tool has no port handle, by tool name.
    """

    tools: dict[int, Tool] = field(default_factory=dict)
    markers: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)


def set_up_ports(api: CombinedApi, tools: tuple[Tool, ...]) -> Ports:
    """Sets every tool up; one that cannot be is a trouble of that tool, and the others go on.

    Raises:
        NdiError, OSError: the device does not answer as it should.
    """
    for handle in read_handles(api.ask("PHSR:01")):
        api.do(f"PHF:{handle:02X}")
    ports = Ports()
    roms: dict[str, LoadedRom] = {}
    for tool in tools:
        settings = _settings(tool)
        try:
            if settings.rom is not None:
                roms[tool.name] = load_rom(settings.rom)
                ports.markers[tool.name] = len(roms[tool.name].rom.markers_tool_mm)
            if settings.port is None:
                _set_up(api, ports, read_handle(api.ask(_WIRELESS)), tool, roms.get(tool.name))
        except (NdiAnsweredError, RomFileError) as error:
            ports.troubles[tool.name] = error.came
    _set_up_wired(api, ports, [tool for tool in tools if _settings(tool).port is not None], roms)
    return ports


def _set_up_wired(api: CombinedApi, ports: Ports, tools: list[Tool], roms: dict[str, LoadedRom]) -> None:
    """Finds out which wired tool is in which port; those that nobody asked for are left alone."""
    known: set[int] = set()
    for _ in range(_ROUNDS if tools else 0):
        fresh = [handle for handle in read_handles(api.ask("PHSR:02")) if handle not in known]
        known.update(fresh)
        for handle in fresh:
            location = read_location(api.ask(f"PHINF:{handle:02X}0020"))
            for tool in tools:
                if location == (_settings(tool).port, _settings(tool).channel) and tool.name not in ports.troubles:
                    try:
                        _set_up(api, ports, handle, tool, roms.get(tool.name))
                    except NdiAnsweredError as error:
                        ports.troubles[tool.name] = error.came
        if not fresh:
            break
    found = {tool.name for tool in ports.tools.values()}
    for tool in tools:
        if tool.name not in found:
            ports.troubles.setdefault(tool.name, f"no tool is in port {_settings(tool).port}")


def _set_up(api: CombinedApi, ports: Ports, handle: int, tool: Tool, rom: LoadedRom | None) -> None:
    for address, digits in rom.chunks if rom is not None else ():
        api.do(f"PVWR:{handle:02X}{address:04X}{digits}")
    api.do(f"PINIT:{handle:02X}")
    api.do(f"PENA:{handle:02X}D")
    ports.tools[handle] = tool


def _settings(tool: Tool) -> NdiTool:
    if not isinstance(tool.settings, NdiTool):
        raise TypeError(f"settings of type {type(tool.settings).__name__} for a tool of the driver 'ndi'")
    return tool.settings
