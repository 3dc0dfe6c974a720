"""A case of the torso phantom: its CT, and its skin as a surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from case.case import Case, MadeBy
from case.nifti_files import write_nifti
from reconstruction.ct.read import read_ct
from reconstruction.in_case import CT_ID, add_ct_copy
from reconstruction.phantom.torso import TorsoPhantom, TorsoPhantomSettings, make_torso_phantom
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface

TIME = "2026-01-02T03:04:05+00:00"
MADE_BY = MadeBy(program="test", version="1", time=TIME)
# Half maximum between air and skin.
SKIN = SurfaceSettings(level=-500.0, outside=-1000.0, smallest_part_ml=1000.0, keep_cavities=False)


def phantom_case(root: Path) -> tuple[Path, TorsoPhantom]:
    """The case, with the skin approved, and the phantom, which has the truth."""
    settings = TorsoPhantomSettings(spacing_mm=(2.5, 2.5, 3.0), noise_hu=0.0)
    phantom = make_torso_phantom(settings, np.random.default_rng(6))
    write_nifti(root.parent / "ct.nii.gz", phantom.ct)
    scan = read_ct(root.parent / "ct.nii.gz")
    with Case.create(root, "phantom", TIME) as case:
        add_ct_copy(case, scan, MADE_BY)
        skin = extract_surface(scan.volume, "body", SKIN).surface
        case.add_surface(replace(skin, name="body"), MADE_BY, made_from=(CT_ID,))
    case.decide("body", "approved", "Dr Test", TIME)
    return root, phantom
