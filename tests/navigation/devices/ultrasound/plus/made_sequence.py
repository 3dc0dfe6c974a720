"""Writes sequences as PLUS does, with known images, times and transforms."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

IDENTITY = "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"


def made_images(count: int = 3, height: int = 6, width: int = 8, channels: int = 1) -> np.ndarray:
    """Noise ``(count, height, width[, 3])``: no two rows, columns or frames are alike."""
    shape = (count, height, width) if channels == 1 else (count, height, width, channels)
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def header_text(
    images: np.ndarray,
    changes: Mapping[str, str | None] | None = None,
    frame_fields: Mapping[int, Mapping[str, str | None]] | None = None,
    data_file: str = "LOCAL",
    packed: int = 0,
) -> str:
    """The header of `images`; `changes` and `frame_fields` replace fields, None leaves them out."""
    count, height, width = images.shape[:3]
    fields: dict[str, str | None] = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(bool(packed)),
        "CompressedDataSize": f"{packed}          " if packed else None,
        "DimSize": f"{width} {height} {count}     ",
        "Kinds": "domain domain list",
        "ElementNumberOfChannels": "1" if images.ndim == 3 else "3",
        "ElementSpacing": "1 1 1",
        "ElementType": "MET_UCHAR",
        "UltrasoundImageOrientation": "MF",
        "UltrasoundImageType": "BRIGHTNESS",
        **(changes or {}),
    }
    lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
    for index in range(count):
        of_frame: dict[str, str | None] = {
            "ProbeToTrackerTransform": IDENTITY,
            "ProbeToTrackerTransformStatus": "OK",
            "Timestamp": f"{100 + 0.1 * index:.6f}",
            "ImageStatus": "OK",
            **(frame_fields or {}).get(index, {}),
        }
        lines += [f"Seq_Frame{index:04}_{name} = {value}" for name, value in of_frame.items() if value is not None]
    return "\n".join([*lines, f"ElementDataFile = {data_file}"]) + "\n"


def write_sequence(
    path: Path,
    images: np.ndarray | None = None,
    changes: Mapping[str, str | None] | None = None,
    frame_fields: Mapping[int, Mapping[str, str | None]] | None = None,
    compressed: bool = False,
) -> Path:
    """An ``.mha`` with its pixels inside, or an ``.mhd`` with them beside it."""
    images = made_images() if images is None else images
    data = zlib.compress(images.tobytes()) if compressed else images.tobytes()
    beside = path.with_suffix(".zraw" if compressed else ".raw")
    local = path.suffix == ".mha"
    packed = len(data) if compressed else 0
    text = header_text(images, changes, frame_fields, "LOCAL" if local else beside.name, packed)
    if not local:
        beside.write_bytes(data)
    path.write_bytes(text.encode() + (data if local else b""))
    return path
