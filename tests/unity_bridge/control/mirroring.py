"""A client that fails the self-test whenever it is told to."""

from __future__ import annotations

from unity_bridge.client import ReferenceClient
from unity_bridge.wire.messages import SelfTestReport, SelfTestRequest


class Mirroring(ReferenceClient):
    """Places everything mirrored as long as it is told to, as a client does that converts handedness once more."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.mirrors = True
        send = self.control._send
        self.control._send = lambda message: send(self._mirrored(message))

    def _mirrored(self, message):
        if not self.mirrors or not isinstance(message, SelfTestReport):
            return message
        for placement in message.placements:
            for point in placement.points:
                x, y, z = point.position_m
                object.__setattr__(point, "position_m", (-x, y, z))
        return message

    def take_test(self) -> None:
        """Asks for another test, as a program does in which something has changed."""
        self.control._send(SelfTestRequest())
