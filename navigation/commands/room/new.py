"""``surgnav room new``: writes a room file with comments, by asking or by options, and only if it is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from navigation.commands.room.asking import Ask, Asking, value_of
from navigation.devices.driver import Role
from navigation.devices.registry import DRIVERS, driver_of
from navigation.errors import RoomError
from navigation.room.read_room import room_in
from navigation.room.room_file import DeviceKeys, ToolKeys
from navigation.room.write_room import Draft


def new_room(
    path: Path, devices: Sequence[str], tools: Sequence[str], settings: Sequence[str], ask: Ask, console: Console
) -> None:
    """Writes a new room file; asks for everything where no device is given.

    Args:
        devices: ``NAME=DRIVER`` each.
        tools: ``NAME=DEVICE`` each; the role is that of the name, or else that of an instrument.
        settings: ``NAME.KEY=VALUE`` each, of a device or tool.

    Raises:
        RoomError: there is such a file, or what was given is no room; nothing is written.
    """
    if path.exists():
        raise RoomError(f"{path}, which exists already", "the name of a new file", "choose another name, or edit it")
    if devices:
        draft = _draft(path, devices, tools, settings)
    elif tools or settings:
        raise RoomError(
            "options for tools, and no --device", "--device NAME=DRIVER", "add it, or let yourself be asked"
        )
    else:
        draft = Asking(ask, console, path.parent).room(path.stem)
    content = draft.text().encode()
    room = room_in(content, path)
    with path.open("xb") as file:
        file.write(content)
    console.print(f"[green]✓[/] {escape(str(path))}: {len(room.tools)} tools. Next: ", end="", highlight=False)
    console.print(f"surgnav room check {path}", markup=False, highlight=False)


def _draft(path: Path, devices: Sequence[str], tools: Sequence[str], settings: Sequence[str]) -> Draft:
    draft = Draft(path.stem)
    for text in devices:
        name, driver = _parted(text, "--device NAME=DRIVER")
        draft.devices[name] = {"driver": driver}
    roles = [role.value for role in Role]
    for text in tools:
        name, device = _parted(text, "--tool NAME=DEVICE")
        draft.tools[name] = {"device": device, "role": name if name in roles else Role.INSTRUMENT.value}
    for text in settings:
        where, value = _parted(text, "--set NAME.KEY=VALUE")
        name, _, key = where.partition(".")
        table, models = _table(draft, name)
        info = next((model.model_fields[key] for model in models if key in model.model_fields), None)
        if info is None:
            table[key] = value  # an unknown key is told with the others
            continue
        try:
            table[key] = value_of(value, info, path.parent)
        except ValueError:
            table[key] = value
    return draft


def _parted(text: str, shape: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise RoomError(repr(text), shape, "write it so")
    return name, value


def _table(draft: Draft, name: str) -> tuple[dict[str, Any], list[Any]]:
    """The keys of the device or tool of this name, and the models that know them."""
    if name in draft.devices:
        keys = draft.devices[name]
        driver = driver_of(keys["driver"]) if keys["driver"] in DRIVERS else None
        return keys, [DeviceKeys, *([driver.settings] if driver else [])]
    if name in draft.tools:
        keys = draft.tools[name]
        named = draft.devices.get(keys["device"], {}).get("driver")
        return keys, [ToolKeys, *([driver_of(named).tool_settings] if named in DRIVERS else [])]
    known = [*draft.devices, *draft.tools]
    raise RoomError(f"--set {name}", f"one of {', '.join(known)}", "add it by --device or --tool")
