"""Markers in the CT: all found, none invented, centres to a fifth of a voxel; each kind of clutter told from a ball.

The limits in `MarkerSettings` were chosen on the seeds 0 to 11 (0 and 1 in real patients); the tests here use others.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from geometry import Volume
from geometry.errors import FrameMismatchError
from reconstruction.ct.read import read_ct
from reconstruction.errors import MarkerSearchError
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom
from reconstruction.skin_markers.find import SkinMarkers, find_skin_markers
from tests.reconstruction.skin_markers.marker_rendering import put_balls
from tests.reconstruction.skin_markers.marker_scene import STEEL_HU, Scene

SPACINGS_MM = ((0.7, 0.7, 1.0), (0.78, 0.78, 2.5), (1.0, 1.0, 1.0))
FWHM_MM, NOISE_HU = (1.0, 1.4, 1.8), (20.0, 40.0, 30.0)
ANGLES_DEG = (-85.0, -130.0, -30.0, 180.0, 150.0, -45.0)
TOLERANCE_VOXELS = 0.2  # the bar


REAL_CT = [
    pytest.param("lidc0314_dicom.tar.gz", "", id="lidc", marks=pytest.mark.slow),
    pytest.param("ircadb17_dicom_ct_and_masks.tar.gz", "PATIENT_DICOM", id="ircadb"),
]


def unpacked(shared_data: Path, into: Path, archive: str, folder: str) -> Path:
    with tarfile.open(shared_data / "ct" / archive) as tar:
        tar.extractall(into, members=[member for member in tar if member.name.startswith(folder)])
    return into / folder


@dataclass
class Score:
    """One scan against its truth; errors `(n, 3)` in voxels along i, j, k."""

    found: SkinMarkers
    error_voxels: np.ndarray
    sd_mm: np.ndarray
    error_mm: np.ndarray
    missed: int
    invented: int


def score(volume: Volume, truth_ct: np.ndarray, diameter_mm: float | None = None) -> Score:
    found = find_skin_markers(volume, diameter_mm)
    distance, nearest = (
        cKDTree(truth_ct).query(found.centres_ct_mm) if found.markers else (np.zeros(0), np.zeros(0, int))
    )
    right = distance < 2.0
    error = (found.centres_ct_mm - truth_ct[nearest])[right]
    voxels = np.linalg.solve(volume.affine[:3, :3], error.T).T
    sd = np.array([marker.centre_sd_mm for marker in found.markers])[right]
    missed = len(truth_ct) - len(set(nearest[right].tolist()))
    return Score(found, voxels, sd, distance[right], missed, len(found.markers) - len(set(nearest[right].tolist())))


def random_scan(seed: int, streaks: bool = False, clutter: bool = True) -> tuple[Volume, np.ndarray]:
    """Six balls of 3 to 10 mm at random on a random grid; with `streaks`, half of them are steel."""
    rng, n = np.random.default_rng(seed), seed % 3
    spacing = SPACINGS_MM[n]
    scene = Scene(
        spacing_mm=spacing,
        fwhm_mm=FWHM_MM[n],
        slice_fwhm_mm=max(0.8 * FWHM_MM[n], 0.4 * spacing[2]),
        noise_hu=NOISE_HU[n],
        shift_mm=rng.uniform(-0.5, 0.5, 3) * spacing,
        tilt_deg=rng.uniform(-20.0, 20.0) if seed % 2 else 0.0,
    )
    if clutter:
        scene.clutter()
    centres = []
    for angle in ANGLES_DEG:
        diameter = rng.uniform(3.0, 10.0)
        z = -20.0 if angle in (-85.0, -45.0) else rng.uniform(-20.0, 20.0)  # clear of the needle and the electrode
        above = diameter / 2.0 + rng.choice([0.0, 0.0, 0.5, 1.5])
        centres.append(scene.skin_point(angle + rng.uniform(-4.0, 4.0), z, above))
        scene.ball(
            centres[-1], diameter, rng.choice([1200.0, 3000.0, STEEL_HU] if streaks else [1200.0, 1800.0, 3000.0])
        )
    return scene.scan(rng, streaks), scene.in_ct(centres)


def report(title: str, scores: list[Score]) -> tuple[int, int, np.ndarray]:
    voxels = np.linalg.norm(np.concatenate([s.error_voxels for s in scores]), axis=1)
    ratio = np.concatenate([s.error_mm for s in scores]) / np.concatenate([s.sd_mm for s in scores])
    missed, invented = sum(s.missed for s in scores), sum(s.invented for s in scores)
    print(
        f"\n{title}: {len(voxels)} found, {missed} missed, {invented} invented; centre error in voxels "
        f"median {np.median(voxels):.3f}, 95 % {np.quantile(voxels, 0.95):.3f}, worst {voxels.max():.3f}; "
        f"RMS of error over its expected length {np.sqrt(np.mean(ratio**2)):.2f}"
    )
    return missed, invented, voxels


def test_markers_among_clutter() -> None:
    missed, invented, voxels = report("clutter", [score(*random_scan(seed)) for seed in range(100, 102)])
    assert (missed, invented) == (0, 0)
    assert voxels.max() < TOLERANCE_VOXELS


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_hundreds_of_markers_among_clutter() -> None:
    scores = [score(*random_scan(seed)) for seed in range(400, 420)]
    missed, invented, voxels = report("clutter", scores)
    assert (missed, invented) == (0, 0)
    assert voxels.max() < TOLERANCE_VOXELS


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_markers_among_metal_streaks() -> None:
    """Half of them steel, all in one another's streaks: docs/reconstruction/skin_markers.md has what is missed."""
    scores = [score(*random_scan(seed, streaks=True)) for seed in range(400, 406)]
    missed, invented, voxels = report("streaks", scores)
    assert (missed, invented) == (0, 0)
    assert voxels.max() < TOLERANCE_VOXELS


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("archive", "folder"), REAL_CT)
def test_balls_on_a_real_patient(shared_data: Path, tmp_path: Path, archive: str, folder: str) -> None:
    ct = read_ct(unpacked(shared_data, tmp_path, archive, folder)).volume
    scores = []
    for seed in range(10, 12):
        scan, balls = put_balls(ct, 10, np.random.default_rng(seed))
        scores.append(score(scan, np.array([ball.centre_ct for ball in balls])))
    missed, invented, voxels = report(f"balls on {archive}", scores)
    assert (missed, invented) == (0, 0)
    assert voxels.max() < TOLERANCE_VOXELS


