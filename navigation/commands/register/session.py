"""What has been measured so far, step by step, so that every step can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from geometry.points import Floats
from registration.errors import RegisteringError
from registration.measurements import Measured, TouchedPoint

Stage = Literal["landmarks", "sweep", "ready", "computed"]
Step = Literal["measured", "computed", "accepted"]


@dataclass(frozen=True, eq=False)
class Moment:
    """The measurements at one moment; never changed, only followed by another.

    Attributes:
        done: what led here, for a person.
        touched: by landmark, in reference. `skipped`: left out on purpose, and so free to verify with.
        sweeps: pieces of the sweep, ``(n, 3)`` each in reference.
        attempt: id of the attempt computed from exactly these; None if there is none.
        step: what kind of step led here.
    """

    done: str = "the beginning"
    step: Step = "measured"
    touched: Mapping[str, TouchedPoint] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    sweeps: tuple[Floats, ...] = ()
    attempt: str | None = None


class Session:
    """One sitting at the patient.

    Args:
        landmarks_ct, targets_ct: the plan, name -> ``(3,)`` in ct.
    """

    def __init__(self, landmarks_ct: Mapping[str, Floats], targets_ct: Mapping[str, Floats]) -> None:
        self.landmarks_ct = dict(landmarks_ct)
        self.targets_ct = dict(targets_ct)
        self._moments = [Moment()]

    @property
    def now(self) -> Moment:
        return self._moments[-1]

    @property
    def asked(self) -> str | None:
        """The landmark to touch now: the first in the plan that is neither touched nor skipped."""
        settled = {*self.now.touched, *self.now.skipped}
        return next((name for name in self.landmarks_ct if name not in settled), None)

    @property
    def stage(self) -> Stage:
        """Where the session stands; every step stays possible at every stage."""
        if self.now.attempt is not None:
            return "computed"
        if self.asked is not None:
            return "landmarks"
        return "ready" if self.now.sweeps else "sweep"

    @property
    def free(self) -> tuple[str, ...]:
        """Landmarks that had no part in the measurements, and so can verify them."""
        return tuple(name for name in self.landmarks_ct if name not in self.now.touched)

    @property
    def swept_reference_mm(self) -> Floats:
        """``(n, 3)``."""
        return np.concatenate(self.now.sweeps) if self.now.sweeps else np.empty((0, 3))

    def measured(self) -> Measured:
        """As a registration takes it."""
        return Measured(self.landmarks_ct, self.now.touched, self.swept_reference_mm, self.targets_ct)

    def touch(self, name: str, touch: TouchedPoint) -> None:
        """Keeps a touch of the landmark, in place of an earlier one."""
        self._known(name)
        skipped = tuple(other for other in self.now.skipped if other != name)
        self._follow(f"the touch of {name}", touched={**self.now.touched, name: touch}, skipped=skipped)

    def skip(self, name: str) -> None:
        """Leaves the landmark out."""
        self._known(name)
        self._follow(f"the skipping of {name}", touched=self._without(name), skipped=(*self.now.skipped, name))

    def redo(self, name: str) -> None:
        """Forgets the touch of the landmark: it is asked for again."""
        self._known(name)
        skipped = tuple(other for other in self.now.skipped if other != name)
        self._follow(f"the forgetting of {name}", touched=self._without(name), skipped=skipped)

    def sweep(self, points_reference_mm: Floats) -> None:
        """Adds a piece of sweep ``(n, 3)``."""
        self._follow(f"a sweep of {len(points_reference_mm)} points", sweeps=(*self.now.sweeps, points_reference_mm))

    def computed(self, attempt: str) -> None:
        """Says which attempt was made from the measurements as they are."""
        done = f"the computing of {attempt}"
        self._moments.append(replace(self.now, done=done, step="computed", attempt=attempt))

    def accepted(self, attempt: str) -> None:
        """Says which attempt was put in force."""
        self._moments.append(replace(self.now, done=f"the accepting of {attempt}", step="accepted"))

    def start_over(self) -> None:
        """Forgets all measurements, to register anew; attempts stay in the case."""
        self._moments.append(Moment(done="the start of a new registration"))

    def undo(self) -> Moment:
        """Takes the last step back and returns what it had led to.

        Raises:
            RegisteringError: nothing to take back.
        """
        if len(self._moments) == 1:
            raise RegisteringError("undo at the beginning", "a step to take back", "touch the first landmark")
        return self._moments.pop()

    def _follow(
        self,
        done: str,
        *,
        touched: Mapping[str, TouchedPoint] | None = None,
        skipped: tuple[str, ...] | None = None,
        sweeps: tuple[Floats, ...] | None = None,
    ) -> None:
        now = self.now
        self._moments.append(
            Moment(
                done=done,
                touched=now.touched if touched is None else touched,
                skipped=now.skipped if skipped is None else skipped,
                sweeps=now.sweeps if sweeps is None else sweeps,
            )
        )

    def _without(self, name: str) -> dict[str, TouchedPoint]:
        return {other: touch for other, touch in self.now.touched.items() if other != name}

    def _known(self, name: str) -> None:
        if name not in self.landmarks_ct:
            raise RegisteringError(f"the landmark {name!r}", ", ".join(self.landmarks_ct) or "none", "use one of these")
