"""A registration renewed by an ultrasound sweep over a simulated lumbar spine, with an error of every link.

    python benchmarks/registration/bench_ultrasound_registration.py DATA [--runs 100] [--surface whole|vertebra|each]
        [--mistake NAME] [--kept FILE]

DATA holds spine/lumbar_mean_shape. Each run draws anew: speckle and noise of the images, in which the bone finder looks
for bone; the probe's map and lag against their calibrations; tracker noise and its distortion over the room; the speed
of sound (up to 2 % to both sides); the CT's scale and the surface of its segmentation; and a registration to start from
that is up to 8 mm and 4 degrees off. Nothing is drawn from a covariance that the program computes. Targets are the
middles of the vertebrae's pedicles; beside it is the error of Open3D's ICP, point to plane, from the same start.

--mistake adds what no calibration knows of (tests/registration/spine_mistakes.py). --surface each registers every
vertebra by itself. --kept writes each run to a file, one line of JSON, and takes those that are there as done.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.points import Floats
from navigation.simulation.ultrasound.tissue import TissueGrid
from registration.assumptions import Assumptions
from registration.renewal import Bones, Start, renew_on_bone
from registration.surface.bone_sweep import locate_bone_sweep
from registration.verdict.verdict import judge
from tests.registration.shapes import displaced, with_model_error
from tests.registration.spine_images import imaged_sweep, patient
from tests.registration.spine_mistakes import MISTAKES, Mistake, bends, bent
from tests.registration.spine_sweep import LEVELS, T_REFERENCE_CT, Sweep, lumbar, path_over

FRAMES, SEARCH_MM = 48, 10.0


@dataclass(frozen=True)
class Run:
    """True and expected 95 % errors in mm at the targets, empty of a refused one; those of plain ICP; the verdict."""

    mistake: str
    surface: str
    seed: int
    errors_mm: list[float]
    p95_mm: list[float]
    plain_mm: list[float]
    level: str
    reasons: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--surface", choices=("whole", "vertebra", "each"), default="whole")
    parser.add_argument("--mistake", choices=tuple(MISTAKES), default="none")
    parser.add_argument("--kept", type=Path)
    asked = parser.parse_args()
    bones = lumbar(asked.data)
    grid = None if any(MISTAKES[asked.mistake].bent_deg) else patient(bones)
    runs = _kept(asked.kept, asked.mistake, asked.surface)
    for seed in sorted(set(range(asked.runs)) - {run.seed for run in runs}):
        made = one(bones, grid, seed, asked.mistake, asked.surface)
        runs += made
        for run in made:
            print(seed, np.round(run.errors_mm, 2), np.round(run.p95_mm, 2), run.level, run.reasons, flush=True)
        if asked.kept is not None:
            with asked.kept.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(run)) + "\n" for run in made)
    return concluded([run for run in runs if run.seed < asked.runs])


def _kept(file: Path | None, mistake: str, surface: str) -> list[Run]:
    if file is None or not file.exists():
        return []
    runs = [Run(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    return [run for run in runs if (run.mistake, run.surface.partition(" ")[0]) == (mistake, surface)]


@dataclass(frozen=True, eq=False)
class Room:
    """One sweep, the bones that the CT shows, where the vertebrae's targets are in it, and where truly."""

    sweep: Sweep
    segmented: list[Surface]
    near: Transform
    targets_ct: Floats
    true_reference: Floats


def one(bones: tuple[Surface, ...], grid: TissueGrid | None, seed: int, mistake: str, surface: str) -> list[Run]:
    """One sweep and its registrations: one, or, of each vertebra, four."""
    room = drawn(bones, grid, np.random.default_rng(seed), MISTAKES[mistake])
    plain = _plain(room)
    numbers = {"whole": [None], "vertebra": [1], "each": list(range(len(bones)))}[surface]
    runs = []
    for number in numbers:
        chosen = slice(None) if number is None else slice(number, number + 1)
        targets = dict(zip(LEVELS[chosen], room.targets_ct[chosen], strict=True))
        of, others = room.segmented, Bones(room.segmented[0], tuple(room.segmented[1:])).all
        at = Bones(others) if number is None else Bones(of[number], (*of[:number], *of[number + 1 :]))
        start = Start(room.near, "r-0001")
        outcome = renew_on_bone(room.sweep.frames, room.sweep.probe, at, start, targets, Assumptions()).outcome
        verdict = judge(outcome.findings)
        errors, p95 = np.empty(0), np.empty(0)
        if outcome.T_reference_ct is not None and outcome.expected is not None:
            errors, p95 = _off(outcome.T_reference_ct, room, chosen), outcome.expected.p95_mm
        name = surface if number is None else f"{surface} {LEVELS[number]}"
        listed = errors.tolist(), p95.tolist(), _off(plain, room, chosen).tolist()
        runs.append(Run(mistake, name, seed, *listed, verdict.level, list(verdict.reasons)))
    return runs


