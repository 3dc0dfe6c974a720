"""Generates the Python side of the wire: constants, layouts, and for each socket its messages and their parts."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable

from scripts.wire.schema_file import SIZES, SOCKETS, Enum, Field, Message, Record, Slot, WireSchema

NOTICE = "Generated from wire_schema.toml by `make wire`: edit that, not this."
_WIDTH = 120
_INDENT = " " * 4
_SPELT_OUT = 6  # numbers of an array that its type spells out
_STRUCT_CODES = {"u8": "B", "i8": "b", "u16": "H", "u32": "I", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}
_TYPES = {
    "text": "str",
    "sha256": "str",
    "f64": "float",
    "flag": "bool",
    "blob": "bytes",
    "position": "tuple[float, float, float]",
}


def python_files(schema: WireSchema) -> dict[str, str]:
    """Texts by path below ``unity_bridge/wire/``, formatted as by ruff."""
    modules = _modules(schema)
    files = {f"generated/{module}.py": _messages(schema, modules, module) for module in modules}
    files["generated/constants.py"] = _constants(schema)
    files["generated/messages.py"] = _registry(schema, modules)
    return files


def upper_snake(name: str) -> str:
    """The name in upper snake case: MessageHeader -> MESSAGE_HEADER."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


# ----------------------------------------------------------------------------------------------- constants and layouts
def _constants(schema: WireSchema) -> str:
    parts = [
        f'"""Constants, codes and layouts of the wire. {NOTICE}"""\n',
        "from __future__ import annotations\n",
        "import struct\nfrom enum import IntEnum, StrEnum\n",
    ]
    lines = []
    for constant in schema.constants:
        value = f"b{_quoted(constant.value)}" if isinstance(constant.value, str) else f"{constant.value}"
        lines.append(f"{constant.name.upper()} = {value}  # {constant.doc}")
    parts.append("\n".join(lines) + "\n")
    parts.append("\n".join(_tags(message) for message in schema.messages if message.own_codec) + "\n\n")
    parts.append(_message_types(schema))
    parts.append("\n\n\n".join(map(_enum, schema.enums)))
    codes = "".join(f"{_INDENT}{enum.name}: {upper_snake(enum.name)}_CODES,\n" for enum in schema.enums)
    parts.append("CODES: dict[type[StrEnum], dict[StrEnum, int]] = {\n" + codes + "}\n")
    parts.append("\n".join(map(_record, schema.records)) + "\n")
    return "\n".join(parts)


def _tags(message: Message) -> str:
    return "\n".join(f"TAG_{upper_snake(message.name)}_{field.name.upper()} = {field.tag}" for field in message.fields)


def _message_types(schema: WireSchema) -> str:
    ranges = ", ".join(f"{types[0]}-{types[-1]} {socket}" for socket, types in SOCKETS.items())
    lines = [f"{_INDENT}{upper_snake(message.name)} = {message.type}" for message in schema.messages]
    return f'class MessageType(IntEnum):\n{_INDENT}"""What a message is; {ranges}."""\n\n' + "\n".join(lines) + "\n\n"


def _enum(enum: Enum) -> str:
    members = "\n".join(f"{_INDENT}{value.upper()} = {_quoted(value)}" for value in enum.values)
    codes = "".join(f"{_INDENT}{enum.name}.{value.upper()}: {code},\n" for value, code in enum.values.items())
    head = f"class {enum.name}(StrEnum):\n{_docstring(enum.doc)}\n{members}\n"
    return f"{head}\n\n{upper_snake(enum.name)}_CODES: dict[StrEnum, int] = {{\n{codes}}}"


def _record(record: Record) -> str:
    named = ", ".join(_described(slot) for slot in record.slots if slot.type != "pad")
    comment = "\n".join(textwrap.wrap(named, _WIDTH, initial_indent="# ", subsequent_indent="# "))
    if record.array:
        columns = (f'("{slot.name}", "{_numpy_code(slot)}", ({slot.count or 1},))' for slot in record.slots)
        value = f"[{', '.join(columns)}]"
    else:
        value = f'struct.Struct("<{"".join(map(_struct_code, record.slots))}")'
    return f"{comment}\n{upper_snake(record.name)} = {value}"


def _described(slot: Slot) -> str:
    many = f" ({slot.count})" if slot.count and slot.type != "bytes" else ""
    return f"{slot.offset} {slot.name}{many}"


def _numpy_code(slot: Slot) -> str:
    return f"{'' if slot.type[1:] == '8' else '<'}{slot.type[0]}{SIZES[slot.type]}"


def _struct_code(slot: Slot) -> str:
    if slot.type in {"bytes", "pad"}:
        return f"{slot.count}{'s' if slot.type == 'bytes' else 'x'}"
    return f"{slot.count or ''}{_STRUCT_CODES[slot.type]}"


# ------------------------------------------------------------------------------------------------------------ messages
def _modules(schema: WireSchema) -> dict[str, list[Message]]:
    """What each module of messages, or of their parts, declares."""
    modules = {}
    for socket in SOCKETS:
        for suffix, kinds in (("parts", schema.nested), ("messages", schema.messages)):
            declared = [each for each in kinds if each.socket == socket and not each.own_codec]
            if declared:
                modules[f"{socket}_{suffix}"] = declared
    return modules


