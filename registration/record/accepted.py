"""The registration in force as a value, which is all of a registration that the pose process imports."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from case.levels import ACCEPT, CHECK, Level
from geometry import Transform
from geometry.points import Floats
from registration.errors import RegisteringError


@dataclass(frozen=True, eq=False)
class RegistrationUncertainty:
    """How well the pose in force is known at any point in the body; a small value beside `PoseUncertainty`.

    Attributes:
        covariance: ``(7, 7)`` of (rotation vector in rad, translation in mm, relative scale), an error applied from the
            left along the axes of ``reference``. Its 95 % ellipsoid is that of a normal error, also where the scale was
            estimated from few measurements: it is widened accordingly.
        pivot_reference_mm: the point ``(3,)`` that rotation and scale are about.
    """

    covariance: Floats
    pivot_reference_mm: Floats

    def at(self, point_reference_mm: Floats) -> Floats:
        """Covariance ``(3, 3)`` in mm^2 of the error at a point ``(3,)``, both in ``reference``."""
        x, y, z = (point_reference_mm - self.pivot_reference_mm).tolist()
        jacobian = np.array(
            [[0.0, z, -y, 1.0, 0.0, 0.0, x], [-z, 0.0, x, 0.0, 1.0, 0.0, y], [y, -x, 0.0, 0.0, 0.0, 1.0, z]]
        )
        covariance_mm2: Floats = jacobian @ self.covariance @ jacobian.T
        return covariance_mm2


@dataclass(frozen=True)
class Instrument:
    """A tracked tool as it was when something was measured with it.

    Attributes:
        name: its name in the room.
        seen_by: name and driver of the device that saw it.
        marker_sha256: fingerprint of its marker's geometry and of what its device calls it; empty if not known.
        tip_mm: its calibrated tip in its marker's frame; None without one.
        tip_error_rms_mm: expected RMS error of that tip; None if it is not known.
    """

    name: str
    seen_by: str
    marker_sha256: str
    tip_mm: tuple[float, float, float] | None = None
    tip_error_rms_mm: float | None = None


@dataclass(frozen=True)
class Instruments:
    """What was measured with: reference and stylus, each None where nobody wrote it down, such as in a file."""

    reference: Instrument | None = None
    stylus: Instrument | None = None


UNKNOWN = Instruments()


@dataclass(frozen=True)
class Evidence:
    """What says last that a registration holds: its own measurement, or a touch that verified it.

    Attributes:
        time: when that was, ISO 8601 with a time zone.
        instruments: what it was measured with.
    """

    time: str
    instruments: Instruments = UNKNOWN


@dataclass(frozen=True)
class AcceptedRegistration:
    """The registration in force, the only one that may be streamed.

    Attributes:
        T_reference_ct: the pose, ct to reference in mm.
        registration_id: id of the attempt, which every message based on it carries.
        expected_error_mm: expected 95 % TRE at the worst of the planned targets; None if none was planned.
        level: its verdict, ``accept`` or ``check``.
        accepted_by: name of the person who put it in force; with ``check``, of the person who consented.
        uncertainty: how well it is known at any point; None if that was not stated.
        evidence: when and with what it was measured or verified last; None if nobody knows.

    Raises:
        RegisteringError: the verdict is ``refuse``, or no person accepted it.
    """

    T_reference_ct: Transform
    registration_id: str
    expected_error_mm: float | None
    level: Level
    accepted_by: str
    uncertainty: RegistrationUncertainty | None = field(default=None, compare=False)
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        if self.level not in (ACCEPT, CHECK) or not self.accepted_by.strip():
            raise RegisteringError(
                f"registration '{self.registration_id}' with the verdict '{self.level}', "
                f"accepted by {self.accepted_by!r}",
                f"'{ACCEPT}', or '{CHECK}' with the consent of a named person",
                "register again, or have somebody accept it: surgnav register",
            )
