"""Captured pictures: what of them is the image, which way round, when, and what is said when none comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.driver import Device, StampClock, Stamps
from navigation.devices.ultrasound.video_capture import DRIVER, VideoCaptureSettings, image_in
from navigation.room.read_room import RoomFileError, room_in
from navigation.room.room_images import open_images
from tests.navigation.devices.ultrasound.videos import number_in, write_video

PICTURE = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7)
ROOM = """
[ultrasound]
model = "bone"
[devices.camera]
driver = "simulated"
[devices.grabber]
driver = "video_capture"
file = "screen.mkv"
rate_hz = 50.0
orientation = "{orientation}"
latency_ms = 80.0
clock = "arrival"
[tools.reference]
device = "{device}"
role = "reference"
[tools.probe]
device = "camera"
role = "probe"
"""


def settings(**changes: object) -> VideoCaptureSettings:
    return VideoCaptureSettings.model_validate({"grabber": 0, "rate_hz": 30.0, "orientation": "MF"} | changes)


@pytest.mark.parametrize(("orientation", "first"), [("MF", 0), ("UF", 6), ("MN", 28), ("UN", 34)])
def test_the_transducer_comes_to_the_top_and_its_marked_side_to_the_right(orientation: str, first: int) -> None:
    image, missing = image_in(PICTURE, settings(orientation=orientation))
    assert (missing, image[0, 0], image[-1, -1]) == ("", first, 34 - first)


def test_the_image_is_cut_out_before_it_is_turned() -> None:
    coloured = np.stack([PICTURE, PICTURE + 1, PICTURE + 2], axis=-1)
    image, _ = image_in(coloured, settings(crop_px=(1, 2, 3, 2), orientation="UF"))
    np.testing.assert_array_equal(image, PICTURE[2:4, 1:4][:, ::-1] + 1)
    none, missing = image_in(PICTURE, settings(crop_px=(5, 0, 3, 2)))
    assert none is None
    assert missing == "a picture of 7 x 5 px, which crop_px = [5, 0, 3, 2] goes beyond"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"grabber": None}, "grabber or file, one of the two"),
        ({"crop_px": (0, 0, 0, 5)}, "width and height from 1"),
        ({"orientation": "FM"}, "'MF', 'MN', 'UF' or 'UN'"),
    ],
)
def test_what_is_not_stated_is_not_guessed(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        settings(**changes)


def test_a_file_comes_as_from_a_grabber_and_its_end_is_said(tmp_path: Path) -> None:
    write_video(tmp_path / "screen.mkv", "FFV1", count=10)
    room = room_in(ROOM.format(orientation="MF", device="camera").encode(), tmp_path / "or.toml")
    clock = MonotonicClock()
    source = open_images(room, clock)
    assert (source.name, source.rate_hz) == ("screen.mkv of grabber", 50.0)
    began_ns = clock.now_ns()
    source.start()
    frames = []
    while not source.ended:
        frame = source.next_frame(NS_PER_S)
        if frame is not None:
            frames.append(frame)
    source.stop()
    assert source.ended == "no picture from screen.mkv"
    assert [frame.sequence for frame in frames] == [number_in(frame.pixels) for frame in frames]
    assert len(frames) > 5
    # The picture was on the screen 80 ms before it arrived.
    assert all(began_ns - 80_000_000 <= frame.capture_ns < clock.now_ns() - 80_000_000 for frame in frames)


def test_a_grabber_that_is_not_there_ends_at_once() -> None:
    device = Device(
        name="grabber",
        driver="video_capture",
        settings=settings(grabber=97),
        stamps=Stamps(StampClock.ARRIVAL),
        tools=(),
    )
    source = DRIVER.images(device, MonotonicClock())
    source.start()
    assert source.next_frame(60 * NS_PER_S) is None
    assert source.ended == "frame grabber 97, which cannot be opened"
    source.stop()


def test_it_sees_no_tools(tmp_path: Path) -> None:
    write_video(tmp_path / "screen.mkv", "FFV1", count=2)
    room = room_in(ROOM.format(orientation="MF", device="camera").encode(), tmp_path / "or.toml")
    tracker = DRIVER.open(room.devices[1], MonotonicClock())
    assert (tracker.tools, tracker.next_frame(0)) == ((), None)
    alone = ROOM.replace('[devices.camera]\ndriver = "simulated"\n', "").replace('"camera"', '"grabber"')
    with pytest.raises(RoomFileError, match="'grabber', which gives images alone"):
        room_in(alone.format(orientation="MF", device="grabber").encode(), tmp_path / "or.toml")
