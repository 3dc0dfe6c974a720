"""A golden message with a single mistake."""

import struct
from dataclasses import dataclass
from typing import Any

from tests.unity_bridge.wire.golden_vectors import build
from unity_bridge.wire.envelope import pack_field, pack_message, unpack_fields, unpack_message

GOOD = build()


@dataclass(frozen=True)
class Refused:
    """A message to be refused.

    Attributes:
        came: part of the words with which Python refuses it, so that it is refused for this and nothing else.
    """

    data: bytes
    rule: str
    came: str
    code: str = "MalformedMessage"
    stage: str = "decode"

    def told(self) -> dict[str, str]:
        """As JSON."""
        return {"code": self.code, "stage": self.stage, "rule": self.rule}


def patched(data: bytes, at: int, layout: str, *values: Any) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<" + layout, changed, at, *values)
    return bytes(changed)


def with_fields(name: str, *fields: tuple[int, bytes]) -> bytes:
    """The good message of this name with other fields."""
    header, _ = unpack_message(GOOD[name])
    return pack_message(header, b"".join(pack_field(tag, payload) for tag, payload in fields))


def fields_of(name: str, **changed: bytes) -> list[tuple[int, bytes]]:
    """Those of the good message; `tag_2=...` puts another payload in the place of tag 2's."""
    _, body = unpack_message(GOOD[name])
    return [(tag, changed.get(f"tag_{tag}", bytes(payload))) for tag, payload in unpack_fields(body)]
