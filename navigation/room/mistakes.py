"""Collects the mistakes of a room file: one sentence each, with what came, what is allowed and what to do."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from navigation.devices.driver import NoFileError

UNITS = {
    "_mm": "millimetres",
    "_ms": "milliseconds",
    "_s": "seconds",
    "_hz": "hertz",
    "_deg": "degrees",
    "_px": "pixels",
}
_SHOWN = 60
_SHOULD_BE = "Input should be "

Model = TypeVar("Model", bound=BaseModel)


class Mistakes:
    """The sentences so far.

    Args:
        folder: of the room file, which the paths in it are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.sentences: list[str] = []
        self._folder = folder

    def add(self, where: str, came: str, allowed: str, action: str) -> None:
        self.sentences.append(f"{where} got {came}; expected {allowed}. Fix: {action}.")

    def unknown_keys(self, where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
        for key in table:
            if key not in known:
                allowed = f"one of {', '.join(known)}" if known else "no key of its own"
                self.add(where, f"the unknown key {key!r}", allowed, self.nearest(key, known, "remove it"))

    def nearest(self, name: str, known: Collection[str], otherwise: str) -> str:
        """What to do about a wrong name: the nearest valid one, if there is a near one."""
        # What differs in the unit alone is nearest by the rest of the name.
        stem = next((name.removesuffix(unit) for unit in UNITS if name.endswith(unit)), name)
        same = [other for other in known if any(other == stem + unit for unit in UNITS)]
        near = same or get_close_matches(name, known, 1, 0.5)
        if not near:
            return otherwise
        unit = next((f", in {words}" for ending, words in UNITS.items() if near[0].endswith(ending)), "")
        return f"write {near[0]!r}{unit}"

    def validated(self, model: type[Model], table: Mapping[str, Any], where: str) -> Model | None:
        """The settings in a table, or None and their mistakes. As in TOML, a number is no text and a text no number."""
        try:
            text = json.dumps(table, default=str)
            return model.model_validate_json(text, strict=True, context={"folder": self._folder})
        except ValidationError as error:
            for fault in error.errors():
                loc = [str(part) for part in fault["loc"]]
                is_no_file = isinstance(fault.get("ctx", {}).get("error"), NoFileError)
                kind = "no file" if is_no_file else fault["type"]
                message = fault["msg"].removeprefix(_SHOULD_BE).removeprefix("Value error, ")
                self._add_fault(where, loc, kind, message, fault["input"])
            return None

    def _add_fault(self, where: str, loc: list[str], kind: str, message: str, came_in: object) -> None:
        key = ".".join(loc) or "the table"
        unit = next((f" {words}" for ending, words in UNITS.items() if loc and loc[0].endswith(ending)), "")
        if kind == "missing":
            self.add(
                where, f"no key {key!r}", f"{key} = a value{f' in{unit}' if unit else ''}", f"add the line {key} = ..."
            )
        elif kind == "no file":
            self.add(where, f"{key}: {message}", "a file that is there, relative to the room file", "correct the path")
        elif kind == "extra_forbidden":
            self.add(where, f"the unknown key {key!r}", "only keys that are known", "remove it")
        else:
            came = f"{key} = {shown(came_in)}" if loc else shown(came_in)
            self.add(where, came, f"{message}{unit}", "correct the value")


def shown(value: object) -> str:
    """A value as a sentence has it, cut short."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
