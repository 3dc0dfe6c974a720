"""Encoding and decoding of all messages except pose batches, which have their own layout in `poses/batch.py`.

The messages are declared in wire_schema.toml and generated from it. Texts hold up to 1,024 bytes of UTF-8. Times are
integer nanoseconds on the clock that the message's header names.
"""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.envelope import Header, MessageType, Session, malformed, pack_message, unpack_message
from unity_bridge.wire.generated.messages import *  # noqa: F403 - all that is declared, whatever is added to the schema
from unity_bridge.wire.generated.messages import MESSAGES
from unity_bridge.wire.schema import Declared, decode, encode

_TYPES: dict[type, MessageType] = {kind: message_type for message_type, kind in MESSAGES.items()}


@dataclass(frozen=True)
class EncodedMessage:
    """A message whose fields are already encoded, for answers that are sent often and rarely change."""

    message_type: MessageType
    body: bytes

    @classmethod
    def of(cls, message: Declared) -> EncodedMessage:
        """Encodes the fields of `message`."""
        return cls(_TYPES[type(message)], encode(message))


def encode_message(message: Declared, session: Session, sequence: int) -> bytes:
    """The bytes of one message, stamped now on the session's clock."""
    if isinstance(message, EncodedMessage):
        return pack_message(session.header(message.message_type, sequence), message.body)
    return pack_message(session.header(_TYPES[type(message)], sequence), encode(message))


def decode_message(data: bytes | memoryview) -> tuple[Header, Declared]:
    """Decodes header and message of any type except PoseBatch, which `PoseBatchDecoder` decodes.

    Raises:
        WireError: malformed, of another major version, or of an unknown type.
    """
    header, body = unpack_message(data)
    try:
        kind = MESSAGES[MessageType(header.message_type)]
    except (KeyError, ValueError) as error:
        known = sorted(int(message_type) for message_type in MESSAGES)
        raise malformed(f"message type {header.message_type} on this socket", f"one of {known}") from error
    return header, decode(kind, body)
