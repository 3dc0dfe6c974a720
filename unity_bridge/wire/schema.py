"""Encoder and decoder of all declared messages.

Declarations are generated from wire_schema.toml: frozen dataclasses whose attributes state their tag and kind::

    @dataclass(frozen=True, kw_only=True)
    class Goodbye:
        reason: str = tagged(1, TEXT)

Attributes with a default may be missing on the wire; the tag of a tuple is repeated; dataclasses may be nested. Tags
are never reused, so that fields can be added in a minor version: a decoder skips unknown tags.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

from unity_bridge.wire.envelope import decode_text, malformed, pack_field, unpack_fields
from unity_bridge.wire.generated.constants import CODES, POSITION_LIMIT_M, REPEAT_LIMIT, TEXT_LIMIT_BYTES


@dataclass(frozen=True)
class Kind:
    """An encoding of a value as bytes; `name` is its name in docs/unity_bridge/protocol.md."""

    name: str
    encode: Callable[[Any], bytes]
    decode: Callable[[memoryview], Any]


def _number(name: str, code: str) -> Kind:
    layout = struct.Struct("<" + code)

    def decode(payload: memoryview) -> int | float:
        if len(payload) != layout.size:
            raise malformed(f"a {name} of {len(payload)} bytes", f"{layout.size} bytes")
        return layout.unpack(payload)[0]

    return Kind(name, layout.pack, decode)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise malformed(f"the number {value}", "finite numbers; what is unknown is left out")
    return value


@cache
def choice(enum: type[StrEnum]) -> Kind:
    """The kind of a value of `enum`: one byte, its code."""
    codes = CODES[enum]
    values = {code: value for value, code in codes.items()}

    def decode(payload: memoryview) -> StrEnum:
        if len(payload) != 1 or payload[0] not in values:
            raise malformed(f"a {enum.__name__} of bytes {bytes(payload[:8])!r}", f"one byte of {sorted(values)}")
        return values[payload[0]]

    return Kind(enum.__name__, lambda value: bytes([codes[enum(value)]]), decode)


@cache
def floats(count: int) -> Kind:
    """The kind of `count` finite numbers, such as a position or a quaternion, as a tuple."""
    layout = struct.Struct(f"<{count}d")

    def decode(payload: memoryview) -> tuple[float, ...]:
        if len(payload) != layout.size:
            raise malformed(f"{count} numbers of {len(payload)} bytes", f"{layout.size} bytes")
        return tuple(map(_finite, layout.unpack(payload)))

    def encode(values: tuple[float, ...]) -> bytes:
        if len(values) != count:
            raise malformed(f"{len(values)} numbers to be sent", f"{count}")
        return layout.pack(*map(_finite, values))

    return Kind(f"f64[{count}]", encode, decode)


def _position() -> Kind:
    numbers = floats(3)

    def within(values: tuple[float, ...]) -> tuple[float, ...]:
        if any(abs(value) > POSITION_LIMIT_M for value in values):
            raise malformed(f"a position at {values} m", f"within {POSITION_LIMIT_M:g} m along each axis")
        return values

    return Kind(
        "position", lambda values: numbers.encode(within(values)), lambda payload: within(numbers.decode(payload))
    )


def _decode_flag(payload: memoryview) -> bool:
    if bytes(payload) not in {b"\0", b"\1"}:
        raise malformed(f"a flag of bytes {bytes(payload[:8])!r}", "one byte, 0 or 1")
    return payload[0] == 1


def _encode_text(text: str) -> bytes:
    payload = text.encode()
    if len(payload) > TEXT_LIMIT_BYTES:
        raise malformed(f"a text of {len(payload)} bytes to be sent", f"at most {TEXT_LIMIT_BYTES}")
    return payload


def _decode_hash(payload: memoryview) -> str:
    if len(payload) != 32:
        raise malformed(f"a SHA-256 of {len(payload)} bytes", "32 bytes")
    return payload.hex()


U32 = _number("u32", "I")
U64 = _number("u64", "Q")
I64 = _number("i64", "q")
_DOUBLE = _number("f64", "d")
F64 = Kind("f64", lambda value: _DOUBLE.encode(_finite(value)), lambda payload: _finite(_DOUBLE.decode(payload)))
FLAG = Kind("flag", lambda value: b"\1" if value else b"\0", _decode_flag)
TEXT = Kind("text", _encode_text, lambda payload: decode_text(payload, TEXT_LIMIT_BYTES))
POSITION = _position()
BLOB = Kind("blob", bytes, bytes)
SHA256 = Kind("sha256", bytes.fromhex, _decode_hash)


class Declared(Protocol):
    """Any dataclass whose fields were declared with `tagged`."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


M = TypeVar("M", bound=Declared)


def tagged(tag: int, kind: Kind | type, *, repeated: bool = False, default: Any = dataclasses.MISSING) -> Any:
    """Declares an attribute: its tag, its kind or nested dataclass, whether it is repeated, its default if missing."""
    return dataclasses.field(
        default=() if repeated else default, metadata={"tag": tag, "kind": kind, "repeated": repeated}
    )


def encode(message: Declared) -> bytes:
    """The fields of a message in the order of their declaration; an attribute that is None is left out."""
    parts = []
    for name, tag, kind, repeated in _declaration(type(message)):
        value = getattr(message, name)
        values = value if repeated else () if value is None else (value,)
        parts += [pack_field(tag, _encode_value(kind, each)) for each in values]
    return b"".join(parts)


def decode(kind: type[M], body: memoryview) -> M:
    """Decodes a message's fields, skipping unknown tags.

    Raises:
        MalformedMessageError: a field is missing, comes twice, is repeated too often, or holds an invalid value.
    """
    known = {tag: (name, field_kind, repeated) for name, tag, field_kind, repeated in _declaration(kind)}
    values: dict[str, Any] = {}
    for tag, payload in unpack_fields(body):
        if tag not in known:
            continue
        name, field_kind, repeated = known[tag]
        value = decode(field_kind, payload) if isinstance(field_kind, type) else field_kind.decode(payload)
        if repeated:
            _append(values.setdefault(name, []), value, name)
        elif name in values:
            raise malformed(f"field '{name}' twice", "once")
        else:
            values[name] = value
    return _build(kind, {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _append(values: list[Any], value: Any, name: str) -> None:
    if len(values) >= REPEAT_LIMIT:
        raise malformed(f"more than {REPEAT_LIMIT} of '{name}'", f"at most {REPEAT_LIMIT}")
    values.append(value)


def _build(kind: type[M], values: dict[str, Any]) -> M:
    required = {field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING}
    missing = sorted(required - values.keys())
    if missing:
        raise malformed(f"a {kind.__name__} without {missing}", f"all of {sorted(required)}")
    return kind(**values)


@cache
def _declaration(kind: type) -> tuple[tuple[str, int, Any, bool], ...]:
    return tuple(
        (field.name, field.metadata["tag"], field.metadata["kind"], field.metadata["repeated"])
        for field in dataclasses.fields(kind)
    )


def _encode_value(kind: Kind | type, value: Any) -> bytes:
    return encode(value) if isinstance(kind, type) else kind.encode(value)