def drawn(bones: tuple[Surface, ...], grid: TissueGrid | None, rng: np.random.Generator, mistake: Mistake) -> Room:
    """The room of one run; `grid` of the spine as it is in the CT, None where it is bent."""
    scale = 1.0 + 0.002 * float(rng.normal())
    segmented = [with_model_error(_scaled(each, scale), 0.35, 5.0, rng) for each in bones]
    period_s = float(rng.uniform(18.0, 30.0))
    moved = [Transform(np.eye(4), "ct", "ct")] * len(bones)
    if grid is None:
        moved = bends(bones, float(rng.uniform(*mistake.bent_deg) * rng.choice([-1.0, 1.0])))
    lying = bent(bones, moved)
    path = path_over(lying, period_s=period_s, levels=mistake.levels)
    sweep = imaged_sweep(grid or patient(lying), lying, path, rng, FRAMES, mistake)
    whole = Bones(segmented[0], tuple(segmented[1:])).all
    near = displaced(T_REFERENCE_CT, whole, np.deg2rad(rng.uniform(0.0, 4.0)), rng.uniform(*mistake.start_mm), rng)
    if mistake.vertebrae_up:
        steps = np.diff([each.vertices_mm.mean(axis=0) for each in bones], axis=0)
        up = Transform.from_rotation(Rotation.identity(), steps.mean(axis=0), "ct", "ct")
        near = near @ up
    points = np.array([each.vertices_mm.mean(axis=0) + [0.0, 5.0, 0.0] for each in bones])
    true = [T_REFERENCE_CT.apply(motion.apply(point)) for motion, point in zip(moved, points, strict=True)]
    return Room(sweep, segmented, near, scale * points, np.array(true))


def _scaled(surface: Surface, scale: float) -> Surface:
    return Surface(scale * surface.vertices_mm, surface.triangles, surface.frame, surface.name)


def _off(pose: Transform, room: Room, chosen: slice) -> Floats:
    return np.linalg.norm(pose.apply(room.targets_ct[chosen]) - room.true_reference[chosen], axis=1)


def _plain(room: Room) -> Transform:
    """Open3D's ICP of all points, point to plane: what knows nothing of beams and of shared errors."""
    import open3d as o3d

    pipeline = o3d.pipelines.registration
    bone = Bones(room.segmented[0], tuple(room.segmented[1:])).all
    target = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.array(bone.vertices_mm)))
    target.normals = o3d.utility.Vector3dVector(np.array(bone.vertex_normals()))
    points = locate_bone_sweep(room.sweep.frames, room.sweep.probe, 0.003).bone.points_reference_mm
    source = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.array(room.near.inverse().apply(points))))
    estimation = pipeline.TransformationEstimationPointToPlane()
    criteria = pipeline.ICPConvergenceCriteria(max_iteration=100)
    moved = pipeline.registration_icp(source, target, SEARCH_MM, np.eye(4), estimation, criteria).transformation
    return room.near @ Transform(np.linalg.inv(moved), "ct", "ct")


def concluded(runs: Sequence[Run]) -> int:
    """Prints the figures; 1 if a bar is missed."""
    held = [run for run in runs if run.errors_mm]
    refused = sum(run.level == "refuse" for run in held)
    plain = np.concatenate([run.plain_mm for run in runs])
    print(
        f"{len(runs)} registrations, {len(runs) - len(held)} without a pose, {refused} refused for their expected error"
    )
    print(f"ICP of Open3D: TRE median {np.median(plain):.2f} mm, under 2 mm {np.mean(plain < 2.0):.1%}")
    if not held:
        return 0
    errors, p95 = (np.concatenate([getattr(run, name) for run in held]) for name in ("errors_mm", "p95_mm"))
    quartiles = np.percentile(errors, [5, 25, 50, 75, 95])
    under, worst = np.mean(errors < 2.0), float((errors / p95).max())
    print(f"TRE median {quartiles[2]:.2f} mm, worst {errors.max():.2f} mm; 5, 25, 50, 75, 95 %: {quartiles.round(2)}")
    print(f"under 2 mm {under:.1%}; below the stated 95 % {np.mean(errors <= p95):.1%}; worst over stated {worst:.2f}")
    print(f"stated 95 %: {np.percentile(p95, [5, 25, 50, 75, 95]).round(2)}")
    for word in ("it moves", "about as well", "speed of sound", "loose", "fits", "expected"):
        print(f"reasons with '{word}': {sum(any(word in each for each in run.reasons) for run in held)} of {len(held)}")
    return int(np.median(errors) >= 1.5 or under < 0.9 or worst > 1.5)


if __name__ == "__main__":
    sys.exit(main())
