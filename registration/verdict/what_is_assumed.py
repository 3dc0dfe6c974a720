"""States in words what an expected error assumes, and what the measurements say against it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from scipy.spatial.distance import pdist

from geometry.points import Floats
from registration.surface.residual_field import ResidualField
from registration.uncertainty.drift import OrderTrend
from registration.uncertainty.mobility import KIND_WORDS, LandmarkKind, Mobility
from registration.uncertainty.shared_errors import ScaleEstimate
from registration.verdict.verdict import Findings

# Measurements within this extent may all lie on one vertebra or rib, whose neighbour has the same shape.
NARROW_MM = 90.0


def words_of(
    kinds: tuple[LandmarkKind, ...],
    mobilities: tuple[Mobility, ...],
    skin_rms_mm: float,
    swept: str,
    swept_skin: bool,
    scale_sd: float,
    tip_mm: float,
    found: ResidualField | None,
) -> tuple[str, ...]:
    """The assumptions of a registration, one sentence each.

    Args:
        kinds, mobilities: kind and assumed motion of each landmark.
        skin_rms_mm: assumed RMS motion of all skin.
        swept: name of the surface that was swept; empty if none was.
        swept_skin: whether that surface is the skin.
        scale_sd: relative standard deviation of the CT's scale.
        tip_mm: RMS error of the stylus tip.
        found: the surface's error as estimated from the residuals; None where the stated one holds.
    """
    words = []
    if swept_skin or any(kind != "bone" for kind in kinds):
        words.append(f"all skin together may have moved {skin_rms_mm:g} mm RMS against the body since the CT")
    for kind, count in Counter(kinds).items():
        mobility = mobilities[kinds.index(kind)]
        said = f"{count} landmarks {KIND_WORDS[kind]}"
        if kind != "bone":
            said += f": each may have moved {mobility.own_mm:g} mm RMS, all together {mobility.slide_mm:g} mm"
        else:
            said += ": none has moved"
        words.append(said)
    if swept and not swept_skin:
        words.append(f"'{swept}' has neither moved nor changed its shape since the CT")
    if found is not None:
        words.append(
            f"the surface's error as the residuals show it: {found.model_error_mm:.1f} mm, together over "
            f"{found.correlation_length_mm:.0f} mm"
        )
    words.append(f"the CT's scale is right within {scale_sd:.1%} RMS")
    words.append(f"the tip is right within {tip_mm:.2f} mm RMS")
    return tuple(words)


def with_contradictions(
    findings: Findings,
    measured_mm: Floats,
    scale: ScaleEstimate | None,
    trend: OrderTrend | None,
    offset_mm: tuple[float, float] | None,
    rests_on_skin: bool,
) -> Findings:
    """Adds to the findings what the measurements say against the assumptions.

    Args:
        findings: those to be extended.
        measured_mm: everything touched and swept, ``(n, 3)`` in reference.
        scale, trend: estimates of the registration; None where it made none.
        offset_mm: estimated offset of the sweep and its stated standard deviation; None without a sweep.
        rests_on_skin: whether nothing but the skin holds the pose.
    """
    doubts = [] if trend is None else [trend.words]
    if offset_mm is not None and abs(offset_mm[0]) > 2.0 * offset_mm[1]:
        where = "outside" if offset_mm[0] > 0.0 else "inside"
        doubts.append(
            f"the whole sweep lies {abs(offset_mm[0]):.1f} mm {where} the surface: the tip is off, or the surface"
        )
    return replace(
        findings,
        doubts=tuple(doubts),
        rests_on_skin=rests_on_skin,
        narrow="" if rests_on_skin else _narrow(measured_mm),
        scale_excess=None if scale is None else scale.excess,
        scale_words="" if scale is None else _scale_words(scale),
    )


def _scale_words(scale: ScaleEstimate) -> str:
    longer = "longer" if scale.scale > 0.0 else "shorter"
    return (
        f"distances on the patient are {abs(scale.scale):.1%} ({scale.sd:.1%}) {longer} than in the CT: its spacing is "
        f"wrong, or the tip"
    )


def _narrow(measured_mm: Floats) -> str:
    across_mm = float(pdist(measured_mm[:: max(1, len(measured_mm) // 200)]).max(initial=0.0))
    if across_mm >= NARROW_MM:
        return ""
    return (
        f"everything measured lies within {across_mm:.0f} mm: a neighbour of the same shape (a vertebra, a rib) would "
        f"fit as well. Count the levels, and verify at a landmark elsewhere"
    )
