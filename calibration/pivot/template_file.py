"""The drawing of a template tool, and the landmarks that were touched on it, as TOML.

Drawing: ``tip_mm = [x, y, z]``, ``axis = [x, y, z]`` and a table ``[landmarks_mm]`` of ``name = [x, y, z]``. Touched: a
table ``[landmarks_mm]`` of the same names, in the frame of the tool's marker.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.pivot.errors import TemplateFileError
from calibration.pivot.template import TemplateTool
from geometry.points import Floats

_Three = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]


class _Touched(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    landmarks_mm: dict[str, _Three]


class _Drawing(_Touched):
    tip_mm: _Three
    axis: _Three


Kind = TypeVar("Kind", bound=_Touched)


def read_template(path: Path) -> TemplateTool:
    """Reads a drawing.

    Raises:
        TemplateFileError: no such file, or no drawing.
    """
    read = _read(path, _Drawing)
    if not np.any(read.axis):
        raise _none(path, "axis = [0, 0, 0], which has no direction")
    return TemplateTool(landmarks_mm=_arrays(read), tip_mm=np.array(read.tip_mm), axis=np.array(read.axis))


def read_touched(path: Path) -> Mapping[str, Floats]:
    """Reads touched landmarks, ``(3,)`` in mm each, by name.

    Raises:
        TemplateFileError: no such file, or no landmarks.
    """
    return _arrays(_read(path, _Touched))


def _arrays(read: _Touched) -> dict[str, Floats]:
    return {name: np.array(point, dtype=np.float64) for name, point in read.landmarks_mm.items()}


def _read(path: Path, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise _none(path, (error.strerror or str(error)).lower()) from error
    except ValidationError as error:
        faults = "; ".join(": ".join([".".join(map(str, each["loc"])), each["msg"]]) for each in error.errors()[:5])
        raise _none(path, faults) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _none(path, f"no TOML: {error}") from error


def _none(path: Path, why: str) -> TemplateFileError:
    return TemplateFileError(
        f"{path.name}: {why}",
        "TOML with [landmarks_mm] of name = [x, y, z]; a drawing has tip_mm and axis as well",
        "correct the file; all numbers are in mm",
    )
