"""A probe that is moved over a spine, given the tissues alone: a registration by ultrasound rehearsed in a room."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry.points import Floats
from navigation.errors import DeviceError
from navigation.simulation.ultrasound.patient_scan import ScannedPatient
from navigation.simulation.ultrasound.scan_path import ScanPath
from navigation.simulation.ultrasound.tissue import BONE, GAS, TissueGrid

# A convex probe for the spine.
GEOMETRY = ScanGeometry.convex((400, 340), (0.3, 0.3), radius_mm=50.0, half_angle_rad=np.deg2rad(32.0), depth_mm=95.0)
INTO: Floats = np.array([0.0, -1.0, 0.0])  # LPS: from the back to the front
_BESIDE_MM, _PLACES, _PERIOD_S, _RATE_HZ = 14.0, 9, 10.0, 15.0


def spine_scan(tissue_file: Path, lag_ms: float, seed: int) -> ScannedPatient:
    """Up the back along one side of all bone in the tissues, and down along the other.

    Args:
        tissue_file: as `TissueGrid.write` writes it, in ``ct``, with bone, and with gas behind the back.
        lag_ms: an image stamped t shows what the probe saw at t plus this.
        seed: of the scatterers.

    Raises:
        DeviceError: a file that cannot be read, or tissues without bone or gas.
    """
    try:
        tissue = TissueGrid.read(tissue_file)
    except (OSError, ValueError, KeyError) as error:
        raise DeviceError(
            f"{tissue_file.name}, which cannot be read: {error}", "tissues as TissueGrid.write writes them", "write it"
        ) from error
    missing = [each.name for each in (BONE, GAS) if each not in tissue.tissues]
    if missing or not (is_bone := tissue.classes == tissue.tissues.index(BONE)).any():
        raise DeviceError(
            f"tissues of {tissue_file.name} without {' and '.join(missing) or 'a voxel of bone'}",
            "a spine, and gas behind the back",
            "write the tissues of a patient's back",
        )
    along = [np.flatnonzero(is_bone.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    low, high = (tissue.origin_ct_mm + tissue.spacing_mm * np.array([each[k] for each in along]) for k in (0, -1))
    middle_mm, up_mm = 0.5 * (low[0] + high[0]), np.linspace(low[2], high[2], _PLACES)
    outside_mm = tissue.origin_ct_mm[1] + tissue.spacing_mm * tissue.classes.shape[1]
    sides = ((middle_mm - _BESIDE_MM, up_mm), (middle_mm + _BESIDE_MM, up_mm[::-1]))
    behind = np.vstack([np.column_stack([np.full(_PLACES, x), np.full(_PLACES, outside_mm), z]) for x, z in sides])
    faces = tissue.skin_under(behind, INTO)
    path = ScanPath(faces, np.array([1.0, 0.0, 0.0]), INTO, GEOMETRY, _PERIOD_S)
    return ScannedPatient(tissue=tissue_file, path=path, lag_ms=lag_ms, rate_hz=_RATE_HZ, seed=seed)
