"""The record of a run: one JSON object a line, each written out before the next, so that a crash loses none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from geometry import Transform
from navigation.errors import DeviceError
from navigation.ultrasound.pipeline import FrameResult
from reconstruction.ultrasound.contours import Contour

Place = Callable[[FrameResult], Mapping[str, object] | None]
FORMAT = "surgnav ultrasound contours 1"
FILE = "contours.jsonl"


class ContourRecord:
    """Writes results to ``contours.jsonl``. The first line says what made them; docs/navigation/ultrasound.md has both.

    Args:
        folder: is made; must not hold a record already.
        about: source, model and whatever else the reader needs.
        place: says where a usable frame and its contours lie; None where no probe's calibration is used.

    Raises:
        DeviceError: the folder holds a record.
    """

    def __init__(self, folder: Path, about: Mapping[str, object], place: Place | None = None) -> None:
        self._place = place
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._file = (folder / FILE).open("x", encoding="utf-8")
        except FileExistsError:
            raise DeviceError(
                f"{folder / FILE}, which is there already",
                "a folder without a record",
                "choose another folder by --out",
            ) from None
        units = "px: x along a row, y down the depth, (0, 0) the centre of the upper left pixel; times in ns"
        self._write({"format": FORMAT, **about, "units": units})

    def __enter__(self) -> ContourRecord:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, result: FrameResult) -> None:
        """Appends one result."""
        placed = None if self._place is None else self._place(result)
        self._write(as_json(result) if placed is None else {**as_json(result), "placed": placed})

    def _write(self, line: Mapping[str, object]) -> None:
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()


def as_json(result: FrameResult) -> dict[str, Any]:
    """A result without its pixels, as a line of the record has it."""
    return {
        "sequence": result.sequence,
        "label": result.label,
        "capture_ns": result.capture_ns,
        "source_ns": result.source_ns,
        "finished_ns": result.finished_ns,
        "age_ms": None if result.age_ms is None else round(result.age_ms, 3),
        "state": result.state,
        "reason": result.reason,
        "size_px": None if result.pixels is None else list(result.pixels.shape),
        "pixel_mm": result.pixel_mm,
        "poses": {name: _matrix(pose) for name, pose in result.poses.items()},
        "contours": [contour_values(contour) for contour in result.contours],
    }


def _matrix(pose: Transform | None) -> list[list[float]] | None:
    return None if pose is None else pose.matrix.tolist()


def contour_values(contour: Contour) -> dict[str, Any]:
    """A contour to the last bit, as the record of a run and a recording of the service have it."""
    return {
        "structure": contour.structure,
        "closed": contour.closed,
        "confidence": None if contour.confidence is None else float(contour.confidence),
        "area_px2": float(contour.area_px2),
        "points_px": contour.points_px.tolist(),
    }
