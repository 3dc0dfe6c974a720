"""Freehand 3D ultrasound: against PLUS's own volume, beside SciPy, and on a liver that was scanned in vivo.

    python benchmarks/ultrasound/bench_freehand.py DATA [--pictures FOLDER]

DATA holds tracking/pluslib/ and us/. PLUS's sweep over a spine phantom is compounded as its configuration says (LINEAR,
MEAN, sticks of 9) on the grid of its volume. PLUS compares volumes byte by byte (cmake -E compare_files in the tests of
PlusVolumeReconstruction), or by the standard deviation of the absolute difference (CompareVolumes). Both are shown, of
its arithmetic and of this project's mean, with its matrices as they are written.

Straightforward ways beside it, on the same grid: the pixels of all frames as points in
scipy.interpolate.NearestNDInterpolator, and in vtkPointInterpolator with its linear kernel of `REACH_MM`; of every
`THIN`-th pixel along rows and columns, as all would take too long. (LinearNDInterpolator was still at its triangulation
after minutes: the pixels of a frame lie in one plane.) They have to wait for the last frame; this project's way takes
each as it comes, so its time a frame counts against the rate of the recording. One thread; times are those of the
processor.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.interpolate import NearestNDInterpolator
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersPoints import vtkLinearKernel, vtkPointInterpolator

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from navigation.devices.ultrasound.plus.header import read_header
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.ultrasound.freehand.pictures import save_slices
from navigation.ultrasound.freehand.plus_config import read_image_to_probe
from navigation.ultrasound.freehand.report import SweepReport
from navigation.ultrasound.freehand.sweep import RecordedSweep
from reconstruction.freehand.compounding import Compounder
from reconstruction.freehand.grid import FreehandGrid, grid_around
from reconstruction.freehand.holes import Filled, fill_holes
from reconstruction.freehand.settings import Compounding, CompoundingSettings, Interpolation
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface

THIN, REACH_MM = 10, 1.5
LIVER_SPACING_MM = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder for slices of both volumes")
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    plus = options.data / "tracking" / "pluslib"
    against_plus(plus, plus_sweep(plus), options.pictures)
    liver(options.data, options.pictures)


def plus_sweep(plus: Path) -> RecordedSweep:
    """PLUS's sweep, by its matrices as they are written."""
    path = plus / "TestImages" / "SpinePhantomFreehand.igs.mha"
    recording = PlusSequence(path)
    image_map = read_image_to_probe(
        plus / "ConfigFiles_Testing" / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
    )
    maps = []
    for fields in read_header(path).frames:
        texts = (fields[f"{tool}ToTrackerTransform"] for tool in ("Probe", "Reference"))
        probe, reference = (np.array(text.split(), float).reshape(4, 4) for text in texts)
        maps.append(np.linalg.inv(reference) @ probe @ image_map)
    pixels = tuple(recording.frame(number).pixels for number in range(len(recording)))
    return RecordedSweep("reference", pixels, np.array(maps), recording.times_ns, {})


def compounded(
    sweep: RecordedSweep, grid: FreehandGrid, mask: np.ndarray, settings: CompoundingSettings
) -> tuple[Filled, list[float], float]:
    """The volume, ms of each frame, and ms of filling the holes."""
    volume, spent = Compounder(grid, mask, settings), []
    for pixels, pose in zip(sweep.pixels, sweep.T_frame_image_px, strict=True):
        start = time.process_time()
        volume.add(pixels, pose)
        spent.append(1e3 * (time.process_time() - start))
    start = time.process_time()
    filled = fill_holes(volume.read())
    return filled, spent, 1e3 * (time.process_time() - start)


