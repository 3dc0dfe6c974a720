"""How many bytes of surfaces to have under way: enough to keep the link busy, too few for poses to queue behind them.

A surface that fills the buffers of a slow link delays every pose that shares it, though they have sockets of their
own. So the window follows the delay, as LEDBAT's (RFC 6817) and FAST TCP's do (Wei, Jin, Low and Hegde, IEEE/ACM TON
14(6), 2006, eq. 6): what an answer takes longer than the fastest one is time spent in a queue, and the window is the
one that would hold that at a target.
"""

from __future__ import annotations

from dataclasses import dataclass

_CHUNKS_PER_WINDOW = 4  # few enough that asking costs nothing, enough that the link never runs dry between two


@dataclass(frozen=True, kw_only=True)
class WindowSettings:
    """Bounds of the window.

    Attributes:
        target_ns: delay in a queue that a transfer may cause: a third of a frame at 90 Hz.
        first_bytes: to begin with, before anything is known of the link.
        min_bytes, max_bytes: of the window. The largest fills 1 Gbit/s at a round trip of 13 ms.
        min_chunk_bytes, max_chunk_bytes: of one request.
    """

    target_ns: int = 3_500_000
    first_bytes: int = 32_768
    min_bytes: int = 16_384
    max_bytes: int = 2_097_152
    min_chunk_bytes: int = 8_192
    max_chunk_bytes: int = 262_144


class TransferWindow:
    """Told of every answer, says how much may be under way; knows nothing of sockets and reads no clock.

    One for each connection: the fastest answer is kept for as long as it lives.
    """

    def __init__(self, settings: WindowSettings | None = None) -> None:
        self._settings = settings or WindowSettings()
        self._bytes = float(self._settings.first_bytes)
        self._fastest_ns: int | None = None

    @property
    def byte_count(self) -> int:
        """How much may be under way now."""
        return round(self._bytes)

    @property
    def chunk_bytes(self) -> int:
        """What to ask for at a time."""
        settings = self._settings
        return max(settings.min_chunk_bytes, min(settings.max_chunk_bytes, self.byte_count // _CHUNKS_PER_WINDOW))

    def answered(self, round_trip_ns: int, byte_count: int, under_way_bytes: int) -> None:
        """An answer of `byte_count` bytes has come.

        Args:
            round_trip_ns: since it was asked for.
            under_way_bytes: what was under way just after it had been asked for, itself included.
        """
        settings = self._settings
        fastest_ns = min(self._fastest_ns or round_trip_ns, max(1, round_trip_ns))
        self._fastest_ns = fastest_ns
        if round_trip_ns - fastest_ns < settings.target_ns / 4:
            wanted = 2.0 * under_way_bytes  # the link is not full: doubles per round trip
        else:
            # Little's law: so many bytes in so much time is the link's rate, which fills it for fastest + target.
            wanted = under_way_bytes * (fastest_ns + settings.target_ns) / round_trip_ns
        # A window's worth of answers moves it all the way.
        self._bytes += (wanted - self._bytes) * min(1.0, byte_count / self._bytes)
        self._bytes = max(settings.min_bytes, min(settings.max_bytes, self._bytes))
