"""Raises the scheduling priority of a process that must not be late, where the user may do so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Above every program at the default priority, and below the processes that the system itself needs.
POSES = -15
# Above other programs by nine to one, and below poses by one to three: a network can fill every core that it is given.
ULTRASOUND = -10


@contextmanager
def going_first(wanted: bool = True, niceness: int = POSES) -> Iterator[bool]:
    """This process, and those that start while the block runs, get a higher scheduling priority.

    Only root, or a user whose limit on `nice` allows it, may do that; for others nothing changes. What goes before all
    others must leave them time: the pose loop runs for a tenth of it.
    Real-time scheduling (SCHED_FIFO) would make it later still more rarely, but an endless loop would then block the
    whole machine.

    Args:
        wanted: False leaves the priority unchanged.
        niceness: -20 goes before everything, 0 is the default.

    Yields:
        Whether the priority was raised.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        if wanted:
            os.setpriority(os.PRIO_PROCESS, 0, min(before, niceness))
    except OSError:  # usually PermissionError; EACCES where the limit allows less
        wanted = False
    try:
        yield wanted
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def keep_to_itself() -> None:
    """Gives this process a session of its own, with its priority, if that was raised.

    Linux divides the processors among the sessions first (the autogroups of sched(7)); a priority counts only within
    its session. On a busy machine a process that goes first would otherwise not go before other programs, and take the
    share of its own session, so that what it was started by and with hardly runs: at nice -15, 1 part in 29.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness >= 0:
        return
    with suppress(OSError):  # it leads a group already
        os.setsid()
        with suppress(OSError):  # a kernel without autogroups
            Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
