"""The client's side of the ultrasound socket: asks for one frame at a time, over two connections.

Contours come over one of them and images over the other, so that an image on a slow network never delays a contour.
"""

from __future__ import annotations

from dataclasses import dataclass

import zmq

from geometry.errors import SurgNavError
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.link_watch import LinkWatch
from unity_bridge.client.poses.age import AgeLimits
from unity_bridge.transport.keys import ClientKeys
from unity_bridge.ultrasound.placed import check_frame
from unity_bridge.wire.envelope import Session, Validity, malformed
from unity_bridge.wire.messages import Error, UltrasoundFrame, UltrasoundRequest, decode_message, encode_message

_MAX_FRAME_BYTES = 8_388_608
# A request is made anew after this silence: the server may have been started again, and has forgotten it.
_AGAIN_NS = 1_000_000_000
_NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class ShownFrame:
    """A frame as a display may show it at one moment.

    Attributes:
        frame: as it came.
        validity: the worse of its placing and its age; anything but ``valid`` is greyed, ``lost`` hidden. Contours of a
            frame whose placing is ``suspect`` are not drawn in the patient, greyed or not.
        reason: why it is not valid.
        age_ms: upper bound of its age; None if unknown.
    """

    frame: UltrasoundFrame
    validity: Validity
    reason: str
    age_ms: float | None


class UltrasoundConnection:
    """One connection with one request under way.

    Attributes:
        newest: the newest frame; None before the first.
        received: number of frames.
        passed_over: frames that were overtaken before this client asked.
        refused: number of messages that were malformed, or older than the newest.
        refusal: the server's last refusal, or what was wrong with the last message; empty while there was none.
    """

    def __init__(
        self, endpoint: str, context: zmq.Context, session: Session, keys: ClientKeys | None, *, images: bool
    ) -> None:
        self.watch = LinkWatch(context, session.clock, keys)
        self.socket = self.watch.connect(zmq.DEALER, endpoint, {zmq.MAXMSGSIZE: _MAX_FRAME_BYTES, zmq.RCVHWM: 4})
        self._session, self._images = session, images
        self._sequence = 0
        self._asked_ns: int | None = None
        self.newest: UltrasoundFrame | None = None
        self.received = self.passed_over = self.refused = 0
        self.refusal = ""

    def ask(self, token: bytes) -> None:
        """Asks for the next frame, unless a request is under way."""
        now_ns = self._session.clock.now_ns()
        if self._asked_ns is not None and now_ns - self._asked_ns < _AGAIN_NS:
            return
        newer_than = 0 if self.newest is None else self.newest.number
        self._sequence += 1
        wish = UltrasoundRequest(token=token, newer_than=newer_than, wants_image=self._images)
        try:
            self.socket.send(encode_message(wish, self._session, self._sequence), zmq.DONTWAIT)
        except zmq.Again:
            return  # not connected: asked again at the next call
        self._asked_ns = now_ns

    def drain(self) -> None:
        """Takes what has arrived."""
        while True:
            try:
                message = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            try:
                self._take(message)
            except SurgNavError as error:
                self.refused += 1
                self.refusal = str(error)

    def close(self) -> None:
        self.watch.close()
        self.socket.close()

    def _take(self, message: bytes) -> None:
        _, what = decode_message(message)
        if isinstance(what, Error):
            self.refusal = str(what.as_exception())  # and asked again only after a while
            return
        if not isinstance(what, UltrasoundFrame):
            raise malformed(f"a {type(what).__name__} on the ultrasound socket", "an ultrasound frame")
        self._asked_ns = None
        check_frame(what)
        before = 0 if self.newest is None else self.newest.number
        if what.number <= before:
            raise malformed(f"ultrasound frame {what.number} after {before}", "growing numbers")
        self.passed_over += what.number - before - 1 if before else 0
        self.newest = what
        self.received += 1
        self.refusal = ""


class UltrasoundLink:
    """Contours and images of live ultrasound, of one session of the server.

    Args:
        session: stamps the requests.
        session_id: of the server.

    Attributes:
        contours, images: the two connections.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context,
        session: Session,
        session_id: bytes,
        keys: ClientKeys | None = None,
    ) -> None:
        self.endpoint, self.session_id = endpoint, session_id
        self.contours = UltrasoundConnection(endpoint, context, session, keys, images=False)
        self.images = UltrasoundConnection(endpoint, context, session, keys, images=True)

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        return self.contours.socket, self.images.socket

    def poll(self, token: bytes | None) -> None:
        """Takes what came and asks for more; without a token nothing is asked for."""
        for connection in (self.contours, self.images):
            connection.watch.poll()
            connection.drain()
            if token is not None:
                connection.ask(token)

    def close(self) -> None:
        self.contours.close()
        self.images.close()


def judged(frame: UltrasoundFrame, now_ns: int, offset: ClockOffset | None, limits: AgeLimits) -> ShownFrame:
    """What a display may show of a frame at a time on the client's clock, as for poses (protocol, section 4)."""
    age_ns = None
    if offset is not None:
        age_ns = offset.to_server_ns(now_ns) + offset.error_at_ns(now_ns) - frame.shows_ns
    age_ms = None if age_ns is None else age_ns / _NS_PER_MS
    by_age, why = limits.judge(age_ms)
    if by_age is not Validity.VALID:
        return ShownFrame(frame, by_age, why.replace("pose", "frame"), age_ms)
    return ShownFrame(frame, frame.placing, frame.placing_reason, age_ms)
