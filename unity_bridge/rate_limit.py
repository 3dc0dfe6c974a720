"""How much somebody may send: a token bucket on the clock that it is handed."""

from __future__ import annotations

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
