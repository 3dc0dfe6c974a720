"""Hand-eye calibration: simulated cases with their truth, ETH's recordings, UCL's laparoscope; each beside OpenCV.

    python benchmarks/calibration/bench_hand_eye.py [--only simulated recorded laparoscope speed] [--cases 1000]
                                                    [--sksurgery FOLDER]

- simulated: 40 poses half a second apart of a hand that moves a body seen by a tracker (depth three times worse than
  across) and by a camera that sees a board; errors are normal, have heavy tails (Student's t, 3 degrees of freedom), or
  are correlated in time (0.6 from pose to pose), and 5 % of the poses of a further quarter of the cases are wild.
  Each of OpenCV's methods gets all 40 poses. The share of cases in which the truth is inside the 95 % ellipsoid.
- recorded: ETH's sets of two unsynchronised devices: offset, residual, and the error of poses held out (every second
  block of 2 s, then the others), beside OpenCV's methods with the same offset. The simulated robot's archive holds no
  true transform, so its motion is also seen by a camera that is simulated here, with a truth.
- laparoscope: UCL's two sets of four poses: how far the board's points, mapped into the tracker, lie from their mean
  (RMS), beside the stored results and, with `--sksurgery`, scikit-surgerycalibration's methods. For those:
  `pip download --no-deps --no-binary :all: scikit-surgerycalibration scikit-surgerycore`, unpacked into FOLDER.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.hand_eye import calibrate_hand_eye, pose_errors, solve
from calibration.hand_eye.model import Pairs, inverse, residuals, rigid
from calibration.hand_eye.opencv_methods import OpenCvMethod, mean_of, solve_with_opencv
from calibration.hand_eye.refine import evaluate
from calibration.hand_eye.settings import HandEyeSettings
from calibration.hand_eye.streams import Matched, calibrate_hand_eye_streams
from calibration.hand_eye.time_offset import Track
from calibration.streams import PoseStream
from geometry.errors import SurgNavError
from tests.calibration.hand_eye.simulated import Truth, any_rigid, as_transforms, error_of, make_case, seen
from tests.calibration.hand_eye.simulated import recorded as recorded_streams

TRACKING = Path("..") / "shared" / "data" / "tracking"
CHI2_95_OF_6 = 12.592
BLOCK_S = 2.0
OPEN = HandEyeSettings(  # a benchmark shows what would be refused
    maximum_expected_error_rms_mm=1e9,
    maximum_expected_error_rms_rad=10.0,
    maximum_residual_rms_mm=1e9,
    maximum_residual_rms_rad=10.0,
    maximum_scale_error=1e9,
)
SIM = "robot_arm_w_color_camera_sim"
SETS = {
    "robot arm, simulated": (SIM, f"{SIM}/robot_arm_sim_hand", f"{SIM}/robot_arm_sim_camera"),
    "robot arm, real": (
        "robot_arm_w_color_camera_real",
        "robot_arm/robot_arm_complete_bag_color_and_ir_base_link_sr300_hinge",
        "robot_arm/robot_arm_complete_bag_color_and_ir_target_ir",
    ),
    "Vicon and camera 1": (
        "prime_sense_color_w_vicon_1",
        "prime_sense_1/2017-04-09-18-13-10_vicon_prime_sense",
        "prime_sense_1/2017-04-09-18-13-10_W_camera_rgb_image_raw",
    ),
    "Vicon and camera 2": (
        "prime_sense_color_w_vicon_2",
        "prime_sense_2/2017-04-09-18-14-38_vicon_prime_sense",
        "prime_sense_2/2017-04-09-18-14-38_W_camera_rgb_image_raw",
    ),
    "Tango, easy": (
        "tango_triplet_easy",
        "TANGO_exCALIBur_2/CALIGULA_2017-04-06-18-21-33",
        "TANGO_exCALIBur_2/MARS_2017-04-06-18-23-37",
    ),
    "Tango, hard": (
        "tango_triplet_hard",
        "TANGO_exCALIBur_1/CALIGULA_20170405_195215",
        "TANGO_exCALIBur_1/MARS_20170405_195216",
    ),
    "Falcon 5, Vicon and odometry": (
        "5_falcon",
        "5_falcon_merged-2017-04-07-12-36-38_falcon_vicon",
        "5_falcon_merged-2017-04-07-12-36-38_imu_odom",
    ),
    "Falcon 4, Vicon and depth camera": (
        "4_falcon",
        "4_falcon_merged-2017-04-07-12-26-36_falcon_vicon",
        "4_falcon_merged-2017-04-07-12-26-36_W_d",
    ),
    "Falcon 1, empty": (
        "1_falcon",
        "1_falcon_merged-2017-04-07-12-16-44_falcon_vicon",
        "1_falcon_merged-2017-04-07-12-16-44_W_d",
    ),
}


# ---------------------------------------------------------------------------------------------------------- simulated
def simulated(count: int) -> None:
    for kind in ("normal", "heavy", "correlated", "wild"):
        errors, inside, worse, refined = defaultdict(list), [], 0, 0
        cases = count // 4
        for seed in range(cases):
            rng = np.random.default_rng([seed, len(kind)])
            pairs, truth = make_case(rng, 40, kind=kind, step_s=0.5, keep=0.6)
            if kind == "wild":
                eye = pairs.eye.copy()
                wrong = rng.permutation(40)[:2]
                eye[wrong, :3, 3] += 100.0 * rng.normal(size=(2, 3))
                pairs = Pairs(pairs.hand, eye)
            for method in OpenCvMethod:
                errors[method.value].append(_error(pairs, method, truth))
            found = calibrate_hand_eye(*as_transforms(pairs), settings=OPEN)
            error = error_of(found.T_hand_eye.matrix, truth.x)
            inside.append(error @ np.linalg.solve(found.covariance_hand_eye, error) < CHI2_95_OF_6)
            errors["refined"].append(_size(found.T_hand_eye.matrix, truth.x))
            refined += found.is_refined
            worse += costs_more(pairs)
        print(f"\n{kind}: {cases} cases, {refined} refined; the 95 % ellipsoid holds {np.mean(inside):.1%}")
        print(f"  refinements that fit worse than the cheapest closed form: {worse}")
        table(errors)


def costs_more(pairs: Pairs) -> bool:
    """Whether the result fits all pairs worse than the cheapest closed form, by the same measure."""
    solved = solve(lambda _: pairs, 0.0, OPEN)
    fit = solved.fit
    return evaluate(lambda _: fit.pairs, fit.x, fit.z, 0.0, None).cost > min(solved.starts.values()) + 1e-6


def _error(pairs: Pairs, method: OpenCvMethod, truth: Truth) -> tuple[float, float]:
    try:
        return _size(solve_with_opencv(pairs, method)[0], truth.x)
    except HandEyeRefusedError:
        return np.inf, np.inf


def _size(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Angle in degrees, and distance in mm at the eye."""
    angle = Rotation.from_matrix(found[:3, :3] @ true[:3, :3].T).magnitude()
    return float(np.rad2deg(angle)), float(np.linalg.norm(found[:3, 3] - true[:3, 3]))


