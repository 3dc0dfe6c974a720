"""Errors of centrelines and radii on phantoms with known axes, and the computing time.

    python benchmarks/reconstruction/bench_centrelines.py [--seeds 1]
    python benchmarks/reconstruction/bench_centrelines.py --limits
    python benchmarks/reconstruction/bench_centrelines.py --masks FOLDER [FOLDER ...]

Every phantom (reconstruction/phantom/vessels.py) lies oblique to the grid, is blurred by a point spread of 1.4 mm, and
has noise of 0.05 in its probability; the masks are the probabilities thresholded at 0.5. The bar for `axis` and `truth`
is half of the smallest voxel spacing (0.35 mm where slices are 2.5 mm thick), with no branch or loop missed or
invented.

- axis: distance of every point of the result from the true axis, 95th percentile and largest.
- truth: distance of every point of the true axis from the result; large where a branch is missed or cut short.
- radius: absolute difference at the nearest true point, and the mean signed difference.
- graph: numbers of branches and loops found, with the true numbers in parentheses.

`--limits` shows where the method fails: arcs of 0.8 to 2 mm radius and forks of 30 to 60 degrees, with 1 mm voxels.
`--masks` takes folders of DICOM slices with one mask each (3D-IRCADb-01's MASKS_DICOM/portalvein), without a truth: it
prints what was found and the share of the points that lie in the mask.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from reconstruction.centrelines.centrelines import CentrelineGraph, NodeKind, extract_centrelines
from reconstruction.centrelines.field import NoCentrelineError
from reconstruction.ct.dicom.read import read_dicom
from reconstruction.ct.quality import CtReadSettings
from reconstruction.phantom import vessels as phantoms

PHANTOMS = {
    "arc": (phantoms.arc, 1, 0),
    "helix": (phantoms.helix, 1, 0),
    "bifurcation": (phantoms.bifurcation, 3, 0),
    "trifurcation": (phantoms.trifurcation, 4, 0),
    "tree": (phantoms.tree, 7, 0),
    "ring": (phantoms.ring, 1, 1),
}
GRIDS = ((1.0, 1.0, 1.0), (0.7, 0.7, 2.5))
OBLIQUE = Rotation.from_rotvec([0.3, -0.5, 0.4])


def errors_mm(axes: Sequence[phantoms.VesselAxis], graph: CentrelineGraph) -> dict[str, np.ndarray]:
    """Distances in mm from result to truth and from truth to result, and differences of the radius."""
    true_points = np.concatenate([axis.points_ct_mm for axis in axes])
    true_radius = np.concatenate([axis.radius_mm for axis in axes])
    found = np.concatenate([branch.points_ct_mm for branch in graph.branches])
    radius = np.concatenate([branch.radius_mm for branch in graph.branches])
    axis, nearest = cKDTree(true_points).query(found)
    dense = np.concatenate([between(branch.points_ct_mm) for branch in graph.branches])
    return {"axis": axis, "truth": cKDTree(dense).query(true_points)[0], "radius": radius - true_radius[nearest]}


def between(points: np.ndarray) -> np.ndarray:
    at, fine = np.arange(len(points)), np.linspace(0.0, len(points) - 1.0, 20 * len(points))
    return np.stack([np.interp(fine, at, points[:, axis]) for axis in range(3)], axis=1)


def row(name: str, spacing: tuple[float, float, float], binary: bool, seed: int) -> bool:
    """Prints one phantom's errors; returns whether they meet the bar."""
    make, branches, loops = PHANTOMS[name]
    axes = make()
    scan = phantoms.VesselScan(spacing_mm=spacing, binary=binary)
    volume = phantoms.scan_vessels(axes, scan, OBLIQUE, np.random.default_rng(seed))
    start = time.perf_counter()
    graph = extract_centrelines(volume)
    seconds = time.perf_counter() - start
    found = errors_mm(axes, graph)
    axis, truth, radius = (float(np.percentile(np.abs(found[key]), 95)) for key in ("axis", "truth", "radius"))
    met = (len(graph.branches), graph.loops) == (branches, loops) and max(axis, truth) < 0.5 * min(spacing)
    voxels = f"{spacing[0]:.1f} {spacing[2]:.1f}"
    print(
        f"{name:12} | {voxels:9} | {'mask' if binary else 'probability':11} | "
        f"{axis:.3f} / {found['axis'].max():.3f} | {truth:.3f}      | {radius:.3f} / {found['radius'].mean():+.3f} | "
        f"{len(graph.branches)} ({branches}), {graph.loops} ({loops}) | {seconds:.2f}{'' if met else '  <- missed'}",
        flush=True,
    )
    return met


def limits() -> None:
    """Prints how the error grows as tubes become as thin as the voxels, and forks acute."""
    shapes = [(f"radius {r:.2f} mm", phantoms.arc(r, 20.0, 2.0)) for r in (0.8, 1.0, 1.25, 1.5, 2.0)]
    shapes += [(f"fork of {d} degrees", phantoms.bifurcation(np.radians(d), 200.0)) for d in (30, 40, 50, 60)]
    for name, axes in shapes:
        for binary in (False, True):
            scan = phantoms.VesselScan(binary=binary)
            try:
                graph = extract_centrelines(phantoms.scan_vessels(axes, scan, OBLIQUE, np.random.default_rng(1)))
            except NoCentrelineError as error:
                outcome = error.came
            else:
                found = errors_mm(axes, graph)
                axis, truth = (np.percentile(found[key], 95) for key in ("axis", "truth"))
                outcome = f"axis {axis:.2f}, truth {truth:.2f}, radius {found['radius'].mean():+.2f}"
                outcome += f", {len(graph.branches)} ({len(axes)}) branches, {graph.loops} loops"
            print(f"{name:18} | {'mask' if binary else 'probability':11} | {outcome}", flush=True)


def real(folder: Path) -> None:
    stored = read_dicom(folder, CtReadSettings()).volume
    mask = stored.with_voxels(np.asarray(stored.voxels) > np.asarray(stored.voxels).min())
    start = time.perf_counter()
    graph = extract_centrelines(mask)
    seconds = time.perf_counter() - start
    points = np.concatenate([branch.points_ct_mm for branch in graph.branches])
    i, j, k = np.clip(np.rint(mask.mm_to_index(points)).astype(int), 0, np.array(mask.shape_ijk) - 1).T
    radius = np.concatenate([branch.radius_mm for branch in graph.branches])
    ends = sum(node.kind is NodeKind.END for node in graph.nodes)
    print(
        f"{folder.name:13} | {len(graph.branches)} branches, {ends} ends, {graph.parts} parts, {graph.loops} loops, "
        f"{graph.pruned} pruned, {graph.dropped_parts} parts dropped | {graph.length_mm:.0f} mm | "
        f"radius {radius.min():.1f} to {radius.max():.1f} mm | {100.0 * np.asarray(mask.voxels)[k, j, i].mean():.1f} % "
        f"in the mask | {seconds:.1f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--masks", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.limits:
        limits()
        return 0
    if arguments.masks:
        for folder in arguments.masks:
            real(folder)
        return 0
    seeds = range(arguments.seeds)
    print("phantom      | voxels mm | input       | axis 95 / max | truth 95   | radius 95 / mean | graph        | s")
    met = [row(name, grid, binary, s) for name in PHANTOMS for grid in GRIDS for binary in (False, True) for s in seeds]
    print(f"{sum(met)} of {len(met)}: axis within half a voxel both ways, no branch or loop missed or invented")
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
