"""A convex probe swept over a lumbar spine, echo by echo: with an error of every link, of other kinds than assumed.

Poses jitter and are distorted smoothly over the room, map and lag differ from their calibrations, sound is slower or
faster than the scanner takes, echoes begin early or late, a few columns follow fasciae above the bone or reverberations
below it, and pieces of bone are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry import Surface, Transform
from geometry.frames import CT, PROBE, REFERENCE
from geometry.points import Floats
from navigation.simulation.ultrasound.scan_path import ScanPath, true_columns_mm
from registration.renewal import Bones
from registration.surface.bone_sweep import ProbeMap, TrackedBone
from registration.uncertainty.perturbation import moved

GEOMETRY = ScanGeometry.convex((400, 340), (0.3, 0.3), radius_mm=50.0, half_angle_rad=np.deg2rad(32.0), depth_mm=95.0)
COLUMNS_MM = true_columns_mm(GEOMETRY)
T_REFERENCE_CT = Transform.from_rotation(
    Rotation.from_euler("xyz", [80.0, -15.0, 30.0], degrees=True), [150.0, -60.0, -80.0], REFERENCE, CT
)
LEVELS = ("vertebra_l2", "vertebra_l3", "vertebra_l4", "vertebra_l5")


def lumbar(shared_data: Path) -> tuple[Surface, ...]:
    """Four vertebrae of a mean shape, from the head down, turned so that behind is +y, as in ct (LPS)."""
    folder = shared_data / "spine" / "lumbar_mean_shape"
    vertices = np.loadtxt(folder / "meanMesh_vertices.csv", delimiter=",")
    triangles = np.loadtxt(folder / "meanMesh_faces.csv", delimiter=",").astype(np.int32) - 1
    # In the file behind is -x, and the sides are +y and -y.
    return split(vertices @ np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), triangles)


def split(vertices: np.ndarray, triangles: np.ndarray) -> tuple[Surface, ...]:
    """The connected parts, from the head down."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = np.vstack([triangles[:, :2], triangles[:, 1:]]).T
    ones = np.ones(pairs.shape[1])
    _, part = connected_components(coo_matrix((ones, tuple(pairs)), shape=(len(vertices),) * 2), directed=False)
    order = sorted(np.unique(part), key=lambda number: -vertices[part == number, 2].mean())
    surfaces = []
    for name, number in zip(LEVELS, order, strict=True):
        of_it = np.flatnonzero(part == number)
        renumbered = np.zeros(len(vertices), np.int32)
        renumbered[of_it] = np.arange(len(of_it))
        chosen = triangles[part[triangles[:, 0]] == number]
        surfaces.append(Surface(vertices[of_it], renumbered[chosen], CT, name))
    return tuple(surfaces)


