"""NIfTI files made for tests, and those of them that must be refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np

from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from tests.reconstruction.bad_input import Bad
from tests.reconstruction.ct.dicom.dicom_factory import ramp

AXIAL = np.array([[0.8, 0, 0, -100], [0, 0.8, 0, -50], [0, 0, 1.0, 30], [0, 0, 0, 1.0]])


def save(
    path: Path,
    data_ijk: np.ndarray | None = None,
    affine_ras: np.ndarray = AXIAL,
    *,
    sform_code: int = 1,
    qform_code: int = 1,
    units: str = "mm",
    kind: type = nibabel.Nifti1Image,
) -> Path:
    """Writes a NIfTI file with both forms set to one affine, under the codes given."""
    data_ijk = ramp((6, 5, 4)).T if data_ijk is None else data_ijk
    image = kind(data_ijk, affine_ras)
    image.set_sform(affine_ras, code=sform_code)
    image.set_qform(affine_ras, code=qform_code, strip_shears=True)
    image.header.set_xyzt_units(units)
    nibabel.save(image, path)
    return path


def _data(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], object]:
    return lambda path: save(path, change(ramp((6, 5, 4)).T))


def _with_value(value: float) -> Callable[[Path], object]:
    def change(data: np.ndarray) -> np.ndarray:
        data = data.astype(np.float32)
        data[1, 2, 3] = value
        return data

    return _data(change)


def _sheared(path: Path) -> None:
    affine = AXIAL.copy()
    affine[1, 2] = np.tan(np.radians(10.0))
    save(path, affine_ras=affine, qform_code=0)


def _flat(path: Path) -> None:
    """Patched into the bytes, for nibabel would not write it: byte 320 is the third number of srow_z."""
    save(path, qform_code=0)
    packed = path.suffix == ".gz"
    content = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    content[320:324] = bytes(4)
    path.write_bytes(gzip.compress(content) if packed else content)


def _disagreeing(path: Path) -> None:
    image = nibabel.Nifti1Image(ramp((6, 5, 4)).T, AXIAL)
    moved = AXIAL.copy()
    moved[2, 3] += 7.0
    image.set_sform(AXIAL, code=1)
    image.set_qform(moved, code=1)
    nibabel.save(image, path)


def _cut(path: Path) -> None:
    save(path)
    path.write_bytes(path.read_bytes()[:-40])


def _cut_header(path: Path) -> None:
    save(path)
    path.write_bytes(path.read_bytes()[:100])


def _colour(path: Path) -> None:
    rgb = np.zeros((4, 5, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, AXIAL), path)


BAD = [
    Bad("no form", lambda p: save(p, sform_code=0, qform_code=0), CtRefusedError, ("neither sform nor qform",)),
    Bad("forms disagree", _disagreeing, CtRefusedError, ("corner 7 mm apart",)),
    Bad("sheared", _sheared, CtRefusedError, ("10.00 degrees off square",)),
    Bad("flat", _flat, CtRefusedError, ("flat",)),
    Bad("metres", lambda p: save(p, units="meter"), CtRefusedError, ("lengths in meter",)),
    Bad("micrometres", lambda p: save(p, units="micron"), CtRefusedError, ("lengths in micron",)),
    Bad("mask", _data(lambda d: (d > 0).astype(np.uint8)), CtRefusedError, ("0 to 1", "mask")),
    Bad("normalised", _data(lambda d: d.astype(np.float32) / 1000), CtRefusedError, ("normalised",)),
    Bad("time series", _data(lambda d: np.stack([d, d], axis=3)), UnreadableInputError, ("(4, 5, 6, 2)",)),
    Bad("flat image", _data(lambda d: d[:, :, 0]), UnreadableInputError, ("(4, 5)",)),
    Bad("NaN", _with_value(np.nan), UnreadableInputError, ("NaN or infinity in 1 voxel",)),
    Bad("infinity", _with_value(np.inf), UnreadableInputError, ("NaN or infinity in 1 voxel",)),
    Bad("complex", _data(lambda d: d.astype(np.complex64)), UnreadableInputError, ("complex64",)),
    Bad("colour", _colour, UnreadableInputError, ("voxels of type",)),
    Bad("cut short", _cut, UnreadableInputError, ("cut short",)),
    Bad("cut in the header", _cut_header, UnreadableInputError, ("cut short",)),
    Bad("empty", lambda p: p.write_bytes(b""), UnreadableInputError, ("cut short",)),
    Bad("not NIfTI", lambda p: p.write_bytes(b"hello" * 200), UnreadableInputError, ("no NIfTI",)),
]