def table(errors: dict[str, list[tuple[float, float]]]) -> None:
    print(f"  {'method':12} {'rotation, deg':>22} {'translation, mm':>24}")
    print(f"  {'':12} {'median':>11}{'RMS':>11} {'median':>12}{'RMS':>12}")
    for name, each in errors.items():
        values = np.array(each)
        medians, rms = np.median(values, axis=0), np.sqrt(np.mean(values**2, axis=0))
        print(f"  {name:12} {medians[0]:11.3f}{rms[0]:11.3f} {medians[1]:12.3f}{rms[1]:12.3f}")


# ----------------------------------------------------------------------------------------------------------- recorded
def read(archive: str, name: str, frames: tuple[str, str]) -> PoseStream:
    with zipfile.ZipFile(TRACKING / "ethz_hand_eye" / f"{archive}.zip") as zipped:
        content = zipped.read(f"{name}.csv")
    if not content:
        return PoseStream(*frames, np.zeros(0), np.zeros((0, 4, 4)), 0, Path(name).name)
    rows = np.loadtxt(io.BytesIO(content), delimiter=",")
    rows = rows[np.r_[True, rows[1:, 0] > np.maximum.accumulate(rows[:, 0])[:-1]]]  # late ones are left out
    poses = rigid(Rotation.from_quat(rows[:, 4:8]).as_matrix(), 1000.0 * rows[:, 1:4])
    return PoseStream(*frames, rows[:, 0], poses, 0, Path(name).name)


