"""Detects a silent link: TCP does not always report that a connection is broken."""

from __future__ import annotations

_LONGEST = 4
_HELD_UP_NS = 250_000_000


class Silence:
    """Measures the time since the last message.

    After each reconnection without a message the timeout doubles, up to 4 times its value, to spare a slow server.
    Between two calls of `is_too_long` at most 0.25 s counts: after a pause of the program itself, messages may be
    waiting in the queue.
    """

    def __init__(self, now_ns: int) -> None:
        self._since_ns, self._asked_ns, self._times = now_ns, now_ns, 1

    def broken(self, now_ns: int) -> None:
        """Notes that a message has come."""
        self._since_ns, self._asked_ns, self._times = now_ns, now_ns, 1

    def excused(self, now_ns: int) -> None:
        """Notes that no message is expected now; the time starts again from here."""
        self._since_ns, self._asked_ns = now_ns, now_ns

    def is_too_long(self, patience_ns: int, now_ns: int) -> bool:
        """Whether to make a new connection now; True once per timeout. To be called several times a second."""
        self._since_ns += max(0, now_ns - self._asked_ns - _HELD_UP_NS)
        self._asked_ns = now_ns
        if now_ns - self._since_ns <= self._times * patience_ns:
            return False
        self._since_ns, self._times = now_ns, min(2 * self._times, _LONGEST)
        return True
