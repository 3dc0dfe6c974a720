"""A folder of images as a recording: stills, or frames at a stated rate."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from geometry.extras import from_extra
from navigation.clock import NS_PER_S
from navigation.devices.ultrasound.grey import mean_of_colours
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame
from navigation.errors import DeviceError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
ALLOWED = "a folder of 8-bit images: PNG, JPEG, BMP or TIFF"
# Pillow's modes of 8 bits a value: grey as it is, all else by its colours; transparency is dropped.
GREY_MODES = {"1": "L", "L": "L", "LA": "L", "La": "L"}
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
DICOM_MARK_AT, DICOM_MARK = 128, b"DICM"


class ImageFolder:
    """The images of a folder in the natural order of their names: ``img2`` comes before ``img10``.

    Colours become grey by their mean, as in the training of the networks. An image that cannot be read, is cut short,
    has several pages or other than 8 bits a value is a frame with `missing`. The size of a pixel is not stated.

    Args:
        path: the folder; subfolders are not searched.
        rate_hz: frames a second. Without it the images are stills, without times.

    Raises:
        DeviceError: no such folder, no image in it, DICOM files, a first image of other than 8 bits, a rate that is not
            positive and finite.
    """

    def __init__(self, path: Path, rate_hz: float | None = None) -> None:
        if rate_hz is not None and not (math.isfinite(rate_hz) and rate_hz > 0):
            raise DeviceError(f"a rate of {rate_hz:g} frames a second", "a positive number", "give the true rate")
        self._path = path
        self._files = find_images(path)
        self._rate_hz = rate_hz
        try:
            read_grey(self._files[0])
        except UnreadableImageError as error:
            if error.depth:
                raise DeviceError(f"{path.name} with {error}", ALLOWED, error.action) from error

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def times_ns(self) -> tuple[int, ...] | None:
        if self._rate_hz is None:
            return None
        return tuple(round(index * NS_PER_S / self._rate_hz) for index in range(len(self)))

    @property
    def sequences(self) -> tuple[int, ...]:
        return tuple(range(len(self)))

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def __len__(self) -> int:
        return len(self._files)

    def frame(self, index: int) -> UltrasoundFrame:
        """As `UltrasoundRecording.frame`; the image is read from its file each time."""
        time_ns = None if self._rate_hz is None else round(index * NS_PER_S / self._rate_hz)
        file = self._files[index]
        try:
            return UltrasoundFrame(index, time_ns, read_grey(file), label=file.name)
        except UnreadableImageError as error:
            return UltrasoundFrame(index, time_ns, None, missing=str(error), label=file.name)


class UnreadableImageError(Exception):
    """Why an image file gives no frame; `depth` if it is sound but has other than 8 bits a value."""

    def __init__(self, reason: str, depth: bool = False) -> None:
        super().__init__(reason)
        self.depth = depth
        self.action = "convert the images to 8 bits with a window that you choose: no scale is guessed"


def find_images(folder: Path) -> list[Path]:
    """The images of a folder, in the natural order of their names.

    Raises:
        DeviceError: see `ImageFolder`.
    """
    if not folder.is_dir():
        came = f"{folder}, which is {'a file' if folder.exists() else 'not there'}"
        raise DeviceError(came, ALLOWED, "check the path")
    files = [entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    images = sorted((file for file in files if file.suffix.lower() in SUFFIXES), key=natural_order)
    if images:
        return images
    if any(is_dicom(file) for file in files):
        raise DeviceError(
            f"{folder}, a folder of DICOM files",
            ALLOWED,
            "export the clip from the archive or the ultrasound device as images or as a video file",
        )
    others = ", ".join(sorted({file.suffix.lower() or "no suffix" for file in files}))
    raise DeviceError(
        f"{folder} with {f'{len(files)} files, none of them an image ({others})' if files else 'no file in it'}",
        ALLOWED,
        f"name the folder that holds the images; suffixes: {' '.join(SUFFIXES)}",
    )


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key: numbers in a name count as numbers, letters alike in both cases; the exact name settles ties."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)] + [(0, path.name)]


def is_dicom(file: Path) -> bool:
    """Whether the file has the mark that a DICOM file begins with."""
    try:
        with file.open("rb") as stream:
            return stream.read(DICOM_MARK_AT + len(DICOM_MARK))[DICOM_MARK_AT:] == DICOM_MARK
    except OSError:
        return False


def read_grey(file: Path) -> GreyPixels:
    """The grey values of one image file ``(h, w)``.

    Raises:
        UnreadableImageError: with the reason, which names the file.
    """
    with from_extra("ultrasound"):
        from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd tags do not matter here; Pillow refuses huge images
            with Image.open(file) as image:
                return _grey_of(image, file.name)
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders raise what they like on damaged files: SyntaxError, struct.error, ...
        raise UnreadableImageError(f"{file.name}, which cannot be read: {error!r}") from error


def _grey_of(image: Any, name: str) -> GreyPixels:
    pages = getattr(image, "n_frames", 1)
    if pages != 1:
        raise UnreadableImageError(f"{name}, which holds {pages} images: one a file is read")
    # Pillow would cut 16-bit colours down to their upper bytes without a word; the raw mode still says 16.
    if ";16" in str(image.tile) or image.mode not in (*GREY_MODES, *COLOUR_MODES):
        raise UnreadableImageError(f"{name}, whose values are not of 8 bits (Pillow's mode {image.mode})", depth=True)
    if image.mode in GREY_MODES:
        return np.asarray(image.convert(GREY_MODES[image.mode]), dtype=np.uint8)
    return mean_of_colours(np.asarray(image.convert("RGB"), dtype=np.uint8))
