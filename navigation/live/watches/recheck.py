"""Says when a registration should be verified again: what moves slowly between reference and patient shows nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from registration.record.accepted import AcceptedRegistration


class Recheck:
    """A reminder, said once for each measurement or touch that has become old; it doubts nothing.

    Args:
        after_min: how long after the last measurement, or touch that verified it, a touch is due.
    """

    def __init__(self, after_min: float) -> None:
        self._after_min = after_min
        self._said = ""

    def news(self, registration: AcceptedRegistration | None, now: datetime) -> str:
        """That a touch has become due, in a sentence; empty if none is, or if it was said.

        Args:
            registration: that in force; None if there is none.
            now: the time of day, with its zone.
        """
        if registration is None or registration.evidence is None or registration.evidence.time == self._said:
            return ""
        try:
            last = datetime.fromisoformat(registration.evidence.time)
            is_due = now - last >= timedelta(minutes=self._after_min)
        except (ValueError, TypeError):  # a time that is none is doubted, which says more
            return ""
        if not is_due:
            return ""
        self._said = registration.evidence.time
        when = last.astimezone(now.tzinfo).strftime("%H:%M")
        return (
            f"The registration was measured or verified last at {when}: touch a landmark to verify it, "
            f"as every {self._after_min:g} minutes"
        )
