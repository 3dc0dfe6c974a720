"""Cameras from boards: recorded pictures, drawn corners with known truth, and rendered pictures, beside OpenCV.

    python benchmarks/calibration/bench_camera.py [--runs 200] [--rendered 10] [--data ../shared/data]

Recorded: BARD's twelve pictures of a chessboard (640 x 480) and their stored corners and lens, and UCL's sets of four
views (MPHY0026; their points are the middles of markers). Rival in the same run on the same corners:
cv2.calibrateCamera with its five terms of distortion, as it comes.

Drawn: corners of a lens that is known, with errors of several kinds; counted is how many of the lens's numbers lie
inside the 95 % that are stated. OpenCV's are its own standard deviations (calibrateCameraExtended). Beside it the RMS
error of the focal length. Rendered: the same from pictures (navigation/simulation/marker_video.py) of a ChArUco board.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.boards import CharucoBoard, Chessboard, inner_corners_mm
from calibration.camera.camera_file import CameraCalibration
from calibration.camera.errors import CameraRefusedError
from calibration.camera.lens import NAMES, project
from calibration.camera.mono import MonoCalibration, calibrate_camera
from calibration.camera.views import BoardView, board_view
from geometry import Transform
from navigation.devices.optical_markers.bodies import Body, board_cells, cells_along
from navigation.devices.optical_markers.finding import Finder
from navigation.devices.optical_markers.judging import judge
from navigation.devices.optical_markers.pose import fit_pose
from navigation.devices.optical_markers.settings import BoardSettings, Dictionary
from navigation.simulation.marker_video import Face, MarkerCamera, PictureSettings

NOW = "2026-11-27T00:00:00+00:00"
SIZE = (640, 480)
LENS = np.array([600.0, 598.0, 325.0, 236.0, -0.12, 0.06, 0.0008, -0.0005, 0.0])
DRAWN = Chessboard(columns=10, rows=7, square_mm=25.0)
PRINTED = BoardSettings(columns=9, rows=6, square_mm=24.0)
NOISE_PX = 0.15
KINDS = ("independent", "together", "heavy tails", "rolling shutter", "bent board", "wild views")


def opencv(views: Sequence[BoardView]) -> tuple[float, np.ndarray, np.ndarray]:
    """RMS, the nine numbers and their standard deviations of OpenCV, with all views and all terms."""
    flat = [view.board_mm.astype(np.float32) for view in views]
    seen = [view.pixels.astype(np.float32)[:, None] for view in views]
    size = views[0].width_px, views[0].height_px
    rms, matrix, distortion, _, _, deviations, _, _ = cv2.calibrateCameraExtended(flat, seen, size, None, None)
    lens = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *distortion.ravel()[:5]]
    return rms, np.array(lens), deviations.ravel()[:9]


def ours(found: MonoCalibration) -> np.ndarray:
    camera = found.camera
    return np.array([camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *camera.distortion])


def timed(views: Sequence[BoardView]) -> tuple[MonoCalibration, str]:
    """Our calibration, and its time beside OpenCV's, of the processor and of the clock."""
    began = time.perf_counter(), time.process_time()
    found = calibrate_camera(views, NOW)
    middle = time.perf_counter(), time.process_time()
    opencv(views)
    ended = time.perf_counter(), time.process_time()
    wall, cpu = middle[0] - began[0], middle[1] - began[1]
    said = f"{cpu:.2f} s of the processor ({wall:.2f} s passed), OpenCV {ended[1] - middle[1]:.2f} s"
    return found, f"{sum(map(len, views))} corners in {said}"


def show(title: str, views: Sequence[BoardView], stored: np.ndarray | None) -> MonoCalibration:
    found, spent = timed(views)
    rms, lens, deviations = opencv(views)
    print(f"\n{title}: {len(views)} views, {spent}")
    print(f"  ours    RMS {found.rms_px:.3f} px, held out {found.held_out_px[found.model]:.3f}, model {found.model}")
    print(f"  OpenCV  RMS {rms:.3f} px")
    for each in found.left_out:
        print(f"  left out: {each.name}: {each.reason}")
    print("  number         ours (sd)            OpenCV (sd)          stored")
    for number, name in enumerate(NAMES):
        own = f"{ours(found)[number]:9.4f} ({found.deviations[name]:.4f})"
        other = f"{lens[number]:9.4f} ({deviations[number]:.4f})"
        known = "" if stored is None else f"{stored[number]:9.4f}"
        print(f"  {name:6}  {own:>20}  {other:>20}  {known}")
    for said in (*found.coverage.sentences(), *found.reasons):
        print(f"  {said}")
    print(f"  board bent by {found.sag_mm:.2f} mm; variance {found.correlation:.1f} times that of independent corners")
    return found


