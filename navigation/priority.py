"""The pose process goes first on a busy machine, as far as the machine lets it."""

from __future__ import annotations

import os

# Above every program that did not ask for more, and below what keeps the machine itself alive.
_NICENESS = -15


def put_first() -> bool:
    """Raises this process's priority for the scheduler, where the user may do that (root, or a limit on `nice`).

    The pose loop works for about a tenth of the time; what counts is how soon it is woken. Real-time scheduling
    (SCHED_FIFO) would wake it sooner yet, but a loop that runs away would then take the machine with it.

    Returns:
        Whether it was allowed.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    except OSError:  # PermissionError as a rule; EACCES where a limit allows less
        return False
    return True
