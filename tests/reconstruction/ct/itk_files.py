"""NRRD and MetaImage files made for tests, and those of them that must be refused."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from tests.reconstruction.ct.dicom.dicom_factory import ramp

HU = ramp((5, 8, 10))
NRRD = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "10 8 5",
    "space directions": "(0.8,0,0) (0,0.7,0) (0,0,1)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(-10,-20,30)",
    "space units": '"mm" "mm" "mm"',
}
META = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "-10 -20 30",
    "ElementSpacing": "0.8 0.7 1",
    "DimSize": "10 8 5",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}


def nrrd(path: Path, voxels: np.ndarray = HU, *, without: str = "", **changed: str) -> Path:
    fields = {k: v for k, v in (NRRD | {k.replace("_", " "): v for k, v in changed.items()}).items() if k != without}
    text = "NRRD0005\n" + "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"
    data = voxels.astype("<i2").tobytes()
    path.write_bytes(text.encode() + (gzip.compress(data) if fields["encoding"] == "gzip" else data))
    return path


def meta(path: Path, voxels: np.ndarray = HU, *, without: str = "", **changed: str) -> Path:
    fields = {key: value for key, value in (META | changed).items() if key != without}
    fields["ElementDataFile"] = fields.pop("ElementDataFile")  # the last line, always
    text = "".join(f"{key} = {value}\n" for key, value in fields.items())
    data = voxels.astype("<i2").tobytes()
    path.write_bytes(text.encode() + (zlib.compress(data) if fields["CompressedData"] == "True" else data))
    return path


BAD = [
    ("no space", lambda p: nrrd(p / "a.nrrd", without="space"), CtRefusedError, "no space in the header"),
    ("unknown space", lambda p: nrrd(p / "a.nrrd", space="scanner-xyz"), CtRefusedError, "scanner-xyz"),
    ("no directions", lambda p: nrrd(p / "a.nrrd", without="space directions"), CtRefusedError, "space directions"),
    ("no origin", lambda p: nrrd(p / "a.nrrd", without="space origin"), CtRefusedError, "origin"),
    ("cm", lambda p: nrrd(p / "a.nrrd", space_units='"cm" "cm" "cm"'), CtRefusedError, "lengths in cm"),
    ("sheared", lambda p: nrrd(p / "a.nrrd", space_directions="(1,0,0) (0.3,1,0) (0,0,1)"), CtRefusedError, "sheared"),
    ("no offset", lambda p: meta(p / "a.mha", without="Offset"), CtRefusedError, "Offset"),
    ("no matrix", lambda p: meta(p / "a.mha", without="TransformMatrix"), CtRefusedError, "TransformMatrix"),
    ("elsewhere", lambda p: meta(p / "a.mhd", ElementDataFile="../x.raw"), UnreadableInputError, "not beside it"),
    ("absent", lambda p: meta(p / "a.mhd", ElementDataFile="x.raw"), UnreadableInputError, "not beside it"),
    ("list", lambda p: meta(p / "a.mhd", ElementDataFile="LIST"), UnreadableInputError, "several data files"),
    (
        "colour",
        lambda p: meta(p / "a.mha", np.repeat(HU[..., None], 3, -1), ElementNumberOfChannels="3"),
        UnreadableInputError,
        "3 components",
    ),
    ("mask", lambda p: meta(p / "a.mha", HU % 2), CtRefusedError, "0 to 1 only"),
    ("other content", lambda p: (p / "a.nrrd").write_bytes(b"quixote"), UnreadableInputError, "no NRRD"),
    ("other content, mha", lambda p: (p / "a.mha").write_bytes(b"quixote"), UnreadableInputError, "no MetaImage"),
]
