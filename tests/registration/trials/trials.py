"""Registrations with errors of another kind than the model's, and what the verdict said: for tests and the benchmark.

A trial plans landmarks and a sweep on a patient's surface, moves what a fault moves, measures with the noise that is
stated, registers as `surgnav register` does, and compares what stood on the screen with the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from geometry import Surface
from registration.assumptions import Assumptions
from registration.distance.distance_grid import DistanceGrid
from registration.measurements import Measured, TouchedPoint
from registration.register import register
from registration.uncertainty.expected_error import expected_tre
from registration.uncertainty.mobility import LandmarkKind
from registration.verdict.verdict import judge
from registration.verdict.verification import repeat_of, verify_landmark
from registration.verdict.verified_error import after_touches
from tests.registration.shapes import T_TRUE, icosphere

ASSUMED = Assumptions()
FLE_SD_MM = ASSUMED.landmark_fle_rms_mm / np.sqrt(3.0)
TOUCH_SD_MM = ASSUMED.verification.repeat_rms_mm / np.sqrt(3.0)
PICK_SD_MM = np.sqrt(FLE_SD_MM**2 - TOUCH_SD_MM**2)
POINTS = 600


@dataclass(frozen=True, eq=False)
class Scene:
    """A patient's surface, what of it can be reached, and where the operation goes (all in ct, mm)."""

    name: str
    surface: Surface
    front: np.ndarray
    normals: np.ndarray
    targets: dict[str, np.ndarray]
    bone: np.ndarray
    kind: LandmarkKind

    @classmethod
    def of(
        cls, name: str, surface: Surface, towards: np.ndarray, depth: tuple[float, ...], kind: LandmarkKind
    ) -> Scene:
        vertices, normals = surface.vertices_mm, surface.vertex_normals()
        middle = vertices.mean(axis=0)
        seen = (vertices - middle) @ towards > 0.1 * np.abs((vertices - middle) @ towards).max()
        across = np.ptp(vertices, axis=0).max()
        targets = {
            f"t{i}": middle + share * across * direction
            for i, (share, direction) in enumerate(
                zip(depth, np.array([[0, 0, 1.0], [0.5, 0, -0.8], [0, 0.6, 0]]), strict=True)
            )
        }
        # Bone to verify on: under the skin that is seen, some 20 mm deep.
        bone = (vertices - 20.0 * normals)[seen]
        return cls(name, surface, vertices[seen], normals[seen], targets, bone, kind)

    @property
    def field(self) -> DistanceGrid:
        if self.name not in _FIELDS:
            _FIELDS[self.name] = DistanceGrid.from_surface(self.surface)
        return _FIELDS[self.name]


_FIELDS: dict[str, DistanceGrid] = {}


def _closed(name: str, axes_mm: tuple[float, float, float], shape: Callable[..., np.ndarray]) -> Surface:
    directions, triangles = icosphere(4)
    return Surface(directions * shape(*directions.T)[:, None] * np.array(axes_mm), triangles, "ct", name)


def trunk(kind: LandmarkKind = "skin_marker", name: str = "skin") -> Scene:
    """Front of a trunk, 340 x 230 x 400 mm."""
    surface = _closed(
        name,
        (170.0, 115.0, 200.0),
        lambda x, y, z: 1.0 + 0.08 * np.sin(3.0 * z + 0.5) * x + 0.06 * np.cos(4.0 * x) * y + 0.05 * z * z * y,
    )
    return Scene.of(f"trunk {kind}", surface, np.array([0.0, -1.0, 0.0]), (0.12, 0.12, 0.1), kind)


