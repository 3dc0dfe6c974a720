"""What all kinds of content share: the Protocol, and texts and numbers as OpenIGTLink lays them out."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from navigation.devices.openigtlink.errors import LinkError

ASCII, UTF8 = 3, 106  # IANA's numbers of the encodings

Body = bytes | bytearray | memoryview


class Content(Protocol):
    """The content of one message; each kind is a class in `navigation.devices.openigtlink.messages`."""

    @property
    def type_name(self) -> str:
        """The name of the kind in the header, such as ``TRANSFORM``."""
        ...

    def pack(self) -> bytes:
        """The content as it stands in the body.

        Raises:
            LinkError: OpenIGTLink cannot carry it.
        """
        ...


def fixed_text(text: str, length: int, what: str) -> bytes:
    """A text in a field of so many bytes, filled up with zeros.

    Raises:
        LinkError: it does not fit, or has a zero in it.
    """
    encoded = utf8(text, what)
    if len(encoded) > length or b"\0" in encoded:
        raise LinkError(f"the {what} {text[:80]!r}", f"at most {length} bytes of UTF-8 without zeros", "shorten it")
    return encoded.ljust(length, b"\0")


def utf8(text: str, what: str) -> bytes:
    """The bytes of a text.

    Raises:
        LinkError: half of a surrogate pair is in it, which UTF-8 does not have.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise LinkError(f"the {what} {text[:80]!r}", "text that UTF-8 has", "correct it") from None


def text_of(field: bytes, what: str) -> str:
    """The text in a field that zeros fill up.

    Raises:
        LinkError: it is not UTF-8, of which ASCII is a part.
    """
    try:
        return field.partition(b"\0")[0].decode("utf-8")
    except UnicodeDecodeError:
        raise not_understood(f"the {what} {field[:40]!r}", "ASCII or UTF-8") from None


@lru_cache(maxsize=4096)
def name_of(field: bytes, what: str) -> str:
    """`text_of` for the short names that come again and again."""
    return text_of(field, what)


def encoded_text(text: str, what: str) -> tuple[int, bytes]:
    """IANA's number of an encoding that holds `text`, and its bytes in it."""
    return (ASCII if text.isascii() else UTF8), utf8(text, what)


def decoded_text(encoding: int, field: Body, what: str) -> str:
    """Turns bytes with IANA's number of their encoding into text.

    Raises:
        LinkError: another encoding than ASCII and UTF-8, or bytes that are not in it.
    """
    if encoding not in (ASCII, UTF8):
        raise not_understood(f"{what} in the encoding {encoding}", f"{ASCII} (ASCII) or {UTF8} (UTF-8)")
    try:
        # Many senders write UTF-8 and call it ASCII.
        return bytes(field).decode("utf-8")
    except UnicodeDecodeError:
        raise not_understood(f"{what} that is not UTF-8", "ASCII or UTF-8") from None


def not_understood(came: str, allowed: str) -> LinkError:
    """The error of bytes that came."""
    return LinkError(came, allowed, "check that the sender speaks OpenIGTLink as openigtlink.org describes it")
