"""Touched landmarks with their kinds (bone, skin marker, bare skin): the pose from them, and leave-one-out.

The kind decides each landmark's localisation error, and which errors it shares with the others.
"""

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
    """n touched landmarks.

    Attributes:
        names: one for each.
        planned_ct: planned positions ``(n, 3)`` in ct, in mm.
        touched: touched positions ``(n, 3)`` in reference, in mm.
        kinds: the kind of each.
    """

    names: tuple[str, ...]
    planned_ct: Floats
    touched: Floats
    kinds: tuple[LandmarkKind, ...]

    def but(self, left_out: int) -> Marks:
        """All landmarks except the one with this index."""
        keep = [i for i in range(len(self.names)) if i != left_out]
        names, kinds = tuple(self.names[i] for i in keep), tuple(self.kinds[i] for i in keep)
        return Marks(names, self.planned_ct[keep], self.touched[keep], kinds)

    def error(self, assumptions: Assumptions) -> LocalisationError:
        """The localisation error of each landmark by its kind, without the errors that landmarks share."""
        fle_mm = [assumptions.fle_of(kind) for kind in self.kinds]
        return LocalisationError.isotropic(fle_mm or 1.0, len(self.names))

    def worst_fle_mm(self, assumptions: Assumptions) -> float:
        """The largest FLE of these landmarks, RMS in mm."""
        return max((assumptions.fle_of(kind) for kind in self.kinds), default=assumptions.landmark_fle_rms_mm)

    def registered(
        self, assumptions: Assumptions, shared: SharedErrors, order: tuple[int, ...] = ()
    ) -> LandmarkRegistration:
        """Registers from these landmarks alone.

        Args:
            order: the place in which each landmark was touched, counted from 0; empty if unknown.

        Raises:
            LandmarksRefusedError: these landmarks give no pose.
        """
        error = self.error(assumptions)
        made = register_landmarks(
            self.planned_ct, self.touched, self.names, assumptions.landmarks, localisation_error=error
        )
        return with_shared_errors(made, self.planned_ct, error, shared, order)


def leave_one_out(marks: Marks, assumptions: Assumptions) -> dict[str, Verification]:
    """Compares each landmark with where the pose from all others puts it; leaves out those the others cannot place.

    Motion of the whole skin is not part of the expected error here: it moves all landmarks on the skin alike.
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
