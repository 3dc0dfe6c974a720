"""What of a placed ultrasound frame becomes a finding: its contours or their middles, with frame and error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from case.case import Case
from case.findings.finding import Finding, MarkedIn, made_finding
from case.findings.kept import free_name, keep_finding
from case.manifest import Signature
from case.names import in_ascii
from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from navigation.ultrasound.live.placed_frame import PlacedFrame
from reconstruction.ultrasound.contours import Contour
from registration.record.accepted import AcceptedRegistration
from unity_bridge.wire.generated.constants import Validity

FlatShape = Literal["point", "contour"]
NOT_IN_CT = "the patient is not registered, it has no place in the CT"
NO_CONTOUR = "the frame has no contour"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point or a contour where it lies; it can be pickled.

    Attributes:
        shape: what it is.
        structure: what it is of.
        closed: whether a contour's last corner joins the first.
        in_frame: ``ct``, by `registration`, or ``reference``.
        points_mm: in that frame.
        p95_mm: at the worst of the points; None where a part of the error is not known.
        covariance_mm2: of their middle, nine numbers along the axes of that frame; None where it is not known.
        registration: id of the one that placed it; empty in ``reference``.
    """

    shape: FlatShape
    structure: str
    closed: bool
    in_frame: str
    points_mm: tuple[tuple[float, float, float], ...]
    p95_mm: float | None
    covariance_mm2: tuple[float, ...] | None
    registration: str


@dataclass(frozen=True, kw_only=True)
class Marked:
    """What was marked in one frame.

    Attributes:
        marks: none where there is a reason why not.
        why_not: that reason; empty with marks.
        image: number of the frame.
        shows_ns: the instant that it shows; None of a frame without a time.
    """

    marks: tuple[Mark, ...] = ()
    why_not: str = ""
    image: int = 0
    shows_ns: int | None = None


def marked(placed: PlacedFrame, shape: FlatShape, registration: AcceptedRegistration | None) -> Marked:
    """The contours of a frame, or their middles; nothing of one that is not placed without doubt.

    Args:
        registration: the one in force, by which the frame must be placed if it is placed in the CT.
    """
    contours = [each for each in placed.result.contours if len(each.points_px)]
    why_not = "" if contours else NO_CONTOUR
    if placed.validity is not Validity.VALID:
        why_not = f"the frame is {placed.validity.value}: {placed.reason}"
    identity = ""
    if placed.T_ct_reference is not None:
        is_it = registration is not None and np.array_equal(
            registration.T_reference_ct.inverse().matrix, placed.T_ct_reference.matrix
        )
        if registration is None or not is_it:
            why_not = why_not or "the registration is just being replaced"
        else:
            identity = registration.registration_id
    if why_not:
        return Marked(why_not=why_not)
    marks = tuple(_mark(placed, contour, shape, identity) for contour in contours)
    return Marked(marks=marks, image=placed.result.sequence, shows_ns=placed.shows_ns)


def keep_marks(case: Case, found: Marked, by: Signature, marked_in: MarkedIn) -> list[Finding]:
    """Keeps each mark as a finding called after its structure, such as ``vessel-2``.

    Raises:
        CaseError: the case cannot be written, or does not have the registration.
    """
    kept = []
    for mark in found.marks:
        placed_by = f"registration/{mark.registration}.json"
        finding = made_finding(
            name=free_name(case, in_ascii(mark.structure) or "finding"),
            shape=mark.shape,
            structure=mark.structure,
            in_frame=mark.in_frame,
            points_mm=mark.points_mm,
            closed=mark.closed,
            p95_mm=mark.p95_mm,
            covariance_mm2=mark.covariance_mm2,
            registration=mark.registration,
            registration_sha256=case.artefact(placed_by).sha256 if mark.registration else "",
            person=by.person,
            time=by.time,
            marked_in=marked_in.model_copy(update={"image": found.image, "shows_ns": found.shows_ns}),
        )
        keep_finding(case, finding)
        kept.append(finding)
    return kept


def _mark(placed: PlacedFrame, contour: Contour, shape: FlatShape, registration: str) -> Mark:
    middle_px = contour.points_px.mean(axis=0)[None]
    points_px = contour.points_px if shape == "contour" else middle_px
    covariance, p95_mm = _error(placed, points_px, middle_px)
    return Mark(
        shape=shape,
        structure=contour.structure,
        closed=contour.closed and shape == "contour",
        in_frame=CT if registration else REFERENCE,
        points_mm=_threes(placed.place_mm(points_px)),
        p95_mm=p95_mm,
        covariance_mm2=covariance,
        registration=registration,
    )


def _error(placed: PlacedFrame, points_px: Floats, middle_px: Floats) -> tuple[tuple[float, ...] | None, float | None]:
    if placed.errors is None:
        return None, None
    covariance = placed.errors.at(middle_px)[0]
    if placed.T_ct_reference is not None:
        turn = placed.T_ct_reference.rotation_matrix
        covariance = turn @ covariance @ turn.T
    return tuple(covariance.ravel().tolist()), float(placed.errors.p95_mm(points_px).max())


def _threes(points_mm: Floats | None) -> tuple[tuple[float, float, float], ...]:
    return () if points_mm is None else tuple((x, y, z) for x, y, z in points_mm.tolist())


def shapes_of(found: Sequence[Finding]) -> str:
    """Findings in words, for the operator."""
    return "; ".join(
        f"{each.name} ({each.shape}), {each.error_words}, in {each.in_frame}"
        + ("" if each.in_frame == CT else f" of this session only: {NOT_IN_CT}")
        for each in found
    )