def against_plus(plus: Path, sweep: RecordedSweep, pictures: Path | None) -> None:
    image = sitk.ReadImage(str(plus / "TestImages" / "SpinePhantomFreehandReconstructed.mha"))
    reference = sitk.GetArrayFromImage(image).astype(int)
    whole = np.ones(sweep.shape, bool)
    around = grid_around(whole, sweep.T_frame_image_px, image.GetSpacing(), "reference")
    grid = FreehandGrid("reference", around.origin_mm, around.spacing_mm, image.GetSize())
    print(f"PLUS's spine phantom: {len(sweep.pixels)} frames of {sweep.shape[1]} x {sweep.shape[0]} px, recorded at "
          f"{sweep.rate_hz:.1f} a second: {1e3 / sweep.rate_hz:.0f} ms each; grid {grid.shape_ijk}")  # fmt: skip
    means = (Compounding.MEAN_8_BIT, Compounding.MEAN)
    ours = {each: compounded(sweep, grid, whole, CompoundingSettings(compounding=each)) for each in means}
    for name, (filled, spent, filling) in ours.items():
        difference = np.abs(filled.compounded.grey.astype(int) - reference)
        print(f"  linear, {name}: {(difference > 0).sum()} of {difference.size} voxels differ, "
              f"{100 * (difference <= 1).mean():.1f} % by at most 1; mean {difference.mean():.3f}, standard deviation "
              f"{difference.std():.3f} grey levels; {np.median(spent):.1f} ms a frame (longest {max(spent):.1f}), "
              f"holes {filling:.0f} ms")  # fmt: skip
    for interpolation in Interpolation:
        for compounding in (Compounding.MEAN, Compounding.MAXIMUM, Compounding.LATEST):
            _, spent, _ = compounded(sweep, grid, whole, CompoundingSettings(interpolation, compounding))
            print(f"  {interpolation}, {compounding}: {np.median(spent):.1f} ms a frame")
    rivals(sweep, grid, sum(ours[Compounding.MEAN][1]) + ours[Compounding.MEAN][2])
    if pictures:
        mask = np.zeros(sweep.shape, bool)
        mask[12:603, 187:633] = True  # what is not the scanner's margin
        cropped = grid_around(mask, sweep.T_frame_image_px, 0.5, "reference")
        filled, spent, _ = compounded(sweep, cropped, mask, CompoundingSettings())
        print(f"  cropped to its {mask.sum()} pixels: {np.median(spent):.1f} ms a frame")
        report(sweep, mask, filled, pictures / "freehand_spine.png")


def rivals(sweep: RecordedSweep, grid: FreehandGrid, ours_ms: float) -> None:
    """The same sweep by scattered interpolation, thinned."""
    rows, columns = np.mgrid[: sweep.shape[0] : THIN, : sweep.shape[1] : THIN]
    px = np.stack([columns, rows, np.zeros_like(rows), np.ones_like(rows)], axis=-1).reshape(-1, 4)
    points = (sweep.T_frame_image_px @ px.T)[:, :3].transpose(0, 2, 1).reshape(-1, 3)
    values = np.concatenate([pixels[::THIN, ::THIN].reshape(-1) for pixels in sweep.pixels]).astype(float)
    everything = len(sweep.pixels) * sweep.shape[0] * sweep.shape[1]
    ways: dict[str, Callable] = {"SciPy NearestNDInterpolator": by_scipy, "VTK vtkPointInterpolator": by_vtk}
    for name, way in ways.items():
        start = time.process_time()
        way(points, values, grid)
        spent_ms = 1e3 * (time.process_time() - start)
        print(f"  {name}, {len(points)} of {everything} pixels: {spent_ms / 1e3:.1f} s for the sweep; linear mean of "
              f"all pixels, and holes: {ours_ms / 1e3:.1f} s, {spent_ms / ours_ms:.1f} times faster")  # fmt: skip


def by_scipy(points: np.ndarray, values: np.ndarray, grid: FreehandGrid) -> None:
    k, j, i = np.mgrid[tuple(slice(n) for n in grid.shape)]
    places = grid.origin_mm + np.stack([i, j, k], axis=-1).reshape(-1, 3) * grid.spacing_mm
    NearestNDInterpolator(points, values)(places)


