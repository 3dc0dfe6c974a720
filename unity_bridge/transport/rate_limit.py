"""Rate limits: token buckets, whose times are passed by the caller."""

from __future__ import annotations

from collections import OrderedDict

from unity_bridge.errors import TooManyRequestsError

_NS_PER_S = 1_000_000_000


class TokenBucket:
    """A token bucket that allows `burst` at once and `rate_per_s` in the long run.

    Args:
        rate_per_s, burst: the limits, in the unit of `take`'s amounts.
        now_ns: the current time; all later times must be on the same clock.
    """

    def __init__(self, rate_per_s: int, burst: int, now_ns: int) -> None:
        self._rate, self._limit = rate_per_s, burst * _NS_PER_S  # in billionths, so that integers lose nothing
        self._level, self._at_ns = self._limit, now_ns

    def take(self, amount: int, now_ns: int) -> bool:
        """Takes `amount` if that much is available; returns whether it was."""
        self._level = min(self._limit, self._level + self._rate * max(0, now_ns - self._at_ns))
        self._at_ns = max(now_ns, self._at_ns)
        if amount * _NS_PER_S > self._level:
            return False
        self._level -= amount * _NS_PER_S
        return True


class Allowances:
    """A token bucket for each sender; beyond `most` senders, the one not heard from for longest is forgotten."""

    def __init__(self, rate_per_s: int, burst: int, most: int) -> None:
        self._rate, self._burst, self._most = rate_per_s, burst, most
        self._buckets: OrderedDict[str | bytes, TokenBucket] = OrderedDict()

    def check(self, who: str | bytes, now_ns: int) -> None:
        """Counts one request of a sender.

        Raises:
            TooManyRequestsError: the sender exceeds its rate.
        """
        bucket = self._buckets.get(who)
        if bucket is None:
            if len(self._buckets) >= self._most:
                self._buckets.popitem(last=False)
            bucket = self._buckets[who] = TokenBucket(self._rate, self._burst, now_ns)
        self._buckets.move_to_end(who)
        if not bucket.take(1, now_ns):
            raise TooManyRequestsError(
                "more requests than allowed", f"{self._rate} a second", "wait a second, then ask less often"
            )
