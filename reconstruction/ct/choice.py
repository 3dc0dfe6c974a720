"""A person's choice among several series or acquisitions, and whether values may be corrected to HU."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

DIGEST = "sha256:"


@dataclass(frozen=True, kw_only=True)
class CtChoice:
    """Which CT, and how it may be read.

    Attributes:
        series: DICOM SeriesNumber; or SeriesInstanceUID or its beginning, where several series share a number; or the
            UID's SHA-256 after ``sha256:``, as a case keeps it. None: there must be only one.
        acquisition: which one of a series that holds several at the same place, as the error that lists them names it.
        correct_hu: subtract an offset found in the values, and accept values as HU although the header does not state
            it, unless the values contradict it; the verdict names what was done.
    """

    series: str | None = None
    acquisition: str | None = None
    correct_hu: bool = False

    def kept(self, series_uid: str) -> CtChoice:
        """Returns the choice as a case records it: the series by the digest of its UID, since a UID identifies."""
        digest = hashlib.sha256(series_uid.encode()).hexdigest()
        return replace(self, series=DIGEST + digest if series_uid else self.series)

    def means(self, number: int | None, uid: str) -> bool:
        """Whether a series with this number and UID is the chosen one; `series` must be given."""
        wanted = self.series or ""
        if wanted.startswith(DIGEST):
            return DIGEST + hashlib.sha256(uid.encode()).hexdigest() == wanted
        if wanted.lstrip("-").isdigit():
            return number == int(wanted)
        return uid.startswith(wanted)
