"""The tracked transforms of a PLUS sequence, as `Transform` with our names of frames."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from geometry import Transform
from geometry.errors import InvalidFrameError
from geometry.frames import CT, check_frame
from geometry.points import Floats
from navigation.devices.ultrasound.plus.header import PlusHeader

Poses = Mapping[str, Transform | None]

SUFFIX = "Transform"
# Six printed digits put a rotation off orthonormal by 3e-6, an electromagnetic tracker of PLUS's own recordings by
# 5.3e-4; the scale of a pixel, which is no error, by far more.
MOST_OFF_ORTHONORMAL = 1e-3


def read_poses(header: PlusHeader) -> tuple[tuple[Poses, ...], tuple[str, ...]]:
    """The transforms of each frame, and notes on those that are not valid.

    ``ProbeToTrackerTransform`` is ``T_tracker_probe``: it maps points from the probe to the tracker. ``StylusTip``
    becomes ``stylus_tip``. Every transform of the sequence is listed in every frame. It is None where its status is
    not OK or not stated, where it was not recorded, or where it is not rigid (a scale, a shear, a reflection);
    rotations are made orthonormal again to the last digit. Names that do not give two frames, and transforms to or
    from ``ct``, whose axes PLUS leaves open, are left out; both are noted.

    Returns:
        For each frame ``T_<to>_<from>`` to the transform or None; the notes.

    Raises:
        DeviceError: a transform that is not 16 numbers, or two PLUS names that become the same of ours.
    """
    names = sorted({key for frame in header.frames for key in frame if key.endswith(SUFFIX)})
    frames: list[dict[str, Transform | None]] = [{} for _ in header.frames]
    notes: list[str] = []
    sources: dict[str, str] = {}
    for plus_name in names:
        ends = frame_names(plus_name.removesuffix(SUFFIX))
        if ends is None:
            notes.append(f"{plus_name} left out: not the names of two frames")
            continue
        to_frame, from_frame = ends
        if CT in ends:
            notes.append(f"{plus_name} left out: the file does not say which axes its CT has")
            continue
        name = f"T_{to_frame}_{from_frame}"
        if name in sources:
            raise header.refuse(f"{sources[name]} and {plus_name}, both {name}", "one transform between two frames")
        sources[name] = plus_name
        for frame, pose in zip(frames, _transforms(header, plus_name, to_frame, from_frame, notes), strict=True):
            frame[name] = pose
    return tuple(frames), tuple(notes)


def frame_names(plus_name: str) -> tuple[str, str] | None:
    """``(to, from)`` in our names for PLUS's ``FromToTo``; None unless there is exactly one way to split it."""
    splits = [found.start() for found in re.finditer(r"(?<=[A-Za-z0-9])To(?=[A-Z0-9])", plus_name)]
    if len(splits) != 1:
        return None
    names = (snake_case(plus_name[splits[0] + 2 :]), snake_case(plus_name[: splits[0]]))
    try:
        return check_frame(names[0]), check_frame(names[1])
    except InvalidFrameError:
        return None


def snake_case(name: str) -> str:
    """``StylusTip`` as ``stylus_tip``, ``RAS`` as ``ras``, ``CTImage`` as ``ct_image``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _transforms(
    header: PlusHeader, plus_name: str, to_frame: str, from_frame: str, notes: list[str]
) -> list[Transform | None]:
    matrices = np.full((len(header.frames), 4, 4), np.nan)
    stated = np.zeros(len(header.frames), bool)
    valid = np.zeros(len(header.frames), bool)
    for index, frame in enumerate(header.frames):
        if (text := frame.get(plus_name)) is not None:
            matrices[index] = _matrix(header, index, plus_name, text)
            stated[index] = True
            valid[index] = frame.get(f"{plus_name}Status", "").upper() == "OK"
    rigid, rotations = _rigid(matrices)
    matrices[:, :3, :3] = rotations
    matrices[:, 3] = (0.0, 0.0, 0.0, 1.0)  # what is rigid has it already, but for the sign of its zeros
    name, count = f"T_{to_frame}_{from_frame}", len(header.frames)
    if missing := int((~(stated & valid)).sum()):
        notes.append(f"{name} is not valid, or not recorded, in {missing} of {count} frames")
    if bent := np.flatnonzero(valid & ~rigid).tolist():
        notes.append(f"{name} is not rigid, and given as missing, in {len(bent)} of {count} frames, first in {bent[0]}")
    return [
        Transform(matrix, to_frame, from_frame) if good else None
        for matrix, good in zip(matrices, valid & rigid, strict=True)
    ]


def _matrix(header: PlusHeader, index: int, plus_name: str, text: str) -> Floats:
    try:
        return np.array(text.split(), np.float64).reshape(4, 4)
    except ValueError as error:
        came = f"{plus_name} = {text[:60]} in frame {index}"
        raise header.refuse(came, "the 16 numbers of a matrix, row by row") from error


def _rigid(matrices: Floats) -> tuple[np.ndarray, Floats]:
    """Which of the matrices ``(n, 4, 4)`` are rigid, and the rotations ``(n, 3, 3)`` nearest to those."""
    rotations = matrices[:, :3, :3].copy()
    finite = np.isfinite(matrices).all(axis=(1, 2))
    rotations[~finite] = np.eye(3)
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        rigid = finite & (off <= MOST_OFF_ORTHONORMAL) & (matrices[:, 3] == (0.0, 0.0, 0.0, 1.0)).all(axis=1)
    rotations[~rigid] = np.eye(3)
    u, _, vt = np.linalg.svd(rotations)
    nearest = u @ vt
    return rigid & (np.linalg.det(nearest) > 0), nearest
