"""What a check of a tool refuses."""

from __future__ import annotations

from geometry.errors import SurgNavError


class CheckRefusedError(SurgNavError):
    """Poses that say nothing about a tool: never still, too few points, or others than those that are known."""


class AccuracyRecordError(SurgNavError):
    """The file of an earlier day's accuracy cannot be read, or holds something else."""
