"""What a person chose where a path leaves open which CT is meant, and what was asked for beyond what headers say."""

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
        correct_hu: take away an offset that the values turn out to have, and take values whose header does not vouch
            for HU as HU where nothing speaks against it; what was done is said in the verdict.
    """

    series: str | None = None
    acquisition: str | None = None
    correct_hu: bool = False

    def kept(self, series_uid: str) -> CtChoice:
        """As a case keeps it, so that the same CT is found again: the series by a digest, since UIDs identify."""
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
