"""Touched landmarks by what they are: the pose they give, and each of them held against the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geometry.points import Floats
from registration.assumptions import Assumptions, with_tracker
from registration.errors import LandmarksRefusedError
from registration.landmarks.fit import LandmarkRegistration, register_landmarks, with_shared_errors
from registration.uncertainty.localisation_error import LocalisationError
from registration.uncertainty.mobility import LandmarkKind
from registration.uncertainty.shared_errors import SharedErrors
from registration.verdict.verification import Verification, verify_landmark


@dataclass(frozen=True, eq=False)
class Marks:
    """Touched landmarks: names, where they were planned and touched ``(n, 3)``, and what they are."""

    names: tuple[str, ...]
    planned_ct: Floats
    touched: Floats
    kinds: tuple[LandmarkKind, ...]

    def but(self, left_out: int) -> Marks:
        keep = [i for i in range(len(self.names)) if i != left_out]
        names, kinds = tuple(self.names[i] for i in keep), tuple(self.kinds[i] for i in keep)
        return Marks(names, self.planned_ct[keep], self.touched[keep], kinds)

    def error(self, assumptions: Assumptions) -> LocalisationError:
        """Of each by itself, by its kind."""
        fle_mm = [assumptions.fle_of(kind) for kind in self.kinds]
        return LocalisationError.isotropic(fle_mm or 1.0, len(self.names))

    def worst_fle_mm(self, assumptions: Assumptions) -> float:
        return max((assumptions.fle_of(kind) for kind in self.kinds), default=assumptions.landmark_fle_rms_mm)

    def registered(
        self, assumptions: Assumptions, shared: SharedErrors, order: tuple[int, ...] = ()
    ) -> LandmarkRegistration:
        """By these alone.

        Raises:
            LandmarksRefusedError: they give no pose.
        """
        error = self.error(assumptions)
        made = register_landmarks(
            self.planned_ct, self.touched, self.names, assumptions.landmarks, localisation_error=error
        )
        return with_shared_errors(made, self.planned_ct, error, shared, order)


def leave_one_out(marks: Marks, assumptions: Assumptions) -> dict[str, Verification]:
    """Each landmark held against where all others put it; those the others cannot place are left out.

    They go with the same skin, so that its motion against the body is not in it.
    """
    found = {}
    for i, (name, kind) in enumerate(zip(marks.names, marks.kinds, strict=True)):
        others = marks.but(i)
        shared = replace(assumptions.shared(others.kinds, swept_skin=False), skin_rms_mm=0.0)
        try:
            made = others.registered(assumptions, shared)
        except LandmarksRefusedError:
            continue
        uncertainty = with_tracker(made.uncertainty, assumptions)
        settings = replace(assumptions.verification, fle_rms_mm=assumptions.fle_of(kind))
        pair = (marks.planned_ct[i], marks.touched[i])
        found[name] = verify_landmark(
            made.T_reference_ct, uncertainty, name, pair, {}, settings, on_skin=kind != "bone"
        )
    return found
