"""The training file of a 2D network: pairs of a grey image and a mask, and how to train on them.

`ultrasound_nerve_vessel.toml` beside this file is a complete example, with comments.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from reconstruction.network.image_network import Family, image_stride
from reconstruction.training.config import Fraction, Schedule, Strict

Byte = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[Byte, Byte, Byte]
BACKGROUND = "background"


class ImageSource(Strict):
    """One collection of image and mask pairs with one layout and one licence.

    `images` is a glob under the data folder; in `masks`, ``{stem}`` stands for the image's name without suffix. `split`
    is a table beside the TOML that says which images are trained on; without one, all are.
    """

    name: str
    images: str
    masks: str
    split: str | None = None
    licence: str
    attribution: str
    labelled_by: str


class ImageNetwork(Strict):
    """A 2D network: its family, its channels from fine to coarse, its input's height and width in pixels."""

    dimensions: Literal[2]
    family: Family = "half_resolution"
    channels: tuple[int, ...] = (16, 32, 64, 96, 128)
    window: tuple[int, int] = (256, 256)

    @model_validator(mode="after")
    def _window_fits(self) -> ImageNetwork:
        step = image_stride(self.channels, self.family)
        if len(self.channels) < 2 or any(n % step for n in self.window):
            raise ValueError(f"window {self.window} must be multiples of {step}")
        return self


class UltrasoundAugmentation(Strict):
    """How often and how far images are changed; lengths are fractions of the image's height.

    A flip mirrors left and right: a probe can be held either way round.
    """

    flip: Fraction = 0.5
    rotate_deg: float = 15.0
    scale: Fraction = 0.3
    shift: Fraction = 0.1
    elastic: Fraction = 0.5
    elastic_reach: Fraction = 0.03
    gain: Fraction = 0.7
    attenuation: Fraction = 0.4
    shadow: Fraction = 0.25
    speckle: Fraction = 0.4
    blur: Fraction = 0.2
    sector: Fraction = 0.2


class ImageTrainingConfig(Strict):
    """A whole training file of a 2D network. `classes` gives the colour of each class in the masks."""

    name: str
    task: str
    source: tuple[ImageSource, ...] = Field(min_length=1)
    classes: dict[str, Colour] = Field(min_length=1)
    network: ImageNetwork
    schedule: Schedule = Schedule()
    augmentation: UltrasoundAugmentation = UltrasoundAugmentation()

    @model_validator(mode="after")
    def _colours_differ(self) -> ImageTrainingConfig:
        colours = [*self.classes.values(), (0, 0, 0)]
        if BACKGROUND in self.classes or len(set(colours)) < len(colours):
            raise ValueError("each class needs a colour of its own; background is black and is not listed")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes by index; 0 is the background."""
        return (BACKGROUND, *self.classes)
