"""What can go wrong between a path and a CT, one class per decision that a caller can make."""

from __future__ import annotations

from geometry.errors import SurgNavError
from reconstruction.ct.verdict import QualityVerdict


class UnreadableInputError(SurgNavError):
    """The input is not one CT that this program can read: choose or convert another one."""


class CtRefusedError(SurgNavError):
    """It is a CT, but one that would be meshed or placed wrongly; `verdict` lists every reason at once."""

    def __init__(self, came: str, allowed: str, action: str, verdict: QualityVerdict) -> None:
        super().__init__(came, allowed, action)
        self.verdict = verdict
        self.args = (came, allowed, action, verdict)  # pickling rebuilds an exception from its args
