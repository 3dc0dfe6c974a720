"""What can go wrong with engines, weights and training."""

from __future__ import annotations

from geometry.errors import SurgNavError


class EngineError(SurgNavError):
    """An inference engine that is missing, or that failed on this machine."""


class QuantisationError(SurgNavError):
    """A network that cannot be written in the precision that was asked for."""


class WeightsError(SurgNavError):
    """Weights that are missing, or that are not the ones their description speaks of."""


class TrainingConfigError(SurgNavError):
    """A training file that cannot be understood, or that asks for something impossible."""


class TrainingDataError(SurgNavError):
    """Scans or labels that a training file names and that are missing or do not fit each other."""
