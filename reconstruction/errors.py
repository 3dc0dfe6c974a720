"""What can go wrong between a folder of files and a case, one class per decision that a caller can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometry.errors import SurgNavError

if TYPE_CHECKING:
    from reconstruction.ct.quality import QualityVerdict


class UnreadableInputError(SurgNavError):
    """The input is not one CT that this program can read: choose or convert another one."""


class CtRefusedError(SurgNavError):
    """It is a CT, but one that would be meshed or placed wrongly; `verdict` lists every reason at once."""

    def __init__(self, came: str, allowed: str, action: str, verdict: QualityVerdict) -> None:
        super().__init__(came, allowed, action)
        self.verdict = verdict
        self.args = (came, allowed, action, verdict)  # pickling rebuilds an exception from its args


class CaseError(SurgNavError):
    """A case folder that cannot be made, opened or extended as asked."""


class MeshFileError(SurgNavError):
    """A surface file that cannot be written, or read without guessing its frame or units."""


class MarkupsError(SurgNavError):
    """A markups file whose points, frame or units are not certain."""


class EngineError(SurgNavError):
    """An inference engine that is missing, or that failed on this machine."""


class LabelsError(SurgNavError):
    """A segmentation that is not whole, or that cannot be placed on this CT."""


class IdentityError(SurgNavError):
    """The patient's identity would have got into a case that must not have it."""


class MarkerSearchError(SurgNavError):
    """A search for skin markers that was asked for balls it cannot tell from other things."""
