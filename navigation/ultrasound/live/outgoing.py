"""What clients are given of the live ultrasound: each frame with its place, and the state where no frame comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import zmq

from navigation.clock import MonotonicClock
from navigation.devices.ultrasound.grey import as_jpeg
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.pipeline import USABLE
from unity_bridge.transport.admission import AdmissionCheck
from unity_bridge.transport.authentication import Gate, ServerSecurity
from unity_bridge.ultrasound.placed import PlacedImage, contour, placing_fields
from unity_bridge.ultrasound.server import UltrasoundServer
from unity_bridge.wire.envelope import Session, Validity
from unity_bridge.wire.messages import UltrasoundContour, UltrasoundDistance, UltrasoundFrame, encode_message


@dataclass(frozen=True, kw_only=True)
class ClientAccess:
    """Who may have the frames, and where; it can be pickled.

    Attributes:
        endpoint: where to bind; ``*`` as port takes a free one.
        session_id, admission_secret: of the service's session.
        security: keys and allow list; None where only this machine may connect.
    """

    endpoint: str
    session_id: bytes
    admission_secret: bytes
    security: ServerSecurity | None


class OutgoingFrames:
    """The ultrasound socket; call `poll` often, and close it.

    Args:
        access: who may have the frames.
        size_px: width and height of the calibrated image, told where a frame has no image.
        first_number: of the first frame; those of a process that was started again go on.
        clock: of the frames.
        keep: is given each frame as it is sent, without its image.

    Attributes:
        number: of the newest frame.
    """

    def __init__(
        self,
        access: ClientAccess,
        size_px: tuple[int, int],
        first_number: int,
        clock: MonotonicClock,
        keep: Callable[[bytes], None] | None = None,
    ) -> None:
        self.number = first_number - 1
        self._keep = keep
        self._size_px = size_px
        self._said = ("", "")
        self._shows_ns = clock.now_ns()
        self._context = zmq.Context()
        self._session = session = Session(access.session_id, clock)
        self._gate = None if access.security is None else Gate(self._context, access.security)
        check = AdmissionCheck(access.admission_secret)
        self._server = UltrasoundServer(access.endpoint, session, self._context, as_jpeg, check, self._gate)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.endpoint.rpartition(":")[2])

    def poll(self) -> None:
        """Takes what clients ask for."""
        self._server.poll(0)

    def withdraw(self, number: int) -> None:
        """Whoever was admitted by the token with this number gets nothing any more."""
        self._server.withdraw(number)

    def give(self, placed: PlacedFrame, source: str) -> None:
        """Gives the newest frame to whoever has asked for it."""
        result = placed.result
        self._said = (result.state, result.reason)
        self._shows_ns = self._shows_ns if placed.shows_ns is None else placed.shows_ns
        width, height = self._size_px if result.pixels is None else result.pixels.shape[::-1]
        self._offer(
            UltrasoundFrame(
                number=self.number + 1,
                shows_ns=self._shows_ns,
                source=source,
                state=result.state,
                reason=result.reason,
                width_px=width,
                height_px=height,
                placing=placed.validity,
                placing_reason=placed.reason,
                contours=_contours(placed),
                distances=_distances(placed),
            ),
            placed,
        )

    def say(self, state: str, reason: str, source: str) -> None:
        """Says what state the source is in, where no frame comes that could; once for each state."""
        if state == self._said[0] or state == USABLE:
            return
        self._said = (state, reason)
        width, height = self._size_px
        frame = UltrasoundFrame(
            number=self.number + 1,
            shows_ns=self._shows_ns,
            source=source,
            state=state,
            reason=reason,
            width_px=width,
            height_px=height,
            placing=Validity.LOST,
            placing_reason=f"no image: {state}",
        )
        self._offer(frame, None)

    def close(self) -> None:
        self._server.close()
        if self._gate is not None:
            self._gate.close()
        self._context.destroy(linger=0)

    def _offer(self, frame: UltrasoundFrame, placed: PlacedFrame | None) -> None:
        matrix = None if placed is None else placed.T_placed_image_px
        if placed is not None and matrix is not None:
            # Of a doubted place nobody knows how far it may be off.
            error_mm = placed.expected_p95_mm if placed.validity is Validity.VALID else None
            frame = replace(frame, **placing_fields(PlacedImage(placed.to_frame, matrix, error_mm), placed.validity))
        self._server.offer(frame, None if placed is None else placed.result.pixels)
        self.number = frame.number
        if self._keep is not None:
            self._keep(encode_message(frame, self._session, frame.number))


def _contours(placed: PlacedFrame) -> tuple[UltrasoundContour, ...]:
    if placed.result.state != USABLE:
        return ()
    return tuple(
        contour(each.structure, each.points_px, closed=each.closed, confidence=each.confidence)
        for each in placed.result.contours
    )


def _distances(placed: PlacedFrame) -> tuple[UltrasoundDistance, ...]:
    return tuple(
        UltrasoundDistance(
            contour=each.contour,
            to=each.to,
            is_tip=each.is_tip,
            in_frame=each.in_frame,
            validity=each.validity,
            reason=each.reason,
            distance_mm=each.distance_mm,
            p95_mm=each.p95_mm,
            is_inside=bool(each.is_inside),
            is_least=each.is_least,
            nearest_px=each.nearest_px,
        )
        for each in placed.distances
    )
