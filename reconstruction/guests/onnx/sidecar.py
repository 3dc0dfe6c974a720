"""The sidecar of an ONNX file: a small TOML of the same name that says what a graph of numbers cannot say of itself.

Numbers in threes stand for left-right, front-back, up-down, in this order.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reconstruction.guests.errors import ModelError

Positive = Annotated[float, Field(gt=0)]
Voxels = Annotated[int, Field(gt=0)]
Answer = Literal["logits", "probabilities", "mask_logits", "mask_probabilities"]

EXAMPLE = """structures = ["liver", "spleen"]
answer = "logits"
orientation = "RAS"
axes = "kji"
spacing_mm = [1.5, 1.5, 1.5]
window = [96, 96, 96]
clip_hu = [-1000, 1000]
scale_to = [-1, 1]"""


class Sidecar(BaseModel):
    """What the file's network wants and gives.

    Attributes:
        structures: names by channel. Of classes that exclude one another, channel 0 is the background and the first
            structure is channel 1; of masks, the first structure is channel 0.
        answer: "logits" or "probabilities" of classes that exclude one another; "mask_logits" or "mask_probabilities"
            of masks that may overlap.
        orientation: the directions in which left-right, front-back and up-down grow in the network's array.
        axes: order of the array's axes after batch and channel: "kji" is up-down first, "ijk" left-right first.
        spacing_mm: of the network's grid.
        window: voxels that it looks at at once.
        overlap: share of a window that its neighbour covers too.
        clip_hu: HU are clipped to these first.
        scale_to: then the clipped range becomes this one; not together with mean and std.
        mean_hu, std_hu: or, instead, the mean is taken away and the rest divided.
        licence, trained_on: for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    structures: tuple[str, ...] = Field(min_length=1)
    answer: Answer
    orientation: Literal["LPS", "RAS"]
    axes: Literal["kji", "ijk"]
    spacing_mm: tuple[Positive, Positive, Positive]
    window: tuple[Voxels, Voxels, Voxels]
    overlap: Annotated[float, Field(ge=0, le=0.9)] = 0.5
    clip_hu: tuple[float, float]
    scale_to: tuple[float, float] | None = None
    mean_hu: float | None = None
    std_hu: Positive | None = None
    licence: str = "not stated"
    trained_on: str = "not stated"

    @model_validator(mode="after")
    def _says_one_thing(self) -> Sidecar:
        if len(set(self.structures)) != len(self.structures):
            raise ValueError("structures with the same name twice")
        if self.clip_hu[0] >= self.clip_hu[1]:
            raise ValueError(f"clip_hu {list(self.clip_hu)}, whose first is not the lower")
        if (self.mean_hu is None) != (self.std_hu is None) or (self.scale_to is None) == (self.mean_hu is None):
            raise ValueError("neither or both of scale_to and mean_hu with std_hu")
        return self

    @property
    def exclusive(self) -> bool:
        """Whether channels are classes that exclude one another, after one of background."""
        return not self.answer.startswith("mask")

    @property
    def channels(self) -> int:
        """Of the network's answer."""
        return len(self.structures) + self.exclusive


def sidecar_path(onnx: Path) -> Path:
    """Where the sidecar of an ONNX file lies."""
    return onnx.with_suffix(".toml")


def read_sidecar(onnx: Path) -> Sidecar:
    """Reads the sidecar beside an ONNX file.

    Raises:
        ModelError: it is missing, no TOML, or says too little, too much or the impossible.
    """
    path = sidecar_path(onnx)
    allowed = f"{path.name} beside {onnx.name}, such as:\n{EXAMPLE}"
    try:
        return Sidecar.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ModelError(f"{onnx.name} without a readable {path.name}", allowed, "write it") from error
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{path.name}, which is no TOML ({error})", allowed, "correct it") from error
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'together'}: {e['msg']}" for e in error.errors())
        raise ModelError(f"{path.name} with {said}", allowed, "correct it") from error
