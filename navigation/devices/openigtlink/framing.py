"""Messages as bytes: the header, the extended header with metadata, the CRC, and a stream cut into messages.

http://openigtlink.org/developers/spec. Versions 1 and 2 have the same header, and version 2 more kinds of content;
version 3 adds a number, and metadata, to each message. The CRC is of the body alone: a header has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from navigation.clock import NS_PER_S
from navigation.devices.openigtlink.content import (
    Body,
    Content,
    decoded_text,
    encoded_text,
    fixed_text,
    name_of,
    not_understood,
    utf8,
)
from navigation.devices.openigtlink.crc import crc64
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.messages import content_of

DEFAULT_PORT = 18944
# A CT of 512 x 512 x 500 voxels; nothing that is sent live is larger.
LARGEST_BODY_BYTES = 1 << 28

_HEADER = struct.Struct(">H12s20sIIQQ")
HEADER_BYTES = _HEADER.size
_EXTENDED = struct.Struct(">HHII")
_ENTRY = struct.Struct(">HHI")
_COUNT = struct.Struct(">H")


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        content: an instance of a class of `navigation.devices.openigtlink.messages`.
        device_name: of the sender's device or tool, such as ``StylusToTracker``; up to 20 bytes.
        stamp_ns: the sender's time of it, ns since 1970 on the sender's clock; None if it gives none.
        version: of the protocol: 1, 2 or 3. What comes with the old header is read as 2.
        message_id: the sender's number of the message (version 3); 0 if it does not count.
        metadata: names and values (version 3).
    """

    content: Content
    device_name: str = ""
    stamp_ns: int | None = None
    version: int = 2
    message_id: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)


class Frame(NamedTuple):
    """One message whose CRC was checked, and whose content was not looked at yet."""

    type_name: str
    device_name: str
    stamp_ns: int | None
    header_version: int
    body: bytes

    @property
    def first_name(self) -> bytes:
        """The name of the first tool in TDATA or QTDATA, as it is on the wire."""
        start = 0 if self.header_version == 1 else _EXTENDED.size
        return self.body[start : start + 20] if self.type_name in ("TDATA", "QTDATA") else b""


def pack(message: Message) -> bytes:
    """The bytes of a message.

    Raises:
        LinkError: OpenIGTLink cannot carry it: a name is too long, a value too large, metadata in version 1 or 2.
    """
    body = message.content.pack()
    if message.version == 3:
        body = _extended(message, body)
    elif message.version not in (1, 2):
        raise LinkError(f"version {message.version}", "1, 2 or 3", "choose one of these")
    elif message.metadata or message.message_id:
        raise LinkError(f"metadata or a number in version {message.version}", "none", "send it as version 3")
    kind = fixed_text(message.content.type_name, 12, "name of a kind")
    name = fixed_text(message.device_name, 20, "device name")
    seconds, fraction = _wire_time(message.stamp_ns)
    header_version = 2 if message.version == 3 else 1
    return _HEADER.pack(header_version, kind, name, seconds, fraction, len(body), crc64(body)) + body


def unpack(frame: Frame) -> Message:
    """The message of a frame.

    Raises:
        LinkError: its content is not of its kind.
    """
    if frame.header_version == 1:
        content = content_of(frame.type_name, frame.body)
        return Message(content, frame.device_name, frame.stamp_ns)
    body, message_id, metadata = _without_extension(frame.body)
    content = content_of(frame.type_name, body)
    return Message(content, frame.device_name, frame.stamp_ns, 3, message_id, metadata)


