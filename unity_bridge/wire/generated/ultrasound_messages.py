"""Messages of the ultrasound socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.generated.ultrasound_parts import UltrasoundContour, UltrasoundDistance
from unity_bridge.wire.schema import BLOB, F64, FLAG, I64, POSITION, TEXT, U32, U64, choice, floats, tagged


@dataclass(frozen=True, kw_only=True)
class UltrasoundRequest:
    """Asks for one frame: the client's credit. It is answered by the newest frame there is, as soon as one is newer
    than `newer_than`.

    Attributes:
        token: the Welcome's `pose_token`.
        newer_than: number of the newest frame that this client has; 0 for none.
        wants_image: the image too. Ask for images over a connection of their own: contours do not wait behind them
            then.
    """

    token: bytes = tagged(1, BLOB)
    newer_than: int = tagged(2, U64, default=0)
    wants_image: bool = tagged(3, FLAG, default=False)


@dataclass(frozen=True, kw_only=True)
class UltrasoundFrame:
    """One frame of live ultrasound: its contours, where its image lies, and the image itself where it was asked for.

    Attributes:
        number: counts the frames of this session from 1; a gap is frames that were overtaken.
        shows_ns: the instant that the image shows, on the server's clock: judge its age as a pose's, section 4.
        source: what it comes from, for people.
        state: 'usable', or why there are no contours.
        reason: that state in words; empty if usable.
        width_px: of the frame that contours are in; the image may have fewer pixels, and covers the same area.
        placing: whether it is known where the frame lies; `valid` has the fields 10 to 13, `suspect` may have them, no
            other has.
        placing_reason: why it is not.
        to_frame: the frame that it is placed in, such as 'ct' or 'reference'.
        first_pixel_m: centre of the pixel (0, 0), in Unity's convention.
        along_x_m: from one pixel to the next along x.
        along_y_m: and along y.
        expected_p95_mm: 95 of 100 frames lie within it of where they are shown, at the worst corner; absent where not
            known.
        image: JPEG, grey.
        distances: of its contours; none in a frame that is not placed.
    """

    number: int = tagged(1, U64)
    shows_ns: int = tagged(2, I64)
    source: str = tagged(3, TEXT)
    state: str = tagged(4, TEXT)
    reason: str = tagged(5, TEXT, default="")
    width_px: int = tagged(6, U32)
    height_px: int = tagged(7, U32)
    placing: Validity = tagged(8, choice(Validity))
    placing_reason: str = tagged(9, TEXT, default="")
    to_frame: str = tagged(10, TEXT, default="")
    first_pixel_m: tuple[float, float, float] | None = tagged(11, POSITION, default=None)
    along_x_m: tuple[float, float, float] | None = tagged(12, floats(3), default=None)
    along_y_m: tuple[float, float, float] | None = tagged(13, floats(3), default=None)
    expected_p95_mm: float | None = tagged(14, F64, default=None)
    contours: tuple[UltrasoundContour, ...] = tagged(15, UltrasoundContour, repeated=True)
    image: bytes | None = tagged(16, BLOB, default=None)
    distances: tuple[UltrasoundDistance, ...] = tagged(17, UltrasoundDistance, repeated=True)