# Voxels in mm, full width of the kernel in the plane and along the slices, sharpening, noise: of the scans that
# `SLICE_ERROR` and `CORRELATED_VOXELS` were chosen on, with other seeds here.
KERNELS = {
    "thin, soft": ((0.7, 0.7, 1.0), 1.2, 1.0, 0.0, 30.0),
    "thin, sharp": ((0.6, 0.6, 0.8), 0.9, 0.8, 0.5, 50.0),
    "2 mm": ((0.8, 0.8, 2.0), 1.6, 1.8, 0.0, 15.0),
    "3 mm, soft": ((0.8, 0.8, 3.0), 1.6, 2.6, 0.0, 15.0),
    "3 mm, sharp": ((0.7, 0.7, 3.0), 1.0, 2.5, 0.3, 40.0),
    "3 mm, box": ((0.8, 0.8, 3.0), 1.4, 1.2, 0.0, 20.0),
    "5 mm": ((0.8, 0.8, 5.0), 1.4, 4.5, 0.0, 15.0),
    "2.5 mm every 1 mm": ((0.7, 0.7, 1.0), 1.2, 2.2, 0.0, 25.0),
}


def kernel_scan(kernel: str, seed: int) -> Score:
    """Six balls of 3 to 10 mm on bare skin behind this kernel."""
    spacing, fwhm_mm, slice_fwhm_mm, sharpening, noise_hu = KERNELS[kernel]
    rng = np.random.default_rng(seed)
    scene = Scene(
        spacing_mm=spacing,
        size_mm=(150.0, 120.0, 56.0),
        fwhm_mm=fwhm_mm,
        slice_fwhm_mm=slice_fwhm_mm,
        sharpening=sharpening,
        noise_hu=noise_hu,
        shift_mm=rng.uniform(-0.5, 0.5, 3) * spacing,
        tilt_deg=rng.uniform(-15.0, 15.0),
    )
    centres = []
    for angle in ANGLES_DEG:
        diameter = rng.uniform(3.0, 10.0)
        above = diameter / 2.0 + rng.choice([0.0, 0.0, 0.5, 1.5])
        centres.append(scene.skin_point(angle + rng.uniform(-4.0, 4.0), rng.uniform(-12.0, 12.0), above))
        scene.ball(centres[-1], diameter, rng.choice([1200.0, 1800.0, 3000.0]))
    return score(scene.scan(rng), scene.in_ct(centres))


