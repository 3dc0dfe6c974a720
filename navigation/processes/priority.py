"""Raises the scheduling priority of a process that must not be late, where the user may do so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
    Real-time scheduling makes it late still more rarely, and has to be asked for (`ask_for_real_time`).

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


# Above every ordinary program, and below the threads of the kernel that handle interrupts (50).
REAL_TIME = 20
_FEWEST_CORES = 4  # with fewer, a core for the poses alone would leave the rest too little
_ISOLATED = Path("/sys/devices/system/cpu/isolated")


@dataclass(frozen=True)
class Scheduling:
    """What the system says of a process.

    Attributes:
        real_time: its priority of SCHED_FIFO, 1 to 99; 0 without one.
        niceness: -20 goes before everything, 0 is the default; it counts without a real-time priority only.
        core: the one that it runs on; None where it may run on several.
        is_alone: whether the system keeps other programs off that core (``isolcpus``).
    """

    real_time: int
    niceness: int
    core: int | None
    is_alone: bool

    @property
    def words(self) -> str:
        """What it got, and what not."""
        first = f"real-time priority {self.real_time}"
        if not self.real_time:
            first = f"no real-time priority, nice {self.niceness}"
        if self.core is None:
            return f"{first}, no core of its own"
        return f"{first}, core {self.core} {'to itself' if self.is_alone else 'shared with other programs'}"


def scheduling_of(process_id: int) -> Scheduling | None:
    """How the system schedules a process; None if there is none."""
    try:
        is_fifo = os.sched_getscheduler(process_id) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
        cores = os.sched_getaffinity(process_id)
        return Scheduling(
            os.sched_getparam(process_id).sched_priority if is_fifo else 0,
            os.getpriority(os.PRIO_PROCESS, process_id),
            min(cores) if len(cores) == 1 else None,
            cores <= isolated_cores(),
        )
    except ProcessLookupError:
        return None


def ask_for_real_time(process_id: int) -> None:
    """Asks for a real-time priority for a process and for a core of its own; `scheduling_of` says what it got.

    For a process that was just started: its threads get the same. An isolated core is taken where the machine has one,
    else its last one where there are four and more. An endless loop in the process cannot block the machine: Linux
    leaves other programs 5 % of the time (sched_rt_runtime_us of sched(7)).
    """
    with suppress(OSError):  # not permitted, or it has ended
        os.sched_setscheduler(process_id, os.SCHED_FIFO, os.sched_param(REAL_TIME))
    allowed = os.sched_getaffinity(0)
    for core in (*sorted(isolated_cores(), reverse=True), *([max(allowed)] if len(allowed) >= _FEWEST_CORES else [])):
        with suppress(OSError):  # a container may keep it off that core
            os.sched_setaffinity(process_id, {core})
            return


def isolated_cores(path: Path = _ISOLATED) -> frozenset[int]:
    """The cores that the system keeps other programs off, which the kernel was told at its start."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return frozenset()
    cores: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cores |= set(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def may_have_real_time() -> bool:
    """Whether this user may have a real-time priority; it is tried for a moment."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REAL_TIME))
    except OSError:
        return False
    os.sched_setscheduler(0, *before)
    return True