def path_over(bones: Sequence[Surface], period_s: float = 24.0, levels: tuple[float, float] = (0.0, 1.0)) -> ScanPath:
    """Along one side of the spine and back along the other, twice, some 18 mm behind the spinous processes.

    Args:
        levels: between which shares of the spine's length from its lower end.
    """
    low, high = Bones(bones[0], tuple(bones[1:])).all.bounds_mm
    middle, behind = 0.5 * (low[0] + high[0]), high[1] + 18.0
    z = low[2] + (high[2] - low[2]) * np.linspace(*levels, 9)
    up = np.column_stack([np.full(9, middle - 14.0), np.full(9, behind), z])
    down = np.column_stack([np.full(9, middle + 14.0), np.full(9, behind), z[::-1]])
    return ScanPath(np.vstack([up, down]), np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]), GEOMETRY, period_s)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Standard deviations of the errors of all links; zeros for none of them."""

    map_sd_px: float = 6e-4  # relative, of each column of the map
    origin_sd_mm: float = 0.4
    lag_sd_s: float = 0.004
    sound: float = 0.02  # evenly spread to both sides
    jitter_mm: float = 0.12
    jitter_rad: float = 7e-4
    distortion_mm: float = 0.2
    mark_mm: float = 0.4  # of the mark in the echo, the same in a whole sweep
    axial_mm: float = 0.35
    false_share: float = 0.12
    lost_share: float = 0.25

    def scaled(self, factor: float) -> Chain:
        return Chain(**{name: factor * value for name, value in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Sweep:
    """What was measured, and with which calibration."""

    frames: list[TrackedBone]
    probe: ProbeMap


@dataclass(eq=False)
class Scanned:
    """The probe over true bone, which may differ from the CT's."""

    bones: Sequence[Surface]
    path: ScanPath
    T_reference_ct: Transform = T_REFERENCE_CT
    chain: Chain = field(default_factory=Chain)
    beams: int = 64

    def __post_init__(self) -> None:
        import open3d as o3d

        self._all = Bones(self.bones[0], tuple(self.bones[1:])).all
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            o3d.core.Tensor(self._all.vertices_mm.astype(np.float32)),
            o3d.core.Tensor(self._all.triangles.astype(np.uint32)),
        )

    def sweep(
        self, rng: np.random.Generator, frames: int = 80, lag_error_s: float | None = None, mirrored: bool = False
    ) -> Sweep:
        """One sweep with errors drawn anew. Either of the last two is a mistake that no calibration knows."""
        links = Links.drawn(self.chain, rng)
        lag_s = links.lag_error_s if lag_error_s is None else lag_error_s
        times = np.linspace(0.0, self.path.period_s, frames)
        tracked = []
        for t_s in times:
            px, likelihood = self._echoes(self.path.T_ct_image_px(t_s), links, rng)
            if mirrored and len(px):
                px = px * [-1.0, 1.0] + [GEOMETRY.size_px[0] - 1.0, 0.0]
            tracked.append(self.tracked(px, likelihood, t_s + lag_s, links, rng))
        return Sweep(tracked, links.probe)

    def tracked(
        self, px: Floats, likelihood: Floats, t_s: float, links: Links, rng: np.random.Generator
    ) -> TrackedBone:
        """Echoes with the measured pose and speed of the probe at a time."""
        pose = self.T_reference_ct @ self.path.T_ct_probe(t_s)
        before, after = (self.T_reference_ct @ self.path.T_ct_probe(t_s + step) for step in (-0.02, 0.02))
        turned = (after.rotation * before.rotation.inv()).as_rotvec() / 0.04
        twist = np.append(turned, (after.translation_mm - before.translation_mm) / 0.04)
        return TrackedBone(px, likelihood, links.seen(pose, rng), twist)

    def _echoes(self, T_ct_image_px: Floats, links: Links, rng: np.random.Generator) -> tuple[Floats, Floats]:
        import open3d as o3d

        across = np.linspace(-1.0, 1.0, self.beams)
        near_px, far_px = GEOMETRY.points_px(across, np.array(0.0)), GEOMETRY.points_px(across, np.array(1.0))
        start, end = (each @ T_ct_image_px[:3, :2].T + T_ct_image_px[:3, 3] for each in (near_px, far_px))
        # The slice is thick: the first bone somewhere in it echoes.
        out = np.cross(T_ct_image_px[:3, 0], T_ct_image_px[:3, 1])
        start = start + rng.uniform(-1.5, 1.5, (len(start), 1)) * out / np.linalg.norm(out)
        rays = np.hstack([start, end - near_px @ T_ct_image_px[:3, :2].T - T_ct_image_px[:3, 3]]).astype(np.float32)
        hit = self._scene.cast_rays(o3d.core.Tensor(rays))
        deep_mm = hit["t_hit"].numpy().astype(float)
        facing = np.abs(np.einsum("nj,nj->n", hit["primitive_normals"].numpy(), rays[:, 3:]))
        seen = (deep_mm > 8.0) & (deep_mm < GEOMETRY.depth_mm - 4.0) & (facing > 0.4)
        kept = np.repeat(rng.random(self.beams // 8) > self.chain.lost_share, 8)
        false = np.repeat(rng.random(self.beams // 8) < self.chain.false_share, 8)
        above = np.repeat(rng.choice([-1.0, -1.0, 0.5], self.beams // 8), 8) * rng.uniform(4.0, 18.0)
        deep_mm = deep_mm + np.where(false, above, 0.0)
        seen = (seen | (false & np.isfinite(deep_mm))) & kept & (deep_mm > 5.0) & (deep_mm < GEOMETRY.depth_mm)
        read_mm = deep_mm / (1.0 + links.sound) + links.mark_mm + self.chain.axial_mm * rng.laplace(size=len(deep_mm))
        px = GEOMETRY.points_px(across[seen], read_mm[seen])
        return px, np.where(false[seen], 0.4, 0.6) * rng.uniform(0.6, 1.4, int(seen.sum()))


@dataclass(frozen=True, eq=False)
class Links:
    """The errors of one room and one sweep."""

    probe: ProbeMap
    lag_error_s: float
    sound: float
    mark_mm: float
    chain: Chain
    waves: Floats

    @classmethod
    def drawn(cls, chain: Chain, rng: np.random.Generator) -> Links:
        steps = np.linalg.norm(COLUMNS_MM[:, :2], axis=0)
        sd = np.repeat([*(chain.map_sd_px * steps), chain.origin_sd_mm], 3)
        # The origin is known where the target was, in the middle of the image; steps and origin go together there.
        errors = (sd * rng.normal(size=9)).reshape(3, 3)
        middle = np.array([*GEOMETRY.size_px, 0.0]) / 2.0
        mix = np.eye(9)
        for column in range(2):
            mix[6:, 3 * column : 3 * column + 3] = -middle[column] * np.eye(3)
        wrong = (mix @ errors.ravel()).reshape(3, 3).T
        covariance = mix @ np.diag(np.maximum(sd, 1e-9) ** 2) @ mix.T
        probe = ProbeMap(
            COLUMNS_MM + wrong,
            covariance,
            max(chain.lag_sd_s, 1e-4),
            GEOMETRY.size_px[0],
            GEOMETRY.face_px,
            GEOMETRY.radius_mm,
        )
        return cls(
            probe,
            chain.lag_sd_s * float(rng.normal()),
            float(rng.uniform(-chain.sound, chain.sound)),
            chain.mark_mm * float(rng.normal()),
            chain,
            rng.normal(size=(6, 2, 3)),
        )

    def seen(self, pose: Transform, rng: np.random.Generator) -> Transform:
        """A pose as the tracker sees it: smooth waves over the room, and noise."""
        place = pose.translation_mm
        phases = np.einsum("wi,i->w", self.waves[:, 0], place) / 150.0
        bent = self.chain.distortion_mm / np.sqrt(3.0) * (np.sin(phases)[:, None] * self.waves[:, 1]).sum(axis=0)
        noise = np.append(self.chain.jitter_rad * rng.normal(size=3), bent + self.chain.jitter_mm * rng.normal(size=3))
        seen = moved(pose, noise, place)
        return Transform(seen.matrix, REFERENCE, PROBE)
