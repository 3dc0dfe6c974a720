"""A freehand volume as a file that other programs open."""

from __future__ import annotations

from pathlib import Path

from geometry.extras import from_extra
from geometry.volume import Volume
from navigation.errors import DeviceError

SUFFIXES = (".nrrd", ".mha", ".nii.gz", ".nii")


def check_volume_path(path: Path) -> None:
    """Refuses a kind of file before the work begins.

    Raises:
        DeviceError: not one of `SUFFIXES`.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise DeviceError(f"the file {path.name}", f"a name that ends in {', '.join(SUFFIXES)}", "choose another --out")


def write_volume(path: Path, volume: Volume) -> None:
    """Writes the voxels with their place: readers of DICOM's axes (ITK, 3D Slicer, VTK) get the frame's own mm.

    NRRD and NIfTI say which axes these are: left, posterior, superior, which is so in ``ct``. A ``reference`` or
    ``tracker`` knows no patient; there the letters are only names of x, y and z, as in PLUS's files.
    """
    with from_extra("reconstruction"):
        import SimpleITK as sitk

    image = sitk.GetImageFromArray(volume.voxels)
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(volume.origin_mm.tolist())
    image.SetDirection(volume.direction.ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
