"""The files of a run beside its record: pictures and a video of what was shown."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from geometry.extras import from_extra
from navigation.errors import DeviceError
from navigation.ultrasound.drawing import Picture

if TYPE_CHECKING:
    import cv2

VIDEO = "shown.mp4"


class Video:
    """An MPEG-4 file with one picture for each tick; the size is that of the first.

    Args:
        rate_hz: pictures a second.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        self._path, self._rate_hz = path, rate_hz
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.release()

    def add(self, picture: Picture) -> None:
        """Appends a picture.

        Raises:
            DeviceError: the file cannot be written.
        """
        with from_extra("ultrasound"):
            import cv2

        if self._writer is None:
            size = (picture.shape[1], picture.shape[0])
            code = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(self._path), code, self._rate_hz, size)
            if not writer.isOpened():
                raise DeviceError(f"no way to write {self._path}", "a folder with room", "choose another --out")
            self._writer = writer
        self._writer.write(picture)


def save_picture(picture: Picture, path: Path) -> None:
    """Writes a PNG.

    Raises:
        DeviceError: it cannot be written.
    """
    with from_extra("ultrasound"):
        import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise DeviceError(f"no way to write {path}", "a folder with room", "choose another --out")