def recorded_bard(folder: Path) -> MonoCalibration:
    folder = folder / "tracking" / "bard" / "calibration" / "matts_mbp_640_x_480"
    stored = np.concatenate(
        [
            np.loadtxt(folder / "calib.intrinsics.txt")[[0, 1, 0, 1], [0, 1, 2, 2]],
            np.loadtxt(folder / "calib.distortion.txt"),
        ]
    )
    points = []
    for number in range(12):
        ids, board, pixels = (
            np.loadtxt(folder / f"calib.{what}.{number}.txt") for what in ("ids", "object_points", "image_points")
        )
        # OpenCV's boards have y down.
        points.append(board_view(f"view {number}", SIZE, ids, board * [1.0, -1.0, 1.0], pixels))
    show("BARD, its stored corners", points, stored)
    board = Chessboard(columns=15, rows=11, square_mm=6.0)
    pictures = [cv2.imread(str(folder / f"calib.images.{number}.png"), cv2.IMREAD_GRAYSCALE) for number in range(12)]
    found = [board.find(picture, f"picture {number}") for number, picture in enumerate(pictures)]
    return show("BARD, its pictures", [view for view in found if isinstance(view, BoardView)], stored)


def recorded_ucl(folder: Path) -> None:
    folder = folder / "tracking" / "mphy0026" / "calibration"
    grid = {int(row[0]): row[1:] for row in np.loadtxt(folder / "April216mm_centres.txt")}
    for group in ("2018.03.14_15-04-12-628", "2018.03.14_15-05-00-756"):
        views = []
        for number in range(4):
            rows = np.loadtxt(folder / group / f"calib.left.points.{number}.txt")
            ids = rows[:, 0].astype(int)
            board = np.stack([grid[each] for each in ids]) * [1.0, -1.0, 0.0]  # theirs has y down
            views.append(board_view(f"view {number}", (1920, 540), ids, board, rows[:, 1:]))
        stored = np.loadtxt(folder / group / "calib.left.intrinsic.txt", max_rows=3)[[0, 1, 0, 1], [0, 1, 2, 2]]
        print(f"stored fx, fy, cx, cy: {np.round(stored, 1).tolist()}")
        show(f"UCL, {group}", views, None)


def recorded_video(folder: Path, camera: CameraCalibration) -> None:
    """BARD's video with a lens: what the driver says of its tools, and how much they jitter."""
    folder = folder / "tracking" / "bard"
    bodies = []
    for tool in ("pointer", "reference"):
        rows = np.loadtxt(folder / f"{tool}.txt")
        bodies.append(Body(tool, {int(row[0]): row[4:].reshape(4, 3) for row in rows}, None))
    tips = {"pointer": np.loadtxt(folder / "pointer_tip.txt"), "reference": np.zeros(3)}
    here = Transform(np.eye(4), "camera", "tracker")
    finder = Finder(camera, here, bodies, Dictionary.ARUCO_ORIGINAL)
    capture, views = cv2.VideoCapture(str(folder / "multipattern.avi")), []
    while (read := capture.read())[0]:
        views.append(finder.look(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)))
    print(f"\nBARD's video, {len(views)} pictures, with the lens from its pictures")
    for body in bodies:
        states = [judge(body, [view[body.tool]]) for view in views]
        fits = [fit_pose([seen]) for view in views if (seen := view[body.tool].sighting) is not None]
        places = np.array([fit.rotation @ tips[body.tool] + fit.translation_mm for fit in fits if fit is not None])
        # Half of what neighbours differ by, in quadrature: a hand that drifts is no jitter.
        jitter = np.sqrt(np.mean(np.sum(np.diff(places, axis=0) ** 2, axis=1)) / 2.0)
        counts = Counter(each.visibility.value for each in states)
        doubt = [np.sqrt(np.trace(each.covariance[3:, 3:])) for each in states if each.covariance is not None]
        stated = f"; stated {np.sqrt(np.mean(np.square(doubt))):.2f} mm RMS" if doubt else ""
        print(f"  {body.tool}: {dict(counts)}; the likelier pose jitters by {jitter:.2f} mm RMS at its point{stated}")


