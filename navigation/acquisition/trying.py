"""Poses of a tool that are calibrated with as they come: one advice for all calibrations of that kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from calibration.errors import CalibrationRefusedError
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses

# What is known to half of what is accepted leaves room for the errors that no residual shows.
ENOUGH = 0.5
# Neighbouring poses repeat one another's error: what counts is time, more than the number of poses.
LEAST_S = 5.0
_FEW = 10


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What the poses so far come to.

    Attributes:
        error, limit: the expected error, and the largest that is accepted.
        known: how well it is known, as a sentence.
    """

    error: float
    limit: float
    known: str


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a person is told.

    Attributes:
        what: what is looked for, such as "the tip".
        begin, farther, longer: what to do at first, while the motion is too small, and while the doubt is too large.
    """

    what: str
    begin: str
    farther: str
    longer: str


class TriedPoses(CollectedPoses, ABC):
    """Satisfies `Collecting`; a subclass says what the poses come to.

    Args:
        source: name of the device or room.
        words: what a person is told.
    """

    def __init__(self, source: str, words: Words) -> None:
        super().__init__(source)
        self._words = words
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, all was covered, and known to half of what is accepted."""
        return self._is_enough

    @abstractmethod
    def moved(self) -> float:
        """How much of the motion that is wanted there is, 0 to 1."""

    @abstractmethod
    def attempt(self) -> Attempt:
        """What the poses so far come to.

        Raises:
            CalibrationRefusedError: nothing yet.
        """

    def advice(self) -> Advice:
        self._is_enough = False
        if len(self) < _FEW:
            return Advice(self._words.begin, 0.0, "too few poses yet")
        coverage = min(1.0, self.moved(), self.duration_s / LEAST_S)
        try:
            found = self.attempt()
        except CalibrationRefusedError as error:
            return Advice(error.action, min(coverage, 0.99), f"{self._words.what} is not known yet: {error.came}")
        self._is_enough = coverage >= 1.0 and found.error <= ENOUGH * found.limit
        if self._is_enough:
            return Advice.enough(found.known)
        return Advice(self._words.farther if coverage < 1.0 else self._words.longer, coverage, found.known)
