"""How the live ultrasound stands at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.envelope import Validity


@dataclass(frozen=True, kw_only=True)
class UltrasoundStanding:
    """What the ultrasound process says of itself some times a second.

    Attributes:
        source: the name of the source.
        model: what is looked for, and by which engine.
        state: ``usable``, or why no contour may be shown (`navigation.ultrasound.shown`).
        reason: the state in words; empty if usable.
        placing: whether the newest frame has a place, or one that is in doubt.
        why: why it has none, or what the doubt is; empty if it is valid.
        to_frame: the frame that it is placed in.
        expected_p95_mm: the error that 95 of 100 frames keep to; None if it is not known.
        structures: what the newest frame shows.
        motion: what the image's motion says of calibration and lag.
        rate_hz: frames a second that were used, of the last seconds.
        age_ms: age of the newest frame when its contours were placed; None before the first.
        used, passed_over: frames so far that were used, and that newer ones overtook.
        breaks: how often the source has ended and was opened again.
        newest_number: of the newest frame that clients were given.
        distances: of the newest frame's contours, in words; none once it is too old to be shown.
    """

    source: str
    model: str
    state: str
    reason: str
    placing: Validity
    why: str
    to_frame: str
    expected_p95_mm: float | None
    structures: tuple[str, ...]
    motion: str
    rate_hz: float
    age_ms: float | None
    used: int
    passed_over: int
    breaks: int
    newest_number: int = 0
    distances: tuple[str, ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether contours may be shown in the patient."""
        return self.state == "usable" and self.placing is Validity.VALID

    @property
    def words(self) -> str:
        """In one line, without the source's name."""
        if self.state != "usable":
            return f"{self.state}: {self.reason}"
        if self.placing is not Validity.VALID:
            return f"usable, {'not placed' if self.placing is Validity.LOST else self.placing.value}: {self.why}"
        error = "" if self.expected_p95_mm is None else f", 95 of 100 within {self.expected_p95_mm:.1f} mm"
        return f"usable, placed in {self.to_frame}{error}"
