"""Video files whose frames show their own number: which frame comes, when, and what is refused in words."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from navigation.clock import VirtualClock
from navigation.devices.ultrasound.playback import Playback
from navigation.devices.ultrasound.video_file import VideoFile, check_times
from navigation.errors import DeviceError
from tests.navigation.devices.ultrasound.recordings import MS, check_recording
from tests.navigation.devices.ultrasound.videos import COUNT, number_in, write_video

KINDS = ["MJPG.avi", "XVID.avi", "mp4v.mp4", "FFV1.mkv", "VP80.webm", "VP90.mkv"]


@pytest.fixture(scope="module", params=KINDS)
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    code = request.param.partition(".")[0]
    return write_video(tmp_path_factory.mktemp("video") / request.param, code)


def test_frame_i_is_frame_i_in_any_order(video: Path):
    recording = VideoFile(video)
    assert len(recording) == COUNT
    check_recording(recording)
    order = [*range(COUNT), *np.random.default_rng(1).permutation(COUNT).tolist()[:15], 7, 7, -1]
    assert [number_in(recording.frame(index).pixels) for index in order] == [index % COUNT for index in order]


def test_times_are_those_of_the_container(video: Path):
    recording = VideoFile(video)
    assert recording.times_ns == tuple(40 * MS * index for index in range(COUNT))
    assert recording.frame(3).source_ns == 120 * MS
    assert recording.notes == ()


def test_grey_is_the_mean_of_the_decoded_colours(tmp_path: Path):
    path = tmp_path / "a.mkv"
    colours = np.random.default_rng(2).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"HFYU"), 25.0, (80, 64))
    writer.write(colours)
    writer.release()
    decoded = cv2.VideoCapture(str(path)).read()[1]
    np.testing.assert_array_equal(VideoFile(path).frame(0).pixels, np.rint(decoded.mean(axis=2)))


def test_a_video_that_is_cut_short_gives_the_frames_that_it_has_and_says_so(video: Path, tmp_path: Path):
    cut = tmp_path / video.name
    cut.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    if video.suffix == ".mp4":  # its index stands at the end
        with pytest.raises(DeviceError, match="cannot be opened as a video"):
            VideoFile(cut)
        return
    recording = VideoFile(cut)
    assert 0 < len(recording) < COUNT
    assert recording.notes == (
        f"{len(recording)} frames can be decoded; the file announces 60 (an estimate, or it is damaged)",
    )
    assert number_in(recording.frame(len(recording) // 2).pixels) == len(recording) // 2


def test_damage_gives_our_errors_and_prints_nothing(tmp_path: Path):
    """In a process of its own, as FFmpeg takes its level of messages with the first video."""
    random = np.random.default_rng(3)
    for kind in KINDS:
        whole = write_video(tmp_path / kind, kind.partition(".")[0]).read_bytes()
        for number in range(6):
            damaged = bytearray(whole if number % 2 else whole[: random.integers(len(whole))])
            for at in random.integers(0, max(1, len(damaged)), 40 if damaged else 0):
                damaged[at] = random.integers(256)
            (tmp_path / f"{number}_{kind}").write_bytes(bytes(damaged))
    program = """
import sys
from pathlib import Path
from geometry.errors import SurgNavError
from navigation.devices.ultrasound.video_file import VideoFile
for path in Path(sys.argv[1]).iterdir():
    try:
        recording = VideoFile(path)
    except SurgNavError as error:
        assert path.name in str(error)
    else:
        for index in range(len(recording)):
            recording.frame(index)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_what_is_no_video_is_refused(tmp_path: Path):
    with pytest.raises(DeviceError, match="not there"):
        VideoFile(tmp_path / "nowhere.mp4")
    with pytest.raises(DeviceError, match="no file"):
        VideoFile(tmp_path)
    for content, words in (
        (b"", "does not begin"),
        (b"#EXTM3U\nother.mp4", "does not begin"),
        (bytes(4) + b"ftyp" + bytes(5000), "cannot be opened as a video"),
    ):
        (tmp_path / "a.mp4").write_bytes(content)
        with pytest.raises(DeviceError, match=words):
            VideoFile(tmp_path / "a.mp4")


def test_a_bare_stream_to_which_ffmpeg_would_give_times_of_its_own_is_refused(tmp_path: Path):
    image = cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes()
    (tmp_path / "a.avi").write_bytes(image * 5)
    assert cv2.VideoCapture(str(tmp_path / "a.avi")).get(cv2.CAP_PROP_FPS) == 25.0
    with pytest.raises(DeviceError, match="does not begin as a video file does"):
        VideoFile(tmp_path / "a.avi")


def test_times_that_go_back_or_stand_still_are_refused():
    check_times([0, 40, 40, 80], "a.avi")
    check_times([7], "a.avi")
    for stamps_ns, words in (([0, 0, 0], "frame 1 comes 0 ms"), ([0, 9 * MS, 7 * MS], "frame 2 comes -2 ms")):
        with pytest.raises(DeviceError, match=words):
            check_times(stamps_ns, "a.avi")
    with pytest.raises(DeviceError, match="without a frame"):
        check_times([], "a.avi")


def test_a_file_that_goes_away_is_a_missing_frame(tmp_path: Path):
    path = write_video(tmp_path / "a.avi", "MJPG", 5)
    recording = VideoFile(path)
    path.unlink()
    assert recording.frame(2).missing == "frame 2, which can no longer be decoded"


def test_in_order_a_frame_costs_no_more_than_its_decoding(tmp_path: Path):
    path = write_video(tmp_path / "a.avi", "MJPG", 100, 480, 640)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    recording = VideoFile(path)
    start = time.perf_counter()
    while capture.read()[0]:
        pass
    plain_s, start = time.perf_counter() - start, time.perf_counter()
    for index in range(100):
        recording.frame(index)
    # Grey costs about as much as decoding; starting anew for each frame would cost fifty times as much.
    assert time.perf_counter() - start < 10 * plain_s


def test_a_played_video_shows_the_frame_that_is_due(tmp_path: Path):
    clock = VirtualClock()
    playback = Playback(VideoFile(write_video(tmp_path / "a.avi", "MJPG", 20)), clock, loop=True)
    assert playback.rate_hz == pytest.approx(25.0)
    playback.start()
    numbers = []
    for _ in range(20):
        clock.advance_ns(100 * MS)
        frame = playback.next_frame(0)
        numbers.append((frame.sequence, number_in(frame.pixels)))
    due = [100 * step // 40 for step in range(1, 21)]
    assert numbers == [(number, number % 20) for number in due]


def test_a_recorded_video_has_fewer_frames_than_it_announces(shared_data: Path):
    recording = VideoFile(shared_data / "tracking" / "bard" / "multipattern.avi")
    check_recording(recording)
    assert (len(recording), recording.frame(0).pixels.shape) == (10, (480, 640))
    assert recording.notes == ("10 frames can be decoded; the file announces 11 (an estimate, or it is damaged)",)
    assert round(recording.times_ns[1] / MS) == 67
    assert round(recording.times_ns[2] / MS) == 100
