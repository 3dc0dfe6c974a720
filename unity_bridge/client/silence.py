"""A link on which nothing comes any more, though something should: TCP does not always tell."""

from __future__ import annotations

_LONGEST = 4
_HELD_UP_NS = 250_000_000


class Silence:
    """Counts how long nothing has come. After each new connection that changed nothing it is twice as patient, up to 4
    times: a server that is only slow must not be overrun. Between two questions a quarter of a second counts at the
    most: a program that was held up itself has not listened, and what came meanwhile still lies in its queue.
    """

    def __init__(self, now_ns: int) -> None:
        self._since_ns, self._asked_ns, self._times = now_ns, now_ns, 1

    def broken(self, now_ns: int) -> None:
        """Something has come."""
        self._since_ns, self._asked_ns, self._times = now_ns, now_ns, 1

    def excused(self, now_ns: int) -> None:
        """Nothing is to come now: the counting begins when something is."""
        self._since_ns, self._asked_ns = now_ns, now_ns

    def is_too_long(self, patience_ns: int, now_ns: int) -> bool:
        """Whether to make a new connection now. Says so once for each. To be asked several times a second."""
        self._since_ns += max(0, now_ns - self._asked_ns - _HELD_UP_NS)
        self._asked_ns = now_ns
        if now_ns - self._since_ns <= self._times * patience_ns:
            return False
        self._since_ns, self._times = now_ns, min(2 * self._times, _LONGEST)
        return True
