"""Writes a room file in which each key is explained, those that were not given in a comment."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from navigation.devices.driver import ToolFilter
from navigation.devices.registry import DRIVERS, driver_of
from navigation.room.room_file import Ages, DeviceKeys, DeviceNoise, DevicePose, ToolKeys

_WIDTH = 118
_KEY = re.compile(r"^\s{4}(\w[\w, ]*): (.*)$")


@dataclass(frozen=True)
class Draft:
    """A room file before it is written: the keys that were given, by the name of the device and of the tool."""

    name: str
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)

    def text(self) -> str:
        """The file. It is a room only if `navigation.room.read_room.room_in` says so."""
        parts = [
            "# A room: which devices there are, and which tools they see. Try it with: surgnav room check\n"
            f"name = {toml(self.name)}\n"
            "# Folder of the calibrations that tools name, relative to this file.\n"
            '# rack = "rack"\n',
            "# When poses are too old.\n" + _table("ages", {}, Ages),
        ]
        for name, keys in self.devices.items():
            parts.append(self._device(name, keys))
        for name, keys in self.tools.items():
            driver = self._driver(self.devices.get(str(keys.get("device")), {}))
            flat = {key: value for key, value in keys.items() if key != "filter"}
            own = [driver.tool_settings] if driver else []
            parts.append(_table(f"tools.{name}", flat, ToolKeys, *own, without={"filter"}))
            if (given := keys.get("filter")) is not None:
                parts.append(_table(f"tools.{name}.filter", given, ToolFilter))
        return "\n".join(parts)

    def _device(self, name: str, keys: Mapping[str, Any]) -> str:
        driver = self._driver(keys)
        flat = {key: value for key, value in keys.items() if key not in ("pose", "noise")}
        without = {"pose", "noise"} if driver is None or driver.clocks else {"pose", "noise", "clock", "latency_ms"}
        text = _table(f"devices.{name}", flat, DeviceKeys, *([driver.settings] if driver else []), without=without)
        if driver is not None:
            text = f"# {driver.summary[0].upper()}{driver.summary[1:]}.\n{text}"
        for key, model in (("pose", DevicePose), ("noise", DeviceNoise)):
            if (given := keys.get(key)) is not None:
                text = f"{text}\n{_table(f'devices.{name}.{key}', given, model)}"
        return text

    @staticmethod
    def _driver(keys: Mapping[str, Any]) -> Any:
        return driver_of(keys["driver"]) if keys.get("driver") in DRIVERS else None


def explained(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring of a model says of each of its keys, in one line each."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in (inspect.getdoc(model) or "").partition("Attributes:")[2].splitlines():
        if match := _KEY.match(line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif line.strip() and names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def toml(value: object) -> str:
    """A value as TOML: text, number, truth, list or table."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _table(heading: str, keys: Mapping[str, Any], *models: type[BaseModel], without: set[str] | None = None) -> str:
    lines = [f"[{heading}]"]
    known: set[str] = set()
    for model in models:
        said = explained(model)
        for key, info in model.model_fields.items():
            known.add(key)
            if key in (without or set()) and key not in keys:
                continue
            lines += _wrapped(said.get(key, ""))
            lines.append(f"{key} = {toml(keys[key])}" if key in keys else f"# {key} = {_default(info)}")
    return "\n".join([*lines, *(f"{key} = {toml(keys[key])}" for key in keys if key not in known)]) + "\n"


def _default(info: FieldInfo) -> str:
    """The default as TOML has it; TOML has no word for none."""
    default = info.get_default(call_default_factory=True) if not info.is_required() else None
    return "..." if default is None else toml(json.loads(json.dumps(default, default=str)))


def _wrapped(text: str) -> list[str]:
    """A comment in as many lines as it takes."""
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = "#"
        line = f"{line} {word}"
    return [*lines, line] if line != "#" else lines
