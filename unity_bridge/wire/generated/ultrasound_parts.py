"""Parts of messages of the ultrasound socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.schema import BLOB, F64, FLAG, TEXT, U32, choice, floats, tagged


@dataclass(frozen=True, kw_only=True)
class UltrasoundContour:
    """One structure in the frame.

    Attributes:
        closed: the last point is joined to the first.
        confidence: mean calibrated probability inside; absent where it is none.
        points_px: x and y of each point as f32, little-endian, in pixels of the frame: x along the transducer, y down
            the depth.
    """

    structure: str = tagged(1, TEXT)
    closed: bool = tagged(2, FLAG, default=False)
    confidence: float | None = tagged(3, F64, default=None)
    points_px: bytes = tagged(4, BLOB)


@dataclass(frozen=True, kw_only=True)
class UltrasoundDistance:
    """How far one contour is from a structure of the plan or from a tool's tip, at the instant that the image shows;
    a closed contour is the area in it.

    Attributes:
        contour: which of the frame's contours, from 0.
        to: name of the structure, or of the tool.
        is_tip: it is a tool's tip.
        in_frame: the frame that it was measured in: 'ct' for structures, 'reference' for tips.
        validity: only `valid` has the fields 7 to 11.
        reason: why there is no distance: show it, never the one before.
        distance_mm: the smallest; of a structure negative where the contour reaches into it.
        p95_mm: 95 of 100 such distances are off by less; absent where not known.
        is_inside: the contour reaches into the structure; or the tip lies in the contour's area, or above or below it.
        is_least: it is only the least that is possible: show it as such.
        nearest_px: where on the contour, x and y in pixels of the frame.
    """

    contour: int = tagged(1, U32)
    to: str = tagged(2, TEXT)
    is_tip: bool = tagged(3, FLAG, default=False)
    in_frame: str = tagged(4, TEXT, default="")
    validity: Validity = tagged(5, choice(Validity))
    reason: str = tagged(6, TEXT, default="")
    distance_mm: float | None = tagged(7, F64, default=None)
    p95_mm: float | None = tagged(8, F64, default=None)
    is_inside: bool = tagged(9, FLAG, default=False)
    is_least: bool = tagged(10, FLAG, default=False)
    nearest_px: tuple[float, float] | None = tagged(11, floats(2), default=None)