def by_vtk(points: np.ndarray, values: np.ndarray, grid: FreehandGrid) -> None:
    cloud, places, image = vtkPolyData(), vtkPoints(), vtkImageData()
    places.SetData(numpy_to_vtk(np.ascontiguousarray(points)))
    cloud.SetPoints(places)
    cloud.GetPointData().SetScalars(numpy_to_vtk(values))
    image.SetDimensions(*grid.shape_ijk)
    image.SetOrigin(*grid.origin_mm)
    image.SetSpacing(*grid.spacing_mm)
    kernel = vtkLinearKernel()
    kernel.SetRadius(REACH_MM)
    interpolator = vtkPointInterpolator()
    interpolator.SetInputData(image)
    interpolator.SetSourceData(cloud)
    interpolator.SetKernel(kernel)
    interpolator.Update()


def liver(data: Path, pictures: Path | None) -> None:
    """ImFusion's sweep of a volunteer's liver, CC BY 4.0; its poses lead from the image's middle, in mm."""
    with np.load(data / "us" / "imfusion_liver_sweep" / "liver_sweep_decoded.npz") as archive:
        frames, poses, spacing = archive["frames"], archive["transforms"], archive["spacing_mm"]
    height, width = frames.shape[1:]
    px = np.diag([spacing[0], spacing[1], 1.0, 1.0])
    px[:2, 3] = -0.5 * (width - 1) * spacing[0], -0.5 * (height - 1) * spacing[1]
    # Of the archive's `convex`: place of the face, radii of face and depth in px, and half the opening.
    face_px, radii_px, half_deg = (369.0, 22.0114504753762), (161.340690862054, 724.351975144605), 30.28
    scan = ScanGeometry(
        size_px=(width, height),
        pixel_mm=(spacing[0], spacing[1]),
        face_px=face_px,
        depth_mm=(radii_px[1] - radii_px[0]) * spacing[1],
        radius_mm=radii_px[0] * spacing[1],
        half_angle_rad=np.deg2rad(half_deg),
    )
    sweep = RecordedSweep("tracker", tuple(frames), poses @ px, tuple(range(len(frames))), {})
    contact_mm = (sweep.T_frame_image_px @ np.array([*face_px, 0.0, 1.0]))[:, :3]
    inverse_mm = (np.linalg.inv(poses) @ px @ np.array([*face_px, 0.0, 1.0]))[:, :3]
    moves = [np.median(np.linalg.norm(np.diff(each, axis=0), axis=1)) for each in (contact_mm, inverse_mm)]
    print(f"liver: {len(frames)} frames of {width} x {height} px; the probe's face moves {moves[0]:.2f} mm a frame, "
          f"{moves[1]:.2f} mm if the poses were the other way round")  # fmt: skip
    grid = grid_around(scan.mask, sweep.T_frame_image_px, LIVER_SPACING_MM, "tracker")
    filled, spent, filling = compounded(sweep, grid, scan.mask, CompoundingSettings())
    print(f"  grid {grid.shape_ijk} of {LIVER_SPACING_MM} mm, {scan.mask.sum()} pixels: "
          f"{np.median(spent):.1f} ms a frame, holes {filling:.0f} ms")  # fmt: skip
    report(sweep, scan.mask, filled, pictures / "freehand_liver.png" if pictures else None)
    surface = extract_surface(filled.compounded.volume, "bright", SurfaceSettings(level=99.5))
    print(f"  surface at grey 100: {surface.surface.volume_ml:.1f} ml, {surface.parts_kept} parts, "
          f"watertight: {surface.watertight}")  # fmt: skip


def report(sweep: RecordedSweep, mask: np.ndarray, filled: Filled, picture: Path | None) -> None:
    found = SweepReport.of(sweep, mask, filled)
    for line in found.lines():
        print(f"  {line}")
    if picture:
        save_slices(picture, filled, found.coverage)


if __name__ == "__main__":
    main()
