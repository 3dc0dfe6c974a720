"""A video file as a recording, through OpenCV and its FFmpeg."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from navigation.clock import NS_PER_S
from navigation.devices.ultrasound.grey import mean_of_colours
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import DeviceError

if TYPE_CHECKING:
    import cv2

SUFFIXES = (".avi", ".mkv", ".mov", ".mp4", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv")
# What files of these containers have at their beginning: bytes to skip, and the mark. FFmpeg would also open playlists,
# which lead to other files, and bare streams, to which it gives 25 frames a second of its own.
MARKS = (
    (8, b"AVI "),
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    *((4, box) for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),  # MP4, QuickTime
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x30\x26\xb2\x75"),  # ASF: wmv
)
ALLOWED = "a video file that FFmpeg can decode, in a container that holds times: AVI, MKV, WebM, MP4, MOV, MPEG or WMV"
NS_PER_MS = NS_PER_S // 1000
CONVERT = "play it in a video player to see whether it is whole; write it anew: ffmpeg -i IN -c:v ffv1 OUT.mkv"


class VideoFile:
    """The frames of a video file, with the times that its container gives them.

    Opening decodes the video once: what a container announces as its number of frames is often an estimate, and of a
    file that was cut short it is wrong. A frame is then found by decoding, never by seeking, which lands on other
    frames in some containers: going forward is fast, going back starts from the first frame.

    Colours become grey by their mean; the size of a pixel is not stated. Frames that a decoder patches up by itself
    where the file is damaged cannot be told from sound ones.

    Args:
        path: the file.

    Raises:
        DeviceError: no such file, no video that can be decoded, or times that go back or are all the same.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            came = f"{path}, which is {'no file' if path.exists() else 'not there'}"
            raise DeviceError(came, ALLOWED, "check the path")
        with path.open("rb") as stream:
            start = stream.read(16)
        if not any(start[skip:].startswith(mark) for skip, mark in MARKS):
            raise DeviceError(f"{path}, which does not begin as a video file does", ALLOWED, CONVERT)
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._position = -1
        with silence():
            self._stamps_ns, announced = self._decode_times()
        check_times(self._stamps_ns, str(path))
        self._announced = announced

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def times_ns(self) -> tuple[int, ...]:
        return tuple(stamp_ns - self._stamps_ns[0] for stamp_ns in self._stamps_ns)

    @property
    def sequences(self) -> tuple[int, ...]:
        return tuple(range(len(self)))

    @property
    def notes(self) -> tuple[str, ...]:
        count = len(self)
        if self._announced in {0, count}:
            return ()
        return (f"{count} frames can be decoded; the file announces {self._announced} (an estimate, or it is damaged)",)

    def __len__(self) -> int:
        return len(self._stamps_ns)

    def frame(self, index: int) -> UltrasoundFrame:
        """As `UltrasoundRecording.frame`; fast for the frames in their order, slow for an earlier one."""
        index = range(len(self))[index]
        stamp_ns = self._stamps_ns[index]
        time_ns = stamp_ns - self._stamps_ns[0]
        with silence():
            pixels = self._decode(index)
        if pixels is None:
            missing = f"frame {index}, which can no longer be decoded"
            return UltrasoundFrame(index, time_ns, None, source_ns=stamp_ns, missing=missing)
        return UltrasoundFrame(index, time_ns, mean_of_colours(pixels), source_ns=stamp_ns)

    def _decode_times(self) -> tuple[list[int], int]:
        """The time of each frame on the container's clock, and the number of frames that it announces."""
        with from_extra("ultrasound"):
            import cv2

        capture = self._open()
        announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        stamps_ns = []
        while capture.grab():
            stamps_ns.append(round(capture.get(cv2.CAP_PROP_POS_MSEC) * NS_PER_MS))
        return stamps_ns, max(0, round(announced))

    def _open(self) -> cv2.VideoCapture:
        with from_extra("ultrasound"):
            import cv2

        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise DeviceError(f"{self._path}, which cannot be opened as a video", ALLOWED, CONVERT)
        return capture

    def _decode(self, index: int) -> np.ndarray | None:
        """The colours of a frame ``(h, w, 3)`` uint8."""
        if self._capture is None or index < self._position:
            try:
                self._capture, self._position = self._open(), -1
            except DeviceError:  # the file went away
                return None
        while self._position < index:
            if not self._capture.grab():
                self._capture = None
                return None
            self._position += 1
        decoded, pixels = self._capture.retrieve()
        return np.asarray(pixels, dtype=np.uint8) if decoded else None


def check_times(stamps_ns: Sequence[int], name: str) -> None:
    """Raises `DeviceError` unless there are frames, whose times do not go back and are not all the same."""
    if not stamps_ns:
        raise DeviceError(f"{name}, a video without a frame that can be decoded", ALLOWED, CONVERT)
    steps_ns = np.diff(stamps_ns)
    if len(steps_ns) and (steps_ns.min() < 0 or steps_ns.max() == 0):
        at = int(np.argmin(steps_ns)) + 1
        raise DeviceError(
            f"{name}, whose frame {at} comes {steps_ns[at - 1] / NS_PER_MS:g} ms after the one that it follows",
            "frames whose times increase",
            "write it anew with times: ffmpeg -r RATE -i IN -c:v ffv1 OUT.mkv",
        )


@contextmanager
def silence() -> Iterator[None]:
    """Keeps what OpenCV and FFmpeg print about damaged files off the screen: it is said in our words."""
    with from_extra("ultrasound"):
        import cv2

    # FFmpeg's level is read once in a process, with the first video.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