def head(kind: LandmarkKind = "skin_marker", name: str = "skin") -> Scene:
    """A face: an ovoid of 150 x 190 x 230 mm with nose, brow and chin."""

    def shape(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        nose = 0.16 * np.exp(-40.0 * (x**2 + (z + 0.05) ** 2)) * (y < 0)
        chin = 0.10 * np.exp(-25.0 * (x**2 + (z + 0.75) ** 2)) * (y < 0)
        eyes = 0.06 * (
            np.exp(-60.0 * ((x - 0.35) ** 2 + (z - 0.2) ** 2)) + np.exp(-60.0 * ((x + 0.35) ** 2 + (z - 0.2) ** 2))
        )
        return 1.0 + nose + chin - eyes * (y < 0) + 0.03 * x * z

    surface = _closed(name, (75.0, 95.0, 115.0), shape)
    return Scene.of(f"head {kind}", surface, np.array([0.0, -1.0, 0.0]), (0.15, 0.15, 0.2), kind)


def limb(kind: LandmarkKind = "skin_marker", name: str = "skin") -> Scene:
    """A thigh, tapered, 130 mm wide and 400 mm long."""
    surface = _closed(
        name, (62.0, 66.0, 200.0), lambda x, y, z: 1.0 + 0.12 * z + 0.05 * x * y + 0.04 * np.sin(3 * z) * y
    )
    return Scene.of(f"limb {kind}", surface, np.array([0.0, -1.0, 0.0]), (0.1, 0.15, 0.05), kind)


def vertebra() -> Scene:
    """A piece of bone 70 mm across."""
    surface = _closed(
        "vertebra",
        (34.0, 28.0, 20.0),
        lambda x, y, z: (
            1.0 + 0.3 * np.exp(-12.0 * (x**2 + z**2)) * (y > 0) + 0.25 * np.exp(-20.0 * (z**2 + y**2)) + 0.05 * z
        ),
    )
    return Scene.of("vertebra bone", surface, np.array([0.0, 1.0, 0.0]), (0.1, 0.1, 0.1), "bone")


@dataclass(eq=False)
class Patient:
    """What is touched and swept, in ct's axes, as it lies on the day; faults move it. Targets move with the truth."""

    scene: Scene
    rng: np.random.Generator
    marks: np.ndarray
    mark_normals: np.ndarray
    sweep: np.ndarray
    sweep_normals: np.ndarray
    unused: np.ndarray
    bone: np.ndarray
    targets: np.ndarray
    repeat: np.ndarray = field(default_factory=lambda: np.zeros(3))
    surface_ct_error: float = 0.0

    def all_skin(self, displacement: Callable[[np.ndarray], np.ndarray]) -> None:
        """Moves marks, sweep and the unused mark by a field of vectors."""
        for name in ("marks", "sweep", "unused"):
            points = getattr(self, name)
            setattr(self, name, points + displacement(np.atleast_2d(points)).reshape(points.shape))

    def direction(self) -> np.ndarray:
        vector = self.rng.normal(size=3)
        return vector / np.linalg.norm(vector)


@dataclass(frozen=True)
class Row:
    """One trial by one way of verifying: the verdict, and the error at each target over what was shown."""

    level: str
    errors_mm: np.ndarray
    p95_mm: np.ndarray
    fre_p95_mm: float
    isotropic_p95_mm: np.ndarray

    @property
    def worst(self) -> float:
        return float(np.max(self.errors_mm / self.p95_mm))


def spread_out(scene: Scene, rng: np.random.Generator, count: int) -> np.ndarray:
    """Indices of landmarks as somebody would plan them: each the farthest of some from those before it."""
    chosen = [int(rng.integers(len(scene.front)))]
    while len(chosen) < count:
        candidates = rng.integers(len(scene.front), size=12)
        gaps = np.linalg.norm(scene.front[candidates][:, None] - scene.front[chosen], axis=2).min(axis=1)
        chosen.append(int(candidates[gaps.argmax()]))
    return np.array(chosen)


Fault = Callable[[Patient], None]
WAYS = ("no touch", "skin touch", "bone touch", "repeat", "3 bone touches and repeat")


def one(scene: Scene, fault: Fault, rng: np.random.Generator, *, sweep: bool = True, marks: int = 6) -> dict[str, Row]:
    """A registration with this fault, judged by each way of verifying it."""
    index = spread_out(scene, rng, marks + 1)
    planned, unused_ct = scene.front[index[:-1]], scene.front[index[-1]]
    seen = rng.integers(len(scene.front), size=POINTS)
    bone_ct = scene.bone[rng.integers(len(scene.bone), size=3)]
    targets_ct = np.array(list(scene.targets.values()))
    patient = Patient(
        scene, rng, planned.copy(), scene.normals[index[:-1]], scene.front[seen].copy(), scene.normals[seen],
        unused_ct.copy(), bone_ct.copy(), targets_ct.copy(),
    )  # fmt: skip
    fault(patient)
    names = [f"m{i}" for i in range(marks)]
    patient.marks = patient.marks + rng.normal(scale=PICK_SD_MM, size=planned.shape)  # picked wrongly in the CT
    touched = T_TRUE.apply(patient.marks) + rng.normal(scale=TOUCH_SD_MM, size=planned.shape)
    swept = np.empty((0, 3))
    if sweep:
        swept = T_TRUE.apply(patient.sweep) + rng.normal(scale=0.4, size=patient.sweep.shape)
    measured = Measured(
        {**dict(zip(names, planned, strict=True)), "unused": unused_ct},
        {name: TouchedPoint(point, 0.1, 60) for name, point in zip(names, touched, strict=True)},
        swept,
        scene.targets,
        0.15,
        kinds=dict.fromkeys((*names, "unused"), scene.kind),
    )
    outcome = register(measured, scene.surface, ASSUMED, scene.field)
    pose = outcome.T_reference_ct
    if pose is None or outcome.uncertainty is None:
        nothing = np.full(len(targets_ct), np.inf)
        return {way: Row("refuse", nothing, nothing, np.inf, nothing) for way in WAYS}
    used = dict(zip(names, planned, strict=True))
    on_skin = scene.kind != "bone"
    skin = verify_landmark(
        pose, outcome.uncertainty, "unused", (unused_ct, _touch(patient.unused, rng)), used,
        ASSUMED.verification_of(scene.kind), on_skin=on_skin,
    )  # fmt: skip
    bone = [
        verify_landmark(pose, outcome.uncertainty, f"bone{i}", (point, _touch(there, rng)), used, ASSUMED.verification)
        for i, (point, there) in enumerate(zip(bone_ct, patient.bone, strict=True))
    ]
    again = T_TRUE.apply(patient.marks[0] + patient.repeat) + rng.normal(scale=TOUCH_SD_MM, size=3)
    repeat = repeat_of("m0", touched[0], again)
    errors_mm = np.linalg.norm(pose.apply(targets_ct) - T_TRUE.apply(patient.targets), axis=1)
    fre_mm = outcome.by_landmarks.fre_rms_mm if outcome.by_landmarks else np.nan
    naive = _isotropic_p95(planned, targets_ct)
    rows = {}
    for way, touches in zip(WAYS, ([], [skin], bone[:1], [repeat], [*bone, repeat]), strict=True):
        known = after_touches(outcome.uncertainty, touches)
        p95_mm = expected_tre(pose, known, targets_ct).p95_mm
        shown = dict(zip(scene.targets, p95_mm.tolist(), strict=True))
        verdict = judge(replace(outcome.findings, tre_p95_mm=shown), touches, ASSUMED.verdict)
        rows[way] = Row(verdict.level, errors_mm, p95_mm, 1.73 * fre_mm, naive)
    return rows


def _touch(point: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return T_TRUE.apply(point) + rng.normal(scale=FLE_SD_MM, size=3)


def _isotropic_p95(marks: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Fitzpatrick, West and Maurer's TRE (1998) for equal isotropic FLE, what many systems show; 1.61 of its RMS."""
    centre = marks.mean(axis=0)
    axes = np.linalg.svd(marks - centre)[2]

    def off_axes(points: np.ndarray) -> np.ndarray:
        along = (points - centre) @ axes.T
        return np.sum(along**2, axis=1, keepdims=True) - along**2

    share = np.sum(off_axes(targets) / off_axes(marks).mean(axis=0), axis=1) / 3.0
    return 1.61 * ASSUMED.landmark_fle_rms_mm * np.sqrt((1.0 + share) / len(marks))


def smooth_field(rng: np.random.Generator, length_mm: float, rms_mm: float) -> Callable[[np.ndarray], np.ndarray]:
    """A field of vectors of this RMS length, correlated as ``exp(-d^2 / 2 length^2)``."""
    waves = 200
    frequency, phase = rng.normal(size=(waves, 3)) / length_mm, rng.uniform(0.0, 2.0 * np.pi, waves)
    amplitude = rng.normal(size=(waves, 3)) * rms_mm / np.sqrt(3.0) * np.sqrt(2.0 / waves)
    return lambda points: np.cos(points @ frequency.T + phase) @ amplitude
