"""The patient of the demo: a CT, with the true skin, markers and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from case.nifti_files import write_nifti
from geometry import Surface, Volume
from geometry.points import Floats
from navigation.demo.data import ATTRIBUTION, fetch_demo_ct
from navigation.errors import DemoDataError
from navigation.simulation.patient import PatientSkin, SkinPoints
from reconstruction.ct.scan import CtScan
from reconstruction.phantom.torso import TorsoPhantom, make_torso_phantom
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface

_AIR_HU = -1000.0
_SKIN_HU = -500.0  # half maximum between air and soft tissue
_LANDMARKS = 6


@dataclass(frozen=True, eq=False)
class Subject:
    """The patient of the demo.

    Attributes:
        ct_path: the CT, which is all that the system is given.
        description: what the CT is, in words.
        attribution: attribution that the CT's licence requires; empty if none.
        phantom: the phantom that the CT was made from; None for a real CT.
        targets_ct: name -> target ``(3,)`` in ``ct``; empty for a real CT.
    """

    ct_path: Path
    description: str
    attribution: str = ""
    phantom: TorsoPhantom | None = None
    targets_ct: Mapping[str, Floats] = field(default_factory=dict)

    def true_skin(self, scan: CtScan) -> PatientSkin:
        """The true skin: from the phantom's formula or from the CT's grey values, never from the network."""
        surface = _phantom_skin(self.phantom) if self.phantom else _skin_of(scan.volume)
        return PatientSkin(surface)

    def markers(self, skin: PatientSkin) -> SkinPoints:
        """The true markers: the phantom's six markers nearest to the front, or six on the skin of a real patient."""
        if self.phantom is None:
            return skin.markers()
        centres = np.array(list(self.phantom.marker_centres_ct.values()))
        outward = centres - skin.centre_mm
        outward[:, 2] = 0.0
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        front = np.argsort(outward[:, 1])[:_LANDMARKS]
        return SkinPoints(centres[front], outward[front])


def choose_subject(ct: Path | None, offline: bool, folder: Path, seed: int, warn: Callable[[str], None]) -> Subject:
    """The patient of `ct` if given, else of the demo's real chest CT, else (offline) the phantom.

    Args:
        ct: a CT to use; None for the demo's.
        offline: uses the phantom and downloads nothing.
        folder: where the phantom's CT is written.
        seed: determines the phantom.
        warn: called if the real CT cannot be downloaded and the phantom is used instead.
    """
    if ct is not None:
        return Subject(ct, f"CT given with --ct ({ct.name})")
    if not offline:
        try:
            return Subject(fetch_demo_ct(), "real chest CT (LIDC-IDRI)", ATTRIBUTION)
        except DemoDataError as error:
            warn(f"{error} The procedural phantom is used instead.")
    phantom = make_torso_phantom(None, np.random.default_rng([seed, 6]))
    path = folder / "phantom_ct.nii.gz"
    write_nifti(path, phantom.ct)
    return Subject(path, "procedural torso phantom, no real patient", phantom=phantom, targets_ct=phantom.targets_ct)


def _skin_of(ct: Volume) -> Surface:
    settings = SurfaceSettings(level=_SKIN_HU, outside=_AIR_HU, smallest_part_ml=1000.0, keep_cavities=False)
    return extract_surface(ct, "true_skin", settings).surface


def _phantom_skin(phantom: TorsoPhantom) -> Surface:
    """The zero level of the body's signed distance, sampled at every other voxel (3 mm), since it is nearly plane."""
    ct = phantom.ct
    coarse = ct.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    shape = tuple(-(-n // 2) for n in ct.voxels.shape)
    grid = Volume(np.zeros(shape, np.float32), coarse, ct.frame)
    k, j, i = np.indices(shape)
    points_ct = grid.index_to_mm(np.stack([i, j, k], axis=-1).reshape(-1, 3))
    depth_mm = -phantom.signed_distance_mm("body", points_ct).reshape(shape)
    field_mm = grid.with_voxels(np.clip(depth_mm, -10.0, 10.0).astype(np.float32))
    return extract_surface(field_mm, "true_skin", SurfaceSettings(level=0.0, outside=-10.0)).surface
