"""The window against links whose queue is known: a bottleneck of some rate with a round trip of its own."""

from __future__ import annotations

from collections import deque

import pytest

from unity_bridge.client.surfaces.transfer_window import TransferWindow, WindowSettings

MS = 1_000_000


class Link:
    """A FIFO bottleneck in simulated time. Requests are answered in order; each answer is queued behind the others."""

    def __init__(self, mbit: float, round_trip_ms: float) -> None:
        self.ns_per_byte = 8e3 / mbit
        self.round_trip_ns = round_trip_ms * MS
        self.free_ns = 0.0  # when the bottleneck has sent all it was given

    def transfer(self, window: TransferWindow, byte_count: int) -> tuple[float, list[float]]:
        """Runs one transfer; returns its seconds and the queueing delay that each chunk met, in ms."""
        now_ns, left, under_way, delays_ms = self.free_ns, byte_count, deque(), []
        while left or under_way:
            chunk = min(window.chunk_bytes, left)
            if left and (not under_way or sum(each[1] for each in under_way) + chunk <= window.byte_count):
                reaches_ns = now_ns + self.round_trip_ns / 2
                delays_ms.append(max(0.0, self.free_ns - reaches_ns) / MS)
                self.free_ns = max(self.free_ns, reaches_ns) + chunk * self.ns_per_byte
                total = chunk + sum(each[1] for each in under_way)
                under_way.append((now_ns, chunk, total, self.free_ns + self.round_trip_ns / 2))
                left -= chunk
                continue
            asked_ns, size, total, now_ns = under_way.popleft()
            window.answered(round(now_ns - asked_ns), size, total)
        return now_ns / 1e9, delays_ms


@pytest.mark.parametrize(("mbit", "longest_ms"), [(50.0, 9.0), (200.0, 7.0), (1000.0, 7.0)])
@pytest.mark.parametrize("round_trip_ms", [0.3, 5.0])
def test_the_link_is_busy_and_its_queue_short(mbit, longest_ms, round_trip_ms):
    link, window = Link(mbit, round_trip_ms), TransferWindow()
    seconds, delays_ms = link.transfer(window, 40_000_000)
    assert 40_000_000 * 8e-6 / mbit / seconds > 0.8  # finding the rate takes some round trips
    # Twice the target of 3.5 ms; a single chunk of 8 KiB takes 1.3 ms at 50 Mbit/s.
    assert max(delays_ms) < longest_ms


def test_an_unbounded_window_would_queue():
    """What the window is for: 2 MB under way on 200 Mbit/s are 80 ms of queue."""
    fixed = WindowSettings(first_bytes=2_097_152, min_bytes=2_097_152)
    _, delays_ms = Link(200.0, 0.3).transfer(TransferWindow(fixed), 40_000_000)
    assert max(delays_ms) > 60.0


def test_a_full_link_holds_a_queue_of_three_and_a_half_milliseconds():
    """A link of 25 MB/s and a round trip of 10 ms, kept busy: a third of a frame at 90 Hz, the target, lies in it."""
    bytes_per_ns, window = 25e6 / 1e9, TransferWindow()
    for _ in range(200):
        round_trip_ns = max(10 * MS, window.byte_count / bytes_per_ns)
        window.answered(round(round_trip_ns), window.chunk_bytes, window.byte_count)
    assert window.byte_count / bytes_per_ns / MS - 10.0 == pytest.approx(3.5, abs=0.35)  # it moves by a tenth


def test_a_loopback_gets_the_largest_window():
    window = TransferWindow()
    Link(10_000.0, 0.05).transfer(window, 20_000_000)
    assert window.byte_count == WindowSettings().max_bytes
    assert window.chunk_bytes == WindowSettings().max_chunk_bytes


def test_a_link_that_slows_down_is_noticed():
    link, window = Link(1000.0, 2.0), TransferWindow()
    link.transfer(window, 20_000_000)
    fast = window.byte_count
    link.ns_per_byte *= 20
    link.transfer(window, 20_000_000)
    assert window.byte_count < fast / 4
