"""Generates the messages in C#: one class for each, which reads and writes its own fields."""

from __future__ import annotations

import json

from scripts.wire.csharp_text import indented, pascal, source, summary
from scripts.wire.schema_file import SOCKETS, Field, Message, WireSchema

# kind -> its C# type, and the name of the methods of FieldReader and WireWriter that read and write it.
_KINDS = {
    "text": ("string", "Text"),
    "sha256": ("string", "Sha256"),
    "u32": ("uint", "U32"),
    "u64": ("ulong", "U64"),
    "i64": ("long", "I64"),
    "f64": ("double", "F64"),
    "flag": ("bool", "Flag"),
    "blob": ("ReadOnlyMemory<byte>", "Blob"),
    "position": ("double[]", "Position"),
}
_INITIAL = {"text": '""', "sha256": '""', "position": "new double[3]"}


def message_files(schema: WireSchema) -> dict[str, str]:
    """Texts by file name: one file for each socket, and one that finds the class of a message type."""
    files = {}
    for socket in SOCKETS:
        mine = [message for message in [*schema.nested, *schema.messages] if message.socket == socket]
        declared = [message for message in mine if not message.own_codec]
        tags = [_tags(message) for message in mine if message.own_codec or message.csharp_reader]
        files[f"{pascal(socket)}Messages.cs"] = source("\n".join(tags + [_class(schema, each) for each in declared]))
    files["MessageCodec.cs"] = source(_codec(schema))
    return files


def _tags(message: Message) -> str:
    tags = "".join(f"public const ushort {pascal(field.name)} = {field.tag};\n" for field in message.fields)
    doc = summary(f"{message.doc} The tags of its fields.")
    return f"{doc}public static class {message.name}Tags\n{{\n{indented(tags)}}}\n"


def _class(schema: WireSchema, message: Message) -> str:
    base = "" if message.type is None else " : IMessage"
    type_line = f"\npublic MessageType WireType => MessageType.{message.name};\n" if base else ""
    properties = "".join(_property(schema, field) for field in message.fields)
    writes = "".join(_write(schema, field) for field in message.fields)
    return f"""{summary(message.doc)}public sealed class {message.name}{base}
{{
{indented(properties + type_line).lstrip(chr(10))}
{indented(_decode(schema, message))}
    /// <exception cref="WireException">A value that the wire does not allow.</exception>
    public void Encode(WireWriter writer)
    {{
{indented(writes, 2)}    }}
}}
"""


def _property(schema: WireSchema, field: Field) -> str:
    doc = summary(f"{field.doc[:1].upper()}{field.doc[1:]}.") if field.doc else ""
    kind, name = _type(schema, field), pascal(field.name)
    if field.repeated:
        return f"{doc}public List<{kind}> {name} {{ get; }} = new List<{kind}>();\n"
    if field.optional:
        return f"{doc}public {kind}? {name} {{ get; set; }}\n"
    initial = _initial(schema, field, kind)
    return f"{doc}public {kind} {name} {{ get; set; }}{f' = {initial};' if initial else ''}\n"


def _initial(schema: WireSchema, field: Field, kind: str) -> str:
    if field.default not in (None, 0, "", False):
        return f"{kind}.{pascal(field.default)}" if schema.enum(field.kind) else json.dumps(field.default)
    if field.array_length:
        return f"new double[{field.array_length}]"
    return f"new {kind}()" if schema.nested_message(field.kind) else _INITIAL.get(field.kind, "")


def _type(schema: WireSchema, field: Field) -> str:
    if field.array_length:
        return "double[]"
    return field.kind if field.kind not in _KINDS else _KINDS[field.kind][0]


