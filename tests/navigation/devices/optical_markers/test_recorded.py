"""Real video: the pointer and the reference of BARD, whose definitions and calibration are its own (shared data)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from calibration.camera.camera_file import CameraCalibration
from navigation.devices.optical_markers.bodies import Body, dictionary_of
from navigation.devices.optical_markers.finding import Finder
from navigation.devices.optical_markers.judging import judge
from navigation.devices.optical_markers.settings import Dictionary
from navigation.devices.tracker import Visibility
from tests.navigation.devices.optical_markers.scene import HERE

TOOLS = ("pointer", "reference")


def test_the_reference_is_where_opencv_finds_it_and_a_pointer_that_could_be_mirrored_is_refused(
    shared_data: Path,
) -> None:
    folder = shared_data / "tracking" / "bard"
    calibration = _calibration(folder / "calibration" / "matts_mbp_640_x_480")
    bodies = [Body(name, _corners(folder / f"{name}.txt"), None) for name in TOOLS]
    finder = Finder(calibration, HERE, bodies, Dictionary.ARUCO_ORIGINAL)
    pictures = _pictures(folder / "multipattern.avi")
    assert len(pictures) == 10
    states = {name: [] for name in TOOLS}
    for picture in pictures:
        views = finder.look(picture)
        for body in bodies:
            seen = judge(body, [views[body.tool]])
            states[body.tool].append(seen.visibility)
            if seen.T_tracker_tool is not None:
                apart_mm = seen.T_tracker_tool.translation_mm - _opencvs_place_mm(picture, body, calibration)
                assert seen.covariance is not None
                # Neither knows the truth: both miss the printed plates by a pixel, which is 0.4 mm here.
                assert np.linalg.norm(apart_mm) < 4.0 * np.sqrt(np.trace(seen.covariance[3:, 3:])) + 1.0
    assert set(states["reference"]) == {Visibility.VISIBLE}
    # 50 mm wide, flat and 250 mm away, its tilt to either side explains the pictures: a lead of 2 to 10 in them.
    assert set(states["pointer"]) == {Visibility.AMBIGUOUS}


def _calibration(folder: Path) -> CameraCalibration:
    matrix = np.loadtxt(folder / "calib.intrinsics.txt")
    return CameraCalibration(
        width_px=640,
        height_px=480,
        fx_px=matrix[0, 0],
        fy_px=matrix[1, 1],
        cx_px=matrix[0, 2],
        cy_px=matrix[1, 2],
        distortion=tuple(np.loadtxt(folder / "calib.distortion.txt")),
        reprojection_rms_px=0.3,  # of a usual webcam; the data does not say
        calibrated="unknown",
    )


def _corners(path: Path) -> dict[int, np.ndarray]:
    """BARD's lines: a number, the middle, and four corners from the top left clockwise, in mm."""
    return {int(row[0]): row[4:].reshape(4, 3) for row in np.loadtxt(path)}


def _pictures(path: Path) -> list[np.ndarray]:
    capture, pictures = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        pictures.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY))
    return pictures


def _opencvs_place_mm(picture: np.ndarray, body: Body, calibration: CameraCalibration) -> np.ndarray:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(dictionary_of(Dictionary.ARUCO_ORIGINAL), parameters)
    quads, numbers, _ = detector.detectMarkers(picture)
    used = [
        (body.corners_tool_mm[number], quad[0])
        for quad, number in zip(quads, numbers.ravel().tolist(), strict=True)
        if number in body.corners_tool_mm
    ]
    points, pixels = (np.concatenate(part).astype(np.float64) for part in zip(*used, strict=True))
    found, _, place = cv2.solvePnP(points, pixels, calibration.matrix, np.array(calibration.distortion))
    assert found
    return place.ravel()
