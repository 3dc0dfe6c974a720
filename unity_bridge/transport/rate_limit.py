"""How much somebody may send: a token bucket on the clock that it is handed."""

from __future__ import annotations

from collections import OrderedDict

from unity_bridge.errors import TooManyRequestsError

_NS_PER_S = 1_000_000_000


class TokenBucket:
    """Allows `burst` at once and `rate_per_s` in the long run.

    Args:
        now_ns: time of the first moment; all later times are on the same clock.
    """

    def __init__(self, rate_per_s: int, burst: int, now_ns: int) -> None:
        self._rate, self._limit = rate_per_s, burst * _NS_PER_S  # in billionths, so that integers lose nothing
        self._level, self._at_ns = self._limit, now_ns

    def take(self, amount: int, now_ns: int) -> bool:
        """Takes `amount` if there is as much, and says whether there was."""
        self._level = min(self._limit, self._level + self._rate * max(0, now_ns - self._at_ns))
        self._at_ns = max(now_ns, self._at_ns)
        if amount * _NS_PER_S > self._level:
            return False
        self._level -= amount * _NS_PER_S
        return True


class Allowances:
    """A bucket for each of those who ask, by whatever names them; the longest unheard of makes room for a new one."""

    def __init__(self, rate_per_s: int, burst: int, most: int) -> None:
        self._rate, self._burst, self._most = rate_per_s, burst, most
        self._buckets: OrderedDict[str | bytes, TokenBucket] = OrderedDict()

    def check(self, who: str | bytes, now_ns: int) -> None:
        """Takes one.

        Raises:
            TooManyRequestsError: there is none left.
        """
        bucket = self._buckets.get(who)
        if bucket is None:
            if len(self._buckets) >= self._most:
                self._buckets.popitem(last=False)
            bucket = self._buckets[who] = TokenBucket(self._rate, self._burst, now_ns)
        self._buckets.move_to_end(who)
        if not bucket.take(1, now_ns):
            raise TooManyRequestsError(
                "a request too many", f"{self._rate} a second", "wait a second, then ask less often"
            )
