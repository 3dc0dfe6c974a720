"""What time is it over there: four timestamps an exchange, and the interval on which all exchanges agree."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from unity_bridge.errors import MalformedMessageError

# By how much two clocks may run apart, in parts of a million: crystals are good for some 20 each, warm or cold.
DRIFT_PPM = 50


@dataclass(frozen=True)
class ClockOffset:
    """``server time = client time + offset_ns``, wrong by at most `error_ns` at the newest exchange.

    Attributes:
        error_ns: holds whatever the split of a round trip between the two directions. From the newest exchange on it
            grows by `DRIFT_PPM`: 50 us a second (`error_at_ns`). 0 is one clock that both sides share.
        compared_ns: when the newest exchange ended, on the client's clock.
    """

    offset_ns: int
    error_ns: int
    compared_ns: int = field(default=0, compare=False)

    def to_server_ns(self, client_ns: int) -> int:
        return client_ns + self.offset_ns

    def error_at_ns(self, client_ns: int) -> int:
        """By how much `to_server_ns` may be wrong then."""
        since_ns = max(0, client_ns - self.compared_ns)
        return self.error_ns + since_ns * DRIFT_PPM // 1_000_000 if self.error_ns > 0 else 0


class ClockExchange:
    """Keeps the last exchanges and answers with the offsets that none of them excludes.

    No message arrives before it was sent, so each exchange bounds the offset from both sides by itself:
    ``t3 - t4 <= offset <= t2 - t1``. The largest lower bound and the smallest upper one are what all agree on; what an
    old exchange says is widened by how far the clocks may have run apart since (Marzullo and Owicki 1983).

    Within them the answer is the mean of the faster half of the exchanges, each by the middle of its round trip: delays
    that jitter alike average out, and those that a queue held up take no part. One alone, the one of the shortest round
    trip (RFC 5905, section 10), has the jitter of one. Where few were far faster than the rest that mean is excluded,
    and the middle of what is possible is the answer.
    """

    def __init__(self, window: int = 64) -> None:
        self._exchanges: deque[tuple[int, int, int, int]] = deque(maxlen=window)

    @property
    def count(self) -> int:
        return len(self._exchanges)

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
        lowest_ns, highest_ns = server_sent_ns - client_received_ns, server_received_ns - client_sent_ns
        self._exchanges.append((lowest_ns, highest_ns, client_sent_ns, client_received_ns))

    def best(self) -> ClockOffset | None:
        """The offset at the newest exchange, or None before the first."""
        if not self._exchanges:
            return None
        lowest_ns, highest_ns, sent_ns, now_ns = self._exchanges[-1]
        low, high = lowest_ns - (now_ns - sent_ns), highest_ns + (now_ns - sent_ns)  # wider than what drift does to it
        agreeing: list[tuple[int, int]] = []  # round trip and middle
        for lowest_ns, highest_ns, sent_ns, _ in reversed(self._exchanges):
            apart_ns = (now_ns - sent_ns) * DRIFT_PPM // 1_000_000
            lower, higher = max(low, lowest_ns - apart_ns), min(high, highest_ns + apart_ns)
            if lower > higher:
                break  # a clock was set, or runs away: what is older is about another one
            low, high = lower, higher
            agreeing.append((highest_ns - lowest_ns, (lowest_ns + highest_ns) // 2))
        longest_ns = sorted(round_trip_ns for round_trip_ns, _ in agreeing)[(len(agreeing) - 1) // 2]
        middles = [middle_ns for round_trip_ns, middle_ns in agreeing if round_trip_ns <= longest_ns]
        mean_ns = sum(middles) // len(middles)
        offset_ns = mean_ns if low <= mean_ns <= high else (low + high) // 2
        return ClockOffset(offset_ns, max(high - offset_ns, offset_ns - low) + 1, self._exchanges[-1][3])

    def clear(self) -> None:
        """Forgets everything: the server, and with it perhaps its clock, is another one now."""
        self._exchanges.clear()
