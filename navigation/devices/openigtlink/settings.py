"""The keys of a device that speaks OpenIGTLink, in a room file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from navigation.devices.driver import Settings
from navigation.devices.openigtlink.framing import DEFAULT_PORT


class LinkSettings(Settings):
    """Settings of the driver ``openigtlink``.

    Attributes:
        host: name or address of the machine that the sender runs on.
        port: of the sender.
        rate_hz: how many poses of a tool come in a second.
        version: of the protocol that the sender is told to answer in; PLUS sends the status of tools in 3 alone.
        ask_for: the kind of stream to ask for; leave it away for senders that send without being asked, as PLUS does.
        repeats_are_measured: the sender's poses are exact, so that one which is repeated to the last bit was measured
            again (a robot, a simulation). Otherwise it is what senders give for a tool that they no longer see.
        largest_message_mb: a message that claims more is refused.
        image: name of the IMAGE messages with the ultrasound of a probe that the device sees, such as
            ``Image_Reference``; row 0 at the transducer and x towards its marked side, as PLUS sends them.
        points: name of the POINT messages with single markers that are no tool's, in the frame of the tools.
    """

    host: str = Field(min_length=1)
    port: int = Field(DEFAULT_PORT, ge=1, le=65_535)
    rate_hz: float = Field(gt=0.0, le=5_000.0)
    version: Literal[1, 2, 3] = 3
    ask_for: Literal["TDATA", "QTDATA"] | None = None
    repeats_are_measured: bool = False
    largest_message_mb: int = Field(256, ge=1, le=4_096)
    image: str | None = Field(None, min_length=1)
    points: str | None = Field(None, min_length=1)
