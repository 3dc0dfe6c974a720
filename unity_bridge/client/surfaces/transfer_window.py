"""The window of surface transfers: enough bytes under way to use the link, too few to delay the poses.

A transfer that fills the buffers of a slow link delays all poses on it, although they have a socket of their own. So
the window is controlled by the delay, as in LEDBAT (RFC 6817) and FAST TCP (Wei, Jin, Low and Hegde, IEEE/ACM TON
14(6), 2006, eq. 6): the time by which an answer takes longer than the fastest one is queueing delay, and the window is
chosen to keep it at a target.
"""

from __future__ import annotations

from dataclasses import dataclass

_CHUNKS_PER_WINDOW = 4  # few requests, but enough that the link does not become idle between two


@dataclass(frozen=True, kw_only=True)
class WindowSettings:
    """Bounds of the window.

    Attributes:
        target_ns: queueing delay that a transfer may cause: a third of a frame at 90 Hz.
        first_bytes: initial window, before anything is known of the link.
        min_bytes, max_bytes: bounds of the window. The largest fills 1 Gbit/s at a round trip of 13 ms.
        min_chunk_bytes, max_chunk_bytes: bounds of one request.
    """

    target_ns: int = 3_500_000
    first_bytes: int = 32_768
    min_bytes: int = 16_384
    max_bytes: int = 2_097_152
    min_chunk_bytes: int = 8_192
    max_chunk_bytes: int = 262_144


class TransferWindow:
    """Computes the window from the answers' round trips; uses no sockets and no clock.

    Each connection needs its own, since the fastest round trip is kept for its lifetime.
    """

    def __init__(self, settings: WindowSettings | None = None) -> None:
        self._settings = settings or WindowSettings()
        self._bytes = float(self._settings.first_bytes)
        self._fastest_ns: int | None = None

    @property
    def byte_count(self) -> int:
        """Number of bytes that may be under way now."""
        return round(self._bytes)

    @property
    def chunk_bytes(self) -> int:
        """Number of bytes to request at a time."""
        settings = self._settings
        return max(settings.min_chunk_bytes, min(settings.max_chunk_bytes, self.byte_count // _CHUNKS_PER_WINDOW))

    def answered(self, round_trip_ns: int, byte_count: int, under_way_bytes: int) -> None:
        """Updates the window by an answer of `byte_count` bytes.

        Args:
            round_trip_ns: time since its request.
            byte_count: its number of bytes.
            under_way_bytes: number of bytes under way just after its request, including it.
        """
        settings = self._settings
        fastest_ns = min(self._fastest_ns or round_trip_ns, max(1, round_trip_ns))
        self._fastest_ns = fastest_ns
        if round_trip_ns - fastest_ns < settings.target_ns / 4:
            wanted = 2.0 * under_way_bytes  # the link is not full: doubles per round trip
        else:
            # Little's law: bytes under way over round trip is the link's rate; times (fastest + target) is the window.
            wanted = under_way_bytes * (fastest_ns + settings.target_ns) / round_trip_ns
        # After answers of one whole window, the window has moved to about the wanted size.
        self._bytes += (wanted - self._bytes) * min(1.0, byte_count / self._bytes)
        self._bytes = max(settings.min_bytes, min(settings.max_bytes, self._bytes))