def expected_ratio(scores: list[Score]) -> float:
    """RMS of the centres' errors over what is expected of each."""
    ratio = np.concatenate([s.error_mm for s in scores]) / np.concatenate([s.sd_mm for s in scores])
    return float(np.sqrt(np.mean(ratio**2)))


@pytest.mark.parametrize("kernel", ["thin, sharp", "3 mm, sharp"])
def test_the_expected_error_of_a_centre_is_that_of_its_kernel_and_slices(kernel: str) -> None:
    # Twelve balls tell little of it: a few that lie badly between thick slices make up its mean square. Without the
    # slices' part it is 2.2 at 3 mm; what 60 balls say of every kernel is in the slow test below.
    assert 0.4 < expected_ratio([kernel_scan(kernel, seed) for seed in (2000, 2001)]) < 1.6


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_expected_error_of_centres_over_kernels_and_slices() -> None:
    ratios = {kernel: expected_ratio([kernel_scan(kernel, seed) for seed in range(2000, 2010)]) for kernel in KERNELS}
    print("\nRMS of error over its expected length:", {kernel: round(ratio, 2) for kernel, ratio in ratios.items()})
    assert all(0.6 < ratio < 1.5 for ratio in ratios.values())  # of 60 balls each
    assert 0.8 < np.sqrt(np.mean(np.square(list(ratios.values())))) < 1.2


@pytest.mark.parametrize("sharpening", [0.15, 0.5])
def test_kernels_that_sharpen_edges(sharpening: float) -> None:
    scene = Scene(size_mm=(150.0, 120.0, 30.0), fwhm_mm=1.0, slice_fwhm_mm=0.8, sharpening=sharpening)
    centres = [scene.skin_point(angle, 0.0, r) for angle, r in ((-85.0, 1.5), (-130.0, 2.5), (-30.0, 5.0))]
    for centre, diameter, hu in zip(centres, (3.0, 5.0, 10.0), (1200.0, STEEL_HU, 3000.0), strict=True):
        scene.ball(centre, diameter, hu)
    result = score(scene.scan(np.random.default_rng(5)), scene.in_ct(centres))
    assert (result.missed, result.invented) == (0, 0)
    assert np.linalg.norm(result.error_voxels, axis=1).max() < TOLERANCE_VOXELS


def test_teeth_fillings_and_the_air_of_the_mouth_are_no_markers() -> None:
    scene = Scene(size_mm=(150.0, 120.0, 50.0))
    scene.jaw()
    assert not find_skin_markers(scene.scan(np.random.default_rng(3))).markers


def one_marker(
    diameter_mm: float, shift_mm: np.ndarray, *, hu: float = 3000.0, streaks: bool = False
) -> tuple[Volume, np.ndarray]:
    scene = Scene(spacing_mm=(0.78, 0.78, 1.5), size_mm=(130.0, 124.0, 27.0), noise_hu=30.0, shift_mm=shift_mm)
    centre = scene.skin_point(-70.0, 0.0, diameter_mm / 2.0)
    scene.ball(centre, diameter_mm, hu)
    return scene.scan(np.random.default_rng(1), streaks), scene.in_ct([centre])


@pytest.mark.parametrize("diameter_mm", [3.0, 5.0, 10.0])
def test_shifts_within_a_voxel_and_known_diameters(diameter_mm: float) -> None:
    for shift in np.random.default_rng(2).uniform(-0.5, 0.5, (3, 3)):
        volume, truth = one_marker(diameter_mm, shift * (0.78, 0.78, 1.5))
        for known in (None, diameter_mm):
            result = score(volume, truth, known)
            assert (result.missed, result.invented) == (0, 0)
            assert np.linalg.norm(result.error_voxels, axis=1).max() < TOLERANCE_VOXELS
            # Blur and size of a ball of 3 mm are told apart to some 10 %.
            assert result.found.markers[0].diameter_mm == pytest.approx(diameter_mm, rel=0.12)
            assert known is None or result.found.markers[0].diameter_mm == pytest.approx(known, abs=1e-4)
        other = find_skin_markers(volume, 8.0 if diameter_mm < 8.0 else 4.0)
        assert not other.markers
        assert any("mm across, not" in spot.reason for spot in other.rejected)