class FrameStream:
    """Cuts a stream of bytes into messages, wherever it was split on its way.

    Nothing is taken on trust: a header is checked when it is there, the size that it claims is bounded and no memory is
    taken for it, and a body is handed on only if its CRC is right.

    Args:
        largest_bytes: of a body.
    """

    def __init__(self, largest_bytes: int = LARGEST_BODY_BYTES) -> None:
        self._largest_bytes = largest_bytes
        self._waiting = bytearray()
        self._missing = HEADER_BYTES

    @property
    def is_between(self) -> bool:
        """Whether the bytes so far end with a whole message."""
        return not self._waiting

    def feed(self, data: Body) -> list[Frame]:
        """The messages that are whole with these bytes.

        Raises:
            LinkError: what came is no OpenIGTLink, too large, or damaged; the next message cannot be found then.
        """
        self._waiting += data
        if len(self._waiting) < self._missing:
            return []
        frames, at = [], 0
        with memoryview(self._waiting) as view:
            while (frame := self._frame(view, at)) is not None:
                frames.append(frame)
                at += HEADER_BYTES + len(frame.body)
        del self._waiting[:at]
        return frames

    def _frame(self, view: memoryview, at: int) -> Frame | None:
        left = len(view) - at
        if left < HEADER_BYTES:
            self._missing = HEADER_BYTES
            return None
        version, kind, name, seconds, fraction, size, crc = _HEADER.unpack_from(view, at)
        if version not in (1, 2) or not kind[0]:
            raise not_understood(f"bytes that begin {bytes(view[at : at + 8]).hex(' ')}", "the header of a message")
        type_name, device_name = name_of(kind, "name of a kind"), name_of(name, "device name")
        if size > self._largest_bytes:
            came = f"a {type_name} message that claims {size} bytes"
            raise not_understood(came, f"at most {self._largest_bytes}")
        if left < HEADER_BYTES + size:
            self._missing = HEADER_BYTES + size
            return None
        body = bytes(view[at + HEADER_BYTES : at + HEADER_BYTES + size])
        if crc64(body) != crc:
            raise LinkError(
                f"a {type_name} message of {device_name!r} whose CRC is wrong",
                "the CRC of its body",
                "check the connection, and that the sender computes CRCs",
            )
        return Frame(type_name, device_name, _stamp_ns(seconds, fraction), version, body)


def _wire_time(stamp_ns: int | None) -> tuple[int, int]:
    if stamp_ns is None:
        return 0, 0
    seconds, rest_ns = divmod(stamp_ns, NS_PER_S)
    if not 0 <= seconds < 1 << 32:
        raise LinkError(f"the time {stamp_ns} ns", "ns since 1970, up to 2106", "pass the time of the wall clock")
    return seconds, ((rest_ns << 32) + NS_PER_S // 2) // NS_PER_S


def _stamp_ns(seconds: int, fraction: int) -> int | None:
    """A whole number of ns is the same after the way there and back; zero means that no time was given."""
    if not seconds and not fraction:
        return None
    return seconds * NS_PER_S + ((fraction * NS_PER_S + (1 << 31)) >> 32)


def _extended(message: Message, content: bytes) -> bytes:
    index, values = bytearray(_COUNT.pack(len(message.metadata))), bytearray()
    try:
        for key, value in message.metadata.items():
            name = utf8(key, "name of metadata")
            encoding, encoded = encoded_text(value, "value of metadata")
            index += _ENTRY.pack(len(name), encoding, len(encoded))
            values += name + encoded
        head = _EXTENDED.pack(_EXTENDED.size, len(index), len(values), message.message_id)
    except struct.error as error:
        raise LinkError(f"metadata that do not fit ({error})", "8,000 names of up to 65,535 bytes", "shorten") from None
    return head + content + index + values


def _without_extension(body: bytes) -> tuple[memoryview, int, dict[str, str]]:
    if len(body) < _EXTENDED.size:
        raise not_understood(f"a body of {len(body)} bytes in version 3", f"at least {_EXTENDED.size}")
    head_size, index_size, values_size, message_id = _EXTENDED.unpack_from(body)
    end = len(body) - index_size - values_size
    if not _EXTENDED.size <= head_size <= end:
        sizes = f"{head_size}, {index_size} and {values_size} bytes of headers and metadata in {len(body)}"
        raise not_understood(sizes, "sizes that fit into the body")
    view = memoryview(body)
    metadata = dict(_entries(view[end : end + index_size], view[end + index_size :])) if index_size else {}
    return view[head_size:end], message_id, metadata


def _entries(index: memoryview, values: memoryview) -> Iterator[tuple[str, str]]:
    count = _COUNT.unpack_from(index)[0] if len(index) >= _COUNT.size else -1
    if len(index) != _COUNT.size + max(count, 0) * _ENTRY.size or count < 0:
        raise not_understood(f"an index of {len(index)} bytes for {count} metadata", "8 bytes for each")
    at = 0
    for name_size, encoding, size in _ENTRY.iter_unpack(index[_COUNT.size :]):
        if at + name_size + size > len(values):
            raise not_understood("metadata that end beyond the message", "sizes that fit into the body")
        name = decoded_text(106, values[at : at + name_size], "a name of metadata")
        yield name, decoded_text(encoding, values[at + name_size : at + name_size + size], f"the value of {name!r}")
        at += name_size + size