def _decode(schema: WireSchema, message: Message) -> str:
    single = [field for field in message.fields if not field.repeated]
    required = [field for field in single if field.required]
    cases = "".join(_case(schema, field, single) for field in message.fields)
    mask = sum(1 << single.index(field) for field in required)
    names = ", ".join(field.name for field in required)
    seen = "ulong seen = 0;\n" if single else ""
    check = f'FieldReader.Require(seen, 0x{mask:X}, "{message.name}", "{names}");\n' if required else ""
    switch = f"switch (fields.Tag)\n{{\n{indented(cases)}}}\n" if cases else ""
    return f"""/// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
/// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
public static {message.name} Decode(ReadOnlyMemory<byte> body)
{{
    var message = new {message.name}();
{indented(seen)}    var fields = new FieldReader(body);
    while (fields.Next())
    {{
{indented(switch, 2)}    }}

{indented(check)}    return message;
}}
"""


def _case(schema: WireSchema, field: Field, single: list[Field]) -> str:
    name, value = pascal(field.name), _read(schema, field)
    if field.repeated:
        body = f'FieldReader.CheckRepeats(message.{name}.Count, "{field.name}");\nmessage.{name}.Add({value});\n'
    else:
        body = f'FieldReader.Once(ref seen, {single.index(field)}, "{field.name}");\nmessage.{name} = {value};\n'
    return f"case {field.tag}:\n{indented(body)}    break;\n"


def _read(schema: WireSchema, field: Field) -> str:
    if schema.enum(field.kind):
        return f"{field.kind}Codes.Decode(fields.Byte())"
    if schema.nested_message(field.kind):
        return f"{field.kind}.Decode(fields.Blob())"
    return f"fields.F64Array({field.array_length})" if field.array_length else f"fields.{_KINDS[field.kind][1]}()"


def _write(schema: WireSchema, field: Field) -> str:
    name = pascal(field.name)
    if field.repeated:
        return f"foreach (var each in {name})\n{{\n{indented(_write_one(schema, field, 'each'))}}}\n\n"
    if field.optional:
        value = f"value{field.tag}"
        return f"if ({name} is {{ }} {value})\n{{\n{indented(_write_one(schema, field, value))}}}\n\n"
    return _write_one(schema, field, name)


def _write_one(schema: WireSchema, field: Field, value: str) -> str:
    if schema.enum(field.kind):
        return f"writer.Byte({field.tag}, (byte){field.kind}Codes.Decode((byte){value}));\n"
    if schema.nested_message(field.kind):
        start = f"start{field.tag}"
        return f"int {start} = writer.Begin({field.tag});\n{value}.Encode(writer);\nwriter.End({start});\n"
    if field.array_length:
        return f"writer.F64Array({field.tag}, {value}, {field.array_length});\n"
    return f"writer.{_KINDS[field.kind][1]}({field.tag}, {value});\n"


def _codec(schema: WireSchema) -> str:
    declared = [message for message in schema.messages if not message.own_codec]
    cases = "".join(f"case MessageType.{each.name}:\n    return {each.name}.Decode(body);\n" for each in declared)
    return f"""/// <summary>A message with a type of its own.</summary>
public interface IMessage
{{
    MessageType WireType {{ get; }}

    void Encode(WireWriter writer);
}}

/// <summary>From bytes to messages and back, for every type but PoseBatch, for which see PoseBatchDecoder.</summary>
public static class MessageCodec
{{
    /// <exception cref="WireException">Malformed, of another major version, or of a type without a class.</exception>
    public static IMessage Decode(ReadOnlyMemory<byte> message, out MessageHeader header)
    {{
        header = Envelope.Read(message, out var body);
        switch ((MessageType)header.MessageType)
        {{
{indented(cases, 3)}            default:
                throw new MalformedMessageException(
                    $"message type {{header.MessageType}} on this socket", "a type that MessageCodec knows");
        }}
    }}

    /// <summary>Replaces what <paramref name="writer"/> holds with the message under this header.</summary>
    public static void Encode(IMessage message, MessageHeader header, WireWriter writer)
    {{
        header.MessageType = (ushort)message.WireType;
        Envelope.Begin(writer);
        message.Encode(writer);
        Envelope.End(writer, header);
    }}
}}
"""