def test_steel_with_its_streaks() -> None:
    volume, truth = one_marker(6.0, np.array([0.2, -0.3, 0.4]), hu=STEEL_HU, streaks=True)
    plain, _ = one_marker(6.0, np.array([0.2, -0.3, 0.4]), hu=STEEL_HU)
    assert np.abs(volume.voxels - plain.voxels.astype(int)).max() > 300  # the streaks are there
    result = score(volume, truth)
    assert (result.missed, result.invented) == (0, 0)
    assert np.linalg.norm(result.error_voxels) < TOLERANCE_VOXELS


def test_what_is_no_ball_is_named() -> None:
    scene = Scene(size_mm=(150.0, 120.0, 44.0))
    normal = scene.skin_point(-90.0, 0.0, 2.0) - scene.skin_point(-90.0, 0.0, 1.0)
    scene.disc(scene.skin_point(-90.0, 0.0, 2.0), normal, 15.0, 3.0, 2000.0, hole_mm=6.0)
    scene.electrode(-40.0, 0.0)
    scene.ball(scene.skin_point(160.0, 0.0, -6.0), 4.0, 1500.0)
    scene.ball(scene.skin_point(-150.0, 22.0, 3.0), 6.0, 2500.0)  # half of it lies beyond the last slice
    found = find_skin_markers(scene.scan(np.random.default_rng(3)))
    assert not found.markers
    tree = cKDTree([spot.centre_ct_mm for spot in found.rejected])
    places = [(-90.0, 0.0, 2.0), (160.0, 0.0, -6.0), (-150.0, 20.0, 3.0)]
    distance, nearest = tree.query(scene.in_ct([scene.skin_point(*place) for place in places]))
    assert (distance < (8.0, 2.0, 4.0)).all()
    reasons = [found.rejected[n].reason for n in nearest]
    assert "larger" in reasons[0] or "large" in reasons[0] or "ring" in reasons[0]
    assert "under the skin" in reasons[1]
    assert reasons[2]


@pytest.mark.parametrize("diameter_mm", [3.0, 6.0])
def test_the_torso_phantom(diameter_mm: float) -> None:
    """All of the anatomy at 1.5 mm; a ball of 3 mm is two voxels wide."""
    settings = TorsoPhantomSettings(marker_diameter_mm=diameter_mm)
    phantom = make_torso_phantom(settings, np.random.default_rng(5))
    missed, invented, voxels = report(
        f"torso, {diameter_mm:g} mm", [score(phantom.ct, np.array(list(phantom.marker_centres_ct.values())))]
    )
    assert (missed, invented) == (0, 0)
    assert voxels.max() < TOLERANCE_VOXELS


@pytest.mark.parametrize(("archive", "folder"), REAL_CT)
def test_no_marker_is_invented_in_a_real_patient(shared_data: Path, tmp_path: Path, archive: str, folder: str) -> None:
    found = find_skin_markers(read_ct(unpacked(shared_data, tmp_path, archive, folder)).volume)
    print(f"\n{archive}: {len(found.markers)} markers, {len(found.rejected)} rejected")
    assert not found.note
    assert not found.markers
    assert found.rejected


def test_without_skin_there_are_no_markers_and_a_note() -> None:
    found = find_skin_markers(Volume(np.full((20, 20, 20), 40, np.int16), np.eye(4)))
    assert (found.markers, found.rejected) == ((), ())
    assert found.note.startswith("no skin")
    assert found.centres_ct_mm.shape == (0, 3)


def test_broken_questions_are_refused() -> None:
    hu = np.full((8, 8, 8), -1000, np.int16)
    with pytest.raises(FrameMismatchError):
        find_skin_markers(Volume(hu, np.eye(4), "tracker"))
    with pytest.raises(MarkerSearchError, match=r"0\.006 mm"):
        find_skin_markers(Volume(hu, np.eye(4)), 0.006)
