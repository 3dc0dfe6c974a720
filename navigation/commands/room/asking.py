"""Asks a person what a room has, one answer at a time; a wrong one is told and asked again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.markup import escape

from geometry.frames import REFERENCE, STYLUS
from navigation.devices.driver import Driver, Role, StampClock
from navigation.devices.registry import DRIVERS, driver_of
from navigation.room.room_file import DeviceKeys, DevicePose, ToolKeys
from navigation.room.write_room import Draft, explained, toml

Ask = Callable[[str, str], str]
"""Asks for one line: what for, and what Enter alone means; empty if it means none."""


def value_of(text: str, info: FieldInfo, folder: Path) -> Any:
    """What a person wrote, as the key takes it: TOML, or else plain text.

    Raises:
        ValueError: neither is allowed; the message says what is.
    """
    try:
        candidates = [tomllib.loads(f"value = {text}")["value"], text]
    except tomllib.TOMLDecodeError:
        candidates = [text]
    shape: Any = info.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[shape, *info.metadata] if info.metadata else shape)
    problem = ""
    for value in candidates:
        try:
            adapter.validate_json(json.dumps(value, default=str), strict=True, context={"folder": folder})
        except ValidationError as error:
            problem = problem or error.errors()[0]["msg"].replace("Input should be", "expected")
        else:
            return value
    raise ValueError(problem)


class Asking:
    """One dialogue.

    Args:
        folder: of the room file, which paths are relative to.
    """

    def __init__(self, ask: Ask, console: Console, folder: Path) -> None:
        self._ask, self._console, self._folder = ask, console, folder

    def room(self, name: str) -> Draft:
        """Asks for everything; what is not answered stays as it usually is."""
        draft = Draft(self._ask("name of the room", name) or name)
        leading = ""
        while True:
            device = self._ask("name of the device", f"device_{len(draft.devices) + 1}")
            draft.devices[device] = self._device(leading)
            self._tools(draft, device, is_leading=not leading)
            leading = leading or device
            if not self._ask("another device? (y/n)", "n").lower().startswith("y"):
                return draft

    def _device(self, leading: str) -> dict[str, Any]:
        for name in DRIVERS:
            self._console.print(f"  {name}: {escape(driver_of(name).summary)}", highlight=False)
        named = self._choice("driver", tuple(DRIVERS))
        driver = driver_of(named)
        keys = {"driver": named, **self._keys(driver.settings, {})}
        keys |= self._clock(driver)
        if leading:
            self._console.print(f"where it stands, seen from {leading}:", highlight=False)
            keys["pose"] = {"seen_from": leading, **self._keys(DevicePose, {"seen_from": leading})}
        return keys

    def _clock(self, driver: Driver) -> dict[str, Any]:
        if not driver.clocks:
            return {}
        clock = self._choice("clock that gives frames their time", tuple(each.value for each in driver.clocks))
        if clock != StampClock.ARRIVAL.value:
            return {"clock": clock}
        info = DeviceKeys.model_fields["latency_ms"]
        said = explained(DeviceKeys)["latency_ms"]
        return {"clock": clock, "latency_ms": self._value("latency_ms", info, said, is_needed=True)}

    def _tools(self, draft: Draft, device: str, is_leading: bool) -> None:
        usual = [REFERENCE, STYLUS] if is_leading else []
        settings = driver_of(draft.devices[device]["driver"]).tool_settings
        while True:
            suggested = next((name for name in usual if name not in draft.tools), "")
            name = self._ask(f"name of a tool that {device} sees (Enter: no more)", suggested)
            if not name or name in draft.tools:
                return
            roles = tuple(role.value for role in Role)
            role = name if name in roles else self._choice("what it is for", ("instrument", *roles[:-1]))
            keys: dict[str, Any] = {"device": device, "role": role}
            # A rack is named once there are calibrations: nothing to ask of a new room.
            keys |= self._keys(ToolKeys, {**keys, "calibration": None, "divot_mm": None, "filter": None})
            draft.tools[name] = keys | self._keys(settings, {})

    def _keys(self, model: type[BaseModel], known: Mapping[str, Any]) -> dict[str, Any]:
        """Asks for each key of a table that is not known yet."""
        said = explained(model)
        asked = {
            key: self._value(key, info, said.get(key, ""), info.is_required())
            for key, info in model.model_fields.items()
            if key not in known
        }
        return {key: value for key, value in asked.items() if value is not None}

    def _value(self, key: str, info: FieldInfo, said: str, is_needed: bool) -> Any:
        """One answer; None where the usual value stays."""
        if said:
            self._console.print(f"  {key}: {escape(said)}", highlight=False)
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        usual = "" if default is None else toml(json.loads(json.dumps(default, default=str)))
        while True:
            answer = self._ask(key, usual).strip()
            if answer == usual and (answer or not is_needed):
                return None
            try:
                if not answer:
                    raise ValueError("there is no usual value, and one is needed")
                return value_of(answer, info, self._folder)
            except ValueError as error:
                self._console.print(f"  [yellow]{escape(key)}: {escape(str(error))}[/]", highlight=False)

    def _choice(self, what: str, among: tuple[str, ...]) -> str:
        while True:
            answer = self._ask(f"{what} ({', '.join(among)})", among[0])
            if answer in among:
                return answer
            self._console.print(f"  [yellow]one of {', '.join(among)}[/]", highlight=False)
