"""When a scenario begins, where that is known only after the processes that play it have started."""

from __future__ import annotations

import multiprocessing

from navigation.clock import NS_PER_S


class Cue:
    """A time that is said once, to this process and to those that were started with it; before that nothing begins."""

    def __init__(self) -> None:
        self._begun_ns = multiprocessing.get_context("spawn").RawValue("q", 0)  # 0: not said yet

    def give(self, now_ns: int) -> None:
        """It begins now; said again, nothing changes."""
        if not self._begun_ns.value:
            self._begun_ns.value = now_ns

    def since_s(self, time_ns: int) -> float:
        """Seconds from the beginning to `time_ns`; minus infinity before it was said."""
        begun_ns = int(self._begun_ns.value)
        return (time_ns - begun_ns) / NS_PER_S if begun_ns else float("-inf")
