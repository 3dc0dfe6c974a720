"""The ultrasound socket of a replay: every frame as clients were given it, with the recorded image."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import zmq

from navigation.devices.replay.mcap_messages import StoredMessage
from navigation.devices.ultrasound.grey import as_jpeg
from navigation.devices.ultrasound.mcap import FRAMES, IMAGES, DamagedImageError, grey_of
from navigation.devices.ultrasound.source import GreyPixels
from navigation.recorder.tap import ULTRASOUND
from unity_bridge.errors import WireError
from unity_bridge.transport.admission import AdmissionCheck
from unity_bridge.transport.authentication import Gate
from unity_bridge.ultrasound.server import UltrasoundServer
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import UltrasoundFrame, decode_message

TOPICS = (FRAMES, IMAGES, ULTRASOUND)


class ReplayedUltrasound:
    """Gives clients the recorded frames; where the image was not recorded, contours alone.

    Args:
        endpoint, session, context, admission, gate: as for `UltrasoundServer`.
        shift_ns: how much later than in the recording it is now.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: zmq.Context,
        admission: AdmissionCheck,
        gate: Gate | None,
        shift_ns: Callable[[], int],
    ) -> None:
        self._server = UltrasoundServer(endpoint, session, context, as_jpeg, admission, gate)
        self._shift_ns, self._again = shift_ns, 0
        self._shows_ns: int | None = None  # of the newest image
        self._image: bytes | None = None
        self._newest: tuple[UltrasoundFrame, GreyPixels | None] | None = None

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

    def play(self, message: StoredMessage) -> None:
        """Takes in what was recorded of a frame; the last of it is what clients were given."""
        if message.topic == FRAMES:
            place = json.loads(message.data)["place"] or {}
            self._shows_ns, self._image = place.get("shows_ns"), None
        elif message.topic == IMAGES:
            self._image = message.data
        else:
            with suppress(WireError):  # of another version of the wire: what it says is not known
                frame = decode_message(message.data)[1]
                if isinstance(frame, UltrasoundFrame):
                    self._newest = frame, self._pixels_of(frame)
                    self._offer()

    def hold(self) -> None:
        """Gives the newest frame again, where clients would find it older than it was."""
        if self._newest is not None:
            self._again += 1
            self._offer()

    def close(self) -> None:
        self._server.close()

    def _pixels_of(self, frame: UltrasoundFrame) -> GreyPixels | None:
        image, self._image = self._image, None
        if image is None or self._shows_ns not in (None, frame.shows_ns):
            return None
        try:
            return grey_of(image)
        except DamagedImageError:
            return None

    def _offer(self) -> None:
        if self._newest is not None:
            frame, pixels = self._newest
            moved = replace(frame, number=frame.number + self._again, shows_ns=frame.shows_ns + self._shift_ns())
            self._server.offer(moved, pixels)
