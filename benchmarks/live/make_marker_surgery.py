"""A recorded surgery as the video of a camera that sees printed markers, with the room file that plays it.

    surgnav demo --offline --seed 1 --record surgery.igs.mha
    python benchmarks/live/make_marker_surgery.py surgery.igs.mha out/marker_surgery [--rate-hz 10] [--seconds 10]

Reference and stylus are blocks of three printed markers each, like the sides of a flat pyramid, at the recorded poses.
A camera stands on the line of sight of the tracker that recorded, as near as all markers of all frames are still in its
picture (rendered by navigation/simulation/marker_video.py, which casts rays and knows nothing of how markers are
found). A tool that the recording does not see is not in the picture. Written are markers.mkv (lossless), camera.json,
and or.toml for `surgnav demo --room`. The lens and the blocks are known exactly, and nothing is blurred by motion.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.camera_file import CameraCalibration, write_camera
from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.clock import NS_PER_S
from navigation.devices.driver import Role, Tool
from navigation.devices.optical_markers.bodies import cells_along, marker_cells
from navigation.devices.optical_markers.settings import Dictionary, MarkerSettings
from navigation.devices.replay.plus import read_plus
from navigation.devices.replay.recording import RecordedFrame
from navigation.simulation.marker_video import Face, MarkerCamera, PictureSettings, projected

DICTIONARY = Dictionary.ARUCO_4X4_50
CAMERA = CameraCalibration(
    width_px=720,
    height_px=720,
    fx_px=800.0,
    fy_px=798.0,
    cx_px=357.0,
    cy_px=362.0,
    distortion=(-0.12, 0.04, 0.001, -0.0005, 0.0),
    reprojection_rms_px=0.02,
    calibrated="2026-11-27T00:00:00+00:00",
)
SIDES_LEAN_DEG = 25.0
# In a hand that works, the shaft (y) points halfway to the camera; so the stylus's block is turned up along it.
STYLUS_LEANS_DEG = 38.0
PLACES_MM = np.arange(400.0, 2500.0, 25.0)
IN_PICTURE_PX = 4.0

Faces = list[tuple[Face, Transform]]


def block(first_id: int, size_mm: float, leans_deg: float) -> list[MarkerSettings]:
    """Three sides of a flat pyramid whose axis is z, leaned by `leans_deg` towards y; its top is 0."""
    # Squares in thirds of a circle do not cut one another beyond 0.8 of their length; the margin belongs to them.
    from_top_mm = 0.85 * size_mm * (cells_along(DICTIONARY) + 2) / cells_along(DICTIONARY)
    sides = []
    for number, azimuth_deg in enumerate((90.0, 210.0, 330.0)):
        turn = Rotation.from_euler("XZY", [-leans_deg, azimuth_deg, SIDES_LEAN_DEG], degrees=True)
        centre, quaternion = (np.round(each, 9).tolist() for each in (turn.apply([from_top_mm, 0, 0]), turn.as_quat()))
        sides.append(
            MarkerSettings(id=first_id + number, size_mm=size_mm, centre_mm=centre, quaternion_xyzw=quaternion)
        )
    return sides


TOOLS = {REFERENCE: block(0, 60.0, 0.0), STYLUS: block(3, 44.0, STYLUS_LEANS_DEG)}


def faces_of(markers: list[MarkerSettings], tool: str) -> Faces:
    """The printed faces with a light margin of one cell, in the frame of the tool."""
    faces = []
    for each in markers:
        cells = np.pad(marker_cells(DICTIONARY, each.id), 1, constant_values=1.0)
        face = Face((0.04 + 0.8 * cells).astype(np.float32), each.size_mm / cells_along(DICTIONARY))
        turn = Rotation.from_quat(each.quaternion_xyzw)
        faces.append((face, Transform.from_rotation(turn, each.centre_mm, tool, f"marker_{each.id}")))
    return faces


def taken(frames: tuple[RecordedFrame, ...], rate_hz: float, seconds: float) -> Iterator[RecordedFrame]:
    """The newest frame at each time of a picture."""
    times_ns = np.array([frame.time_ns for frame in frames]) - frames[0].time_ns
    count = int(min(seconds, times_ns[-1] / NS_PER_S) * rate_hz)
    for number in range(count):
        yield frames[int(np.searchsorted(times_ns, number / rate_hz * NS_PER_S, side="right")) - 1]


def placed(frame: RecordedFrame, tools: Mapping[str, Faces], T_camera_tracker: Transform) -> Faces:
    """The faces of the tools that are seen in a frame, in the frame ``camera``."""
    return [
        (face, T_camera_tracker @ pose @ T_tool_face)
        for tool, faces in tools.items()
        if (pose := frame.tools[tool].T_tracker_tool) is not None
        for face, T_tool_face in faces
    ]


def nearest_place(frames: list[RecordedFrame], tools: Mapping[str, Faces]) -> Transform:
    """``T_camera_tracker`` of the nearest camera that has all faces in its picture."""
    here = Transform(np.eye(4), "camera", TRACKER)
    corners = np.concatenate(
        [pose.apply(face.corners_mm) for each in frames for face, pose in placed(each, tools, here)]
    )
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2.0
    size = np.array([CAMERA.width_px, CAMERA.height_px])
    for distance_mm in PLACES_MM:
        there = corners - centre + [0.0, 0.0, distance_mm]
        pixels = projected(CAMERA, there)
        if there[:, 2].min() > 0.0 and (np.abs(pixels - size / 2.0) < size / 2.0 - IN_PICTURE_PX).all():
            return Transform.from_rotation(here.rotation, [0.0, 0.0, distance_mm] - centre, "camera", TRACKER)
    raise SystemExit(f"no place up to {PLACES_MM[-1]:.0f} mm from which all of the surgery is in the picture")


def room_file(rate_hz: float) -> str:
    """The room of this camera; a pose of a tool may be two pictures old, and is lost after five."""
    lines = ["[ages]", f"stale_after_ms = {2000.0 / rate_hz:g}", f"lost_after_ms = {5000.0 / rate_hz:g}", ""]
    lines += ["[devices.camera]", 'driver = "optical_markers"', f'dictionary = "{DICTIONARY.value}"']
    lines += [f"rate_hz = {rate_hz}", 'cameras = [{ file = "markers.mkv", calibration = "camera.json" }]']
    for tool, markers in TOOLS.items():
        lines += ["", f"[tools.{tool}]", 'device = "camera"', f'role = "{tool}"', "markers = ["]
        lines += [
            f"    {{ id = {each.id}, size_mm = {each.size_mm}, centre_mm = {list(each.centre_mm)}, "
            f"quaternion_xyzw = {list(each.quaternion_xyzw)} }},"
            for each in markers
        ]
        lines += ["]"]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path, help="sequence of PLUS with ReferenceToTracker and StylusToTracker")
    parser.add_argument("out", type=Path, help="folder for markers.mkv, camera.json and or.toml")
    parser.add_argument("--rate-hz", type=float, default=10.0, help="pictures a second")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how much of it, usually all")
    options = parser.parse_args()
    tools = [Tool(name=name, role=Role(name), id=name, settings=None) for name in TOOLS]
    frames = list(taken(read_plus(options.recording, tools).frames, options.rate_hz, options.seconds))
    faces = {tool: faces_of(markers, tool) for tool, markers in TOOLS.items()}
    T_camera_tracker = nearest_place(frames, faces)
    options.out.mkdir(parents=True, exist_ok=True)
    write_camera(options.out / "camera.json", CAMERA)
    (options.out / "or.toml").write_text(room_file(options.rate_hz), "utf-8")
    camera = MarkerCamera(CAMERA, PictureSettings(samples=2))
    writer = cv2.VideoWriter(
        str(options.out / "markers.mkv"),
        cv2.VideoWriter.fourcc(*"FFV1"),
        options.rate_hz,
        (CAMERA.width_px, CAMERA.height_px),
    )
    for frame in frames:
        picture = camera.picture([placed(frame, faces, T_camera_tracker)])
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    middle = np.round(T_camera_tracker.translation_mm, 1).tolist()
    print(f"{len(frames)} pictures; the recording's tracker is at {middle} mm before the camera")
    return 0


if __name__ == "__main__":
    sys.exit(main())
