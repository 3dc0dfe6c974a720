"""`accept`, `check` or `refuse`, with the reasons in words: whether a registration may guide anybody.

FRE has no part in it: a small one is no accuracy, and a large one shows as residuals beyond what was stated. What is
not known is never accepted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from case.levels import ACCEPT, CHECK, REFUSE, Level
from registration.verdict.verification import Verification

SKIN_ALONE = "all of it rests on the skin, and nothing shows whether that has moved since the CT: verify on bone"


@dataclass(frozen=True, kw_only=True)
class VerdictSettings:
    """Where the lines are drawn; each pair is (no longer accepted above, refused above).

    Attributes:
        tre_p95_mm: expected 95 % TRE at the worst target.
        weakest_sd_mm: how far, RMS over the swept points, the pose may have gone along the motion that all evidence
            together resists least.
        residual_factor: residuals over what was stated, as a ratio of standard deviations; what chance brings counts
            as 1. Twice as much means that the statement of the errors was wrong, and the expected TRE rests on it.
        inlier_fraction: the same for the share of swept points on the surface, below instead of above.
        disagreement_factor: distance between the poses by landmarks and by surface at the worst target, over what is
            expected of it in 95 of 100.
        verification_factor: distance found by a verification touch, over what is expected in 95 of 100. Above 1.5
            lie 7 of 10,000 if the registration is what it says.
        scale_excess: standard deviations by which patient and CT differ in scale, by landmarks and sweep alone. By
            chance, 1 in 100 is above 2.6.
        least_away_mm: how far from the landmarks a touch lies that tells a structure from its neighbour.
    """

    tre_p95_mm: tuple[float, float] = (2.0, 4.0)
    weakest_sd_mm: tuple[float, float] = (1.0, 2.0)
    residual_factor: tuple[float, float] = (1.5, 3.0)
    inlier_fraction: tuple[float, float] = (0.8, 0.5)
    disagreement_factor: tuple[float, float] = (1.0, 2.0)
    verification_factor: tuple[float, float] = (1.0, 1.5)
    scale_excess: tuple[float, float] = (2.6, 10.0)
    least_away_mm: float = 60.0


@dataclass(frozen=True, kw_only=True)
class SurfaceFindings:
    """What the refinement on the surface found; None where it is not known."""

    converged: bool | None
    reason: str
    inlier_fraction: float | None
    residual_factor: float | None
    weakest_sd_mm: float | None
    weakest_description: str


@dataclass(frozen=True, kw_only=True)
class LandmarkFindings:
    """What the landmarks found; None where it is not known.

    Attributes:
        used: how many.
        residual_factor: as in `VerdictSettings`.
        suspects: in words, each landmark that the others contradict; None if nobody could look (fewer than four).
        disagreement_factor: as in `VerdictSettings`; None without a surface to compare with.
    """

    used: int
    residual_factor: float | None
    suspects: tuple[str, ...] | None
    disagreement_factor: float | None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that the verdict looks at, in plain numbers.

    Attributes:
        tre_p95_mm: expected 95 % TRE by target; empty if no target was given.
        landmarks, surface: None if there were none; one of the two must be there.
        failure: why there is no pose at all; then nothing else counts.
        beginning: in words, how the pose was found, where it was not from landmarks in a known order.
        assumes: in words, what the expected errors take for granted.
        rests_on_skin: all that was measured goes where the skin goes.
        doubts: in words, whatever the measurements say against what was assumed.
        narrow: in words, why a neighbour of the same shape would fit as well; empty if none would.
        scale_excess: as in `VerdictSettings`; None where scale was not in doubt. scale_words: the scale for a person.
    """

    tre_p95_mm: Mapping[str, float | None] = field(default_factory=dict)
    landmarks: LandmarkFindings | None = None
    surface: SurfaceFindings | None = None
    failure: str = ""
    beginning: str = ""
    assumes: tuple[str, ...] = ()
    rests_on_skin: bool = False
    doubts: tuple[str, ...] = ()
    narrow: str = ""
    scale_excess: float | None = None
    scale_words: str = ""


@dataclass(frozen=True)
class Verdict:
    """The verdict.

    Attributes:
        level: ``accept``; ``check``: a named person may consent, knowing the reasons; ``refuse``: nobody may.
        reasons: why it is not better, gravest first; empty if accepted.
        notes: what else a person should know.
    """

    level: Level
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge(
    findings: Findings, verifications: Sequence[Verification] = (), settings: VerdictSettings | None = None
) -> Verdict:
    """Draws the verdict; the gravest single reason decides."""
    settings = settings or VerdictSettings()
    if findings.failure or (findings.landmarks is None and findings.surface is None):
        return Verdict(REFUSE, (findings.failure or "neither landmarks nor a surface: there is no evidence",))
    court = _Court()
    _judge_targets(court, findings.tre_p95_mm, settings)
    if findings.surface is not None:
        _judge_surface(court, findings.surface, settings)
    if findings.landmarks is not None:
        _judge_landmarks(court, findings, settings)
    if findings.scale_excess is not None:
        court.above(findings.scale_excess, settings.scale_excess, findings.scale_words)
    for doubt in findings.doubts:
        court.add(CHECK, doubt)
    _judge_touches(court, findings, verifications, settings)
    return court.verdict()


