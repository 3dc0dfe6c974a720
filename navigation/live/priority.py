"""The pose process goes first on a busy machine, as far as the machine lets it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Above every program that did not ask for more, and below what keeps the machine itself alive.
_NICENESS = -15


@contextmanager
def going_first(wanted: bool = True) -> Iterator[bool]:
    """Whatever process starts within it has a higher priority for the scheduler, with all its threads, from the start.

    Only root, or whom a limit on `nice` allows it, may do that; for others nothing changes. The pose loop works for
    about a tenth of the time: what counts is how soon it is woken. Real-time scheduling (SCHED_FIFO) would wake it
    sooner yet, but a loop that runs away would then take the machine with it.

    Yields:
        Whether it was allowed.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        if wanted:
            os.setpriority(os.PRIO_PROCESS, 0, min(before, _NICENESS))
    except OSError:  # PermissionError as a rule; EACCES where a limit allows less
        wanted = False
    try:
        yield wanted
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
