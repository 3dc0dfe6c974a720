"""A recorded surgery as the video of a camera that sees printed markers, with the room file that plays it.

    surgnav demo --offline --seed 1 --record surgery.igs.mha
    python benchmarks/live/make_marker_surgery.py surgery.igs.mha out/marker_surgery [--rate-hz 10] [--seconds 10]

Reference and stylus are blocks of three printed markers each, like the sides of a flat pyramid, at the recorded poses.
The block of the reference stands on the shortest arm on which, in no picture, one of the two covers the other.
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

from calibration.camera.camera_file import write_camera
from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.driver import Role, Tool
from navigation.devices.optical_markers.settings import MarkerSettings
from navigation.devices.replay.plus import read_plus
from navigation.devices.replay.recording import RecordedFrame
from navigation.simulation.marker_video import MarkerCamera, PictureSettings, projected
from navigation.simulation.printed_tools import DICTIONARY, Faces, block, camera, faces_of, placed

CAMERA = camera(720, 720, 800.0)
REFERENCE_MM, STYLUS_MM = 60.0, 44.0
# In a hand that works, the shaft (y) points halfway to the camera; so the stylus's block is turned up along it.
STYLUS_LEANS_DEG = 38.0
PLACES_MM = np.arange(400.0, 2500.0, 25.0)
ARMS_MM = np.arange(0.0, 501.0, 25.0)
AROUND_DEG = np.arange(0.0, 360.0, 45.0)
IN_PICTURE_PX = 4.0

Markers = Mapping[str, list[MarkerSettings]]


def taken(frames: tuple[RecordedFrame, ...], rate_hz: float, seconds: float) -> Iterator[RecordedFrame]:
    """The newest frame at each time of a picture."""
    times_ns = np.array([frame.time_ns for frame in frames]) - frames[0].time_ns
    count = int(min(seconds, times_ns[-1] / NS_PER_S) * rate_hz)
    for number in range(count):
        yield frames[int(np.searchsorted(times_ns, number / rate_hz * NS_PER_S, side="right")) - 1]


def in_picture(frame: RecordedFrame, tools: Mapping[str, Faces], T_camera_tracker: Transform) -> Faces:
    """The faces of the tools that are seen in a frame, in the frame ``camera``."""
    poses = ((faces, frame.tools[tool].T_tracker_tool) for tool, faces in tools.items())
    return [each for faces, pose in poses if pose is not None for each in placed(faces, T_camera_tracker @ pose)]


def outlines_mm(frames: list[RecordedFrame], tools: Markers) -> dict[str, Floats]:
    """The corners of each tool's faces in ``tracker``, ``(frames, n, 3)``; NaN where it is not seen."""
    unseen, outlines = np.full((4, 4), np.nan), {}
    for tool, markers in tools.items():
        corners = np.concatenate([place.apply(face.corners_mm) for face, place in faces_of(markers, tool)])
        poses = (frame.tools[tool].T_tracker_tool for frame in frames)
        matrices = np.stack([unseen if pose is None else pose.matrix for pose in poses])
        outlines[tool] = np.einsum("nij,mj->nmi", matrices[:, :3, :3], corners) + matrices[:, None, :3, 3]
    return outlines


def nearest_place(outlines: Mapping[str, Floats]) -> Transform | None:
    """``T_camera_tracker`` of the nearest camera that has all of them in its picture."""
    corners = np.concatenate([each[np.isfinite(each).all(axis=-1)] for each in outlines.values()])
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2.0
    size = np.array([CAMERA.width_px, CAMERA.height_px])
    for distance_mm in PLACES_MM:
        there = corners - centre + [0.0, 0.0, distance_mm]
        pixels = projected(CAMERA, there)
        if there[:, 2].min() > 0.0 and (np.abs(pixels - size / 2.0) < size / 2.0 - IN_PICTURE_PX).all():
            return Transform.from_rotation(Rotation.identity(), [0.0, 0.0, distance_mm] - centre, "camera", TRACKER)
    return None


def is_clear(outlines: Mapping[str, Floats], T_camera_tracker: Transform) -> bool:
    """Whether one tool covers a part of the other in no picture."""
    for one, other in zip(*outlines.values(), strict=True):
        if np.isfinite(one).all() and np.isfinite(other).all():
            hulls = [
                cv2.convexHull(projected(CAMERA, T_camera_tracker.apply(each)).astype(np.float32))
                for each in (one, other)
            ]
            if cv2.intersectConvexConvex(*hulls)[0] > 0.0:
                return False
    return True


def clear_tools(frames: list[RecordedFrame]) -> tuple[Markers, Transform]:
    """The tools with the reference's block on the shortest arm that keeps it clear of the stylus, and the camera."""
    stylus = block(3, STYLUS_MM, STYLUS_LEANS_DEG)
    for arm_mm in ARMS_MM:
        for around in np.deg2rad(AROUND_DEG):
            top_mm = arm_mm * np.array([np.cos(around), np.sin(around), 0.0])
            tools = {REFERENCE: block(0, REFERENCE_MM, top_mm=top_mm), STYLUS: stylus}
            outlines = outlines_mm(frames, tools)
            place = nearest_place(outlines)
            if place is not None and is_clear(outlines, place):
                return tools, place
    raise SystemExit(
        f"no place for the camera up to {PLACES_MM[-1]:.0f} mm, or none for the reference's block on an arm of up to "
        f"{ARMS_MM[-1]:.0f} mm, so that all is in the picture and uncovered"
    )


def room_file(tools: Markers, rate_hz: float) -> str:
    """The room of this camera; a pose of a tool may be two pictures old, and is lost after five."""
    lines = ["[ages]", f"stale_after_ms = {2000.0 / rate_hz:g}", f"lost_after_ms = {5000.0 / rate_hz:g}", ""]
    lines += ["[devices.camera]", 'driver = "optical_markers"', f'dictionary = "{DICTIONARY.value}"']
    lines += [f"rate_hz = {rate_hz}", 'cameras = [{ file = "markers.mkv", calibration = "camera.json" }]']
    for tool, markers in tools.items():
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
    seen = [Tool(name=name, role=Role(name), id=name, settings=None) for name in (REFERENCE, STYLUS)]
    frames = list(taken(read_plus(options.recording, seen).frames, options.rate_hz, options.seconds))
    tools, T_camera_tracker = clear_tools(frames)
    faces = {tool: faces_of(markers, tool) for tool, markers in tools.items()}
    options.out.mkdir(parents=True, exist_ok=True)
    write_camera(options.out / "camera.json", CAMERA)
    (options.out / "or.toml").write_text(room_file(tools, options.rate_hz), "utf-8")
    taken_by = MarkerCamera(CAMERA, PictureSettings(samples=2))
    writer = cv2.VideoWriter(
        str(options.out / "markers.mkv"),
        cv2.VideoWriter.fourcc(*"FFV1"),
        options.rate_hz,
        (CAMERA.width_px, CAMERA.height_px),
    )
    for frame in frames:
        picture = taken_by.picture([in_picture(frame, faces, T_camera_tracker)])
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    middle = np.round(T_camera_tracker.translation_mm, 1).tolist()
    top_mm = np.mean([each.centre_mm for each in tools[REFERENCE]], axis=0)
    print(f"{len(frames)} pictures; the recording's tracker is at {middle} mm before the camera")
    print(f"the reference's block is {np.linalg.norm(top_mm[:2]):.0f} mm aside of the reference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