class _Court:
    """Gathers reasons by level."""

    def __init__(self) -> None:
        self._reasons: dict[Level, list[str]] = {REFUSE: [], CHECK: []}
        self.notes: list[str] = []

    def add(self, level: Level, reason: str) -> None:
        self._reasons[level].append(reason)

    def above(self, value: float | None, limits: tuple[float, float], words: str) -> None:
        """A reason if `value` is above the limits; unknown or not a number is never accepted."""
        if value is None or not math.isfinite(value):
            self.add(CHECK, f"not known: {words}")
        elif value > limits[1]:
            self.add(REFUSE, words)
        elif value > limits[0]:
            self.add(CHECK, words)

    def verdict(self) -> Verdict:
        reasons = (*self._reasons[REFUSE], *self._reasons[CHECK])
        level = next((level for level in (REFUSE, CHECK) if self._reasons[level]), ACCEPT)
        return Verdict(level, reasons, tuple(self.notes))


def _judge_targets(court: _Court, tre_p95_mm: Mapping[str, float | None], settings: VerdictSettings) -> None:
    if not tre_p95_mm:
        court.add(CHECK, "no targets are given: nobody can say what the error is where it matters")
    for name, p95_mm in tre_p95_mm.items():
        shown = "" if p95_mm is None else f" is {p95_mm:.2f} mm, under {settings.tre_p95_mm[0]:g} mm is accepted"
        court.above(p95_mm, settings.tre_p95_mm, f"the expected 95 % error at '{name}'{shown}")


def _judge_surface(court: _Court, surface: SurfaceFindings, settings: VerdictSettings) -> None:
    if not surface.converged:
        court.add(REFUSE, f"the refinement did not converge: {surface.reason}")
    # Below is above, mirrored.
    fraction = None if surface.inlier_fraction is None else -surface.inlier_fraction
    limits = (-settings.inlier_fraction[0], -settings.inlier_fraction[1])
    shown = "" if surface.inlier_fraction is None else f": {surface.inlier_fraction:.0%}"
    court.above(fraction, limits, f"too few of the swept points lie on the surface{shown}")
    court.above(surface.residual_factor, settings.residual_factor, _residuals("swept points", surface.residual_factor))
    shown = "" if surface.weakest_sd_mm is None else f", by {surface.weakest_sd_mm:.2f} mm"
    court.above(
        surface.weakest_sd_mm, settings.weakest_sd_mm, f"the pose is loose{shown}: {surface.weakest_description}"
    )


def _judge_landmarks(court: _Court, findings: Findings, settings: VerdictSettings) -> None:
    landmarks = findings.landmarks
    if landmarks is None:
        return
    court.above(landmarks.residual_factor, settings.residual_factor, _residuals("landmarks", landmarks.residual_factor))
    for suspect in landmarks.suspects or ():
        court.add(CHECK, suspect)
    if findings.surface is None and landmarks.suspects is None:
        court.add(CHECK, f"with {landmarks.used} landmarks alone nobody would notice a wrong one: touch a fourth")
    if findings.surface is not None:
        ratio = landmarks.disagreement_factor
        shown = "" if ratio is None else f": {ratio:.1f} times what is expected of 95 %"
        court.above(ratio, settings.disagreement_factor, f"landmarks and surface disagree at a target{shown}")


def _judge_touches(
    court: _Court, findings: Findings, verifications: Sequence[Verification], settings: VerdictSettings
) -> None:
    """Each touch by what it found, and all together by what they are independent of."""
    for touch in verifications:
        words = (
            f"'{touch.name}' touched again is {touch.distance_mm:.2f} mm from where it was: the reference or it moved"
            if touch.kind == "repeat"
            else f"the verification touch at '{touch.name}' is {touch.distance_mm:.2f} mm off"
        )
        ratio = touch.distance_mm / touch.expected_p95_mm if touch.expected_p95_mm > 0.0 else None
        court.above(ratio, settings.verification_factor, f"{words}, {touch.expected_p95_mm:.2f} mm expected in 95 %")
    independent = [touch for touch in verifications if touch.kind != "repeat" and not touch.on_skin]
    if findings.rests_on_skin and not independent:
        court.add(CHECK, SKIN_ALONE)
    landmarks = [touch for touch in verifications if touch.kind == "landmark"]
    if findings.narrow and not any(touch.away_mm >= settings.least_away_mm for touch in landmarks):
        court.add(CHECK, findings.narrow)
    if not landmarks:
        if findings.landmarks is None:
            court.add(CHECK, "the pose rests on the sweep alone: no landmark and no touch of one confirms it")
        court.notes.append("not verified by a touch at a landmark that was not used")
    elif findings.rests_on_skin and not independent:
        court.notes.append("verified on the same skin: that shows a slip or a wrong landmark, not that all skin moved")


def _residuals(what: str, factor: float | None) -> str:
    shown = "" if factor is None else f" {factor:.1f} times what was stated"
    return f"the residuals of the {what} are{shown}: a statement of the errors, or a measurement, is wrong"
