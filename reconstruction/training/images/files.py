"""Pairs of a grey image and a colour-coded mask from files, on their own grid and on the network's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from reconstruction.network.errors import TrainingDataError
from reconstruction.network.letterbox import Letterbox, letterbox
from reconstruction.training.images.config import Colour, ImageSource, ImageTrainingConfig
from reconstruction.training.images.split import PARTS, read_split


@dataclass(frozen=True)
class ImageFiles:
    """Where one pair lies, and its part: training, validation or held_out."""

    source: str
    image: Path
    mask: Path
    part: str

    @property
    def name(self) -> str:
        return f"{self.source}/{self.image.stem}"


@dataclass(frozen=True, eq=False)
class TrainingImage:
    """A pair, on its own grid and on the network's.

    Attributes:
        classes: ``(h, w)`` uint8, class index of each pixel of the frame.
        placement: of the frame on the network's grid.
        grey: ``(H, W)`` uint8 on the network's grid.
        fractions: ``(n, H, W)`` uint8, 255 times each class's share of the pixel, background first.
        fingerprint: SHA-256 of the frame's grey values.
    """

    name: str
    classes: NDArray[np.uint8]
    placement: Letterbox
    grey: NDArray[np.uint8]
    fractions: NDArray[np.uint8]
    fingerprint: str


def find_images(source: ImageSource, data: Path, beside: Path) -> list[ImageFiles]:
    """The pairs of one source under `data`; its split lies in the folder `beside`.

    Raises:
        TrainingDataError: no image matches, an image has no mask, or the split does not name it.
    """
    images = sorted(data.glob(source.images))
    if not images:
        raise TrainingDataError(
            f"no file under the data folder that matches {source.images!r} (source {source.name!r})",
            "at least one image per source",
            f"get the data ({source.attribution}) or name its folder with the data option",
        )
    parts = read_split(beside / source.split) if source.split else {image.stem: PARTS[0] for image in images}
    pairs = []
    for image in images:
        mask = data / source.masks.format(stem=image.stem)
        if not mask.exists():
            raise TrainingDataError(f"{image.name} without a mask {mask.name}", "a mask for each image", "add it")
        if image.stem not in parts:
            raise TrainingDataError(
                f"{image.name}, which the split {source.split} does not name", "a part for each image", "add a line"
            )
        pairs.append(ImageFiles(source.name, image, mask, parts[image.stem]))
    return pairs


def read_image(files: ImageFiles, config: ImageTrainingConfig) -> TrainingImage:
    """Reads one pair.

    Raises:
        TrainingDataError: unreadable, of different sizes, or a colour that the TOML does not list.
    """
    pixels = read_pixels(files.image)
    grey = to_grey(pixels)
    classes = read_classes(files.mask, list(config.classes.values()))
    if classes.shape != grey.shape:
        raise TrainingDataError(
            f"{files.mask.name} of {classes.shape} pixels for an image of {grey.shape}", "one size", "export it again"
        )
    placement = letterbox((grey.shape[0], grey.shape[1]), config.network.window)
    shares = np.stack([placement.to_grid((classes == i).astype(np.float32)) for i in range(1, len(config.classes) + 1)])
    fractions = np.concatenate([1 - shares.sum(axis=0, keepdims=True), shares])
    return TrainingImage(
        files.name,
        classes,
        placement,
        np.rint(placement.to_grid(grey)).astype(np.uint8),
        np.rint(fractions.clip(0, 1) * 255).astype(np.uint8),
        hashlib.sha256(grey.astype(np.uint8).tobytes()).hexdigest(),
    )


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """A picture's 8-bit pixels ``(h, w)`` or ``(h, w, 3)``; palettes are looked up."""
    with from_extra("training"):
        import SimpleITK as sitk

    try:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise TrainingDataError(f"{path.name}, which cannot be read", "a PNG", "check the file") from error
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in {3, 4})):
        raise TrainingDataError(
            f"{path.name} with pixels {pixels.dtype} {pixels.shape}", "8-bit grey or colour", "convert it"
        )
    return pixels


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean of the colours, 0 to 255 ``(h, w)``: ultrasound is grey, and a tint counts alike in each."""
    return (pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=2)).astype(np.float32)


def read_classes(path: Path, colours: Sequence[Colour]) -> NDArray[np.uint8]:
    """Class index ``(h, w)`` of a mask, 0 where it is black, by the table of colours."""
    pixels = read_pixels(path)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    code = pixels[..., :3].astype(np.int64) @ [1 << 16, 1 << 8, 1]
    classes = np.full(code.shape, 255, np.uint8)
    for index, (red, green, blue) in enumerate([(0, 0, 0), *colours]):
        classes[code == (red << 16) + (green << 8) + blue] = index
    if (classes == 255).any():
        other = int(code[classes == 255][0])
        raise TrainingDataError(
            f"{path.name} with the colour ({other >> 16}, {other >> 8 & 255}, {other & 255})",
            f"black or one of {list(colours)}",
            "list the colour under [classes], or mend the mask",
        )
    return classes
