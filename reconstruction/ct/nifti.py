"""NIfTI in and out: RAS on disk, LPS inside; voxels and affine are turned together or not at all.

Which affine of the two that NIfTI-1 can carry counts: the sform where its code is above 0, else the qform; with
neither, the place in the patient is unknown and the file is refused. Where both are set they must agree.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.frames import CT
from geometry.orientation import flip_affine_ras_lps
from geometry.points import Floats
from geometry.volume import ORTHOGONALITY_TOLERANCE, Volume
from reconstruction.ct.quality import CtDoorSettings, counted, find_slice_axis, refusal
from reconstruction.ct.scan import CtInfo, CtReading
from reconstruction.errors import UnreadableInputError

# What nibabel and the decompressors raise on a file that breaks off or holds nonsense, depending on where.
BROKEN = (OSError, EOFError, ValueError, TypeError, LookupError, OverflowError, MemoryError, zlib.error)
ATLAS_CODES = {3: "Talairach", 4: "MNI 152", 5: "template"}
ONE_IMAGE = "one three-dimensional image of real numbers"


def read_nifti(path: Path, settings: CtDoorSettings) -> CtReading:
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


def read_nifti_volume(path: Path, settings: CtDoorSettings | None = None) -> Volume:
    """Reads any scalar NIfTI image (labels, probabilities) by the same rules, its values as they are stored."""
    image = load_nifti(path)
    affine_ras, _, _ = _checked_affine(image, settings or CtDoorSettings())
    return right_handed(_values(image), flip_affine_ras_lps(affine_ras))


def write_nifti(path: Path, volume: Volume) -> None:
    """Writes a volume in the frame ``ct`` as NIfTI-1: RAS affine as sform and qform, code 1 (scanner), mm.

    `path` ends in ``.nii`` or ``.nii.gz``. The same volume gives the same bytes.
    """
    _save(path, volume.voxels, volume.affine)


def write_probability_nifti(path: Path, probability: Volume) -> None:
    """Writes a probability as one byte a voxel with a scale of 1/255, so that every reader sees 0 to 1.

    Args:
        path: ends in ``.nii`` or ``.nii.gz``.
        probability: floats from 0 to 1, kept within 1/510; or uint8, taken as 255ths and kept exactly.
    """
    in_255ths = np.asarray(probability.voxels)
    if in_255ths.dtype != np.uint8:
        in_255ths = np.rint(np.clip(in_255ths, 0.0, 1.0) * 255.0).astype(np.uint8)
    _save(path, in_255ths, probability.affine, slope=1.0 / 255.0)


def _save(path: Path, voxels: NDArray[np.generic], affine: Floats, slope: float = 1.0) -> None:
    import nibabel

    affine_ras = flip_affine_ras_lps(affine)
    image = nibabel.Nifti1Image(voxels.T, affine_ras, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(slope, 0.0)  # a slope that is set is written beside the voxels, which stay as they are
    image.set_sform(affine_ras, code=1)
    image.set_qform(affine_ras, code=1, strip_shears=True)
    nibabel.save(image, path)


def is_left_handed(affine: Floats) -> bool:
    return bool(np.linalg.det(affine[:3, :3]) < 0.0)


def right_handed(voxels: NDArray[np.generic], affine: Floats) -> Volume:
    """Volume of voxels ``(nk, nj, ni)``; a left-handed affine is righted by reversing i together with its column.

    The centre of every voxel stays where it was.
    """
    if is_left_handed(affine):
        last = voxels.shape[2] - 1
        affine = affine.copy()
        affine[:3, 3] += last * affine[:3, 0]
        affine[:3, 0] *= -1.0
        voxels = voxels[:, :, ::-1]
    return Volume(np.ascontiguousarray(voxels), affine + 0.0, CT)  # + 0.0: no -0.0


def as_compact(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """HU as int16 where they are whole numbers that fit, else as float32; slice by slice, to spare memory."""
    if values.dtype == np.int16:
        return values
    limits = np.iinfo(np.int16)
    fits = values.min() >= limits.min and values.max() <= limits.max
    if fits and (values.dtype.kind in "iu" or all(np.array_equal(part, np.rint(part)) for part in values)):
        return values.astype(np.int16)
    return values.astype(np.float32)


def load_nifti(path: Path) -> Any:
    """The image, voxels not yet read, or `UnreadableInputError` where it is not one scalar volume."""
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


def finite(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same voxels ``(nk, nj, ni)``, or `UnreadableInputError` where some are NaN or infinite."""
    if values.dtype.kind == "f":
        bad = sum(int(values[k].size - np.isfinite(values[k]).sum()) for k in range(len(values)))
        if bad:
            raise UnreadableInputError(
                f"NaN or infinity in {counted(bad, 'voxel')}", "finite values", "export again without masking"
            )
    return values


def _checked_affine(image: Any, settings: CtDoorSettings) -> tuple[Floats, list[str], list[str]]:
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
    from nibabel.spatialimages import HeaderDataError

    try:
        return header.get_qform(coded=True)
    except (HeaderDataError, ValueError, OverflowError):
        raise refusal(("a qform that is no rotation",), "a unit quaternion", "export it again from DICOM") from None


def _check_forms_agree(sform: Floats, qform: Floats, shape: tuple[int, ...], settings: CtDoorSettings) -> None:
    corners = np.array([[i, j, k, 1.0] for i in (0, shape[0]) for j in (0, shape[1]) for k in (0, shape[2])])
    apart = float(np.linalg.norm((corners @ (sform - qform).T)[:, :3], axis=1).max())
    if not apart <= settings.max_form_disagreement_mm:  # a NaN is no agreement either
        raise refusal(
            (f"an sform and a qform that place a corner {apart:.4g} mm apart",),
            f"at most {settings.max_form_disagreement_mm:g} mm",
            "export it again from DICOM; which of the two is true cannot be told",
        )


def check_axes(affine: Floats) -> None:
    """Refuses an affine that is not finite, flat or sheared."""
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(affine).all() or (lengths <= 0).any():
        raise refusal(
            ("an affine that is not finite, or flat",), "three axes with a length", "export it again from DICOM"
        )
    cosines = np.abs((axes / lengths).T @ (axes / lengths) - np.eye(3))
    if cosines.max() > ORTHOGONALITY_TOLERANCE:
        raise refusal(
            (f"a sheared grid: axes {90 - np.degrees(np.arccos(cosines.max())):.2f} degrees off square",),
            "orthogonal axes",
            "resample it onto an orthogonal grid, or export the untilted series",
        )
