"""Ultrasound probe: PLUS's own recordings beside PLUS's published baselines, simulated sweeps, and time.

    python benchmarks/calibration/bench_probe.py --cases 0      # PLUS's recordings and times, needs ../shared/data
    python benchmarks/calibration/bench_probe.py --cases 200    # and as many simulated sweeps of each kind

PLUS's own numbers are read from its result files: the lag, and per wire the errors of its calibration, with which our
measure is compared first. Validation error: mean distance of middle wires without the worst 5 %, as PLUS prints it.
Simulated: an ellipsoid should hold the truth at the middle of the image, and at two places among the wires, in 95 %.
"""

from __future__ import annotations

import argparse
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.temporal import calibrate_probe_time
from calibration.ultrasound_probe.wires.n_wire import NWireCalibration, NWireSettings, calibrate_n_wires
from calibration.ultrasound_probe.wires.validation import n_wire_errors_mm, trimmed_mean
from navigation.acquisition.probe.bottom import BottomCollecting
from navigation.acquisition.probe.frames import ProbeMarkers
from navigation.acquisition.probe.recording import ProbeRecording
from navigation.acquisition.probe.wires import WireCollecting, WireScan
from navigation.devices.ultrasound.plus.phantom import PlusPhantom, read_plus_phantom
from tests.calibration.ultrasound_probe.wires.sweeps import (
    SIZE_PX,
    T_REFERENCE_PHANTOM,
    TRUE_COLUMNS_MM,
    Noise,
    fcal_phantom,
    sweep,
)

CHI_SQUARE_95 = 7.815  # with 3 degrees of freedom
PLACES_PX = np.array([[409.5, 307.5], [200.0, 400.0], [600.0, 220.0]])
NOISES = {
    "pixels and poses, white": Noise(pixel_px=3.0, pose_mm=0.1, pose_rad=0.001),
    "tracker's error lasts (0.6)": Noise(pixel_px=1.5, pose_mm=0.2, pose_rad=0.002, correlation=0.6),
    "tracker's error lasts (0.9)": Noise(pixel_px=1.5, pose_mm=0.2, pose_rad=0.002, correlation=0.9),
    "tilt of 2 degrees only": Noise(pixel_px=3.0, pose_mm=0.1, pose_rad=0.001, tilt_deg=2.0),
}
Sweep = tuple[tuple[ProbeSample, ...], ProbeMotion]


def temporal(folder: Path) -> None:
    baseline = ElementTree.parse(folder / "TestImages/TemporalCalibrationResultsBaseline.xml").getroot()
    markers = ProbeMarkers("probe")
    recording = ProbeRecording(folder / "TestImages/WaterTankBottomTranslationCombined.igs.mha", markers)
    collected = BottomCollecting(markers)
    start = time.process_time()
    for frame in recording.frames():
        collected.add(frame)
    each_ms = 1e3 * (time.process_time() - start) / len(recording)
    found = collected.calibration()
    plus_ms = 1e3 * float(baseline.get("TrackerLagSec", "nan"))
    print(f"lag: ours {1e3 * found.lag_s:.2f} ms (SD {1e3 * found.lag_sd_s:.1f}), PLUS {plus_ms:.2f} ms", end="; ")
    print(f"correlation {found.correlation:.3f}; {each_ms:.1f} ms of CPU per image with reading")


def plus_points(folder: Path, part: str, ours: WireCollecting) -> Sweep:
    """PLUS's own segmented points, in its own images."""
    root = ElementTree.parse(folder / "TestImages/FreehandCalibration3NWires.results.xml").getroot()
    images = ours.frames
    samples = []
    for k, frame in enumerate(next(root.iter(part)).findall("Frame")):
        points = frame.findall("SegmentedPoints/Point")
        image = images[k]
        if points and "probe" in image.poses:
            xy = np.array([point.get("Position", "").split()[:2] for point in points], np.float64)
            names = tuple(point.get("WireName", "") for point in points)
            samples.append(ProbeSample(k, image.time_s, xy, image.poses["probe"], names))
    return tuple(samples), ours.motion()


def plus_own_map(folder: Path) -> ImageToProbe:
    root = ElementTree.parse(folder / "TestImages/FreehandCalibration3NWires.results.xml").getroot()
    transform = next(root.iter("CalibrationResults")).find("Transform")
    assert transform is not None
    matrix = np.array(transform.get("Matrix", "").split(), np.float64).reshape(4, 4)
    return ImageToProbe(matrix[:3][:, [0, 1, 3]], np.zeros((9, 9)))


