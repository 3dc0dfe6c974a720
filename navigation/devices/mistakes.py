"""Collects the mistakes of a room file: one sentence each, with what came, what is allowed and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

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
# Below it a name is another one, and no slip of the pen: 'host' is 0.5 of 'pose', and 'clok' 0.89 of 'clock'.
_ALIKE = 0.6

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
        near = same or get_close_matches(name, known, 1, _ALIKE)
        if not near:
            return otherwise
        unit = next((f", in {words}" for ending, words in UNITS.items() if near[0].endswith(ending)), "")
        return f"write {near[0]!r}{unit}"

    def missing_key(self, where: str, key: str, table: Collection[str], allowed: str, otherwise: str) -> None:
        """A key that a table lacks, and the one in it that was probably meant."""
        slip = next(iter(get_close_matches(key, table, 1, _ALIKE)), None)
        if slip is None:
            self.add(where, f"no key {key!r}", allowed, otherwise)
        else:
            self.add(where, f"no key {key!r}, but {slip!r}", allowed, f"write {key!r} in place of {slip!r}")

    def validated(self, model: type[Model], table: Mapping[str, Any], where: str) -> Model | None:
        """The settings in a table, or None and their mistakes. As in TOML, a number is no text and a text no number."""
        try:
            text = json.dumps(table, default=str)
            return model.model_validate_json(text, strict=True, context={"folder": self._folder})
        except ValidationError as error:
            for fault in error.errors():
                self._add_fault(where, model, fault)
            return None

    def _add_fault(self, where: str, model: type[BaseModel], fault: Mapping[str, Any]) -> None:
        """One fault that pydantic found, in the words of a room file."""
        loc = [str(part) for part in fault["loc"]]
        key, kind, context = ".".join(loc), fault["type"], fault.get("ctx", {})
        message = fault["msg"].removeprefix(_SHOULD_BE).removeprefix("Value error, ")
        unit = next((f", in {words}" for ending, words in UNITS.items() if key.endswith(ending)), "")
        if kind == "missing":
            self.add(where, f"no key {key!r}", f"{key} = a value{unit}", f"add the line {key} = ...")
        elif kind == "extra_forbidden":
            self.unknown_keys(f"{where[:-1]}.{'.'.join(loc[:-1])}]", {loc[-1]: None}, _fields_at(model, loc[:-1]))
        elif isinstance(context.get("error"), NoFileError):
            self.add(where, f"{key}: {message}", "a file that is there, relative to the room file", "correct the path")
        else:
            came = f"{key} = {shown(fault['input'])}" if key else shown(fault["input"])
            if kind in ("too_short", "too_long"):
                least, most = context.get("min_length"), context.get("max_length")
                message = f"at least {least} values" if least is not None else f"at most {most} values"
            names = re.findall("'([^']*)'", context.get("expected", ""))  # of an enumeration
            action = self.nearest(str(fault["input"]), names, "correct the value")
            self.add(where, came, f"{message}{unit}", action)


def _fields_at(model: type[BaseModel], loc: Sequence[str]) -> Collection[str]:
    """The keys of a table within a table; `loc` leads to it, and may pass lists of tables by their numbers."""
    for part in loc:
        field = model.model_fields.get(part)
        if field is not None:
            model = next(_models_in(field.annotation), model)
    return tuple(model.model_fields)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def shown(value: object) -> str:
    """A value as a sentence has it, cut short."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
