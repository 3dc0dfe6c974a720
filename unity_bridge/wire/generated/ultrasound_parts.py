"""Parts of messages of the ultrasound socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.schema import BLOB, F64, FLAG, TEXT, tagged


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
