"""What this machine's monotonic clock is called: one for all processes of one boot, another everywhere else."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path

_KERNEL = Path("/proc")


@cache
def boot_clock_name(proc: Path = _KERNEL) -> str:
    """``monotonic-`` and 16 hexadecimal digits that follow from the machine's boot.

    CLOCK_MONOTONIC counts from the boot, and a time namespace, such as a container may have, shifts it: equal names are
    one time scale, and times of different names must not be subtracted. Where the kernel says neither, the name follows
    from the host's.
    """
    boot = _read(proc / "sys/kernel/random/boot_id") or platform.node()
    shift = _read(proc / "self/timens_offsets")
    return "monotonic-" + hashlib.sha256(f"{boot}\n{shift}".encode()).hexdigest()[:16]


def _read(path: Path) -> str:
    try:
        return " ".join(path.read_text("ascii").split())
    except (OSError, ValueError):
        return ""