def _messages(schema: WireSchema, modules: dict[str, list[Message]], module: str) -> str:
    declared = modules[module]
    fields = [field for message in declared for field in message.fields]
    from_schema = {"tagged"} | {_helper(schema, field) for field in fields if not schema.nested_message(field.kind)}
    imports = {
        "unity_bridge.wire.generated.constants": {field.kind for field in fields if schema.enum(field.kind)},
        "unity_bridge.wire.message_methods": {message.python_methods for message in declared if message.python_methods},
        "unity_bridge.wire.schema": from_schema,
    }
    for field in fields:
        nested = schema.nested_message(field.kind)
        if nested and nested not in declared:
            imports.setdefault(f"unity_bridge.wire.generated.{nested.socket}_parts", set()).add(nested.name)
    socket, what = module.split("_")
    lines = [
        f'"""{"Messages" if what == "messages" else "Parts of messages"} of the {socket} socket. {NOTICE}"""\n',
        "from __future__ import annotations\n",
        "from dataclasses import dataclass\n",
        "\n".join(_import(module, names) for module, names in sorted(imports.items()) if names) + "\n",
    ]
    return "\n".join(lines) + "".join("\n\n" + _class(schema, message) for message in declared)


def _class(schema: WireSchema, message: Message) -> str:
    base = f"({message.python_methods})" if message.python_methods else ""
    documented = [f"{field.name}: {field.doc}." for field in message.fields if field.doc]
    head = f"@dataclass(frozen=True, kw_only=True)\nclass {message.name}{base}:\n{_docstring(message.doc, documented)}"
    body = "".join(f"{_INDENT}{_attribute(schema, field)}\n" for field in message.fields)
    return f"{head}\n{body}" if body else head


def _attribute(schema: WireSchema, field: Field) -> str:
    kind = _TYPES.get(field.kind, "int" if field.kind[0] in "ui" else field.kind)
    if field.array_length:
        each = ["float"] * field.array_length if field.array_length <= _SPELT_OUT else ["float", "..."]
        kind = f"tuple[{', '.join(each)}]"
    written = _helper(schema, field)
    if schema.enum(field.kind):
        written = f"choice({field.kind})"
    elif field.array_length:
        written = f"floats({field.array_length})"
    arguments = [str(field.tag), written]
    if field.repeated:
        kind = f"tuple[{kind}, ...]"
        arguments.append("repeated=True")
    elif field.optional:
        kind = f"{kind} | None"
        arguments.append("default=None")
    elif field.default is not None:
        arguments.append(f"default={_default(schema, field)}")
    return f"{field.name}: {kind} = tagged({', '.join(arguments)})"


def _default(schema: WireSchema, field: Field) -> str:
    if schema.enum(field.kind):
        return f"{field.kind}.{field.default.upper()}"
    return _quoted(field.default) if isinstance(field.default, str) else repr(field.default)


def _helper(schema: WireSchema, field: Field) -> str:
    """The name of the function of schema.py that declares a field of this kind."""
    if schema.enum(field.kind):
        return "choice"
    if schema.nested_message(field.kind):
        return field.kind
    return "floats" if field.array_length else field.kind.upper()


def _registry(schema: WireSchema, modules: dict[str, list[Message]]) -> str:
    declared = {module: [message.name for message in each] for module, each in modules.items()}
    imports = {"unity_bridge.wire.generated.constants": {"MessageType"}} | {
        f"unity_bridge.wire.generated.{module}": set(names) for module, names in declared.items()
    }
    types = [message for message in schema.messages if not message.own_codec]
    entries = "".join(f"{_INDENT}MessageType.{upper_snake(each.name)}: {each.name},\n" for each in types)
    exported = sorted(["MESSAGES", *(name for names in declared.values() for name in names)], key=_isort_key)
    return "\n".join(
        [
            f'"""Every declared message, and its type. {NOTICE}"""\n',
            "from __future__ import annotations\n",
            "\n".join(_import(module, names) for module, names in sorted(imports.items())) + "\n",
            "__all__ = [\n" + "".join(f'{_INDENT}"{name}",\n' for name in exported) + "]\n",
            f"MESSAGES: dict[MessageType, type] = {{\n{entries}}}\n",
        ]
    )


# ---------------------------------------------------------------------------------------------------------------- text
def _docstring(text: str, attributes: Iterable[str] = ()) -> str:
    lines = textwrap.wrap(f'"""{text}', _WIDTH - 3, initial_indent=_INDENT, subsequent_indent=_INDENT)
    attributes = list(attributes)
    if not attributes:
        return "\n".join(lines) + ('\n    """' if len(lines) > 1 else '"""') + "\n"
    lines += ["", f"{_INDENT}Attributes:"]
    for attribute in attributes:
        lines += textwrap.wrap(attribute, _WIDTH, initial_indent=_INDENT * 2, subsequent_indent=_INDENT * 3)
    return "\n".join(lines) + f'\n{_INDENT}"""\n'


def _import(module: str, names: Iterable[str]) -> str:
    ordered = sorted(names, key=_isort_key)
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= _WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"{_INDENT}{name},\n" for name in ordered) + ")"


def _isort_key(name: str) -> tuple[int, str]:
    """Sort key for imported names in the linter's order: constants, classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