def recorded() -> None:
    for name, (archive, hand_name, eye_name) in SETS.items():
        print(f"\n{name}")
        try:
            hand, eye = read(archive, hand_name, ("base", "hand")), read(archive, eye_name, ("world", "eye"))
            whole = calibrate_hand_eye_streams(hand, eye, OPEN)
        except SurgNavError as error:
            print(f"  {error}")
            continue
        print(
            f"  offset {1000 * whole.time_offset_s:.2f} ms (std {1000 * whole.time_offset_std_s:.2f}), rates correlate "
            f"{whole.correlation:.3f}; {whole.n_used} pairs, {whole.n_rejected} left out; X {whole.T_hand_eye!r}, "
            f"expected {whole.expected_error_rms_mm():.2f} mm and {np.rad2deg(whole.expected_error_rms_rad):.3f} deg; "
            f"drift {whole.drift_mm:.1f} mm (std {whole.drift_std_mm:.1f}); scale "
            f"{whole.scale:.4f} (std {whole.scale_std:.4f})"
        )
        try:
            calibrate_hand_eye_streams(hand, eye)
        except SurgNavError as error:
            print(f"  with the usual limits: {error}")
        held_out(Matched(Track(hand), Track(eye), whole.time_offset_s), whole.time_offset_s)
        if archive == SIM:
            with_truth(hand)


def held_out(matched: Matched, offset_s: float) -> None:
    """Calibrated on every second block of 2 s, tried on the others, and the other way round: errors of the eye's pose.

    Beside them the error of where the eye sees its world's origin, which is less blurred by rotations that a camera
    measures badly.
    """
    pairs = matched.at(offset_s)
    plain = Pairs(pairs.hand, pairs.eye)
    first = (matched.time_s - matched.time_s[0]) // BLOCK_S % 2 == 0
    errors: dict[str, list[np.ndarray]] = defaultdict(list)
    for chosen in (first, ~first):
        learnt, tried = plain.part(chosen), plain.part(~chosen)
        fit = solve(lambda _, learnt=learnt: learnt, 0.0, OPEN).fit
        found = {method.value: _opencv(learnt, method) for method in OpenCvMethod} | {"refined": (fit.x, fit.z)}
        for name, (x, z) in found.items():
            at_world = np.linalg.norm(residuals(tried.at_the_world(), x, z)[:, 3:], axis=1)
            errors[name].append(np.column_stack([*pose_errors(tried.hand, tried.eye, x, z), at_world]))
    print(f"  held out ({len(plain)} pairs)    median mm   median deg      RMS mm  world, median mm")
    for name, parts in errors.items():
        mm, rad, at_world = np.concatenate(parts).T
        print(
            f"  {name:24}{np.median(mm):12.2f}{np.rad2deg(np.median(rad)):13.3f}{np.sqrt(np.mean(mm**2)):12.2f}"
            f"{np.median(at_world):18.2f}"
        )


def _opencv(pairs: Pairs, method: OpenCvMethod) -> tuple[np.ndarray, np.ndarray]:
    try:
        return solve_with_opencv(pairs, method)
    except HandEyeRefusedError:
        return np.full((4, 4), np.nan), np.full((4, 4), np.nan)


def with_truth(hand: PoseStream) -> None:
    """The robot's own motion, its camera simulated: 20 truths, the errors of each method."""
    errors, offsets = defaultdict(list), []
    track = Track(hand)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = Truth(any_rigid(rng, 100.0), any_rigid(rng, 800.0))
        times = np.arange(hand.time_s[0] + 0.2, hand.time_s[-1] - 0.2, 1.0 / 30.0)
        eye_poses = seen(rng, track.at(times)[0], truth)[1]
        eye = PoseStream("world", "eye", times - 1.234, eye_poses, 0, "simulated camera")
        found = calibrate_hand_eye_streams(hand, eye, OPEN)
        offsets.append((found.time_offset_s - 1.234, found.time_offset_std_s))
        matched = Matched(track, Track(eye), found.time_offset_s)
        pairs = matched.at(found.time_offset_s)
        for method in OpenCvMethod:
            errors[method.value].append(_error(pairs, method, truth))
        errors["refined"].append(_size(found.T_hand_eye.matrix, truth.x))
    missed = 1000.0 * np.array(offsets)
    rms_ms, said_ms = np.sqrt(np.mean(missed**2, axis=0))
    print(f"  its motion with a simulated camera, 20 truths: offset off by {rms_ms:.2f} ms RMS, {said_ms:.2f} ms said")
    table(errors)


