"""Raises the scheduling priority of a process that must not be late, where the user may do so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Above every program at the default priority, and below the processes that the system itself needs.
_NICENESS = -15


@contextmanager
def going_first(wanted: bool = True) -> Iterator[bool]:
    """Processes that start while the block runs get a higher scheduling priority for all their threads.

    Only root, or a user whose limit on `nice` allows it, may do that; for others nothing changes. What goes first must
    leave time to others: the pose loop runs for a tenth of the time, and the ultrasound process waits between frames.
    Real-time scheduling (SCHED_FIFO) would make it later still more rarely, but an endless loop would then block the
    whole machine.

    Args:
        wanted: False leaves the priority unchanged.

    Yields:
        Whether the priority was raised.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        if wanted:
            os.setpriority(os.PRIO_PROCESS, 0, min(before, _NICENESS))
    except OSError:  # usually PermissionError; EACCES where the limit allows less
        wanted = False
    try:
        yield wanted
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
