"""The header of a PLUS sequence metafile: MetaImage fields, and fields of each frame.

Format: "Sequence file" in the PLUS user manual; Lasso et al., PLUS: open-source toolkit for ultrasound-guided
intervention systems, IEEE Trans Biomed Eng 2014;61:2527.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from navigation.errors import DeviceError

SUFFIXES = (".mha", ".mhd")
ALLOWED = "a sequence metafile of PLUS: .igs.mha or .igs.mhd"
LONGEST_LINE, LONGEST_NAME = 10_000, 255
FRAME_FIELD = re.compile(r"Seq_Frame([0-9]{1,9})_(\w+)")
RECORD_AGAIN = "record or export the sequence again"


@dataclass(frozen=True)
class PlusHeader:
    """What a sequence says before its pixels.

    Attributes:
        path: the file.
        fields: the fields of the whole sequence.
        frames: the fields of each frame, without ``Seq_Frame0000_``.
        width, height: of an image in pixels; both 0 if the sequence has transforms only.
        data_file: where the pixels lie.
        data_offset: at which byte of it they begin.
    """

    path: Path
    fields: Mapping[str, str]
    frames: tuple[Mapping[str, str], ...]
    width: int
    height: int
    data_file: Path
    data_offset: int

    def refuse(self, came: str, allowed: str, action: str = RECORD_AGAIN) -> DeviceError:
        """The error to raise about this file."""
        return DeviceError(f"{self.path} with {came}", allowed, action)


def read_header(path: Path) -> PlusHeader:
    """Reads the header alone; transforms and times can be had from sequences without images as well.

    Raises:
        DeviceError: no such file, a damaged header, a volume instead of a sequence, or data in a file elsewhere.
    """
    if not path.is_file():
        raise DeviceError(f"{path}, which is {'no file' if path.exists() else 'not there'}", ALLOWED, "check the path")
    fields: dict[str, str] = {}
    frames: dict[int, dict[str, str]] = {}
    with path.open("rb") as stream:
        while "ElementDataFile" not in fields:
            name, value = _read_line(stream, path)
            if not fields and (name, value) != ("ObjectType", "Image"):
                raise _damaged(path, f"{name} = {value} in its first line", "ObjectType = Image")
            belongs = FRAME_FIELD.fullmatch(name)
            where = frames.setdefault(int(belongs[1]), {}) if belongs else fields
            if (key := belongs[2] if belongs else name) in where:
                raise _damaged(path, f"the field {name} twice", "each field once")
            where[key] = value
        offset = stream.tell()
    count, height, width = _sizes(fields, path)
    if not frames:
        raise DeviceError(
            f"{path}, an image without fields of frames (Seq_Frame0000_Timestamp, ...): a volume",
            ALLOWED,
            "name the recorded sequence, not a volume that was reconstructed from it",
        )
    if len(frames) != count or max(frames) != count - 1:
        came = f"{count} frames by its DimSize and fields of {len(frames)} frames, up to number {max(frames)}"
        raise _damaged(path, came, "fields for each frame")
    data_file = _data_file(fields["ElementDataFile"], path)
    in_order = tuple(frames[index] for index in range(count))
    return PlusHeader(path, fields, in_order, width, height, data_file, offset if data_file == path else 0)


def _read_line(stream: BinaryIO, path: Path) -> tuple[str, str]:
    raw = stream.readline(LONGEST_LINE)
    text = raw.decode("utf-8", "replace").replace("\t", " ").rstrip("\r\n")
    name, equals, value = (part.strip() for part in text.partition("="))
    if not raw.endswith(b"\n") or not equals or not name or not text.isprintable():
        came = "a header that ends before its ElementDataFile" if not raw else f"the line {text[:60]!r}"
        raise _damaged(path, came, "lines NAME = VALUE, the last of them ElementDataFile")
    return name, value


def _sizes(fields: Mapping[str, str], path: Path) -> tuple[int, int, int]:
    """Number of frames, height and width."""
    text, kinds = fields.get("DimSize", ""), fields.get("Kinds", "").lower().split()
    if not re.fullmatch(r"([0-9]{1,9}\s*){3,4}", text):
        raise _damaged(path, f"DimSize = {text[:60]}", "width, height and number of frames")
    sizes = [int(size) for size in text.split()]
    kinds = kinds or ["domain"] * (len(sizes) - 1) + ["list"]  # as PLUS reads older files
    spatial = len(sizes) - 1
    if kinds[:-1] != ["domain"] * spatial or kinds[-1] not in {"list", "time"}:
        raise DeviceError(
            f"{path}, a volume or another order of axes: Kinds = {' '.join(kinds)[:60]}, sizes {sizes}",
            "Kinds = domain domain list",
            "name a sequence of two-dimensional images",
        )
    if spatial == 3 and sizes[2] > 1:
        raise DeviceError(
            f"{path}, a sequence of volumes ({sizes[2]} slices each)",
            "a sequence of two-dimensional images",
            "export the slice that you need",
        )
    return sizes[-1], sizes[1], sizes[0]


def _data_file(name: str, path: Path) -> Path:
    data_file = path if name.upper() == "LOCAL" else path.parent / name
    # A header from elsewhere may not lead to any file of this machine. Longer names are an error of the system.
    if data_file.parent != path.parent or len(name.encode()) > LONGEST_NAME or not data_file.is_file():
        raise DeviceError(
            f"{path}, whose pixels are in {name[:60]!r}",
            "LOCAL, or the name of a file that lies beside it",
            "put the file with the pixels (.raw, .zraw) beside the header",
        )
    return data_file


def _damaged(path: Path, came: str, allowed: str) -> DeviceError:
    return DeviceError(f"{path} with {came}", f"{ALLOWED}, with {allowed}", RECORD_AGAIN)