# -------------------------------------------------------------------------------------------------------- laparoscope
def laparoscope(sksurgery: Path | None) -> None:
    points = np.loadtxt(TRACKING / "mphy0026" / "calibration" / "April216mm_centres.txt")[:, 1:4]
    for folder in ("2018.03.14_15-04-12-628", "2018.03.14_15-05-00-756"):
        at = TRACKING / "mphy0026" / "calibration" / folder
        hand = np.stack([_rigid_of(at / f"calib.tracking.{i}.4x4") for i in range(4)])
        board = np.stack([_rigid_of(at / f"calib.left.camera.{i}.4x4") for i in range(4)])
        pairs = Pairs(hand, inverse(board))
        found = {}
        for stored in ("tsai", "shahidi", "malti", "allextrinsic"):
            eye_hand = _rigid_of(at / f"calib.left.eyehand.{stored}.txt")
            found[f"stored {stored}"] = inverse(eye_hand)
        for method in OpenCvMethod:
            found[f"OpenCV {method.value}"] = _opencv(pairs, method)[0]
        found |= _scikit_surgery(sksurgery, pairs) if sksurgery else {}
        found["refined"] = solve(lambda _, pairs=pairs: pairs, 0.0, OPEN).fit.x
        print(f"\n{folder}: spread of the board's points in the tracker, mm RMS, with X and with its inverse")
        for name, x in found.items():
            spreads = [_spread_mm(hand @ each @ board, points) for each in (x, inverse(x))]
            print(f"  {name:32}{spreads[0]:12.2f}{spreads[1]:12.2f}")
        try:
            usual = calibrate_hand_eye(*as_transforms(pairs))
            print(f"  expected error {usual.expected_error_rms_mm():.1f} mm; residual {usual.residual_rms_mm:.1f} mm")
        except SurgNavError as error:
            print(f"  {error}")


def _spread_mm(tracker_board: np.ndarray, points: np.ndarray) -> float:
    mapped = np.einsum("nij,mj->nmi", tracker_board[:, :3, :3], points) + tracker_board[:, None, :3, 3]
    return float(np.sqrt(np.mean(np.sum((mapped - mapped.mean(axis=0)) ** 2, axis=2))))


def _rigid_of(path: Path) -> np.ndarray:
    matrix = np.loadtxt(path)[:4]
    # Printed digits, and Shahidi's results, are no rotations: the nearest one.
    return mean_of(matrix[None])


def _scikit_surgery(folder: Path, pairs: Pairs) -> dict[str, np.ndarray]:
    for each in sorted(folder.glob("scikit*")):
        sys.path.insert(0, str(each))
    from sksurgerycalibration.video import video_calibration_hand_eye as theirs

    board = inverse(pairs.eye)
    rvecs = list(Rotation.from_matrix(board[:, :3, :3]).as_rotvec())
    tvecs = list(board[:, :3, 3])
    stationary = theirs.calibrate_hand_eye_using_stationary_pattern(rvecs, tvecs, list(pairs.hand))
    both, _ = theirs.calibrate_hand_eye_and_grid_to_world(rvecs, tvecs, list(pairs.hand))
    return {"scikit-surgery stationary": inverse(stationary), "scikit-surgery grid to world": inverse(both)}


def speed() -> None:
    """Processor time of two streams with an unknown offset, 2,000 poses of the eye."""
    hand, eye, _ = recorded_streams(10, (100.0, 80.0), length_s=25.0)
    calibrate_hand_eye_streams(hand, eye)  # imports
    begun = time.process_time()
    calibrate_hand_eye_streams(hand, eye)
    print(f"\n{len(eye)} poses, offset unknown: {time.process_time() - begun:.2f} s of processor time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["simulated", "recorded", "laparoscope", "speed"])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--sksurgery", type=Path)
    asked = parser.parse_args()
    if "laparoscope" in asked.only:
        laparoscope(asked.sksurgery)
    if "recorded" in asked.only:
        recorded()
    if "simulated" in asked.only:
        simulated(asked.cases)
    if "speed" in asked.only:
        speed()


if __name__ == "__main__":
    main()
