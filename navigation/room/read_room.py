"""Reads a room file, or says everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from calibration.errors import TipFileError
from calibration.tip_file import CalibratedTool, read_tip
from geometry.frames import CAMERA, CT, HEADSET, IMAGE, PROBE, REFERENCE, STYLUS, TRACKER, UNITY
from navigation.devices.driver import AssumedNoise, Device, Driver, Role, StampClock, Stamps, Tool
from navigation.devices.mistakes import Mistakes, shown
from navigation.devices.registry import DRIVERS, driver_of
from navigation.errors import RoomError
from navigation.room.racked_tools import RackedTools
from navigation.room.room import Room
from navigation.room.room_file import Ages, DeviceKeys, ToolKeys, UltrasoundKeys

_TOP = ("name", "rack", "ages", "ultrasound", "devices", "tools")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Frames that are no tool's, and the name of the patient among the poses.
RESERVED = (CT, TRACKER, IMAGE, CAMERA, UNITY, "patient")
_ROLE_OF = {REFERENCE: Role.REFERENCE, STYLUS: Role.STYLUS, PROBE: Role.PROBE, HEADSET: Role.HEADSET}
_LARGEST_BYTES = 1_000_000
_FILE = "a text file in TOML, such as 'surgnav room new' writes"


class RoomFileError(RoomError):
    """A room file with mistakes; `mistakes` has a sentence for each."""

    def __init__(self, name: str, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = f"{len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}"
        came = "\n".join([f"{name} with {count}:", *(f"  {sentence}" for sentence in mistakes)])
        super().__init__(came, "a room file without mistakes", "correct each of them as it says")

    def __reduce__(self) -> tuple[object, ...]:
        return RoomFileError, (self.came, list(self.mistakes))


def read_room(path: Path, *, calibrating: bool = False, placing: bool = False) -> Room:
    """Reads a room file.

    Args:
        calibrating: for commands that calibrate: a tool whose calibration is not in the rack yet is no mistake.
        placing: for the command that finds where devices stand: a device whose pose is not known is no mistake, and
            has none. Poses of several devices of such a room must not be put together.

    Raises:
        RoomFileError: it cannot be read, or holds mistakes; all of them are listed.
    """
    mistakes = Mistakes(path.parent)
    try:
        if not path.is_dir():
            return room_in(path.read_bytes(), path, calibrating=calibrating, placing=placing)
        mistakes.add(str(path), "a folder", _FILE, "name the file in it")
    except OSError as error:
        came = (error.strerror or str(error)).lower()
        mistakes.add(str(path), came, _FILE, "check the path and who may read it")
    raise RoomFileError(path.name, mistakes.sentences)


def room_in(content: bytes, path: Path, *, calibrating: bool = False, placing: bool = False) -> Room:
    """The room in the content of a room file, which is at `path`, or will be; as `read_room`."""
    mistakes = Mistakes(path.parent)
    table = _parse(content, path, mistakes)
    room = None if mistakes.sentences else _Reading(mistakes, path, calibrating, placing).room(table)
    if mistakes.sentences or room is None:
        raise RoomFileError(path.name, mistakes.sentences)
    return room


def _parse(content: bytes, path: Path, mistakes: Mistakes) -> dict[str, Any]:
    where = str(path)
    try:
        if content.startswith(b"\xef\xbb\xbf"):
            mistakes.add(where, "a byte order mark at its beginning", "UTF-8 without one", "save it as plain UTF-8")
        elif not content.strip():
            mistakes.add(where, "an empty file", _FILE, "write one with 'surgnav room new'")
        elif len(content) > _LARGEST_BYTES:
            mistakes.add(where, f"{len(content):,} bytes", f"at most {_LARGEST_BYTES:,}", "name the room file")
        else:
            return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        mistakes.add(where, f"byte {error.start + 1}, which is not UTF-8", "UTF-8", "save it as plain UTF-8")
    except tomllib.TOMLDecodeError as error:
        mistakes.add(where, f"what is not TOML: {error}", "TOML 1.0", "correct the line that is named")
    return {}


class _Reading:
    """One pass over the tables of a room file; whatever is wrong is noted, and the rest is read all the same."""

    def __init__(self, mistakes: Mistakes, path: Path, calibrating: bool, placing: bool) -> None:
        self._mistakes, self._name, self._placing = mistakes, path.stem, placing
        self._racked = RackedTools(mistakes, path, calibrating)
        self._drivers: dict[str, Driver] = {}
        self._keys: dict[str, DeviceKeys] = {}

    def room(self, top: Mapping[str, Any]) -> Room | None:
        self._mistakes.unknown_keys("the file", top, _TOP)
        name = top.get("name", self._name)
        if not (isinstance(name, str) and name.isascii() and name.isprintable() and 0 < len(name) <= 63):
            self._mistakes.add("the file", f"name = {shown(name)}", "1 to 63 ASCII characters", "shorten it")
        rack = self._racked.rack(top)
        stated = self._table(top, "ages")
        self._mistakes.unknown_keys("[ages]", stated, tuple(Ages.model_fields))
        known = {key: value for key, value in stated.items() if key in Ages.model_fields}
        ages = self._mistakes.validated(Ages, known, "[ages]")
        ultrasound = self._ultrasound(top)
        devices = {name: self._device(name, table) for name, table in self._named(top, "devices").items()}
        tools = self._named(top, "tools")
        read = [self._tool(name, table, tuple(devices)) for name, table in tools.items()]
        self._check_reference(tools)
        self._check_ids([each for each in read if each is not None])
        whole = [self._whole(device, read) for device in devices.values() if device is not None]
        named = {str(table.get("device")) for table in tools.values()}
        leading = self._check_places(whole, named if named <= devices.keys() else devices.keys())
        if self._mistakes.sentences or ages is None:
            return None
        ordered = (*(d for d in whole if d.name == leading), *(d for d in whole if d.name != leading))
        for device in ordered:
            self._mistakes.sentences += self._drivers[device.name].check(device)
            self._check_predictions(device, ages)
        stale_ms, lost_ms = ages.stale_after_ms, ages.lost_after_ms
        return Room(
            name=name,
            devices=ordered,
            stale_after_ms=stale_ms,
            lost_after_ms=lost_ms,
            verify_after_min=ages.verify_after_min,
            rack=rack,
            ultrasound=ultrasound,
        )

    def _check_predictions(self, device: Device, ages: Ages) -> None:
        """What is predicted further than poses live would be shown of the future and never judged."""
        for tool in device.tools:
            if tool.filter is not None and tool.filter.predict_ms >= ages.stale_after_ms:
                self._mistakes.add(
                    f"[tools.{tool.name}.filter]",
                    f"predict_ms = {tool.filter.predict_ms:g}, with stale_after_ms = {ages.stale_after_ms:g}",
                    "less than the age at which a pose is stale, in ms",
                    "shorten it",
                )

    def _ultrasound(self, top: Mapping[str, Any]) -> UltrasoundKeys | None:
        if "ultrasound" not in top:
            return None
        stated = self._table(top, "ultrasound")
        self._mistakes.unknown_keys("[ultrasound]", stated, tuple(UltrasoundKeys.model_fields))
        known = {key: value for key, value in stated.items() if key in UltrasoundKeys.model_fields}
        return self._mistakes.validated(UltrasoundKeys, known, "[ultrasound]")

    # --------------------------------------------------------------------------------------------------- tables, names
    def _table(self, table: Mapping[str, Any], key: str) -> dict[str, Any]:
        found = table.get(key, {})
        if isinstance(found, dict):
            return found
        self._mistakes.add("the file", f"{key} = {shown(found)}", f"a table [{key}]", f"write [{key}] above its keys")
        return {}

    def _named(self, top: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
        """The tables ``[key.NAME]`` with a name that can be one."""
        tables = {}
        if key not in top:
            self._mistakes.add("the file", f"no {key}", f"a table [{key}.NAME] for each", f"add [{key}.NAME]")
        for name, table in self._table(top, key).items():
            if not _NAME.fullmatch(name):
                allowed = "a lower-case letter, then ASCII letters, digits and _, 63 at most"
                self._mistakes.add(f"[{key}.{name}]", f"the name {shown(name)}", allowed, "rename it")
            elif not isinstance(table, dict):
                self._mistakes.add(
                    f"[{key}]",
                    f"{name} = {shown(table)}",
                    f"a table [{key}.{name}]",
                    f"write [{key}.{name}] above its keys",
                )
            else:
                tables[name] = table
        return tables

    # -------------------------------------------------------------------------------------------------------- devices
    def _device(self, name: str, table: Mapping[str, Any]) -> Device | None:
        where = f"[devices.{name}]"
        named = table.get("driver")
        allowed = f"one of {', '.join(DRIVERS)}"
        if named is None:
            self._mistakes.missing_key(where, "driver", table, allowed, "choose one of these")
            return None
        if not isinstance(named, str) or named not in DRIVERS:
            action = self._mistakes.nearest(str(named), tuple(DRIVERS), "choose one of these")
            self._mistakes.add(where, f"driver = {shown(named)}", allowed, action)
            return None
        driver = self._drivers[name] = driver_of(named)
        keys, settings = self._split(table, DeviceKeys, driver.settings, where)
        if keys is None or settings is None:
            return None
        self._keys[name] = keys
        stamps = self._stamps(keys, driver, where)
        noise = None if keys.noise is None else AssumedNoise(**keys.noise.model_dump())
        return Device(name=name, driver=named, settings=settings, stamps=stamps, tools=(), noise=noise)

    def _split(self, table: Mapping[str, Any], common: Any, own: Any, where: str) -> tuple[Any, Any]:
        """The keys of every device or tool, and those of the driver."""
        known = (*common.model_fields, *own.model_fields)
        self._mistakes.unknown_keys(where, table, known)
        parts = ({key: table[key] for key in model.model_fields if key in table} for model in (common, own))
        read = [self._mistakes.validated(model, part, where) for model, part in zip((common, own), parts, strict=True)]
        return read[0], read[1]

    def _stamps(self, keys: DeviceKeys, driver: Driver, where: str) -> Stamps:
        if not driver.clocks:
            for key in ("clock", "latency_ms"):
                if getattr(keys, key) is not None:
                    self._mistakes.add(
                        where,
                        f"{key}, with the driver {keys.driver!r}",
                        "none: it is on this program's clock",
                        "remove it",
                    )
            return Stamps(None)
        clock = keys.clock or driver.clocks[0]
        if clock not in driver.clocks:
            allowed = " or ".join(f"clock = '{each.value}'" for each in driver.clocks)
            self._mistakes.add(where, f"clock = '{clock.value}'", f"{allowed} with this driver", "correct it")
        if clock is StampClock.ARRIVAL and keys.latency_ms is None:
            self._mistakes.add(
                where, "clock = 'arrival' without latency_ms", "the latency in ms that was measured", "add latency_ms"
            )
        return Stamps(clock, keys.latency_ms or 0.0)

    def _whole(self, device: Device, tools: list[tuple[str, Tool] | None]) -> Device:
        seen = tuple(tool for each in tools if each is not None for name, tool in [each] if name == device.name)
        return replace(device, tools=seen)

    def _check_places(self, devices: list[Device], named: Collection[str]) -> str | None:
        """Every device but the one that sees the reference says where it stands; returns the name of that one.

        Args:
            named: devices that some tool may mean, whatever mistakes there are in it.
        """
        leading = next((device.name for device in devices if REFERENCE in device.tool_names), None)
        for number, device in enumerate(devices):
            where, pose = f"[devices.{device.name}]", self._keys[device.name].pose
            if not device.tools and not self._drivers[device.name].needs_tools and pose is None:
                continue
            if not device.tools and device.name not in named:
                self._mistakes.add(
                    where, "no tool that it sees", "one at least", "remove the device, or give it a tool"
                )
            elif leading is None:
                continue
            elif device.name == leading and pose is not None:
                self._mistakes.add(where, "a pose of the device that sees the reference", "none", "remove it")
            elif device.name != leading and self._drivers[device.name].on_reference(device):
                devices[number] = self._on_reference(device, pose)
            elif device.name != leading and pose is None and not self._placing:
                self._mistakes.add(
                    where,
                    f"tools seen by {device.name}, and the reference by {leading}, with no pose between the two",
                    f"[devices.{device.name}.pose] with seen_from = '{leading}'",
                    "measure it and add it, or let one device see both",
                )
            elif pose is not None and pose.seen_from != leading:
                action = f"state the pose seen from {leading}"
                self._mistakes.add(f"{where[:-1]}.pose]", f"seen_from = {pose.seen_from!r}", repr(leading), action)
            elif pose is not None:
                devices[number] = replace(device, T_tracker_device=pose.transform(device.name))
        return leading

    def _on_reference(self, device: Device, pose: object) -> Device:
        if pose is not None:
            where = f"[devices.{device.name}.pose]"
            self._mistakes.add(where, "a pose of a device that sees the reference by itself", "none", "remove it")
        return replace(device, is_on_reference=True)

    # ---------------------------------------------------------------------------------------------------------- tools
    def _tool(self, name: str, table: Mapping[str, Any], devices: tuple[str, ...]) -> tuple[str, Tool] | None:
        """The tool with the name of its device."""
        where = f"[tools.{name}]"
        self._check_tool_name(name, table.get("role"), where)
        device = table.get("device")
        if isinstance(device, str) and device not in devices:
            action = self._mistakes.nearest(device, devices, "add the device, or correct the name")
            there = ", ".join(devices) or "a device of this file; there is none"
            self._mistakes.add(where, f"device = {device!r}, which is no device of this file", there, action)
        driver = self._drivers.get(str(device))
        if driver is None:
            stated = {key: table[key] for key in ToolKeys.model_fields if key in table}
            if device is None:
                there, action = "device = a value", "add the line device = ..."
                self._mistakes.missing_key(where, "device", table, there, action)
                stated["device"] = ""
            self._mistakes.validated(ToolKeys, stated, where)
            return None
        keys, settings = self._split(table, ToolKeys, driver.tool_settings, where)
        if keys is None or settings is None:
            return None
        tip = self._tip(keys.tip, name, where)
        id_at_device = keys.id or name
        self._check_of_reference(name, keys, where)
        tool = Tool(
            name=name,
            role=keys.role,
            id=id_at_device,
            settings=settings,
            divot_mm=keys.divot_mm,
            filter=keys.filter,
        )
        if tip is not None:
            tool = replace(
                tool,
                T_tool_tip=tip.T_tool_tip,
                tip_error_rms_mm=tip.expected_error_rms_mm,
                tip_calibrated=tip.calibrated,
            )
        return keys.device, self._racked.calibrated(tool, keys, where)

    def _check_of_reference(self, name: str, keys: ToolKeys, where: str) -> None:
        """What only the reference has, and what it alone does not."""
        if keys.divot_mm is not None and name != REFERENCE:
            self._mistakes.add(where, "divot_mm", "it on the reference only", f"move it to [tools.{REFERENCE}]")
        if keys.filter is not None and name == REFERENCE:
            self._mistakes.add(where, "a filter", "none on the reference, which everything is relative to", "remove it")

    def _check_tool_name(self, name: str, role: object, where: str) -> None:
        if name in RESERVED or name.endswith("_tip"):
            self._mistakes.add(
                where,
                f"the name {name!r}, which is that of a frame",
                f"a name other than {', '.join(RESERVED)} and *_tip",
                "rename the tool",
            )
        wanted = _ROLE_OF.get(name)
        if wanted is not None and role in [*Role] and role != wanted.value:
            self._mistakes.add(
                where, f"role = {shown(role)}", f"role = '{wanted.value}' by its name", "rename the tool"
            )
        if role == Role.REFERENCE.value and name != REFERENCE:
            action = f"call it [tools.{REFERENCE}]"
            self._mistakes.add(
                where, f"a reference called {name!r}", f"the name '{REFERENCE}', as in every frame", action
            )

    def _tip(self, path: Path | None, tool: str, where: str) -> CalibratedTool | None:
        if path is None:
            return None
        try:
            tip = read_tip(path)
        except TipFileError as error:
            self._mistakes.add(where, error.came, error.allowed, error.action)
            return None
        if tip.tool != tool:
            action = "name the calibration of this tool, or calibrate it"
            self._mistakes.add(where, f"the calibration of {tip.tool!r} in {path.name}", f"that of {tool!r}", action)
        return tip

    def _check_reference(self, tools: Mapping[str, Mapping[str, Any]]) -> None:
        roles = {name: table.get("role") for name, table in tools.items()}
        if roles.get(REFERENCE) not in [*Role]:
            roles[REFERENCE] = Role.REFERENCE.value  # a misspelt role is a mistake of its own
        references = [name for name, role in roles.items() if role == Role.REFERENCE.value and name in tools]
        if len(references) != 1 and tools:
            came = (
                f"{len(references)} references: {', '.join(references)}"
                if references
                else "no tool with role = 'reference'"
            )
            action = "give one tool the role, the marker that is fixed to the patient"
            self._mistakes.add("the file", came, "one reference, which everything is relative to", action)

    def _check_ids(self, tools: list[tuple[str, Tool]]) -> None:
        seen: dict[tuple[str, str], str] = {}
        for device, tool in tools:
            other = seen.setdefault((device, tool.id), tool.name)
            if other != tool.name:
                self._mistakes.add(
                    f"[tools.{tool.name}]",
                    f"id = {tool.id!r} on {device}, which is that of [tools.{other}]",
                    "another id for each tool of a device",
                    "correct one of the two",
                )
