"""A tracked ultrasound probe moved over the back of a vertebra: what a beam meets first, with a beam's errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.surfaces.from_labels import surface_from_labels
from registration.surface.bone_points import BeamSettings, BoneEcho
from registration.uncertainty.perturbation import moved

PIXEL_MM = (0.2, 0.15)
WIDTH_MM, DEPTH_MM, COLUMNS = 44.0, 70.0, 60
# Any rigid calibration will do; this one is oblique and some cm off the marker.
T_PROBE_IMAGE = Transform.from_rotation(Rotation.from_rotvec([0.3, -1.1, 2.0]), [-20.0, 15.0, 40.0], "probe", "image")
# Bone seen at less than this angle sends its echo past the probe.
GRAZING_DEG = 25.0


def vertebra(shared_data: Path) -> Surface:
    """The middle one of three lumbar vertebrae, from a mask at 1.5 mm."""
    folder = shared_data / "ct" / "tptbox_vertebra_crop"
    labels = read_nifti_volume(folder / "sub-ct_seg-vert_label-22_msk.nii.gz")
    return surface_from_labels(labels, 22, "vertebra").surface


def scan(
    bone: Surface, T_reference_ct: Transform, beam: BeamSettings, rng: np.random.Generator, frames: int = 60
) -> list[BoneEcho]:
    """Frames across the spine, moved along it and tilted, from behind: ct is LPS, behind is +y.

    Each beam is a ray; the first bone that it meets gives an echo, with the beam's errors in depth, along the row, and
    out of the plane (there the ray itself is displaced: the scanner does not know where in the slice the bone was met).
    """
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    centre = bone.bounds_mm.mean(axis=0)
    vertices = (bone.vertices_mm - centre).astype(np.float32)
    scene.add_triangles(o3d.core.Tensor(vertices), o3d.core.Tensor(bone.triangles.astype(np.uint32)))
    low, high = bone.bounds_mm
    echoes = []
    for number in range(frames):
        head = low[2] + (high[2] - low[2]) * (number + 0.5) / frames
        side = centre[0] + rng.uniform(-18.0, 18.0)
        # Columns: x to the patient's left, y forward (away from the probe), z = x cross y.
        upright = np.column_stack([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
        tilt = Rotation.from_rotvec(np.deg2rad(rng.uniform(-20.0, 20.0, 3) * [1.0, 0.5, 1.0]))
        axes = tilt.apply(upright.T).T
        start = np.array([side, high[1] + 10.0, head]) - WIDTH_MM / 2.0 * axes[:, 0]
        true_pose = T_reference_ct @ Transform.from_rotation(Rotation.from_matrix(axes), start, "ct", "image")
        echoes.append(_echo(scene, centre, axes, start, true_pose, beam, rng))
    return echoes


def _echo(
    scene: object,
    centre: np.ndarray,
    axes: np.ndarray,
    start: np.ndarray,
    T_reference_image: Transform,
    beam: BeamSettings,
    rng: np.random.Generator,
) -> BoneEcho:
    import open3d as o3d

    x_mm = np.linspace(0.0, WIDTH_MM, COLUMNS)
    # Where the beam really went: off its column, and off the plane.
    off_x, off_z = beam.lateral_sd_mm * rng.normal(size=COLUMNS), beam.elevation_sd_mm * rng.normal(size=COLUMNS)
    origins = start + (x_mm + off_x)[:, None] * axes[:, 0] + off_z[:, None] * axes[:, 2] - centre
    rays = np.hstack([origins, np.broadcast_to(axes[:, 1], origins.shape)]).astype(np.float32)
    hit = scene.cast_rays(o3d.core.Tensor(rays))
    depth_mm = hit["t_hit"].numpy().astype(float)
    facing = np.abs(np.einsum("nj,j->n", hit["primitive_normals"].numpy().astype(float), axes[:, 1]))
    seen = (depth_mm < DEPTH_MM) & (facing > np.sin(np.deg2rad(GRAZING_DEG)))
    measured_mm = depth_mm[seen] + beam.axial_sd_mm * rng.normal(size=int(seen.sum()))
    T_reference_probe = T_reference_image @ T_PROBE_IMAGE.inverse()
    # The tracker's own error, at the bone.
    shift = np.concatenate([np.zeros(3), beam.tracking_sd_mm * rng.normal(size=3)])
    tracked = moved(T_reference_probe, shift, T_reference_image.translation_mm)
    return BoneEcho(np.column_stack([x_mm[seen], measured_mm]) / PIXEL_MM, tracked)
