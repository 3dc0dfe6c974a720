"""A recording is opened by what its path is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from navigation.devices.ultrasound.image_folder import ImageFolder
from navigation.devices.ultrasound.opening import open_recording
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.devices.ultrasound.video_file import VideoFile
from navigation.errors import DeviceError
from tests.navigation.devices.ultrasound.plus.made_sequence import write_sequence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images with a video and a sequence beside them."""
    image = np.zeros((32, 32, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "1.png"), image)
    writer = cv2.VideoWriter(str(tmp_path / "a.AVI"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (32, 32))
    writer.write(image)
    writer.release()
    write_sequence(tmp_path / "a.igs.mha")
    write_sequence(tmp_path / "b.igs.mhd")
    return tmp_path


def test_each_kind_has_its_reader(folder: Path):
    for name, kind in (
        ("", ImageFolder),
        ("a.AVI", VideoFile),
        ("a.igs.mha", PlusSequence),
        ("b.igs.mhd", PlusSequence),
    ):
        recording = open_recording(str(folder / name))
        assert isinstance(recording, kind)
        assert recording.name == str(folder / name)
    assert open_recording(folder, 20.0).times_ns == (0,)


def test_a_rate_is_for_images_only(folder: Path):
    for name in ("a.AVI", "a.igs.mha"):
        with pytest.raises(DeviceError, match="which has times of its own"):
            open_recording(folder / name, 20.0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("1.png", "of no kind that is read; expected a folder of images .*Fix: name the folder"),
        ("a.raw", r"not there; .* \.mp4 .*\.igs\.mha"),
        ("b.igs.raw", "of no kind"),
        ("c.igs.nrrd", r"EditSequenceFile of PLUS"),
        ("nowhere", "not there"),
        ("nowhere.mp4", "not there"),
    ],
)
def test_what_is_not_read_is_told_with_what_is(folder: Path, name: str, words: str):
    with pytest.raises(DeviceError, match=words):
        open_recording(folder / name)
