"""A CT that is oblique, anisotropic and larger than a window, as a volume and as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from case.nifti_files import write_nifti
from geometry.volume import Volume
from reconstruction.ct.nifti import read_nifti_volume


@pytest.fixture(scope="session")
def oblique_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blobs of -800 to 800 HU on 2.5 x 2.3 x 3 mm, turned by some degrees, in no usual order of axes."""
    rng = np.random.default_rng(4)
    blobs = gaussian_filter(rng.normal(size=(40, 52, 46)), 2.0)
    hu = np.clip(blobs / blobs.std() * 300, -800, 800)
    turn = Rotation.from_euler("xyz", [8, -5, 12], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-1.0, -1.0, 1.0]) @ np.diag([2.5, 2.3, 3.0])
    affine[:3, 3] = 30.0, 80.0, -200.0
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    write_nifti(path, Volume(np.rint(hu).astype(np.int16), affine))
    return path


@pytest.fixture(scope="session")
def oblique_ct(oblique_file: Path) -> Volume:
    """The volume as it comes from the file, whose affine is single precision."""
    return read_nifti_volume(oblique_file)
