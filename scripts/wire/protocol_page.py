"""The tables of docs/unity_bridge/protocol.md: only what stands between two marks is written."""

from __future__ import annotations

import re

from scripts.wire.schema_file import Enum, Field, Message, Record, SchemaFileError, Slot, WireSchema

_MARKED = re.compile(r"(<!-- wire_schema: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(page: str, schema: WireSchema) -> str:
    """The page with every table replaced by that of the schema.

    Raises:
        SchemaFileError: a mark names nothing in the schema, or an enum or message has no mark.
    """
    tables = {record.name: _record(record) for record in schema.records if record.name in _named(page)}
    tables |= {enum.name: _enum(enum) for enum in schema.enums}
    tables |= {message.name: _fields(message) for message in schema.messages if message.own_codec}
    tables["messages"] = _messages(schema)
    named = _named(page)
    if sorted(named) != sorted(tables):
        raise SchemaFileError(
            f"a protocol page with marked tables {named}",
            f"one table for each of {sorted(tables)}",
            "put `<!-- wire_schema: NAME -->` and `<!-- end -->` where the table belongs, then run make wire",
        )
    return _MARKED.sub(lambda match: f"{match[1]}{tables[match[2]]}{match[3]}", page)


def _named(page: str) -> list[str]:
    return [match[2] for match in _MARKED.finditer(page)]


def _record(record: Record) -> str:
    first = "vertex offset" if record.array else "offset"
    rows = [_row(slot.offset, _type(slot), slot.label, slot.doc) for slot in record.slots]
    return "".join([_row(first, "type", "field", ""), "|---|---|---|---|\n", *rows])


def _type(slot: Slot) -> str:
    if slot.type in {"bytes", "pad"}:
        return f"{slot.count} bytes"
    return f"{slot.count} x {slot.type}" if slot.count else slot.type


def _enum(enum: Enum) -> str:
    codes = ", ".join(f"{code} `{value}`" for value, code in enum.values.items())
    return f"{enum.name}, one byte: {codes}. Refuse other codes.\n"


def _messages(schema: WireSchema) -> str:
    declared = [message for message in schema.messages if not message.own_codec]
    sections = [f"### {message.type} {message.name}\n\n{message.doc}\n\n{_fields(message)}" for message in declared]
    sections += [f"### nested: {nested.name}\n\n{nested.doc}\n\n{_fields(nested)}" for nested in schema.nested]
    return "\n".join(sections)


def _fields(message: Message) -> str:
    if not message.fields:
        return "No fields.\n"
    rows = [_row(field.tag, f"`{field.name}`", field.kind, _presence(field), field.doc) for field in message.fields]
    return "".join([_row("tag", "field", "kind", "", ""), "|---|---|---|---|---|\n", *rows])


def _presence(field: Field) -> str:
    return "repeated" if field.repeated else "required" if field.required else "optional"


def _row(*cells: object) -> str:
    return "|" + "|".join(f" {cell} " if cell != "" else " " for cell in cells) + "|\n"