def smooth(random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """A smooth field of errors over a picture, of `NOISE_PX`."""
    waves = random.normal(size=(2, 6, 2)) / 120.0
    phases = random.uniform(0.0, 2.0 * np.pi, (2, 6))
    return NOISE_PX * np.cos(np.einsum("dki,ni->ndk", waves, pixels) + phases).sum(axis=2) / np.sqrt(3.0)


def errors(kind: str, random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    noise = random.normal(size=pixels.shape) * NOISE_PX
    if kind == "together":
        return smooth(random, pixels) + 0.6 * noise
    if kind == "heavy tails":
        return random.standard_t(3, size=pixels.shape) * NOISE_PX / np.sqrt(3.0)
    if kind == "rolling shutter":
        # While a picture is read row by row, the hand moves it by 0.3 px (standard deviation).
        return noise + np.outer((pixels[:, 1] - SIZE[1] / 2.0) / SIZE[1], random.normal(size=2) * 0.3)
    if kind == "wild views" and random.uniform() < 0.15:
        return noise + 20.0 * smooth(random, pixels)
    return noise


def held(random: np.random.Generator) -> tuple[Rotation, np.ndarray]:
    """T_camera_board of a board that a hand might hold."""
    depth = random.uniform(280.0, 600.0)
    side = random.uniform([-0.45, -0.35], [0.45, 0.35]) * depth
    about, tilt = random.uniform(0.0, 2.0 * np.pi), random.uniform(0.0, np.deg2rad(50.0))
    facing = Rotation.from_euler("z", random.normal(0.0, 0.3)) * Rotation.from_euler("x", np.pi)
    return Rotation.from_rotvec(tilt * np.array([np.cos(about), np.sin(about), 0.0])) * facing, np.array([*side, depth])


def drawn(kind: str, random: np.random.Generator, count: int) -> list[BoardView]:
    flat = inner_corners_mm(DRAWN)
    printed = flat.copy()
    if kind == "bent board":  # by 1 mm at half its diagonal, about an oblique axis
        along = flat[:, :2] @ [0.8, 0.6] / (np.linalg.norm(np.ptp(flat[:, :2], axis=0)) / 2.0)
        printed[:, 2] = along**2 + 0.1 * along**3
    views: list[BoardView] = []
    while len(views) < count:
        rotation, translation = held(random)
        pixels, _, _ = project(LENS, rotation.apply(printed) + translation)
        pixels = pixels + errors(kind, random, pixels)
        inside = ((pixels > 0.0) & (pixels < np.array(SIZE) - 1.0)).all(axis=1)
        if inside.mean() > 0.5:
            views.append(board_view(f"view {len(views)}", SIZE, np.flatnonzero(inside), flat[inside], pixels[inside]))
    return views


def rendered(random: np.random.Generator, count: int, seed: int) -> list[BoardView]:
    camera = CameraCalibration(
        width_px=SIZE[0],
        height_px=SIZE[1],
        fx_px=LENS[0],
        fy_px=LENS[1],
        cx_px=LENS[2],
        cy_px=LENS[3],
        distortion=tuple(LENS[4:]),
        reprojection_rms_px=0.1,
        calibrated=NOW,
    )
    blur_px, full_well = random.uniform([0.5, 2e3], [1.0, 1e4]).tolist()
    settings = PictureSettings(samples=2, lens_blur_px=blur_px, full_well=full_well)
    renderer = MarkerCamera(camera, settings, seed)
    dictionary = Dictionary.ARUCO_4X4_50
    cell_mm = PRINTED.square_mm / (cells_along(dictionary) + 2)
    cells = np.pad(board_cells(PRINTED, dictionary), 4, constant_values=1.0)
    face = Face((0.04 + 0.8 * cells).astype(np.float32), cell_mm)
    board = CharucoBoard(columns=PRINTED.columns, rows=PRINTED.rows, square_mm=PRINTED.square_mm)
    views: list[BoardView] = []
    while len(views) < count:
        rotation, translation = held(random)
        drift = random.normal(size=3) * [0.3, 0.3, 0.1]  # mm within the exposure
        poses = [
            Transform.from_rotation(rotation, translation + share * drift, "camera", "board") for share in (0.0, 1.0)
        ]
        found = board.find(renderer.picture([[(face, pose)] for pose in poses]), f"picture {len(views)}")
        if isinstance(found, BoardView) and len(found) > 20:
            views.append(found)
    return views


def trials(title: str, sets: Sequence[list[BoardView]]) -> None:
    inside: list[np.ndarray] = []
    theirs: list[np.ndarray] = []
    focal, rival, refused = [], [], 0
    for views in sets:
        try:
            found = calibrate_camera(views, NOW)
        except CameraRefusedError:
            refused += 1
            continue
        refused += bool(found.reasons)
        deviations = np.sqrt(np.diag(found.covariance))
        known = deviations > 0.0  # a term that no model asked for is 0 and has no error stated
        off = ours(found) - LENS
        inside.append(np.abs(off[known] / deviations[known]) < 1.96)
        _, lens, other = opencv(views)
        theirs.append(np.abs((lens - LENS) / other) < 1.96)
        focal.append(off[0])
        rival.append(lens[0] - LENS[0])
    own, others = np.concatenate(inside), np.concatenate(theirs)
    error, other = (np.sqrt(np.mean(np.square(each))) for each in (focal, rival))
    inner = f"{own.mean():6.1%}  {others.mean():6.1%}"
    print(f"{title:16}  {len(sets):5}  {inner}  {error:7.2f}  {other:7.2f}  {refused:7}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="of each kind of error")
    parser.add_argument("--views", type=int, default=18)
    parser.add_argument("--rendered", type=int, default=10, help="cameras from rendered pictures")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    if (options.data / "tracking").is_dir():
        recorded_video(options.data, recorded_bard(options.data).camera)
        recorded_ucl(options.data)
    random = np.random.default_rng(1)
    print("\ninside the stated 95 %, and RMS error of fx in px; refused by us")
    print("errors             runs    ours  OpenCV  fx ours  OpenCV  refused")
    for kind in KINDS:
        trials(kind, [drawn(kind, random, options.views) for _ in range(options.runs)])
    if options.rendered:
        trials("rendered", [rendered(random, options.views, seed) for seed in range(options.rendered)])


if __name__ == "__main__":
    main()
