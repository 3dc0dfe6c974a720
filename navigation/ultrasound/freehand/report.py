"""What a freehand volume is worth, in numbers and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from geometry.points import Bools
from navigation.ultrasound.freehand.sweep import RecordedSweep
from reconstruction.freehand.coverage import Coverage, sweep_coverage
from reconstruction.freehand.ghosting import Ghosting, two_groups
from reconstruction.freehand.grid import FreehandGrid
from reconstruction.freehand.holes import Filled


@dataclass(frozen=True, eq=False)
class SweepReport:
    """Of one volume.

    Attributes:
        coverage: what was seen, filled, and stayed empty.
        neighbours: every second frame against the others: the jitter of poses, breathing.
        halves: the first half of the frames against the second: places that were scanned twice.
    """

    coverage: Coverage
    neighbours: Ghosting
    halves: Ghosting

    @classmethod
    def of(cls, sweep: RecordedSweep, mask: Bools, filled: Filled) -> SweepReport:
        grid, count = filled.compounded.grid, len(sweep.pixels)
        return cls(
            coverage=sweep_coverage(filled, mask, sweep.T_frame_image_px),
            neighbours=_compared(sweep, mask, grid, np.arange(count) % 2 == 0),
            halves=_compared(sweep, mask, grid, np.arange(count) < count / 2),
        )

    def numbers(self) -> dict[str, Any]:
        """As JSON: no NaN, mm to a thousandth."""
        return coverage_numbers(self.coverage) | {
            "ghosting_neighbours": _as_json(self.neighbours),
            "ghosting_halves": _as_json(self.halves),
        }

    def lines(self) -> list[str]:
        """For a person."""
        numbers = self.numbers()
        return [
            f"{numbers['voxels_seen']} voxels seen, {numbers['voxels_filled']} filled, "
            f"{numbers['voxels_gap']} left empty between frames: {100 * numbers['covered_share']:.2f} % covered",
            f"frames {numbers['median_step_mm'] or 0:.2f} mm apart (median), "
            f"{numbers['largest_step_mm']:.2f} mm at most, after frame {numbers['largest_step_after_frame']}; "
            f"passes: {len(numbers['new_passes_after_frames']) + 1}",
            f"ghosting, every second frame: {_in_words(self.neighbours)}",
            f"ghosting, first half against second: {_in_words(self.halves)}",
        ]


def coverage_numbers(coverage: Coverage) -> dict[str, Any]:
    """What was covered, as JSON: no NaN, mm to a thousandth."""
    steps = coverage.steps_mm
    frame, step_mm = coverage.worst_step
    return {
        "voxels_seen": coverage.seen,
        "voxels_filled": coverage.filled,
        "voxels_gap": coverage.gaps,
        "covered_share": round(coverage.covered_share, 6),
        "median_step_mm": None if len(steps) == 0 else round(float(np.median(steps)), 3),
        "largest_step_mm": round(step_mm, 3),
        "largest_step_after_frame": frame,
        "new_passes_after_frames": list(coverage.new_passes),
    }


def _compared(sweep: RecordedSweep, mask: Bools, grid: FreehandGrid, in_first: Bools) -> Ghosting:
    frames = zip(sweep.pixels, sweep.T_frame_image_px, strict=True)
    return two_groups(frames, in_first.tolist(), grid, mask)


def _as_json(ghosting: Ghosting) -> dict[str, Any]:
    shifts = {f"p{at}_mm": ghosting.shift_mm(at) for at in (50, 95)}
    known = {name: None if math.isnan(value) else round(value, 3) for name, value in shifts.items()}
    return {
        "overlap": round(ghosting.overlap, 4),
        "correlation": round(ghosting.correlation, 4),
        "blocks": len(ghosting.shifts_mm),
        **known,
    }


def _in_words(ghosting: Ghosting) -> str:
    if len(ghosting.shifts_mm) == 0:
        return f"not to be told, {100 * ghosting.overlap:.1f} % overlap"
    return (
        f"{ghosting.shift_mm(50):.2f} mm (median), {ghosting.shift_mm(95):.2f} mm (95th percentile) of "
        f"{len(ghosting.shifts_mm)} blocks, correlation {ghosting.correlation:.3f}"
    )
