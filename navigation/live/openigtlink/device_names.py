"""Names of the messages: ``StylusTipToReference``, as PLUS and SlicerIGT name transforms."""

from __future__ import annotations

from zlib import crc32

from geometry.frames import CT

LONGEST = 20  # bytes of a device name in OpenIGTLink
LONGEST_IN_TRACKING = 19  # of a tool in TDATA and QTDATA, where the reference library takes 20 bytes for no name
_SHORT = {"Reference": "Ref", "Tracker": "Trk"}
RAS = "Ras"


def transform_name(from_frame: str, to_frame: str, longest: int = LONGEST) -> str:
    """The name of ``T_to_from``: such as ``StylusTipToReference``; with `ct`, ``ReferenceToRas``.

    What is too long ends in ``ToRef``; what is still too long is `shortened`.
    """
    whole = f"{_title(from_frame)}To{_title(to_frame)}"
    if len(whole) <= longest:
        return whole
    end = f"To{_SHORT.get(_title(to_frame), _title(to_frame))}"
    return shortened(_title(from_frame), longest - len(end)) + end


def shortened(name: str, length: int = LONGEST) -> str:
    """The name; if it is too long its beginning, and four digits of its CRC, so that two long names stay two."""
    if len(name) <= length:
        return name
    return f"{name[: length - 4]}{crc32(name.encode()) & 0xFFFF:04x}"


def _title(frame: str) -> str:
    return RAS if frame == CT else "".join(part.capitalize() for part in frame.split("_"))
