"""A sweep that was compounded live as files, the same that ``surgnav ultrasound volume`` writes of a recorded one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from case.atomic import atomic_path
from case.mesh_files import write_surface
from geometry.surface import Surface
from navigation.terminal.json_files import write_json_file
from navigation.ultrasound.freehand.files import write_volume
from navigation.ultrasound.freehand.live_volume import LiveVolume
from navigation.ultrasound.freehand.pictures import save_slices
from navigation.ultrasound.freehand.report import coverage_numbers
from reconstruction.freehand.coverage import sweep_coverage
from reconstruction.freehand.holes import Filled

SUFFIX = ".nrrd"


def write_sweep(path: Path, volume: LiveVolume, filled: Filled, surface: Surface | None, about: dict[str, Any]) -> Path:
    """Writes the volume, and beside it a picture, the surface where there is one, and last the report.

    Args:
        path: of all files, without their endings.
        volume: its frames.
        filled: as it is kept.
        surface: of it.
        about: what else the report is to say.

    Returns:
        The path of the volume.
    """
    coverage = sweep_coverage(filled, volume.mask, np.array(volume.T_reference_image_px))
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(path.name + SUFFIX)
    with atomic_path(whole) as partial:
        write_volume(partial, filled.compounded.volume)
    with atomic_path(path.with_name(f"{path.name}.png")) as partial:
        save_slices(partial, filled, coverage)
    if surface is not None:
        write_surface(path.with_name(f"{path.name}_surface.stl"), surface)
    grid, T_ct_reference = filled.compounded.grid, volume.T_ct_reference
    numbers = {
        "frame": grid.frame,
        "frames": volume.n_frames,
        "left_out": dict(volume.left_out),
        "spacing_mm": grid.spacing_mm.tolist(),
        "origin_mm": grid.origin_mm.round(4).tolist(),
        "shape_ijk": list(grid.shape_ijk),
        "T_ct_reference": None if T_ct_reference is None else T_ct_reference.matrix.tolist(),
        "surface_ml": None if surface is None else round(surface.volume_ml, 3),
    }
    write_json_file(path.with_name(f"{path.name}.json"), about | numbers | coverage_numbers(coverage))
    return whole
