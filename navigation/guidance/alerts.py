"""Breach alerts: three levels by the distance that is left to a structure at risk once the error is taken off.

A level rises at once, and falls only when the distance has grown by some more than brought it up, so that a hand that
trembles at a limit does not make the alert come and go. While the distance is not known, the level is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.constants import AlertLevel

SEVERITY = {level: number for number, level in enumerate(AlertLevel)}
_LEVELS = (AlertLevel.BREACH, AlertLevel.WARNING, AlertLevel.CAUTION)


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Distances in mm, of the tip from the structure less its 95 % error, at which the levels begin.

    Attributes:
        breach_mm: at or below it, the tip may be in the structure.
        warning_mm, caution_mm: of the two levels before that.
        hysteresis_mm: how much farther than its limit a tip must be for the level to fall.
    """

    breach_mm: float = 0.0
    warning_mm: float = 2.0
    caution_mm: float = 5.0
    hysteresis_mm: float = 0.5


class BreachAlert:
    """The alert of one tool at one structure."""

    def __init__(self, settings: AlertSettings) -> None:
        self._limits_mm = (settings.breach_mm, settings.warning_mm, settings.caution_mm)
        self._hysteresis_mm = settings.hysteresis_mm
        self._level = AlertLevel.CLEAR

    def level(self, left_mm: float) -> AlertLevel:
        """The level at this distance, the error taken off."""
        for level, limit_mm in zip(_LEVELS, self._limits_mm, strict=True):
            held = SEVERITY[self._level] >= SEVERITY[level]
            if not left_mm > limit_mm + (self._hysteresis_mm if held else 0.0):
                self._level = level
                return level
        self._level = AlertLevel.CLEAR
        return self._level
