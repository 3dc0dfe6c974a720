"""Reads and checks wire_schema.toml, the only input of the generators of Python, C# and the protocol page."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometry.errors import SurgNavError

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCHEMA_FILE = REPOSITORY / "unity_bridge" / "wire" / "wire_schema.toml"
SIZES = {"bytes": 1, "pad": 1, "u8": 1, "i8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "f32": 4, "f64": 8}
SIMPLE_KINDS = frozenset({"text", "u32", "u64", "i64", "f64", "flag", "sha256", "blob", "position"})
FIELD_LIMIT = 64  # fields of one message: C# marks those it has read in a 64-bit number
# Range of the message types of each socket, so that a client knows a message's socket from its type.
SOCKETS = {"poses": range(1, 16), "surfaces": range(16, 32), "control": range(32, 64), "ultrasound": range(64, 80)}


class SchemaFileError(SurgNavError):
    """wire_schema.toml is inconsistent; nothing is generated from it."""


@dataclass(frozen=True)
class Constant:
    """A number or a magic word that both languages have by name."""

    name: str
    value: int | float | str
    doc: str


@dataclass(frozen=True)
class Enum:
    """An enum: words with a code of one byte each; no code is zero."""

    name: str
    doc: str
    values: dict[str, int]


@dataclass(frozen=True)
class Slot:
    """A slot of a record: `count` numbers or bytes of `type`; `count` is None if `type` is written without [n]."""

    offset: int
    type: str
    count: int | None
    name: str
    label: str
    doc: str
    enum: str | None

    @property
    def size(self) -> int:
        return SIZES[self.type] * (1 if self.count is None else self.count)


@dataclass(frozen=True)
class Record:
    """A fixed layout; `array` if many follow one another."""

    name: str
    doc: str
    array: bool
    slots: tuple[Slot, ...]

    @property
    def size(self) -> int:
        return sum(slot.size for slot in self.slots)


@dataclass(frozen=True)
class Field:
    """A tagged field of a message; `default` is the value of an absent field, None with `optional`."""

    tag: int
    name: str
    kind: str
    doc: str
    repeated: bool
    optional: bool
    default: Any

    @property
    def required(self) -> bool:
        return not (self.repeated or self.optional or self.default is not None)

    @property
    def array_length(self) -> int | None:
        """n of the kind f64[n], None for other kinds."""
        match = re.fullmatch(r"f64\[([1-9]\d*)\]", self.kind)
        return int(match[1]) if match else None


@dataclass(frozen=True)
class Message:
    """A message, or a nested message if `type` is None.

    With `own_codec` only its tags are generated, with `csharp_reader` they are generated beside its class in C#.
    """

    name: str
    type: int | None
    socket: str
    doc: str
    python_methods: str | None
    own_codec: bool
    csharp_reader: bool
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class WireSchema:
    """The whole schema; nested messages come before those that use them."""

    constants: tuple[Constant, ...]
    enums: tuple[Enum, ...]
    records: tuple[Record, ...]
    nested: tuple[Message, ...]
    messages: tuple[Message, ...]

    def enum(self, name: str) -> Enum | None:
        return next((enum for enum in self.enums if enum.name == name), None)

    def nested_message(self, name: str) -> Message | None:
        return next((message for message in self.nested if message.name == name), None)


def load_schema(text: str) -> WireSchema:
    """Reads the text of a schema file.

    Raises:
        SchemaFileError: a record has a gap; a type, tag, code or name is used twice; a kind is unknown; or a key is
            missing or unknown.
    """
    try:
        data = tomllib.loads(text)
        schema = WireSchema(
            constants=tuple(Constant(name, **rest) for name, rest in data.pop("constants").items()),
            enums=tuple(Enum(**table) for table in data.pop("enum")),
            records=tuple(map(_record, data.pop("record"))),
            nested=tuple(_message({"type": None} | table) for table in data.pop("nested")),
            messages=tuple(_message(table) for table in data.pop("message")),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise _refused(
            f"a schema that cannot be read: {error}", "TOML with the keys that its first lines explain"
        ) from error
    if data:
        raise _refused(f"the tables {sorted(data)}", "constants, enum, record, nested, message")
    _check(schema)
    return schema


def _record(table: dict[str, Any]) -> Record:
    slots = tuple(_slot(**slot) for slot in table.pop("fields"))
    record = Record(**{"array": False} | table, slots=slots)
    at = 0
    for slot in slots:
        if slot.offset != at:
            raise _refused(f"'{slot.name}' of {record.name} at offset {slot.offset}", f"{at}, where the last one ends")
        at += slot.size
    return record


def _slot(
    offset: int,
    type: str,  # noqa: A002 - TOML's key
    name: str = "",
    label: str = "",
    doc: str = "",
    enum: str | None = None,
) -> Slot:
    match = re.fullmatch(r"(\w+?)(?:\[(\d+)\])?", type)
    if not match or match[1] not in SIZES or (match[1] in {"bytes", "pad"} and not match[2]):
        raise _refused(f"the type '{type}'", f"one of {sorted(SIZES)}, with [n] where it repeats")
    return Slot(offset, match[1], int(match[2]) if match[2] else None, name, label or name, doc, enum)


def _message(table: dict[str, Any]) -> Message:
    absent = {"doc": "", "repeated": False, "optional": False, "default": None}
    fields = tuple(Field(**absent | field) for field in table.pop("fields"))
    return Message(**{"python_methods": None, "own_codec": False, "csharp_reader": False} | table, fields=fields)


def _check(schema: WireSchema) -> None:
    declared = [*schema.nested, *schema.messages]
    enums, records, messages = ([each.name for each in group] for group in (schema.enums, schema.records, declared))
    _check_once("the name", [*enums, *records, *messages])
    _check_once("the message type", [message.type for message in schema.messages])
    known = {enum.name for enum in schema.enums}
    for slot in (slot for record in schema.records for slot in record.slots if slot.enum):
        if slot.enum not in known or (slot.type, slot.count) != ("u8", None):
            raise _refused(f"'{slot.name}' of the enum '{slot.enum}'", f"a single u8 of one of {sorted(known)}")
    for enum in schema.enums:
        _check_once(f"the code of {enum.name}", list(enum.values.values()))
        if not all(1 <= code <= 255 for code in enum.values.values()):
            raise _refused(f"{enum.name} with the codes {sorted(enum.values.values())}", "1 to 255: zero is no value")
    for message in declared:
        _check_message(message, known)
        if message.type is None:
            known.add(message.name)


def _check_message(message: Message, known: set[str]) -> None:
    allowed = SOCKETS.get(message.socket)
    if allowed is None or (message.type is not None and message.type not in allowed):
        ranges = ", ".join(f"{socket} {types[0]} to {types[-1]}" for socket, types in SOCKETS.items())
        raise _refused(f"{message.name} of type {message.type} on socket '{message.socket}'", ranges)
    _check_once(f"a tag of {message.name}", [field.tag for field in message.fields])
    _check_once(f"a field of {message.name}", [field.name for field in message.fields])
    if len(message.fields) > FIELD_LIMIT:
        raise _refused(f"{message.name} of {len(message.fields)} fields", f"at most {FIELD_LIMIT}")
    for field in message.fields:
        if not (message.own_codec or field.kind in SIMPLE_KINDS | known or field.array_length):
            raise _refused(
                f"the kind '{field.kind}' of {message.name}.{field.name}",
                f"f64[n] or one of {sorted(SIMPLE_KINDS | known)}, nested messages declared before they are used",
            )
        if field.repeated + field.optional + (field.default is not None) > 1 or not 1 <= field.tag <= 0xFFFF:
            raise _refused(
                f"{message.name}.{field.name}", "a tag from 1 to 65535, and one of repeated, optional, default at most"
            )


def _check_once(what: str, values: list[Any]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise _refused(f"{what} {twice[0]!r} twice", "once")


def _refused(came: str, allowed: str) -> SchemaFileError:
    return SchemaFileError(came, allowed, f"correct {SCHEMA_FILE.name}, then run make wire")
