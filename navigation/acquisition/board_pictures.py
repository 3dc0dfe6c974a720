"""Pictures of a board from folders, videos and cameras, one from each source at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.result import InputFile
from geometry.extras import from_extra
from navigation.errors import AcquisitionError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp"}
# Of a video no more pictures are looked at: neighbours show the same.
_MOST_LOOKED_AT = 300


@dataclass(frozen=True, eq=False)
class NamedPicture:
    """One picture.

    Attributes:
        name: of its file, or its number in the video.
        grey: ``(h, w)`` uint8; None where the file holds no picture.
    """

    name: str
    grey: np.ndarray | None


Pictures = tuple[NamedPicture, ...]


def is_live(source: str) -> bool:
    """Whether a source is a camera or a stream, by its name: a number, or an address."""
    return source.isdigit() or "://" in source


def recorded_pictures(sources: Sequence[str]) -> Iterator[Pictures]:
    """The pictures of folders or of videos, in step: the first of each, then the second.

    Raises:
        AcquisitionError: a source that is not there or holds no pictures, or sources of different lengths.
    """
    folders = [Path(source) for source in sources]
    if all(folder.is_dir() for folder in folders):
        files = [_files(folder) for folder in folders]
        if len({len(each) for each in files}) > 1:
            said = " and ".join(str(len(each)) for each in files)
            raise AcquisitionError(
                f"{said} pictures in the two folders",
                "as many in one as in the other, named so that pictures of one moment have the same place in order",
                "take out pictures without a partner",
            )
        return (tuple(_picture(file) for file in together) for together in zip(*files, strict=True))
    return _of_videos(folders)


def _files(folder: Path) -> list[Path]:
    files = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file()]
    if not files:
        raise AcquisitionError(
            f"{folder} without pictures", f"files such as {', '.join(sorted(_SUFFIXES))}", "name the folder of pictures"
        )
    # image 2 before image 10
    return sorted(files, key=lambda path: (len(path.stem), path.name))


def _picture(path: Path) -> NamedPicture:
    with from_extra("markers"):
        import cv2

    return NamedPicture(path.name, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))


def _of_videos(paths: Sequence[Path]) -> Iterator[Pictures]:
    with from_extra("markers"):
        import cv2

    captures = [opened_capture(str(path)) for path in paths]
    count = min(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) for capture in captures)
    step = max(1, count // _MOST_LOOKED_AT)
    return _frames(captures, step)


def _frames(captures: Sequence[Any], step: int) -> Iterator[Pictures]:
    number = 0
    while _grabbed(captures):
        if number % step == 0:
            pictures = next_frames(captures, number)
            if pictures is not None:
                yield pictures
        number += 1
    for capture in captures:
        capture.release()


def _grabbed(captures: Sequence[Any]) -> bool:
    """Takes the next picture of each, as near to one moment as can be; False if one has none."""
    grabbed = [capture.grab() for capture in captures]
    return all(grabbed)


def opened_capture(source: str) -> Any:
    """OpenCV's capture of a camera, stream or video file.

    Raises:
        AcquisitionError: it cannot be opened.
    """
    with from_extra("markers"):
        import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it is said in our words
    try:
        capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise AcquisitionError(
            f"{source}, which cannot be opened",
            "a folder of pictures, a video file, the number of a camera, or the address of a stream",
            "correct the name, or check the camera, its cable and who may read it",
        )
    return capture


def next_frames(captures: Sequence[Any], number: int) -> Pictures | None:
    """What was grabbed last from each; None if one of them cannot be decoded."""
    with from_extra("markers"):
        import cv2

    pictures = []
    for capture in captures:
        is_decoded, colours = capture.retrieve()
        if not is_decoded:
            return None
        grey = colours if colours.ndim == 2 else cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)
        pictures.append(NamedPicture(f"frame {number}", grey))
    return tuple(pictures)


class LivePictures:
    """Pictures of cameras as they come, taken at one moment from all of them as nearly as they allow."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._captures = [opened_capture(source) for source in sources]
        self._number = 0

    def next(self) -> Pictures | None:
        """The next picture of each camera; None if one gave none.

        Raises:
            AcquisitionError: a camera that has given nothing at all.
        """
        if not _grabbed(self._captures):
            if self._number == 0:
                raise AcquisitionError("a camera without pictures", "pictures", "check the camera and its cable")
            return None
        self._number += 1
        return next_frames(self._captures, self._number)

    def close(self) -> None:
        for capture in self._captures:
            capture.release()


def input_of_pictures(source: str, views: Sequence[np.ndarray]) -> InputFile:
    """What a result says of a source: the SHA-256 of a folder's pictures or of a file; of a camera, of the corners."""
    path, digest = Path(source), hashlib.sha256()
    if is_live(source):
        for pixels in views:
            digest.update(np.ascontiguousarray(pixels).tobytes())
        return InputFile(name=source, sha256=digest.hexdigest())
    for file in _files(path) if path.is_dir() else [path]:
        digest.update(f"{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return InputFile(name=path.name, sha256=digest.hexdigest())
