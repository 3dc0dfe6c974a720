"""The verdict on a registration: `accept`, `check` or `refuse`, with the reasons in words.

FRE is no criterion: a small FRE does not prove accuracy, and a large one shows as residuals beyond the stated errors.
A number that is not known never leads to `accept`.
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
    """Limits of the verdict. Each pair is (`check` above, `refuse` above).

    Attributes:
        tre_p95_mm: expected 95 % TRE at the worst target.
        weakest_sd_mm: standard deviation, RMS over the swept points, along the least constrained motion of the pose.
        residual_factor: ratio of the residuals' standard deviation to the stated one, 1 where not significant. At 2 the
            stated errors, on which the expected TRE rests, were wrong.
        inlier_fraction: share of swept points on the surface; here (`check` below, `refuse` below).
        disagreement_factor: distance between the poses from landmarks and from the surface at the worst target, over
            its expected 95 % quantile.
        verification_factor: distance found by a verification touch over its expected 95 % quantile. If all stated
            errors are right, 7 of 10,000 exceed 1.5.
        scale_excess: difference in scale between patient and CT as the measurements alone give it, in standard
            deviations. By chance, 1 in 100 exceeds 2.6.
        least_away_mm: distance from the landmarks beyond which a touch can tell a structure from its neighbour, such as
            one vertebra from the next.
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
    """Findings of the refinement on the surface; None where a value is not known.

    Attributes:
        converged, reason: as in `SurfaceRegistration`.
        inlier_fraction, residual_factor, weakest_sd_mm: as in `VerdictSettings`.
        weakest_description: the least constrained motion in words.
    """

    converged: bool | None
    reason: str
    inlier_fraction: float | None
    residual_factor: float | None
    weakest_sd_mm: float | None
    weakest_description: str


@dataclass(frozen=True, kw_only=True)
class LandmarkFindings:
    """Findings of the landmark registration; None where a value is not known.

    Attributes:
        used: number of landmarks.
        residual_factor: as in `VerdictSettings`.
        suspects: in words, each landmark that the others contradict; None if there are fewer than four landmarks.
        disagreement_factor: as in `VerdictSettings`; None without a surface to compare with.
    """

    used: int
    residual_factor: float | None
    suspects: tuple[str, ...] | None
    disagreement_factor: float | None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that the verdict rests on.

    Attributes:
        tre_p95_mm: expected 95 % TRE in mm by target; empty if no target was given.
        landmarks, surface: findings of either registration; None if it was not made; one of the two must be there.
        failure: why there is no pose; then the other fields do not count.
        beginning: in words, how the pose was found, unless from landmarks in a known order.
        assumes: in words, the assumptions of the expected errors.
        rests_on_skin: whether nothing but the skin holds the pose, so that a motion of the skin moves it too.
        doubts: in words, what the measurements say against the assumptions.
        narrow: in words, why a neighbouring structure of the same shape would fit as well; empty if none would.
        scale_excess: as in `VerdictSettings`; None where the scale was taken as known.
        scale_words: the difference in scale in words.
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
    """The verdict on a registration.

    Attributes:
        level: ``accept``; ``check``: may be used with the consent of a named person; ``refuse``: must not be used.
        reasons: why the level is not ``accept``, gravest first; empty for ``accept``.
        notes: further remarks that do not change the level.
    """

    level: Level
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge(
    findings: Findings, verifications: Sequence[Verification] = (), settings: VerdictSettings | None = None
) -> Verdict:
    """Draws the verdict from the findings and the verification touches; the gravest single reason decides its level."""
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
    """Collects reasons by level."""

    def __init__(self) -> None:
        self._reasons: dict[Level, list[str]] = {REFUSE: [], CHECK: []}
        self.notes: list[str] = []

    def add(self, level: Level, reason: str) -> None:
        self._reasons[level].append(reason)

    def above(self, value: float | None, limits: tuple[float, float], words: str) -> None:
        """Adds a reason if `value` is above the limits; an unknown value, or NaN, gives at least ``check``."""
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
    # The fraction is limited from below: negated, it is limited from above like all other numbers.
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
    """Judges each touch by its distance, and all together by whether they are independent of skin and landmarks."""
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
