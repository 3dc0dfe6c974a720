"""The name of this machine's monotonic clock: equal for all processes since the same boot, different elsewhere."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path

_KERNEL = Path("/proc")


@cache
def boot_clock_name(proc: Path = _KERNEL) -> str:
    """``monotonic-`` and 16 hexadecimal digits derived from the machine's boot.

    CLOCK_MONOTONIC counts from the boot, and a time namespace, such as a container's, shifts it. Equal names mean the
    same time scale; times under different names must not be subtracted. If the kernel states no boot id, the name is
    derived from the host name.
    """
    boot = _read(proc / "sys/kernel/random/boot_id") or platform.node()
    shift = _read(proc / "self/timens_offsets")
    return "monotonic-" + hashlib.sha256(f"{boot}\n{shift}".encode()).hexdigest()[:16]


def _read(path: Path) -> str:
    try:
        return " ".join(path.read_text("ascii").split())
    except (OSError, ValueError):
        return ""
