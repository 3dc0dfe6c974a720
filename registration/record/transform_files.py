"""Rigid transforms as ITK's text files (``.tfm``), which 3D Slicer opens as a transform node.

ITK's files hold the way back: where a point of the parent, in LPS, comes from. 3D Slicer turns that about, and flips
both sides, since its own axes are RAS.
"""

from __future__ import annotations

from pathlib import Path

from case.atomic import atomic_write
from geometry import Transform
from geometry.frames import CT
from geometry.orientation import flip_affine_ras_lps
from registration.errors import RegisteringError


def write_transform(path: Path, T_ct_device: Transform) -> None:
    """Writes a transform into ``ct`` from the frame of a device, atomically.

    In 3D Slicer its node takes points in the frame of the device, in mm and in the device's own axes, into the patient,
    RAS: what is put under the node, such as ``StylusTipToReference`` of OpenIGTLink, is where it is in the patient.

    Args:
        path: ends in ``.tfm``.
        T_ct_device: into ``ct``, which is LPS, in mm.

    Raises:
        RegisteringError: the wrong ending, or a transform into another frame.
    """
    if path.suffix != ".tfm":
        raise RegisteringError(f"a file name ending in {path.suffix!r}", "a name ending in .tfm", "rename the file")
    if T_ct_device.to_frame != CT:
        raise RegisteringError(
            f"a transform into {T_ct_device.to_frame!r}", f"one into {CT!r}", "state the other direction"
        )
    matrix = flip_affine_ras_lps(T_ct_device.inverse().matrix)
    parameters = [*matrix[:3, :3].ravel().tolist(), *matrix[:3, 3].tolist()]
    lines = [
        "#Insight Transform File V1.0",
        "#Transform 0",
        "Transform: AffineTransform_double_3_3",
        f"Parameters: {' '.join(map(repr, parameters))}",
        "FixedParameters: 0 0 0",
    ]
    atomic_write(path, ("\n".join(lines) + "\n").encode("ascii"))
