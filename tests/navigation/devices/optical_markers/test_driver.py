"""The driver in a room: a rendered video file as camera, and what a room file may say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.camera.camera_file import write_camera
from geometry.frames import REFERENCE, STYLUS
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.optical_markers.connection import MarkerConnection, _together
from navigation.devices.optical_markers.settings import MarkerCameraSettings
from navigation.devices.tracker import Connection, TrackerFrame, Visibility
from navigation.room.opening import open_room
from navigation.room.read_room import RoomFileError, read_room
from navigation.simulation.printed_tools import marker_face
from tests.navigation.devices.optical_markers.scene import CAMERA, LEANING, camera, facing, placed

ROOM = """
[devices.webcam]
driver = "optical_markers"
dictionary = "4x4_50"
cameras = [{ file = "markers.avi", calibration = "camera.json" }]

[tools.reference]
device = "webcam"
role = "reference"
markers = [{ id = 5, size_mm = 30.0 }]

[tools.stylus]
device = "webcam"
role = "stylus"
markers = [
    { id = 0, size_mm = 24.0, centre_mm = [-32.0, 0.0, 0.0], quaternion_xyzw = [0.0, -0.21643961, 0.0, 0.97629601] },
    { id = 1, size_mm = 24.0 },
    { id = 2, size_mm = 24.0, centre_mm = [32.0, 0.0, 0.0], quaternion_xyzw = [0.0, 0.21643961, 0.0, 0.97629601] },
]
"""
T_CAMERA_STYLUS = facing(25.0, 250.0)
T_CAMERA_REFERENCE = facing(40.0, 240.0, 70.0, "reference")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A room file with a calibration and a video: three pictures with both tools, one without the stylus."""
    write_camera(tmp_path / "camera.json", CAMERA)
    (tmp_path / "or.toml").write_text(ROOM)
    taken_by, size = camera(), (CAMERA.width_px, CAMERA.height_px)
    up = T_CAMERA_STYLUS.matrix.copy()
    up[1, 3] -= 30.0
    stylus = placed(LEANING, type(T_CAMERA_STYLUS)(up, "camera", STYLUS))
    down = T_CAMERA_REFERENCE.matrix.copy()
    down[1, 3] += 40.0
    reference = [(marker_face(5, 30.0), type(T_CAMERA_REFERENCE)(down, "camera", REFERENCE))]
    writer = cv2.VideoWriter(str(tmp_path / "markers.avi"), cv2.VideoWriter.fourcc(*"FFV1"), 20.0, size)
    for faces in ([*stylus, *reference],) * 3 + (reference,):
        writer.write(cv2.cvtColor(taken_by.picture([faces]), cv2.COLOR_GRAY2BGR))
    writer.release()
    return tmp_path


def frames_of(folder: Path) -> tuple[list[TrackerFrame], str]:
    """Frames until the video has ended, and why it did."""
    room = read_room(folder / "or.toml")
    tracker = open_room(room.devices, MonotonicClock())
    tracker.start()
    try:
        frames = []
        while tracker.state.connection is not Connection.GONE:
            frame = tracker.next_frame(NS_PER_S // 5)
            if frame is not None:
                frames.append(frame)
        return frames, tracker.state.reason
    finally:
        tracker.stop()


def test_a_video_file_is_a_tracker(folder: Path) -> None:
    frames, reason = frames_of(folder)
    assert reason == "the end of markers.avi"
    both = [frame for frame in frames if frame.tools[STYLUS].visibility is Visibility.VISIBLE]
    # How many of four pictures are seen before newer ones replace them is the machine's affair.
    assert frames
    for frame in both:
        pose = frame.tools[STYLUS].T_tracker_tool
        assert pose is not None
        assert np.linalg.norm(pose.translation_mm - T_CAMERA_STYLUS.translation_mm + [0.0, 30.0, 0.0]) < 1.5
        assert (pose.to_frame, pose.from_frame) == ("tracker", STYLUS)
        assert frame.tools[REFERENCE].visibility is Visibility.VISIBLE


def test_a_camera_that_is_slow_has_said_nothing_yet(folder: Path) -> None:
    writer = cv2.VideoWriter(str(folder / "markers.avi"), cv2.VideoWriter.fourcc(*"FFV1"), 0.01, (320, 240))
    for _ in range(2):
        writer.write(np.zeros((240, 320, 3), dtype=np.uint8))
    writer.release()
    device = read_room(folder / "or.toml").devices[0]
    assert isinstance(device.settings, MarkerCameraSettings)
    connection = MarkerConnection(device, device.settings, MonotonicClock())
    try:
        assert len(connection.receive(60.0)) == 1
        assert connection.receive(0.01) == []
    finally:
        connection.close()


def test_pictures_of_another_size_are_a_state(folder: Path) -> None:
    write_camera(folder / "camera.json", type(CAMERA)(**{**vars(CAMERA), "width_px": 330}))
    frames, reason = frames_of(folder)
    assert all(frame.tools[STYLUS].T_tracker_tool is None for frame in frames)
    assert reason == "pictures of 320 x 240 px"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('file = "markers.avi", ', "", "one of webcam, file and stream, not none"),
        ('file = "markers.avi"', 'file = "markers.avi", webcam = 0', "not webcam and file"),
        ('"4x4_50"', '"4x4_51"', "4x4_50"),
        ("markers = [{ id = 5, size_mm = 30.0 }]", "markers = [{ id = 1, size_mm = 30.0 }]", "the marker 1 of"),
        ("markers = [{ id = 5, size_mm = 30.0 }]", "", "markers or a board, and not both"),
        ('file = "markers.avi"', 'stream = "markers.avi"', "stream"),
    ],
    ids=["no source", "two sources", "no such dictionary", "one marker twice", "no markers", "a stream that is none"],
)
def test_mistakes_in_the_room_file_are_said(folder: Path, old: str, new: str, said: str) -> None:
    assert ROOM.count(old) == 1
    (folder / "or.toml").write_text(ROOM.replace(old, new))
    with pytest.raises(RoomFileError, match=said):
        read_room(folder / "or.toml")


def test_a_broken_calibration_is_said_before_anything_is_opened(folder: Path) -> None:
    (folder / "camera.json").write_text("{}")
    with pytest.raises(RoomFileError, match=r"camera\.json"):
        read_room(folder / "or.toml")


def test_two_cameras_need_to_be_placed_and_have_no_common_clock(folder: Path) -> None:
    one = '{ file = "markers.avi", calibration = "camera.json" }'
    (folder / "or.toml").write_text(ROOM.replace(one, f"{one}, {one}"))
    with pytest.raises(RoomFileError, match="a pose for every camera but the first"):
        read_room(folder / "or.toml")
    other = one.replace(" }", ", pose = { translation_mm = [-80.0, 0.0, 0.0] } }")
    (folder / "or.toml").write_text(ROOM.replace(one, f"{one}, {other}"))
    with pytest.raises(RoomFileError, match="each has a clock of its own"):
        read_room(folder / "or.toml")


def test_only_pictures_of_one_moment_are_used_together() -> None:
    ms = NS_PER_S // 1000
    assert _together({0: 100 * ms, 1: 101 * ms}, 2.0) == [[1, 0]]
    assert _together({0: 100 * ms, 1: 103 * ms}, 2.0) == [[0], [1]]
    # No chain: each is within that time of the newest of its group.
    assert _together({0: 100 * ms, 1: 101 * ms, 2: 103 * ms}, 2.0) == [[0], [2, 1]]
