"""Recorded sequences of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def plus_sequence(data: Path, name: str) -> list[np.ndarray]:
    """The frames of one of PlusToolkit's recordings."""
    import SimpleITK as sitk

    path = data / "tracking" / "pluslib" / "TestImages" / f"{name}.igs.mha"
    return list(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def plus_names(data: Path) -> list[str]:
    """Its recordings that have images; the others are sequences of poses."""
    import SimpleITK as sitk

    names = []
    for path in sorted((data / "tracking" / "pluslib" / "TestImages").glob("*.igs.mha")):
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            continue
        if min(reader.GetSize()[:2]) > 1:
            names.append(path.name.removesuffix(".igs.mha"))
    return names


def liver(data: Path) -> list[np.ndarray]:
    """ImFusion's sweep over a liver with a convex probe."""
    return list(np.load(data / "us" / "imfusion_liver_sweep" / "liver_sweep_decoded.npz")["frames"])
