"""The registration in force as a value. The pose process imports this and nothing else of registration."""

from __future__ import annotations

from dataclasses import dataclass

from case.levels import ACCEPT, CHECK, Level
from geometry import Transform
from registration.errors import RegisteringError


@dataclass(frozen=True)
class AcceptedRegistration:
    """The registration in force, the only one that may be streamed.

    Attributes:
        T_reference_ct: the pose, ct to reference in mm.
        registration_id: id of the attempt, which every message based on it carries.
        expected_error_mm: expected 95 % TRE at the worst of the planned targets; None if none was planned.
        level: its verdict, ``accept`` or ``check``.
        accepted_by: name of the person who put it in force; with ``check``, of the person who consented.

    Raises:
        RegisteringError: the verdict is ``refuse``, or no person accepted it.
    """

    T_reference_ct: Transform
    registration_id: str
    expected_error_mm: float | None
    level: Level
    accepted_by: str

    def __post_init__(self) -> None:
        if self.level not in (ACCEPT, CHECK) or not self.accepted_by.strip():
            raise RegisteringError(
                f"registration '{self.registration_id}' with the verdict '{self.level}', "
                f"accepted by {self.accepted_by!r}",
                f"'{ACCEPT}', or '{CHECK}' with the consent of a named person",
                "register again, or have somebody accept it: surgnav register",
            )
