"""A finding that a person marked: what it is, where it lies with what error, and what it was marked in.

What was marked before the patient was registered lies in ``reference``: relative to the marker on the patient, as it
was fixed in one session. It has no place in the CT, and is never written as if it had.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from case.errors import CaseError
from case.folder import validated
from case.manifest import IsoTime, Record, Sha256
from case.markups import AXES_LPS, write_markup, write_markups
from geometry.frames import CT, REFERENCE
from geometry.points import Floats

Shape = Literal["point", "contour", "volume"]
Millimetres = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Three = tuple[float, float, float]


class MarkedIn(Record):
    """What a finding was marked in.

    Attributes:
        images: the source of the images, or the recording.
        sha256: of the recording; empty of a live source.
        session: id of the service's session, or of the recording: the reference did not move in it; empty if unknown.
        image: number of the image; None of a volume.
        shows_ns: the instant that it shows, on the session's clock; None where it has no time.
        probe: name of the probe; empty where it is not known.
        calibrated, lag_calibrated: when its map and its lag were calibrated; empty where that is not known.
        reference_seen_by, reference_sha256: the marker on the patient: which device saw it, and the fingerprint of its
            geometry; empty where that is not known.
    """

    images: str
    sha256: str = ""
    session: str = ""
    image: int | None = None
    shows_ns: int | None = None
    probe: str = ""
    calibrated: str = ""
    lag_calibrated: str = ""
    reference_seen_by: str = ""
    reference_sha256: str = ""


class Finding(Record):
    """One finding.

    Attributes:
        name: its name in the case.
        shape: a point, a contour in the plane of its image, or a volume, whose surface is a file of its own.
        structure: what it is of, in the words of the model or the person; empty if nobody said.
        in_frame: ``ct``, by `registration`; or ``reference``, in the session of `marked_in` only.
        points_mm: the point, or the contour's corners in order, in that frame; of a volume, its middle.
        closed: whether a contour's last corner joins the first.
        p95_mm: 95 of 100 such findings are off by less, at the worst of the points; None where a part is not known.
        covariance_mm2: of the middle, ``(3, 3)`` row by row along the axes of `in_frame`; None where it is not known.
        registration: id of the registration that placed it; empty in ``reference``.
        registration_sha256: of its record; empty in ``reference``.
        person, time: who marked it, and when (ISO 8601 with a time zone).
        marked_in: the image or volume.
        surface: id of the artefact with a volume's surface; empty of others.
    """

    schema_name: Literal["surgnav.finding"] = "surgnav.finding"
    schema_version: Literal[1] = 1
    name: str
    shape: Shape
    structure: str = ""
    in_frame: Literal["ct", "reference"]
    points_mm: Annotated[tuple[Three, ...], Field(min_length=1)]
    closed: bool = False
    p95_mm: Millimetres | None = None
    covariance_mm2: Annotated[tuple[float, ...], Field(min_length=9, max_length=9)] | None = None
    registration: str = ""
    registration_sha256: Sha256 | Literal[""] = ""
    person: Annotated[str, Field(min_length=1, pattern=r"\S")]
    time: IsoTime
    marked_in: MarkedIn
    surface: str = ""

    @model_validator(mode="after")
    def _says_where_it_is(self) -> Self:
        if not np.isfinite(self.points_mm).all():
            raise ValueError("a point that is not finite")
        if (self.in_frame == CT) != bool(self.registration):
            raise ValueError("a finding in 'ct' without a registration, or one in 'reference' with it")
        if self.in_frame == REFERENCE and not self.marked_in.session:
            raise ValueError("a finding in 'reference' of no session: in another the reference may be anywhere")
        if (self.shape == "volume") != bool(self.surface) or (self.shape != "contour" and len(self.points_mm) != 1):
            raise ValueError("a volume without a surface, a surface of no volume, or a point of several")
        return self

    @property
    def middle_mm(self) -> Floats:
        """The mean of its points, ``(3,)``."""
        middle: Floats = np.mean(self.points_mm, axis=0)
        return middle

    @property
    def semi_axes_mm(self) -> Floats | None:
        """Half the axes of the middle's 95 % ellipsoid, the longest first, ``(3,)``; None where it is not known."""
        if self.covariance_mm2 is None:
            return None
        variances = np.linalg.eigvalsh(np.reshape(self.covariance_mm2, (3, 3)))[::-1]
        axes: Floats = np.sqrt(_CHI2_95 * np.maximum(variances, 0.0))
        return axes

    @property
    def error_words(self) -> str:
        """Its error in words."""
        return "error not known" if self.p95_mm is None else f"95 of 100 within {self.p95_mm:.1f} mm"


# 95 % of a normal distribution in space lies within the ellipsoid of this squared radius: chi-squared, 3 degrees.
_CHI2_95 = 7.814728


def made_finding(**fields: Any) -> Finding:
    """A finding of these fields.

    Raises:
        CaseError: they contradict one another.
    """
    return validated(Finding, **fields)


def write_finding(path: Path, finding: Finding) -> None:
    """Writes a finding in ``ct`` as 3D Slicer's markups: a point, or a curve; of a volume, its middle.

    Raises:
        CaseError: a finding in ``reference``, whose coordinates Slicer would show somewhere in the CT.
        MarkupsError: the wrong ending.
    """
    if finding.in_frame != CT:
        came = f"the finding '{finding.name}' in '{finding.in_frame}'"
        raise CaseError(came, "one in 'ct'", "register the patient, and mark it again")
    said = f"{finding.structure or finding.shape}, {finding.error_words}, by {finding.person} at {finding.time}"
    if finding.shape != "contour":
        write_markups(path, finding.name, {finding.name: finding.points_mm[0]}, {finding.name: said})
        return
    corners = [
        {"id": str(number), "label": f"{finding.name}-{number}", "description": said, "position": list(point)}
        | {"orientation": AXES_LPS, "positionStatus": "defined"}
        for number, point in enumerate(finding.points_mm, start=1)
    ]
    write_markup(path, "ClosedCurve" if finding.closed else "Curve", finding.name, corners, locked=True)
