"""The header of a PLUS sequence in NRRD: the same fields as in a metafile, as key/value pairs.

Format: Gordon Kindlmann, "Definition of NRRD File Format"; fields as written by IGSIO's ``vtkIGSIONrrdSequenceIO``.
"""

from __future__ import annotations

import re
from pathlib import Path

from navigation.devices.ultrasound.plus.header import FRAME_FIELD, LONGEST_LINE, RECORD_AGAIN, PlusHeader
from navigation.errors import DeviceError

ALLOWED = "a sequence of PLUS in NRRD: .igs.nrrd"


def read_nrrd_header(path: Path) -> PlusHeader:
    """Reads the header alone, for transforms, status and times; sizes of images are not looked at.

    Raises:
        DeviceError: no such file, a damaged header, or a volume instead of a sequence.
    """
    if not path.is_file():
        raise DeviceError(f"{path}, which is {'no file' if path.exists() else 'not there'}", ALLOWED, "check the path")
    fields: dict[str, str] = {}
    frames: dict[int, dict[str, str]] = {}
    with path.open("rb") as stream:
        if not re.fullmatch(rb"NRRD000[1-5]\r?\n", stream.readline(LONGEST_LINE)):
            raise _damaged(path, "another first line than NRRD0001 to NRRD0005", "that line")
        while (raw := stream.readline(LONGEST_LINE)) not in (b"\n", b"\r\n"):
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            if text.startswith("#"):
                continue
            name, colon, value = text.partition(":=") if ":=" in text else text.partition(": ")
            if not raw.endswith(b"\n") or not colon:
                came = "a header without an empty line at its end" if not raw else f"the line {text[:60]!r}"
                raise _damaged(path, came, "lines NAME: VALUE and NAME:=VALUE, and an empty line after them")
            belongs = FRAME_FIELD.fullmatch(name.strip())
            where = frames.setdefault(int(belongs[1]), {}) if belongs else fields
            if (key := belongs[2] if belongs else name.strip()) in where:
                raise _damaged(path, f"the field {name} twice", "each field once")
            where[key] = value.strip()
        offset = stream.tell()
    count = _count(fields, path)
    if len(frames) != count or max(frames, default=0) != count - 1:
        came = f"{count} frames by its sizes and fields of {len(frames)} frames"
        raise _damaged(path, came, "fields for each frame")
    in_order = tuple(frames[index] for index in range(count))
    return PlusHeader(path, fields, in_order, 0, 0, path, offset)


def _count(fields: dict[str, str], path: Path) -> int:
    """Number of frames; a sequence of one frame has no axis for it."""
    sizes, kinds = fields.get("sizes", "").split(), fields.get("kinds", "").lower().split()
    if len(sizes) != len(kinds) or not all(re.fullmatch(r"[0-9]{1,9}", size) for size in sizes) or not sizes:
        came = f"sizes: {' '.join(sizes)[:40]} and kinds: {' '.join(kinds)[:40]}"
        raise _damaged(path, came, "one size and one kind for each axis")
    return int(sizes[-1]) if kinds[-1] in ("list", "time") else 1


def _damaged(path: Path, came: str, allowed: str) -> DeviceError:
    return DeviceError(f"{path} with {came}", f"{ALLOWED}, with {allowed}", RECORD_AGAIN)
