"""What time is it over there: four timestamps, and the exchange with the shortest round trip."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from unity_bridge.errors import MalformedMessageError


@dataclass(frozen=True)
class ClockOffset:
    """``server time = client time + offset_ns``, wrong by at most `error_ns`.

    Attributes:
        error_ns: half the round trip: the bound holds whatever the split between the two directions.
    """

    offset_ns: int
    error_ns: int

    def to_server_ns(self, client_ns: int) -> int:
        return client_ns + self.offset_ns


class ClockExchange:
    """Keeps the last exchanges and answers with the best of them (as NTP's clock filter does, RFC 5905, section 10)."""

    def __init__(self, window: int = 32) -> None:
        self._offsets: deque[ClockOffset] = deque(maxlen=window)

    @property
    def count(self) -> int:
        return len(self._offsets)

    def add(self, client_sent_ns: int, server_received_ns: int, server_sent_ns: int, client_received_ns: int) -> None:
        """Takes in one exchange.

        Raises:
            MalformedMessageError: the server answered before it was asked, or took longer than the round trip.
        """
        at_server = server_sent_ns - server_received_ns
        round_trip = client_received_ns - client_sent_ns - at_server
        if at_server < 0 or round_trip < 0:
            raise MalformedMessageError(
                f"a clock reply with {at_server} ns at the server and {round_trip} ns under way",
                "neither negative",
                "check that each side uses one monotonic clock",
            )
        offset = ((server_received_ns - client_sent_ns) + (server_sent_ns - client_received_ns)) // 2
        self._offsets.append(ClockOffset(offset, round_trip // 2 + 1))

    def best(self) -> ClockOffset | None:
        """The exchange with the shortest round trip in the window, or None before the first."""
        return min(self._offsets, key=lambda each: each.error_ns, default=None)

    def clear(self) -> None:
        """Forgets everything: the server, and with it perhaps its clock, is another one now."""
        self._offsets.clear()
