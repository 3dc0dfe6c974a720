"""A block of divots, or other points, whose places are known: what a tool is checked on from day to day."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from calibration.accuracy.errors import CheckRefusedError

# Nearer to each other two points cannot be told apart by a tip that is held on them.
NEAREST_MM = 10.0


class Block(BaseModel):
    """Known points in a frame of their own.

    Attributes:
        name: of the block.
        points_mm: name -> position in mm, in the order in which they are touched.
        limit_mm: largest error of a distance, and of a single point, that is still in order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    format: Literal["surgnav_block"]
    name: str = Field(min_length=1)
    points_mm: dict[str, tuple[float, float, float]]
    limit_mm: Annotated[float, Field(gt=0.0)]

    @model_validator(mode="after")
    def _has_points_apart(self) -> Self:
        if len(self.points_mm) < 2:
            raise ValueError("two points and more: their distances are what is measured")
        for (one, first), (other, second) in combinations(self.points_mm.items(), 2):
            apart_mm = float(np.linalg.norm(np.subtract(first, second)))
            if apart_mm < NEAREST_MM:
                raise ValueError(
                    f"points {NEAREST_MM:g} mm apart, in mm: {one} and {other} are {apart_mm:.3g} mm apart"
                )
        return self


def read_block(path: Path) -> Block:
    """Reads a block.

    Raises:
        CheckRefusedError: no such file, or something else in it.
    """
    try:
        return Block.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        if isinstance(error, OSError):
            came = f"the block {path}: {(error.strerror or str(error)).lower()}"
        else:
            faults = "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in error.errors())
            came = f"the block {path.name} with {faults}"
        raise CheckRefusedError(
            came, "JSON with format = 'surgnav_block', name, points_mm and limit_mm", "correct the file"
        ) from error
