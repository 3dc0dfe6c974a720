"""Generates the C# side of the wire: constants, enums, fixed layouts as structs, and a class for each message.

The code is C# 9 for .NET Standard 2.1 without reflection, so that Unity's IL2CPP can compile it ahead of time.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from scripts.wire.csharp_messages import message_files
from scripts.wire.csharp_text import indented, pascal, source, summary
from scripts.wire.schema_file import Constant, Enum, Record, SchemaFileError, Slot, WireSchema

# Type of a slot -> its C# type, and the name of the helpers of WireBytes.cs that read and write it.
_SLOTS = {
    ("u8", None): ("byte", "U8"),
    ("u16", None): ("ushort", "U16"),
    ("u32", None): ("uint", "U32"),
    ("u64", None): ("ulong", "U64"),
    ("i64", None): ("long", "I64"),
    ("f32", None): ("float", "F32"),
    ("f64", None): ("double", "F64"),
    ("bytes", 4): ("uint", "U32"),
    ("bytes", 16): ("SessionId", "SessionId"),
    ("f32", 3): ("Float3", "Float3"),
    ("f32", 4): ("Float4", "Float4"),
    ("f64", 3): ("Double3", "Double3"),
}


def csharp_files(schema: WireSchema) -> dict[str, str]:
    """Texts by path below the folder of the generated C#."""
    return {
        "Constants.cs": source(_constants(schema.constants)),
        "Enums.cs": source("\n".join([_message_types(schema), *map(_enum, schema.enums)])),
        "Records.cs": source("\n".join(map(_record, schema.records))),
        **message_files(schema),
    }


def _constants(constants: Iterable[Constant]) -> str:
    lines = "\n".join(
        f"{summary(_sentence(constant.doc))}public const {_constant(constant)};" for constant in constants
    )
    return f"{summary('Numbers that both ends agree on.')}public static class Constants\n{{\n{indented(lines)}}}\n"


def _constant(constant: Constant) -> str:
    name, value = pascal(constant.name), constant.value
    if isinstance(value, str):  # four letters as a little-endian number, which is compared without allocating memory
        return f"uint {name} = 0x{int.from_bytes(value.encode(), 'little'):08X}"
    return f"double {name} = {value!r}" if isinstance(value, float) else f"int {name} = {value}"


def _message_types(schema: WireSchema) -> str:
    lines = "".join(f"{summary(message.doc)}{message.name} = {message.type},\n" for message in schema.messages)
    return f"{summary('What a message is.')}public enum MessageType : ushort\n{{\n{indented(lines)}}}\n"


def _enum(enum: Enum) -> str:
    members = "".join(f"{pascal(word)} = {code},\n" for word, code in enum.values.items())
    cases = "".join(f'{enum.name}.{pascal(word)} => "{word}",\n' for word in enum.values)
    codes = " or ".join(str(code) for code in enum.values.values())
    return f"""{summary(enum.doc)}public enum {enum.name} : byte
{{
    /// <summary>Memory that nobody filled in; never a value on the wire.</summary>
    Unset = 0,
{indented(members)}}}

/// <summary>From the wire's bytes to {escape(enum.name)}, and to the words of the protocol.</summary>
public static class {enum.name}Codes
{{
    public static bool IsDefined(byte code)
    {{
        return code is {codes};
    }}

    /// <exception cref="MalformedMessageException">A code that this version does not have.</exception>
    public static {enum.name} Decode(byte code)
    {{
        return IsDefined(code) ? ({enum.name})code : throw Refuse.Code("{enum.name}", code);
    }}

    public static string Word(this {enum.name} value)
    {{
        return value switch
        {{
{indented(cases, 3)}            _ => "unset",
        }};
    }}
}}
"""


def _record(record: Record) -> str:
    slots = [slot for slot in record.slots if slot.type != "pad"]
    if record.array:
        offsets = "".join(f"public const int {pascal(slot.name)}Offset = {slot.offset};\n" for slot in slots)
        head = f"{summary(record.doc)}public static class {record.name}"
        return f"{head}\n{{\n    public const int Size = {record.size};\n{indented(offsets)}}}\n"
    fields = "".join(_declared(slot) for slot in slots)
    reads = "".join(f"{pascal(slot.name)} = {_read(slot)},\n" for slot in slots)
    pads = [slot for slot in record.slots if slot.type == "pad"]
    writes = "".join(f"bytes.Slice({slot.offset}, {slot.size}).Clear();\n" for slot in pads)
    writes += "".join(_write(slot) for slot in slots)
    return f"""{summary(record.doc)}public partial struct {record.name}
{{
    public const int Size = {record.size};

{indented(fields)}
    /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
    public static {record.name} Read(ReadOnlySpan<byte> bytes)
    {{
        bytes = bytes.Slice(0, Size);
        return new {record.name}
        {{
{indented(reads, 3)}        }};
    }}

    public readonly void Write(Span<byte> bytes)
    {{
        bytes = bytes.Slice(0, Size);
{indented(writes, 2)}    }}
}}
"""


def _declared(slot: Slot) -> str:
    kind = slot.enum or _csharp(slot)[0]
    return f"{summary(_sentence(slot.doc)) if slot.doc else ''}public {kind} {pascal(slot.name)};\n"


def _csharp(slot: Slot) -> tuple[str, str]:
    """The C# type of a slot, and the name of the helpers that read and write it."""
    known = _SLOTS.get((slot.type, slot.count))
    if known is None:
        allowed = ", ".join(f"{name}[{count}]" if count else name for name, count in _SLOTS)
        raise SchemaFileError(
            f"'{slot.name}' of the type {slot.type}[{slot.count}]",
            allowed,
            "add it to WireBytes.cs and csharp_source.py",
        )
    return known


def _read(slot: Slot) -> str:
    cast = f"({slot.enum})" if slot.enum else ""
    return f"{cast}WireBytes.Read{_csharp(slot)[1]}(bytes, {slot.offset})"


def _write(slot: Slot) -> str:
    cast = "(byte)" if slot.enum else ""
    return f"WireBytes.Write{_csharp(slot)[1]}(bytes, {slot.offset}, {cast}{pascal(slot.name)});\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
