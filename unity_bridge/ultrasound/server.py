"""The ultrasound socket: one frame for each request, the newest there is, and nothing that nobody asked for.

A client's request is its credit. One that takes images slowly gets fewer of them and never later ones, and contours,
which are asked for over another connection, do not wait behind them. An image is encoded when somebody has asked for
it, once for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import zmq
from numpy.typing import NDArray

from unity_bridge.errors import SelfTestRequiredError, UnexpectedMessageError
from unity_bridge.transport.admission import AdmissionCheck
from unity_bridge.transport.authentication import Gate
from unity_bridge.transport.router import Request, RouterServer, RouterSettings
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import EncodedMessage, Goodbye, UltrasoundFrame, UltrasoundRequest
from unity_bridge.wire.schema import Declared

GreyPixels = NDArray[np.uint8]
# The newest frame goes out when it is there or not at all, so that a queue of two is one too many already.
_BOUNDS = RouterSettings(
    max_request_bytes=1024,
    max_queued_replies=2,
    max_requests_per_poll=32,
    requests_per_s=400,
    burst_requests=400,
    deaf_ns=20_000_000,
)


@dataclass(frozen=True)
class _Waiting:
    """Credit that is not used up: for a frame newer than this, with its image or without."""

    newer_than: int
    wants_image: bool


class UltrasoundServer(RouterServer):
    """Gives each client that asks the newest frame.

    Args:
        endpoint, session, context, gate: as for `RouterServer`.
        admission: checks the tokens of clients, as for poses; without it every client is admitted.
        encode_image: makes a JPEG of grey values ``(h, w)``.

    Attributes:
        images_encoded: how often that was called.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: zmq.Context,
        encode_image: Callable[[GreyPixels], bytes],
        admission: AdmissionCheck | None = None,
        gate: Gate | None = None,
        settings: RouterSettings = _BOUNDS,
    ) -> None:
        self._encode_image, self._admission = encode_image, admission
        self._waiting: dict[bytes, _Waiting] = {}
        self._tokens: dict[bytes, int] = {}
        self._frame: UltrasoundFrame | None = None
        self._pixels: GreyPixels | None = None
        self._encoded: dict[bool, EncodedMessage] = {}  # of the newest frame: without image, and with it
        self.images_encoded = 0
        super().__init__(endpoint, session, context, settings, gate)

    def offer(self, frame: UltrasoundFrame, pixels: GreyPixels | None) -> None:
        """Puts a frame in place of the one before, and gives it to whoever waits.

        Args:
            frame: without image; its number grows.
            pixels: the image, ``(h, w)`` uint8; None where the source had none.
        """
        self._frame, self._pixels = frame, pixels
        self._encoded.clear()
        for identity, waiting in list(self._waiting.items()):
            if frame.number > waiting.newer_than:
                del self._waiting[identity]
                self._send(identity, self._message(waiting.wants_image))

    def answer(self, request: Request) -> Declared | None:
        message = request.message
        if isinstance(message, Goodbye):
            self.forget(request.identity)
            return None
        if not isinstance(message, UltrasoundRequest):
            came = f"a {type(message).__name__} on the ultrasound socket"
            raise UnexpectedMessageError(came, "requests for frames", "use the control socket")
        self._check_admitted(message.token, request)
        waiting = _Waiting(message.newer_than, message.wants_image)
        if self._frame is not None and self._frame.number > waiting.newer_than:
            self._waiting.pop(request.identity, None)
            return self._message(waiting.wants_image)
        self._waiting[request.identity] = waiting
        return None

    def forget(self, identity: bytes) -> None:
        super().forget(identity)
        self._waiting.pop(identity, None)
        self._tokens.pop(identity, None)

    def withdraw(self, number: int) -> None:
        """Whoever was admitted by the token with this number gets nothing any more."""
        if self._admission is not None:
            self._admission.withdraw(number)
            for identity in [identity for identity, its_number in self._tokens.items() if its_number == number]:
                self.forget(identity)

    def _check_admitted(self, token: bytes, request: Request) -> None:
        if self._admission is None:
            return
        number = self._admission.number(token, request.client.key)
        if number is None:
            self.forget(request.identity)
            came = "a request for ultrasound without a token of this session"
            raise SelfTestRequiredError(came, "the token of a client that passed the self-test", "pass it first")
        self._tokens[request.identity] = number

    def _message(self, with_image: bool) -> EncodedMessage:
        """The newest frame as it is sent, made once."""
        if self._frame is None:
            raise LookupError("no frame yet")
        with_image = with_image and self._pixels is not None
        if with_image not in self._encoded:
            frame = self._frame
            if with_image and self._pixels is not None:
                self.images_encoded += 1
                frame = replace(frame, image=self._encode_image(self._pixels))
            self._encoded[with_image] = EncodedMessage.of(frame)
        return self._encoded[with_image]
