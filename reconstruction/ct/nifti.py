"""Reads NIfTI: RAS on disk, LPS inside; voxels and affine are always flipped together.

Which affine of the two that NIfTI-1 can carry counts: the sform where its code is above 0, else the qform; with
neither, the place in the patient is unknown and the file is refused. Where both are set they must agree.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.orientation import flip_affine_ras_lps
from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.ct.errors import UnreadableInputError
from reconstruction.ct.quality import CtReadSettings, find_slice_axis, refusal
from reconstruction.ct.scan import CtInfo, CtReading
from reconstruction.ct.voxels import as_compact, check_axes, finite, is_left_handed, right_handed

# What nibabel and the decompressors raise on a file that breaks off or holds nonsense, depending on where.
BROKEN = (OSError, EOFError, ValueError, TypeError, LookupError, OverflowError, MemoryError, zlib.error)
ATLAS_CODES = {3: "Talairach", 4: "MNI 152", 5: "template"}
ONE_IMAGE = "one three-dimensional image of real numbers"


def read_nifti(path: Path, settings: CtReadSettings) -> CtReading:
    """Reads a NIfTI file whose values are HU.

    Raises:
        UnreadableInputError: not NIfTI, cut short, 4-D, colour or complex, NaN or infinity.
        CtRefusedError: no affine, two that disagree, units other than mm, or a sheared grid.
    """
    image = load_nifti(path)
    affine_ras, reasons, notes = _checked_affine(image, settings)
    voxels = as_compact(_values(image))
    volume = right_handed(voxels, flip_affine_ras_lps(affine_ras))
    slices = volume.shape_ijk[find_slice_axis(volume)]
    info = CtInfo(format="nifti", slices=slices, i_reversed=is_left_handed(affine_ras))
    return CtReading(volume, info, tuple(reasons), tuple(notes))


def read_nifti_volume(path: Path, settings: CtReadSettings | None = None) -> Volume:
    """Reads any scalar NIfTI image (labels, probabilities) by the same rules, its values as they are stored."""
    image = load_nifti(path)
    affine_ras, _, _ = _checked_affine(image, settings or CtReadSettings())
    return right_handed(_values(image), flip_affine_ras_lps(affine_ras))


def load_nifti(path: Path) -> Any:
    """The image, voxels not yet read, or `UnreadableInputError` where it is not one scalar volume."""
    with from_extra("reconstruction"):
        import nibabel
        from nibabel.filebasedimages import ImageFileError
        from nibabel.spatialimages import HeaderDataError
        from nibabel.wrapstruct import WrapStructError

    try:
        image = nibabel.load(path, mmap=False)  # a mapped file could change under the volume
        image.header.get_xyzt_units()  # decoded only when asked for
        image.header.get_sform(coded=True)
    except (ImageFileError, HeaderDataError, WrapStructError, *BROKEN) as error:
        raise UnreadableInputError(
            f"a file that is no NIfTI image, or cut short ({type(error).__name__})",
            ".nii or .nii.gz",
            "copy or export it again",
        ) from None
    if not isinstance(image, nibabel.Nifti1Image):  # NIfTI-2 is a subclass
        raise UnreadableInputError(f"an image of type {type(image).__name__}", "NIfTI-1 or NIfTI-2", "convert it")
    kind = image.get_data_dtype()
    if kind.names is not None or kind.kind not in "iuf":
        raise UnreadableInputError(f"voxels of type {kind}", ONE_IMAGE, "export the CT itself, not a picture of it")
    if len(image.shape) < 3 or any(size != 1 for size in image.shape[3:]) or 0 in image.shape:
        raise UnreadableInputError(f"an image of shape {image.shape}", ONE_IMAGE, "export a single volume")
    return image


def _values(image: Any) -> NDArray[np.generic]:
    """Voxels ``(nk, nj, ni)``, scaled as the header says; plain integers are not turned into floats on the way."""
    slope, inter = image.dataobj.slope, image.dataobj.inter
    try:
        if (slope, inter) == (1, 0):
            values = np.asarray(image.dataobj.get_unscaled())
        else:
            values = np.asarray(image.dataobj, dtype=np.float32)
    except BROKEN as error:
        raise UnreadableInputError(
            f"a NIfTI file whose voxels are cut short ({type(error).__name__})",
            f"{image.shape} voxels",
            "copy or export it again",
        ) from None
    values = values.reshape(image.shape[:3], order="F").T
    return finite(values.astype(values.dtype.newbyteorder("="), copy=False))


def _checked_affine(image: Any, settings: CtReadSettings) -> tuple[Floats, list[str], list[str]]:
    """The affine to RAS mm that counts, with reasons against ``good`` and notes."""
    header = image.header
    reasons: list[str] = []
    notes: list[str] = []
    units = header.get_xyzt_units()[0]
    if units == "unknown":
        notes.append("the header names no unit of length; taken as mm, NIfTI's own")
    elif units != "mm":
        raise refusal((f"lengths in {units}",), "mm", "export it in mm")
    sform, sform_code = header.get_sform(coded=True)
    qform, qform_code = _qform(header)
    affine = qform if sform is None else sform
    if affine is None:
        raise refusal(
            ("neither sform nor qform, so no place in the patient",),
            "an affine with a code above 0",
            "export it again from DICOM with its orientation",
        )
    if sform is not None and qform is not None:
        _check_forms_agree(sform, qform, image.shape, settings)
    code = int(sform_code or qform_code)
    if code in ATLAS_CODES:
        reasons.append(f"coordinates of an atlas ({ATLAS_CODES[code]}), not of the patient")
    check_axes(affine)
    return affine, reasons, notes


def _qform(header: Any) -> tuple[Floats | None, int]:
    with from_extra("reconstruction"):
        from nibabel.spatialimages import HeaderDataError

    try:
        return header.get_qform(coded=True)
    except (HeaderDataError, ValueError, OverflowError):
        raise refusal(("a qform that is no rotation",), "a unit quaternion", "export it again from DICOM") from None


def _check_forms_agree(sform: Floats, qform: Floats, shape: tuple[int, ...], settings: CtReadSettings) -> None:
    corners = np.array([[i, j, k, 1.0] for i in (0, shape[0]) for j in (0, shape[1]) for k in (0, shape[2])])
    apart = float(np.linalg.norm((corners @ (sform - qform).T)[:, :3], axis=1).max())
    if not apart <= settings.max_form_disagreement_mm:  # a NaN is no agreement either
        raise refusal(
            (f"an sform and a qform that place a corner {apart:.4g} mm apart",),
            f"at most {settings.max_form_disagreement_mm:g} mm",
            "export it again from DICOM: which of the two is right cannot be known",
        )
