"""The lumbar spine of `spine_sweep.py` under muscle, fat and skin, seen in simulated images by the bone finder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geometry import Surface
from geometry.points import Floats
from navigation.simulation.ultrasound.formation import UltrasoundSimulator
from navigation.simulation.ultrasound.scan_path import ScanPath
from navigation.simulation.ultrasound.tissue import BONE, FAT, GAS, MUSCLE, TissueGrid
from reconstruction.ultrasound.bone_surface import find_bone_surface
from registration.renewal import Bones
from registration.surface.bone_sweep import TrackedBone
from tests.registration.spine_mistakes import Mistake, echoed
from tests.registration.spine_sweep import GEOMETRY, T_REFERENCE_CT, Chain, Links, Scanned, Sweep

SKIN_MM, FAT_MM = 17.0, 9.0


def patient(bones: Sequence[Surface], spacing_mm: float = 0.6) -> TissueGrid:
    """The back of a spine: bone in muscle, behind it fat and skin."""
    import open3d as o3d

    whole = Bones(bones[0], tuple(bones[1:])).all
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(whole.vertices_mm.astype(np.float32)), o3d.core.Tensor(whole.triangles.astype(np.uint32))
    )

    def inside(points: Floats) -> Floats:
        return 0.5 - np.asarray(scene.compute_occupancy(o3d.core.Tensor(points.astype(np.float32))).numpy(), float)

    low, high = whole.bounds_mm
    skin_mm = high[1] + SKIN_MM
    # The fronts of the bodies are never seen.
    corners = np.array([[low[0] - 15.0, -10.0, low[2] - 12.0], [high[0] + 15.0, skin_mm + 9.0, high[2] + 12.0]])
    shapes = {
        FAT: lambda points: skin_mm - FAT_MM - points[:, 1],
        BONE: inside,
        GAS: lambda points: skin_mm - points[:, 1],
    }
    return TissueGrid.of_shapes(shapes, MUSCLE, corners, spacing_mm)


def imaged_sweep(
    grid: TissueGrid,
    bones: Sequence[Surface],
    path: ScanPath,
    rng: np.random.Generator,
    frames: int,
    mistake: Mistake | None = None,
) -> Sweep:
    """A sweep whose bone the finder found in images, and whose map, lag, poses and speed of sound have errors.

    Sound that is faster than taken brings all echoes nearer along their beams; in the image or in what was found in it
    is the same.
    """
    chain, mistake = Chain(), mistake or Mistake()
    simulator = UltrasoundSimulator(grid, GEOMETRY, seed=int(rng.integers(2**31)))
    links, scanned = Links.drawn(chain, rng), Scanned(bones, path, T_REFERENCE_CT, chain)
    # Drawn from a generator of its own: without a mistake a run stays as it was.
    of_mistake = np.random.default_rng(rng.bit_generator.random_raw() if mistake != Mistake() else 0)
    side = float(of_mistake.choice([-1.0, 1.0]))
    sound = links.sound if mistake.sound is None else side * mistake.sound
    lag_s = links.lag_error_s if mistake.lag_s is None else side * mistake.lag_s
    tracked: list[TrackedBone] = []
    for t_s in np.linspace(0.0, path.period_s, frames):
        plane = mistake.breathed(path.T_ct_image_px(t_s), t_s)
        image = simulator.image(plane, seed=int(rng.integers(2**31)))
        found = find_bone_surface(echoed(image, of_mistake) if mistake.echoes else image)
        across, deep_mm = GEOMETRY.beams(np.column_stack([found.columns, found.rows]))
        px = GEOMETRY.points_px(across, deep_mm / (1.0 + sound))
        likelihood = np.maximum(found.likelihood, 1e-3)
        tracked.append(scanned.tracked(px, likelihood, t_s + lag_s, links, rng))
    return Sweep(tracked, links.probe)
