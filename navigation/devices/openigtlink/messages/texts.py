"""What senders say in words: STRING, STATUS, CAPABILITY."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from navigation.devices.openigtlink.content import (
    Body,
    decoded_text,
    encoded_text,
    fixed_text,
    not_understood,
    text_of,
    utf8,
)
from navigation.devices.openigtlink.errors import LinkError

_TEXT = struct.Struct(">HH")
_STATUS = struct.Struct(">Hq20s")
_TYPE_LENGTH = 12


@dataclass(frozen=True)
class Text:
    """STRING: a text of up to 65,535 bytes."""

    text: str

    @property
    def type_name(self) -> str:
        return "STRING"

    def pack(self) -> bytes:
        encoding, encoded = encoded_text(self.text, "text")
        if len(encoded) > 0xFFFF:
            raise LinkError(f"a text of {len(encoded)} bytes", "at most 65,535", "send it in parts")
        return _TEXT.pack(encoding, len(encoded)) + encoded

    @classmethod
    def unpack(cls, body: Body) -> Text:
        if len(body) < _TEXT.size:
            raise not_understood(f"{len(body)} bytes", f"at least {_TEXT.size}")
        encoding, length = _TEXT.unpack_from(body)
        if length != len(body) - _TEXT.size:
            raise not_understood(f"a length of {length} before {len(body) - _TEXT.size} bytes", "the same number")
        return cls(decoded_text(encoding, body[_TEXT.size :], "a text"))


class StatusCode(IntEnum):
    """The codes of a STATUS message."""

    INVALID = 0
    OK = 1
    UNKNOWN_ERROR = 2
    PANIC_MODE = 3
    NOT_FOUND = 4
    ACCESS_DENIED = 5
    BUSY = 6
    TIME_OUT = 7
    OVERFLOW = 8
    CHECKSUM_ERROR = 9
    CONFIGURATION_ERROR = 10
    RESOURCE_ERROR = 11
    UNKNOWN_INSTRUCTION = 12
    NOT_READY = 13
    MANUAL_MODE = 14
    DISABLED = 15
    NOT_PRESENT = 16
    UNKNOWN_VERSION = 17
    HARDWARE_FAILURE = 18
    SHUT_DOWN = 19


@dataclass(frozen=True)
class Status:
    """STATUS: how a device is.

    Attributes:
        code: a `StatusCode`, or the sender's own number.
        subcode: the sender's own.
        error: the name of an error; empty without one.
        text: for people.
    """

    code: int
    subcode: int = 0
    error: str = ""
    text: str = ""

    @property
    def type_name(self) -> str:
        return "STATUS"

    @property
    def words(self) -> str:
        """The status in words, such as ``not ready: warming up``."""
        known = self.code in StatusCode.__members__.values()
        name = StatusCode(self.code).name.replace("_", " ").lower() if known else f"status {self.code}"
        return ": ".join(part for part in (name, self.error, self.text) if part)

    def pack(self) -> bytes:
        error = fixed_text(self.error, 20, "name of an error")
        try:
            head = _STATUS.pack(self.code, self.subcode, error)
        except struct.error:
            raise LinkError(
                f"the status {self.code}, {self.subcode}", "numbers of 16 and 64 bits", "correct them"
            ) from None
        return head + utf8(self.text, "text") + b"\0"

    @classmethod
    def unpack(cls, body: Body) -> Status:
        if len(body) < _STATUS.size:
            raise not_understood(f"{len(body)} bytes", f"at least {_STATUS.size}")
        code, subcode, error = _STATUS.unpack_from(body)
        return cls(code, subcode, text_of(error, "name of an error"), text_of(bytes(body[_STATUS.size :]), "text"))


@dataclass(frozen=True)
class Capability:
    """CAPABILITY: the names of the kinds that a peer understands."""

    types: tuple[str, ...]

    @property
    def type_name(self) -> str:
        return "CAPABILITY"

    def pack(self) -> bytes:
        return b"".join(fixed_text(name, _TYPE_LENGTH, "name of a kind") for name in self.types)

    @classmethod
    def unpack(cls, body: Body) -> Capability:
        if len(body) % _TYPE_LENGTH:
            raise not_understood(f"{len(body)} bytes", f"{_TYPE_LENGTH} for each kind")
        fields = (bytes(body[start : start + _TYPE_LENGTH]) for start in range(0, len(body), _TYPE_LENGTH))
        return cls(tuple(text_of(field, "name of a kind") for field in fields))