def spatial(folder: Path) -> None:
    phantom = read_plus_phantom(folder / "ConfigFiles_Testing/PlusDeviceSet_fCal_Sim_SpatialCalibration_1.2.xml")
    assert phantom.spacing_mm is not None
    assert phantom.T_fixed_phantom is not None
    markers = ProbeMarkers("probe", "reference")
    scan = WireScan(phantom=phantom.wires, T_fixed_phantom=phantom.T_fixed_phantom, spacing_mm=phantom.spacing_mm)
    start, collected = time.process_time(), []
    for part in ("Calibration", "Validation"):
        collected.append(WireCollecting(markers, scan))
        for frame in ProbeRecording(folder / f"TestImages/fCal_Test_{part}_3NWires.igs.mha", markers).frames():
            collected[-1].add(frame)
    ours = [(each.samples(), each.motion()) for each in collected]
    n_images, n_all = sum(len(samples) for samples, _ in ours), sum(len(each.frames) for each in collected)
    each_ms = 1e3 * (time.process_time() - start) / n_images
    parts = ("CalibrationData", "ValidationData")
    theirs = [plus_points(folder, part, each) for part, each in zip(parts, collected, strict=True)]
    print(f"wires: ours in {n_images} of {n_all} images, {each_ms:.0f} ms of CPU per image with reading")
    print(
        f"{'calibrated from':44} {'lag':>14} {'residual':>9} {'validation, mm: poses as recorded':>34} {'with lag':>9}"
    )
    print(
        f"{'PLUS itself':44} {'-':>14} {'-':>9} {error(plus_own_map(folder), theirs[1], phantom, 0.0):34.3f} {'-':>9}"
    )
    for what, (first, second) in {"PLUS's points": theirs, "our own wires": ours}.items():
        for lagged in (False, True):
            for rectangular in (True, False):
                found = calibrated(first, phantom, lagged, rectangular)
                row(f"{what}, pixels {'rectangular' if rectangular else 'free'}", found, second, phantom)


def calibrated(calibration: Sweep, phantom: PlusPhantom, lagged: bool, rectangular: bool) -> NWireCalibration:
    assert phantom.T_fixed_phantom is not None
    samples, motion = calibration
    return calibrate_n_wires(
        samples,
        phantom.wires,
        phantom.T_fixed_phantom,
        SIZE_PX,
        motion=motion if lagged else None,
        settings=NWireSettings(rectangular=rectangular),
    )


def row(what: str, found: NWireCalibration, validation: Sweep, phantom: PlusPhantom) -> None:
    image_map = found.calibration.image_map
    lag, with_lag = "taken as 0", "-"
    if found.lag_s is not None and found.lag_sd_s is not None:
        lag = f"{1e3 * found.lag_s:.0f} +- {1e3 * found.lag_sd_s:.0f} ms"
        with_lag = f"{error(image_map, validation, phantom, found.lag_s):.3f}"
    recorded = error(image_map, validation, phantom, 0.0)
    print(f"{what:44} {lag:>14} {found.calibration.residual_rms_mm:9.3f} {recorded:34.3f} {with_lag:>9}")


def error(image_map: ImageToProbe, validation: Sweep, phantom: PlusPhantom, lag_s: float) -> float:
    assert phantom.T_fixed_phantom is not None
    samples, motion = validation
    chosen = motion if lag_s else None
    found = n_wire_errors_mm(image_map, samples, phantom.wires, phantom.T_fixed_phantom, chosen, lag_s)
    return trimmed_mean(found)


def simulated(cases: int) -> None:
    print(
        f"{'simulated, ' + str(cases) + ' sweeps of 200 images':40} {'error':>8} {'expected':>9} {'in ellipsoid':>13}"
    )
    truth = PLACES_PX @ TRUE_COLUMNS_MM[:, :2].T + TRUE_COLUMNS_MM[:, 2]
    for what, noise in NOISES.items():
        off, covariances = [], []
        for seed in range(cases):
            samples, _ = sweep(np.random.default_rng(seed), 200, noise)
            found = calibrate_n_wires(samples, fcal_phantom(), T_REFERENCE_PHANTOM, SIZE_PX)
            image_map = found.calibration.image_map
            off.append(image_map.to_probe_mm(PLACES_PX) - truth)
            covariances.append(image_map.point_covariances_mm2(PLACES_PX))
        errors, spread = np.array(off), np.array(covariances)
        squared = np.einsum("kni,knij,knj->kn", errors, np.linalg.inv(spread), errors)
        rms, expected = np.sqrt(np.mean(np.sum(errors**2, 2))), np.sqrt(np.mean(np.trace(spread, axis1=2, axis2=3)))
        print(f"{what:40} {rms:8.3f} {expected:9.3f} {np.mean(squared < CHI_SQUARE_95):12.1%}", flush=True)


def timed() -> None:
    samples, motion = sweep(np.random.default_rng(0), 2000, replace(NOISES["pixels and poses, white"], lag_s=0.1))
    for what, given in (("poses as recorded", None), ("with the lag", motion)):
        start = time.process_time()
        calibrate_n_wires(samples, fcal_phantom(), T_REFERENCE_PHANTOM, SIZE_PX, motion=given)
        print(f"2,000 images with nine wires each, {what}: {time.process_time() - start:.2f} s of CPU")
    time_s, depths = np.arange(2000) * 0.08, motion.places_at(np.arange(2000) * 0.08)[0] @ [3.0, 9.0, 2.0]
    start = time.process_time()
    calibrate_probe_time(time_s, depths, motion)
    print(f"lag of 2,000 images: {time.process_time() - start:.2f} s of CPU")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/tracking/pluslib"))
    asked = parser.parse_args()
    if asked.data.is_dir():
        temporal(asked.data)
        spatial(asked.data)
    else:
        print(f"no recordings of PLUS at {asked.data}: name their folder with --data")
    timed()
    if asked.cases:
        simulated(asked.cases)
