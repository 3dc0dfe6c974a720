"""What tests of the whole repository share: its packages, what is heavy to import, and the files that git tracks."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = (
    *("geometry", "case", "calibration", "reconstruction", "registration", "unity_bridge", "navigation"),
    "surgnav",
)
HEAVY = {"torch", "monai", "vtk", "vtkmodules", "open3d", "openvino", "onnxruntime", "onnx", "SimpleITK", "cv2"} | {
    "matplotlib",
    "highdicom",
    "nibabel",
    "skimage",
    "trimesh",
}


def tracked_files() -> list[Path]:
    """Every file that git tracks and that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git checkout: the files that would be committed are unknown")
    return [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name and (REPOSITORY / name).is_file()]
