"""Offset to the server's clock, with a bound of its error, from exchanges of four timestamps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from unity_bridge.errors import MalformedMessageError

# Largest drift between two clocks, in parts per million: quartz oscillators are within some 20 each.
DRIFT_PPM = 50


@dataclass(frozen=True)
class ClockOffset:
    """``server time = client time + offset_ns``, wrong by at most `error_ns` at the newest exchange.

    Attributes:
        offset_ns: server time minus client time.
        error_ns: bound of the offset's error at the newest exchange, for any asymmetry between the two directions.
            Later it grows by `DRIFT_PPM`, 50 us per second (`error_at_ns`). 0 if both sides share one clock.
        compared_ns: time of the newest exchange's end, on the client's clock.
    """

    offset_ns: int
    error_ns: int
    compared_ns: int = field(default=0, compare=False)

    def to_server_ns(self, client_ns: int) -> int:
        """Converts a time of the client's clock to the server's."""
        return client_ns + self.offset_ns

    def error_at_ns(self, client_ns: int) -> int:
        """Bound of the error of `to_server_ns` at this time."""
        since_ns = max(0, client_ns - self.compared_ns)
        return self.error_ns + since_ns * DRIFT_PPM // 1_000_000 if self.error_ns > 0 else 0


class ClockExchange:
    """Keeps the last exchanges and estimates the offset within the bounds of all of them.

    No message arrives before it was sent, so each exchange bounds the offset from both sides:
    ``t3 - t4 <= offset <= t2 - t1``. The bounds of all exchanges are intersected, those of older exchanges widened by
    the drift since then (Marzullo and Owicki 1983).

    The estimate is the mean over the faster half of the exchanges, each taken at the middle of its round trip. This
    averages the jitter and excludes exchanges that were delayed in a queue; the exchange with the shortest round trip
    alone (RFC 5905, section 10) would keep its own jitter. If the mean lies outside the bounds, because a few exchanges
    were much faster than the rest, the middle of the bounds is used.
    """

    def __init__(self, window: int = 64) -> None:
        self._exchanges: deque[tuple[int, int, int, int]] = deque(maxlen=window)

    @property
    def count(self) -> int:
        """Number of exchanges kept."""
        return len(self._exchanges)

    def add(self, client_sent_ns: int, server_received_ns: int, server_sent_ns: int, client_received_ns: int) -> None:
        """Adds one exchange.

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
        lowest_ns, highest_ns = server_sent_ns - client_received_ns, server_received_ns - client_sent_ns
        self._exchanges.append((lowest_ns, highest_ns, client_sent_ns, client_received_ns))

    def best(self) -> ClockOffset | None:
        """The offset at the newest exchange; None before the first."""
        if not self._exchanges:
            return None
        lowest_ns, highest_ns, sent_ns, now_ns = self._exchanges[-1]
        low, high = lowest_ns - (now_ns - sent_ns), highest_ns + (now_ns - sent_ns)  # wider than drift makes them
        agreeing: list[tuple[int, int]] = []  # round trip and middle
        for lowest_ns, highest_ns, sent_ns, _ in reversed(self._exchanges):
            apart_ns = (now_ns - sent_ns) * DRIFT_PPM // 1_000_000
            lower, higher = max(low, lowest_ns - apart_ns), min(high, highest_ns + apart_ns)
            if lower > higher:
                break  # a clock was set, or drifts too fast: older exchanges do not apply to it
            low, high = lower, higher
            agreeing.append((highest_ns - lowest_ns, (lowest_ns + highest_ns) // 2))
        longest_ns = sorted(round_trip_ns for round_trip_ns, _ in agreeing)[(len(agreeing) - 1) // 2]
        middles = [middle_ns for round_trip_ns, middle_ns in agreeing if round_trip_ns <= longest_ns]
        mean_ns = sum(middles) // len(middles)
        offset_ns = mean_ns if low <= mean_ns <= high else (low + high) // 2
        return ClockOffset(offset_ns, max(high - offset_ns, offset_ns - low) + 1, self._exchanges[-1][3])

    def clear(self) -> None:
        """Forgets all exchanges, after the server, and perhaps its clock, has changed."""
        self._exchanges.clear()
